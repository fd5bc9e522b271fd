"""The Auto Scaling operations that moto lacks or answers too loosely, as they look on the wire.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    LifecycleHook,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult, EmptyResult

from lab.fidelity.lifecycle import (
    ACTIONS,
    LAUNCHING,
    LOCK,
    TERMINATING,
    announce,
    complete,
    complete_overdue_quietly,
    forget_hook,
    heartbeat,
)

MOST_INSTANCE_IDS = 50
MOST_HOOKS = 50
LONGEST_WAIT = 172_800

_call_action: Callable[[AutoScalingResponse], TYPE_RESPONSE] = AutoScalingResponse.call_action
_create_group = AutoScalingResponse.create_auto_scaling_group


class Hook(LifecycleHook):
    """A lifecycle hook with its metadata, and without the role and the queue that moto makes up."""

    role_arn: Any
    notification_target_arn: Any

    def __init__(self, group_name: str, asked: dict[str, Any], before: LifecycleHook | None) -> None:
        kept = vars(before) if before else {}
        super().__init__(
            asked["LifecycleHookName"],
            group_name,
            asked.get("LifecycleTransition", kept.get("lifecycle_transition")),
            asked.get("HeartbeatTimeout", kept.get("heartbeat_timeout")),
            asked.get("DefaultResult", kept.get("default_result")),
        )
        self.role_arn = asked.get("RoleARN", kept.get("role_arn"))
        self.notification_target_arn = asked.get("NotificationTargetARN", kept.get("notification_target_arn"))
        self.notification_metadata = asked.get("NotificationMetadata", kept.get("notification_metadata"))
        # https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html
        self.global_timeout = min(100 * self.heartbeat_timeout, LONGEST_WAIT)


def call_action(response: AutoScalingResponse) -> TYPE_RESPONSE:
    """Complete what is overdue, answer, and announce the lifecycle actions that began."""
    with LOCK:
        complete_overdue_quietly()
        answer = _call_action(response)
    announce()
    return answer


def create_auto_scaling_group(response: AutoScalingResponse) -> ActionResult:
    """Create the group with its hooks first, so that they hold its first instances.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
    """
    backend = response.autoscaling_backend
    name = str(response.params["AutoScalingGroupName"])
    if name in backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    hooks = [
        _checked(backend, name, dict(asked))
        for asked in response.params.get("LifecycleHookSpecificationList", [])
    ]
    for hook in hooks:
        backend.lifecycle_hooks[_key(hook)] = hook
    try:
        return _create_group(response)
    except Exception:
        for hook in hooks:
            del backend.lifecycle_hooks[_key(hook)]
        raise


def put_lifecycle_hook(response: AutoScalingResponse) -> ActionResult:
    """Make or change a hook; instances that already wait are not touched.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
    """
    backend = response.autoscaling_backend
    group = _group(response)
    hook = _checked(backend, group.name, dict(response.params))
    if len(backend.describe_lifecycle_hooks(group.name)) >= MOST_HOOKS and not _known(backend, hook):
        raise AutoscalingClientError("LimitExceeded", f"Only {MOST_HOOKS} lifecycle hooks are allowed.")
    backend.lifecycle_hooks[_key(hook)] = hook
    return EmptyResult()


def delete_lifecycle_hook(response: AutoScalingResponse) -> ActionResult:
    """Delete a hook, completing what waits for it.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
    """
    backend = response.autoscaling_backend
    group = _group(response)
    hook = backend.lifecycle_hooks.pop(f"{group.name}_{response.params['LifecycleHookName']}", None)
    if hook is not None:
        forget_hook(backend, hook)
    return EmptyResult()


def complete_lifecycle_action(response: AutoScalingResponse) -> ActionResult:
    """Let an instance go on, or abandon it.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
    """
    group = _group(response)
    state, token = _active(response, group)
    match response.params["LifecycleActionResult"]:
        case "CONTINUE":
            complete(group, state, token, "CONTINUE")
        case "ABANDON":
            complete(group, state, token, "ABANDON")
        case result:
            raise ValidationError(f"Invalid lifecycle action result {result}: must be CONTINUE or ABANDON")
    return EmptyResult()


def record_lifecycle_action_heartbeat(response: AutoScalingResponse) -> ActionResult:
    """Give an active action more time.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RecordLifecycleActionHeartbeat.html
    """
    heartbeat(*_active(response, _group(response)))
    return EmptyResult()


def describe_auto_scaling_instances(response: AutoScalingResponse) -> ActionResult:
    """Show the instances that are named, at most 50, or all; 50 a page.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
    """
    ids = list(response.params.get("InstanceIds", []))
    if len(ids) > MOST_INSTANCE_IDS:
        raise ValidationError(f"At most {MOST_INSTANCE_IDS} instance ids may be passed in at once")
    size = int(response.params.get("MaxRecords", MOST_INSTANCE_IDS))
    if not 1 <= size <= MOST_INSTANCE_IDS:
        raise ValidationError(f"MaxRecords must be between 1 and {MOST_INSTANCE_IDS}")
    states = response.autoscaling_backend.describe_auto_scaling_instances(ids)
    states = sorted(states, key=lambda state: state.instance.id)
    token = response.params.get("NextToken")
    if token is not None:
        states = [state for state in states if state.instance.id > str(token)]
    result: dict[str, Any] = {"AutoScalingInstances": states[:size]}
    if len(states) > size:
        result["NextToken"] = states[size - 1].instance.id
    return ActionResult(result)


def describe_warm_pool(response: AutoScalingResponse) -> ActionResult:
    """Show the warm pool with its instances.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeWarmPool.html
    """
    group = _group(response)
    warmed = [state for state in group.instance_states if state.lifecycle_state.startswith("Warmed:")]
    return ActionResult({"WarmPoolConfiguration": group.warm_pool, "Instances": warmed})


OPERATIONS: Sequence[Callable[[AutoScalingResponse], object]] = (
    call_action,
    create_auto_scaling_group,
    put_lifecycle_hook,
    delete_lifecycle_hook,
    complete_lifecycle_action,
    record_lifecycle_action_heartbeat,
    describe_auto_scaling_instances,
    describe_warm_pool,
)


def _group(response: AutoScalingResponse) -> FakeAutoScalingGroup:
    name = str(response.params["AutoScalingGroupName"])
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - no such group: {name}")
    return group


def _active(response: AutoScalingResponse, group: FakeAutoScalingGroup) -> tuple[InstanceState, str]:
    """Return the instance and the token of the hook's active action, named by either of them."""
    hook = response.params["LifecycleHookName"]
    token = response.params.get("LifecycleActionToken")
    instance_id = response.params.get("InstanceId")
    if token is None and instance_id is None:
        raise ValidationError("Either the lifecycle action token or the instance ID must be specified.")
    for state in group.instance_states:
        for action in ACTIONS.get(state, ()):
            named = instance_id == state.instance.id if token is None else token == action.token
            if named and action.hook.name == hook:
                return state, action.token
    # As seen: https://github.com/convox/rack/issues/2432 (by instance),
    # https://github.com/spacelift-io/terraform-aws-spacelift-workerpool-on-ec2/pull/197 (by token).
    what = f"instance ID {instance_id}" if token is None else f"token {token}"
    raise ValidationError(f"No active Lifecycle Action found with {what}")


def _checked(backend: AutoScalingBackend, group_name: str, asked: dict[str, Any]) -> Hook:
    before = backend.lifecycle_hooks.get(f"{group_name}_{asked['LifecycleHookName']}")
    hook = Hook(group_name, asked, before)
    if hook.lifecycle_transition not in {LAUNCHING, TERMINATING}:
        raise ValidationError(f"Lifecycle transition must be {LAUNCHING} or {TERMINATING}")
    if not 30 <= hook.heartbeat_timeout <= 7200:
        raise ValidationError("Heartbeat timeout must be between 30 and 7200 seconds")
    if hook.default_result not in {"CONTINUE", "ABANDON"}:
        raise ValidationError("Default result must be CONTINUE or ABANDON")
    return hook


def _key(hook: LifecycleHook) -> str:
    return f"{hook.auto_scaling_group_name}_{hook.name}"


def _known(backend: AutoScalingBackend, hook: LifecycleHook) -> bool:
    return _key(hook) in backend.lifecycle_hooks
