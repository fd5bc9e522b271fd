"""Corrections to moto's Auto Scaling: lifecycle hooks that hold instances, warm pools, and limits.

moto 5.2 stores hooks and does nothing with them. What they do is in `lab.fidelity.lifecycle`; here are
the places in moto where instances come and go. Operations:
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Operations.html
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    FakeWarmPool,
    InstanceState,
    TerminateInstanceActivity,
    autoscaling_backends,
)
from moto.autoscaling.responses import AutoScalingResponse

from lab.fidelity import autoscaling_operations
from lab.fidelity.lifecycle import (
    announce,
    complete_overdue,
    launch,
    on_lifecycle_action,
    remove,
    retire,
    warm,
)

__all__ = ["complete_overdue", "install", "on_lifecycle_action", "set_lifecycle_state"]

_replace_instances = FakeAutoScalingGroup.replace_autoscaling_group_instances
_set_desired_capacity = FakeAutoScalingGroup.set_desired_capacity
_attach_instances = AutoScalingBackend.attach_instances
_delete_group = AutoScalingBackend.delete_auto_scaling_group
_notify_terminated = AutoScalingBackend.notify_terminate_instances
_put_warm_pool = AutoScalingBackend.put_warm_pool


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    for place, corrections in CORRECTIONS.items():
        for name, correction in corrections.items():
            setattr(place, name, correction)


def set_lifecycle_state(account_id: str, region: str, instance_id: str, lifecycle_state: str) -> None:
    """Put a group's instance into a state of its lifecycle that nothing here leads to.

    For example `Pending:Proceed`, `Detaching` or `Warmed:Hibernated`; KeyError when no group has it.
    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingInstanceDetails.html
    """
    for state in autoscaling_backends[account_id][region].describe_auto_scaling_instances([instance_id]):
        state.lifecycle_state = lifecycle_state
        return
    raise KeyError(instance_id)


def _launch_and_hold(group: FakeAutoScalingGroup, count_needed: int, propagated_tags: dict[str, str]) -> None:
    before = set(group.instance_states)
    _replace_instances(group, count_needed, propagated_tags)
    for state in group.instance_states:
        if state not in before:
            launch(group, state)


def _scale(group: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    """Launch or retire towards the capacity, where pending instances count and leaving ones do not."""
    held = group.autoscaling_backend.describe_lifecycle_hooks(group.name) or any(
        state.lifecycle_state != "InService" for state in group.instance_states
    )
    if not held and getattr(group, "warm_pool", None) is None:
        _set_desired_capacity(group, new_capacity)
        return
    group.desired_capacity = group.min_size if new_capacity is None else new_capacity
    counted = [state for state in group.instance_states if _counts(state)]
    missing = (group.desired_capacity or 0) - len(counted)
    # An instance of the warm pool comes before a new one.
    # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html
    ready = [state for state in group.instance_states if _rests_in_pool(state)]
    for state in ready[: max(missing, 0)]:
        group.ec2_backend.start_instances([state.instance.id])
        launch(group, state, "WarmPool")
        missing -= 1
    if missing > 0:
        group.replace_autoscaling_group_instances(missing, group.get_propagated_tags())
    unprotected = [state for state in counted if not state.protected_from_scale_in]
    for state in unprotected[: max(-missing, 0)]:
        retire(group, state)
    if group.name in group.autoscaling_backend.autoscaling_groups:
        group.autoscaling_backend.update_attached_elbs(group.name)
        group.autoscaling_backend.update_attached_target_groups(group.name)


def _register_at_load_balancers(backend: AutoScalingBackend, group_name: str) -> None:
    """Register what is in service, and deregister what the group registered and no longer has in service.

    What others have registered is nobody's business of the group's; moto deregisters it.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-load-balancer-asg.html
    """
    group = backend.autoscaling_groups[group_name]
    in_service = {state.instance.id for state in group.active_instances()}
    by_group: dict[str, set[str]] = vars(group).setdefault("registered_by_group", {})
    for name in group.load_balancer_names:
        (there,) = backend.elb_backend.describe_load_balancers(names=[name])
        backend.elb_backend.register_instances(
            name, in_service - {*there.instance_ids}, from_autoscaling=True
        )
        backend.elb_backend.deregister_instances(
            name, by_group.get(name, set()) - in_service, from_autoscaling=True
        )
        by_group[name] = in_service


def _counts(state: InstanceState) -> bool:
    return state.lifecycle_state == "InService" or state.lifecycle_state.startswith("Pending")


def _rests_in_pool(state: InstanceState) -> bool:
    return state.lifecycle_state in {"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"}


def _in_group(group: FakeAutoScalingGroup) -> list[InstanceState]:
    # DescribeWarmPool and DescribeAutoScalingInstances return the warm pool's instances.
    return [state for state in group.instance_states if not state.lifecycle_state.startswith("Warmed:")]


def _attach_and_hold(backend: AutoScalingBackend, group_name: str, instance_ids: list[str]) -> None:
    """Attached instances pass the hooks for launching too.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-detach-instances.html
    """
    _attach_instances(backend, group_name, instance_ids)
    group = backend.autoscaling_groups[group_name]
    for state in group.instance_states:
        if state.instance.id in instance_ids:
            launch(group, state)


def _delete_with_hooks(backend: AutoScalingBackend, group_name: str) -> None:
    """Deleting a group terminates its instances without waiting for hooks, and deletes the hooks.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html
    """
    group = backend.autoscaling_groups.get(group_name)
    if group is not None:
        for hook in backend.describe_lifecycle_hooks(group_name):
            del backend.lifecycle_hooks[f"{group_name}_{hook.name}"]
        group.warm_pool = None
        for state in list(group.instance_states):
            remove(group, state)
    _delete_group(backend, group_name)


def _terminate(
    backend: AutoScalingBackend, instance_id: str, should_decrement: bool
) -> TerminateInstanceActivity:
    """Retire the instance; without decrement another one takes its place at once.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
    """
    for group in backend.autoscaling_groups.values():
        for state in list(group.instance_states):
            if state.instance.id == instance_id:
                capacity = group.desired_capacity or 0
                retire(group, state)
                _scale(group, capacity - 1 if should_decrement else capacity)
                return TerminateInstanceActivity(state.instance, capacity)
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _replace_terminated(backend: AutoScalingBackend, instance_ids: list[str]) -> None:
    """An instance that EC2 terminated is replaced even when it was still pending."""
    affected = [
        group
        for group in backend.autoscaling_groups.values()
        if any(state.instance.id in instance_ids for state in group.instance_states)
    ]
    _notify_terminated(backend, instance_ids)
    for group in affected:
        group.set_desired_capacity(group.desired_capacity)
    announce()


def _fill_warm_pool(backend: AutoScalingBackend, group_name: str, **configuration: Any) -> None:
    """A warm pool is filled up to the group's prepared (else maximum) capacity, and at least its minimum.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutWarmPool.html
    """
    _put_warm_pool(backend, group_name, **configuration)
    group = backend.autoscaling_groups[group_name]
    pool: FakeWarmPool | None = group.warm_pool
    prepared = pool.max_group_prepared_capacity if pool else None
    # -1 takes a number back that was set before.
    limit = prepared if prepared is not None and prepared >= 0 else group.max_size or 0
    size = max(limit - (group.desired_capacity or 0), pool.min_size if pool else 0)
    before = set(group.instance_states)
    missing = size - sum(state.lifecycle_state.startswith("Warmed:") for state in before)
    if missing > 0:
        _replace_instances(group, missing, group.get_propagated_tags())
    for state in group.instance_states:
        if state not in before:
            warm(group, state)


def _forget_warm_pool(backend: AutoScalingBackend, group_name: str) -> None:
    """Deleting the warm pool terminates its instances.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteWarmPool.html
    """
    group = backend.describe_auto_scaling_groups([group_name])[0]
    for state in list(group.instance_states):
        if state.lifecycle_state.startswith("Warmed:"):
            remove(group, state)
    group.warm_pool = None


CORRECTIONS: dict[type, dict[str, object]] = {
    FakeAutoScalingGroup: {
        "replace_autoscaling_group_instances": _launch_and_hold,
        "set_desired_capacity": _scale,
        "instances": property(_in_group),
    },
    AutoScalingBackend: {
        "attach_instances": _attach_and_hold,
        "delete_auto_scaling_group": _delete_with_hooks,
        "terminate_instance": _terminate,
        "notify_terminate_instances": _replace_terminated,
        "put_warm_pool": _fill_warm_pool,
        "delete_warm_pool": _forget_warm_pool,
        "update_attached_elbs": _register_at_load_balancers,
    },
    AutoScalingResponse: {operation.__name__: operation for operation in autoscaling_operations.OPERATIONS},
}
