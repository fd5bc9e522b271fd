"""The life of an instance in an Auto Scaling group whose lifecycle hooks hold it.

    launch:      Pending:Wait ──CONTINUE──> InService          ──ABANDON──> terminated and replaced
    warm launch: Warmed:Pending:Wait ──CONTINUE──> Warmed:Stopped|Running|Hibernated
    scale-in:    Terminating:Wait ──either──> terminated; or back into the warm pool, when it is reused

Without a hook an instance goes straight through. `Pending:Proceed` and `Terminating:Proceed`, which AWS
shows for a moment after the last hook is completed, take no time here.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Literal
from weakref import WeakKeyDictionary

from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    LifecycleHook,
    autoscaling_backends,
)

from lab.fidelity.knobs import KNOBS

Result = Literal["CONTINUE", "ABANDON"]
Place = Literal["EC2", "AutoScalingGroup", "WarmPool"]
Transition = Literal["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"]
LAUNCHING: Transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING: Transition = "autoscaling:EC2_INSTANCE_TERMINATING"

DETAIL_TYPES = {
    LAUNCHING: "EC2 Instance-launch Lifecycle Action",
    TERMINATING: "EC2 Instance-terminate Lifecycle Action",
}


@dataclass(frozen=True)
class LifecycleAction:
    """What one hook waits for, about one instance; times are of `KNOBS.now`."""

    token: str
    hook: LifecycleHook
    transition: Transition
    deadline: float
    last_deadline: float


ACTIONS: WeakKeyDictionary[InstanceState, tuple[LifecycleAction, ...]] = WeakKeyDictionary()
"""The active lifecycle actions; they go when moto, reset, drops the instances."""

on_lifecycle_action: list[Callable[[dict[str, Any]], None]] = []
"""Listeners for every lifecycle action that begins: called with the EventBridge event, envelope and all,
after the AWS call that caused it is through, so that a listener may call AWS itself."""

LOCK = RLock()
"""Held while Auto Scaling answers (moto's server has threads), never while listeners are called."""

_unannounced: deque[dict[str, Any]] = deque()


def launch(group: FakeAutoScalingGroup, state: InstanceState, origin: Place = "EC2") -> None:
    """Take an instance into the group: held while a hook for launching waits, else in service."""
    state.lifecycle_state = "Pending:Wait"
    if not _hold(group, state, LAUNCHING, origin, "AutoScalingGroup"):
        state.lifecycle_state = "InService"


def warm(group: FakeAutoScalingGroup, state: InstanceState) -> None:
    """Take a new instance into the group's warm pool: held while a hook for launching waits."""
    state.lifecycle_state = "Warmed:Pending:Wait"
    if not _hold(group, state, LAUNCHING, "EC2", "WarmPool"):
        _rest_in_pool(group, state)


def retire(group: FakeAutoScalingGroup, state: InstanceState) -> None:
    """Take an instance out of the group: into the warm pool when it is reused, else to its end."""
    ACTIONS.pop(state, None)
    pool = group.warm_pool
    if pool is not None and (pool.instance_reuse_policy or {}).get("ReuseOnScaleIn"):
        state.lifecycle_state = "Warmed:Pending:Wait"
        if not _hold(group, state, TERMINATING, "AutoScalingGroup", "WarmPool"):
            _rest_in_pool(group, state)
        return
    state.lifecycle_state = "Terminating:Wait"
    if not _hold(group, state, TERMINATING, "AutoScalingGroup", "EC2"):
        remove(group, state)


def complete(group: FakeAutoScalingGroup, state: InstanceState, token: str, result: Result) -> None:
    """End one action of the instance; the last one, or any that is abandoned, lets the instance go on.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html: ABANDON stops the other
    hooks, CONTINUE lets them be completed.
    """
    rest = tuple(action for action in ACTIONS[state] if action.token != token)
    if rest and result == "CONTINUE":
        ACTIONS[state] = rest
        return
    del ACTIONS[state]
    match state.lifecycle_state:
        case "Pending:Wait" if result == "CONTINUE":
            state.lifecycle_state = "InService"
            refresh_load_balancers(group)
        case "Warmed:Pending:Wait" if result == "CONTINUE":
            _rest_in_pool(group, state)
        case "Pending:Wait":
            remove(group, state)
            group.set_desired_capacity(group.desired_capacity)
        case _:
            remove(group, state)


def heartbeat(state: InstanceState, token: str) -> None:
    """Give one action of the instance its hook's time again, within the hook's global timeout."""
    ACTIONS[state] = tuple(
        replace(action, deadline=min(KNOBS.now() + action.hook.heartbeat_timeout, action.last_deadline))
        if action.token == token
        else action
        for action in ACTIONS[state]
    )


def complete_overdue() -> None:
    """Complete with its hook's default result every action whose time is up, in every account and region.

    Whatever asks Auto Scaling does this first; call it to see the effect in EC2 without having asked.
    """
    with LOCK:
        complete_overdue_quietly()
    announce()


def complete_overdue_quietly() -> None:
    """Do the same, within `LOCK`, and leave it to the caller to announce what began."""
    now = KNOBS.now()
    for group in _groups():
        for state in list(group.instance_states):
            overdue = [action for action in ACTIONS.get(state, ()) if action.deadline <= now]
            for action in overdue:
                # An earlier one may have been abandoned, which ends them all.
                if action in ACTIONS.get(state, ()):
                    complete(group, state, action.token, _default_result(action.hook))


def forget_hook(backend: AutoScalingBackend, hook: LifecycleHook) -> None:
    """Complete what waits for a hook that is deleted: launching is abandoned, terminating goes on.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
    """
    result: Result = "ABANDON" if hook.lifecycle_transition == LAUNCHING else "CONTINUE"
    group = backend.autoscaling_groups.get(hook.auto_scaling_group_name)
    for state in list(group.instance_states) if group else []:
        for action in ACTIONS.get(state, ()):
            if group and action.hook.name == hook.name:
                complete(group, state, action.token, result)


def remove(group: FakeAutoScalingGroup, state: InstanceState) -> None:
    """Terminate the instance and let the group forget it."""
    ACTIONS.pop(state, None)
    group.instance_states = [other for other in group.instance_states if other is not state]
    group.ec2_backend.terminate_instances([state.instance.id])
    refresh_load_balancers(group)


def refresh_load_balancers(group: FakeAutoScalingGroup) -> None:
    """Let moto register the group's instances in service with its load balancers, and no others."""
    if group.name in group.autoscaling_backend.autoscaling_groups:
        group.autoscaling_backend.update_attached_elbs(group.name)


def announce() -> None:
    """Call the listeners for the actions that began."""
    while _unannounced:
        event = _unannounced.popleft()
        for listener in tuple(on_lifecycle_action):
            listener(event)


def _hold(
    group: FakeAutoScalingGroup,
    state: InstanceState,
    transition: Transition,
    origin: Place,
    destination: Place,
) -> bool:
    hooks = [
        hook
        for hook in group.autoscaling_backend.describe_lifecycle_hooks(group.name)
        if hook.lifecycle_transition == transition
    ]
    now = KNOBS.now()
    for hook in hooks:
        action = LifecycleAction(
            token=str(uuid.uuid4()),
            hook=hook,
            transition=transition,
            deadline=now + hook.heartbeat_timeout,
            last_deadline=now + hook.global_timeout,
        )
        ACTIONS[state] = (*ACTIONS.get(state, ()), action)
        _unannounced.append(_event(group, state, action, origin, destination))
    return bool(hooks)


def _rest_in_pool(group: FakeAutoScalingGroup, state: InstanceState) -> None:
    pool_state = group.warm_pool.pool_state if group.warm_pool else "Stopped"
    state.lifecycle_state = f"Warmed:{pool_state}"
    if pool_state != "Running":
        group.ec2_backend.stop_instances([state.instance.id])
    refresh_load_balancers(group)


def _event(
    group: FakeAutoScalingGroup,
    state: InstanceState,
    action: LifecycleAction,
    origin: Place,
    destination: Place,
) -> dict[str, Any]:
    # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
    detail = {
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": action.hook.name,
        "EC2InstanceId": state.instance.id,
        "LifecycleTransition": action.transition,
        "Origin": origin,
        "Destination": destination,
    }
    metadata = getattr(action.hook, "notification_metadata", None)
    if metadata is not None:
        detail["NotificationMetadata"] = metadata
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": DETAIL_TYPES[action.transition],
        "source": "aws.autoscaling",
        "account": group.account_id,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": group.region,
        "resources": [group.arn],
        "detail": detail,
    }


def _default_result(hook: LifecycleHook) -> Result:
    return "CONTINUE" if hook.default_result == "CONTINUE" else "ABANDON"


def _groups() -> Iterator[FakeAutoScalingGroup]:
    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend.autoscaling_groups.values())
