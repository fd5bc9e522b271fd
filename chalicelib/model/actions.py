"""What a plan is made of: each action is one call that changes something, and is named like that call.

`apply.py` alone makes these calls. A name may stand where AWS has not given an id or an ARN yet: see
`model/load_balancer.py`. An action that both of AWS's load balancing APIs have is about a network load
balancer where it carries an `arn`, else about the classic one of the plan's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    HealthCheck,
    Listener,
    LoadBalancer,
    Policy,
    PredefinedPolicy,
    Protocol,
    TargetGroup,
)
from chalicelib.model.metrics import Alarm
from chalicelib.model.names import CLUSTER_TAG, OWNER_TAG
from chalicelib.model.route53 import Change
from chalicelib.model.step import Step
from chalicelib.model.vpc import Rule


@dataclass(frozen=True, kw_only=True)
class _Reasoned:
    reason: str
    service: ClassVar[str] = "elb"


@dataclass(frozen=True, kw_only=True)
class CreateSecurityGroup(_Reasoned):
    service: ClassVar[str] = "ec2"
    group: str
    vpc: str


@dataclass(frozen=True, kw_only=True)
class AuthorizeSecurityGroupIngress(_Reasoned):
    service: ClassVar[str] = "ec2"
    group: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, kw_only=True)
class RevokeSecurityGroupIngress(_Reasoned):
    service: ClassVar[str] = "ec2"
    group: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, kw_only=True)
class DeleteSecurityGroup(_Reasoned):
    service: ClassVar[str] = "ec2"
    group: str


@dataclass(frozen=True, kw_only=True)
class CreateSecret(_Reasoned):
    """Keeps a new private CA or ACME account key; the value is not part of the plan."""

    service: ClassVar[str] = "secretsmanager"
    secret: str


@dataclass(frozen=True, kw_only=True)
class PutSecretValue(_Reasoned):
    """Replaces what a secret holds; the value is not part of the plan."""

    service: ClassVar[str] = "secretsmanager"
    secret: str


@dataclass(frozen=True, kw_only=True)
class TagResource(_Reasoned):
    """Sets one tag (key and value) on a secret of ours."""

    service: ClassVar[str] = "secretsmanager"
    secret: str
    tag: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class UploadServerCertificate(_Reasoned):
    service: ClassVar[str] = "iam"
    certificate: str


@dataclass(frozen=True, kw_only=True)
class DeleteServerCertificate(_Reasoned):
    service: ClassVar[str] = "iam"
    certificate: str


@dataclass(frozen=True, kw_only=True)
class CreateTags(_Reasoned):
    """Sets one tag (key and value) on instances or on a security group."""

    service: ClassVar[str] = "ec2"
    resources: tuple[str, ...]
    tag: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class DeleteTags(_Reasoned):
    """Removes one tag, whatever its value, from instances or from a security group."""

    service: ClassVar[str] = "ec2"
    resources: tuple[str, ...]
    key: str


@dataclass(frozen=True, kw_only=True)
class CreateLoadBalancer(_Reasoned):
    load_balancer: LoadBalancer


@dataclass(frozen=True, kw_only=True)
class DeleteLoadBalancer(_Reasoned):
    arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttachLoadBalancerToSubnets(_Reasoned):
    subnets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DetachLoadBalancerFromSubnets(_Reasoned):
    subnets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ApplySecurityGroupsToLoadBalancer(_Reasoned):
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CreateLoadBalancerListeners(_Reasoned):
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, kw_only=True)
class DeleteLoadBalancerListeners(_Reasoned):
    ports: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SetLoadBalancerListenerSSLCertificate(_Reasoned):
    port: int
    certificate: str


@dataclass(frozen=True, kw_only=True)
class CreateLoadBalancerPolicy(_Reasoned):
    policy_name: str
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class DeleteLoadBalancerPolicy(_Reasoned):
    policy_name: str


@dataclass(frozen=True, kw_only=True)
class SetLoadBalancerPoliciesOfListener(_Reasoned):
    port: int
    policy_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SetLoadBalancerPoliciesForBackendServer(_Reasoned):
    instance_port: int
    policy_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ConfigureHealthCheck(_Reasoned):
    health_check: HealthCheck


@dataclass(frozen=True, kw_only=True)
class ModifyLoadBalancerAttributes(_Reasoned):
    """Only what differs is named; None leaves an attribute alone, `access_logs` False turns them off."""

    arn: str | None = None
    idle_timeout: int | None = None
    connection_draining: int | None = None
    cross_zone: bool | None = None
    access_logs: AccessLogs | bool | None = None


@dataclass(frozen=True, kw_only=True)
class AddTags(_Reasoned):
    """`part` names the listener or target group that is tagged; None is the load balancer itself."""

    tags: tuple[tuple[str, str], ...]
    arn: str | None = None
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class RemoveTags(_Reasoned):
    """`part` is as in AddTags."""

    keys: tuple[str, ...]
    arn: str | None = None
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegisterInstances(_Reasoned):
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DeregisterInstances(_Reasoned):
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SetSubnets(_Reasoned):
    """Enables exactly these subnets; `addresses` are pairs of a subnet and what it is given."""

    arn: str
    subnets: tuple[str, ...]
    addresses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SetSecurityGroups(_Reasoned):
    arn: str
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CreateTargetGroup(_Reasoned):
    """Makes it with its health check and tags; its attributes need a call of their own."""

    target_group: TargetGroup


@dataclass(frozen=True, kw_only=True)
class ModifyTargetGroup(_Reasoned):
    arn: str
    target_group: str
    health_check: HealthCheck


@dataclass(frozen=True, kw_only=True)
class ModifyTargetGroupAttributes(_Reasoned):
    """Sets the attributes that are named, in AWS's own texts."""

    arn: str
    target_group: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class DeleteTargetGroup(_Reasoned):
    arn: str
    target_group: str


@dataclass(frozen=True, kw_only=True)
class CreateListener(_Reasoned):
    """Makes a listener of the load balancer `arn` that forwards to `listener.target_group`."""

    arn: str
    load_balancer: str
    listener: Listener


@dataclass(frozen=True, kw_only=True)
class ModifyListener(_Reasoned):
    """Only what differs is named, and nothing else of the listener changes."""

    arn: str
    port: int
    protocol: Protocol | None = None
    certificate: str | None = None
    ssl_policy: PredefinedPolicy | None = None
    instance_port: int | None = None
    target_group_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteListener(_Reasoned):
    arn: str
    port: int


@dataclass(frozen=True, kw_only=True)
class ModifyListenerAttributes(_Reasoned):
    arn: str
    port: int
    idle_timeout: int


@dataclass(frozen=True, kw_only=True)
class RegisterTargets(_Reasoned):
    """At most `TARGETS_AT_ONCE` of them."""

    arn: str
    target_group: str
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DeregisterTargets(_Reasoned):
    """At most `TARGETS_AT_ONCE` of them."""

    arn: str
    target_group: str
    instances: tuple[str, ...]


TARGETS_AT_ONCE = 200
"""What a call about targets takes, as others who make many of them found; AWS documents no number."""


@dataclass(frozen=True, kw_only=True)
class CompleteLifecycleAction(_Reasoned):
    """Lets an instance go on that a hook of its Auto Scaling group holds.

    Without its token it is the action that is active for the instance now.
    """

    service: ClassVar[str] = "autoscaling"
    instance: str
    group: str
    hook: str
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordLifecycleActionHeartbeat(_Reasoned):
    """Restarts the timeout of a hook's action."""

    service: ClassVar[str] = "autoscaling"
    instance: str
    group: str
    hook: str


@dataclass(frozen=True, kw_only=True)
class PutMetricAlarm(_Reasoned):
    service: ClassVar[str] = "cloudwatch"
    alarm: Alarm


@dataclass(frozen=True, kw_only=True)
class DeleteAlarms(_Reasoned):
    """At most a hundred of them."""

    service: ClassVar[str] = "cloudwatch"
    alarms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PutDashboard(_Reasoned):
    service: ClassVar[str] = "cloudwatch"
    dashboard: str
    body: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class DeleteDashboards(_Reasoned):
    service: ClassVar[str] = "cloudwatch"
    dashboard: str


@dataclass(frozen=True, kw_only=True)
class ChangeResourceRecordSets(_Reasoned):
    """Changes record sets of one hosted zone, all or none; `zone` is its id."""

    service: ClassVar[str] = "route53"
    zone: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class NewOrder(_Reasoned):
    """Orders a certificate from the ACME CA, in `acme/order.py`: the one action that is no AWS call."""

    service: ClassVar[str] = "acme"
    domains: tuple[str, ...]


Action = (
    CreateSecurityGroup
    | AuthorizeSecurityGroupIngress
    | RevokeSecurityGroupIngress
    | DeleteSecurityGroup
    | CreateSecret
    | PutSecretValue
    | TagResource
    | UploadServerCertificate
    | DeleteServerCertificate
    | CreateTags
    | DeleteTags
    | CompleteLifecycleAction
    | RecordLifecycleActionHeartbeat
    | PutMetricAlarm
    | DeleteAlarms
    | PutDashboard
    | DeleteDashboards
    | ChangeResourceRecordSets
    | CreateLoadBalancer
    | DeleteLoadBalancer
    | AttachLoadBalancerToSubnets
    | DetachLoadBalancerFromSubnets
    | ApplySecurityGroupsToLoadBalancer
    | CreateLoadBalancerListeners
    | DeleteLoadBalancerListeners
    | SetLoadBalancerListenerSSLCertificate
    | CreateLoadBalancerPolicy
    | DeleteLoadBalancerPolicy
    | SetLoadBalancerPoliciesOfListener
    | SetLoadBalancerPoliciesForBackendServer
    | ConfigureHealthCheck
    | ModifyLoadBalancerAttributes
    | AddTags
    | RemoveTags
    | RegisterInstances
    | DeregisterInstances
    | SetSubnets
    | SetSecurityGroups
    | CreateTargetGroup
    | ModifyTargetGroup
    | ModifyTargetGroupAttributes
    | DeleteTargetGroup
    | CreateListener
    | ModifyListener
    | DeleteListener
    | ModifyListenerAttributes
    | RegisterTargets
    | DeregisterTargets
)


def bind(action: Action, ids: Mapping[str, str]) -> Action:  # noqa: C901 - one case a shape
    """Return the action with the known ids and ARNs in the place of the names that stand for them."""
    match action:
        case AuthorizeSecurityGroupIngress():
            return replace(action, group=ids.get(action.group, action.group))
        case ApplySecurityGroupsToLoadBalancer():
            return replace(action, groups=tuple(ids.get(group, group) for group in action.groups))
        case SetLoadBalancerListenerSSLCertificate():
            return replace(action, certificate=ids.get(action.certificate, action.certificate))
        case CreateLoadBalancerListeners():
            return replace(action, listeners=tuple(_bound(listener, ids) for listener in action.listeners))
        case CreateLoadBalancer():
            return replace(action, load_balancer=bind_load_balancer(action.load_balancer, ids))
        case SetSecurityGroups():
            groups = tuple(ids.get(group, group) for group in action.groups)
            return replace(action, arn=ids.get(action.arn, action.arn), groups=groups)
        case CreateListener():
            listener = _bound(action.listener, ids)
            return replace(action, arn=ids.get(action.arn, action.arn), listener=listener)
        case ModifyListener():
            return replace(
                action,
                arn=ids.get(action.arn, action.arn),
                certificate=_known(action.certificate, ids),
                target_group_arn=_known(action.target_group_arn, ids),
            )
        case DeleteLoadBalancer() | ModifyLoadBalancerAttributes() | AddTags() | RemoveTags():
            return replace(action, arn=_known(action.arn, ids))
        case (
            SetSubnets()
            | ModifyTargetGroup()
            | ModifyTargetGroupAttributes()
            | DeleteTargetGroup()
            | DeleteListener()
            | ModifyListenerAttributes()
            | RegisterTargets()
            | DeregisterTargets()
        ):
            return replace(action, arn=ids.get(action.arn, action.arn))
        case _:
            return action


def bind_load_balancer(load_balancer: LoadBalancer, ids: Mapping[str, str]) -> LoadBalancer:
    """Return the load balancer with the known ids and ARNs in the place of names."""
    return replace(
        load_balancer,
        arn=_known(load_balancer.arn, ids),
        listeners=tuple(_bound(listener, ids) for listener in load_balancer.listeners),
        security_groups=frozenset(ids.get(group, group) for group in load_balancer.security_groups),
        target_groups={
            port: replace(group, arn=_known(group.arn, ids))
            for port, group in load_balancer.target_groups.items()
        },
    )


def _bound(listener: Listener, ids: Mapping[str, str]) -> Listener:
    return replace(
        listener,
        certificate=_known(listener.certificate, ids),
        target_group=_known(listener.target_group, ids),
    )


def _known(reference: str | None, ids: Mapping[str, str]) -> str | None:
    return reference if reference is None else ids.get(reference, reference)


def to_step(action: Action | NewOrder) -> Step:
    """Return the action with its fields as JSON values."""
    name, service = type(action).__name__, action.service
    return Step(action=name, reason=action.reason, service=service, fields=_fields(action))


def _fields(action: Action | NewOrder) -> Mapping[str, object]:
    """Return what the call is about: by default its own fields, without those that stay as they are."""
    match action:
        case CreateTags(resources=resources, tag=(key, value)):
            return _tagged(resources) | ({"cluster": value} if key == CLUSTER_TAG else {"tags": {key: value}})
        case DeleteTags(resources=resources, key=key):
            return _tagged(resources) | {"keys": [key]}
        case CompleteLifecycleAction() | RecordLifecycleActionHeartbeat():
            return {"instances": [action.instance], "group": action.group, "hook": action.hook}
        case PutMetricAlarm(alarm=alarm):
            return {"alarm": alarm.name}
        case PutDashboard(dashboard=dashboard):
            return {"dashboard": dashboard}
        case ChangeResourceRecordSets(zone=zone, changes=changes):
            records = {one.name for change in changes for one in (change.before, change.after) if one}
            return {"zone": zone, "records": sorted(records)}
        case _:
            return {
                field.name: _plain(value)
                for field in fields(action)
                # An ARN is known for what exists alone, and its name or port says which it is.
                if field.name != "reason" and not field.name.endswith("arn")
                if (value := getattr(action, field.name)) is not None and value != ()
            }


def _tagged(resources: tuple[str, ...]) -> dict[str, object]:
    kind = "groups" if all(one.startswith("sg-") for one in resources) else "instances"
    return {kind: [*resources]}


def _plain(value: object) -> object:
    match value:
        case LoadBalancer():
            return {
                "scheme": value.scheme,
                "subnets": sorted(value.subnets),
                "security_groups": sorted(value.security_groups),
                "listeners": [_plain(listener) for listener in value.listeners],
                "tags": dict(sorted(value.tags.items())),
            }
        case Listener():
            wiring = dict(
                zip(("port", "protocol", "instance_port", "instance_protocol"), value.wiring, strict=True)
            )
            return wiring | ({"certificate": value.certificate} if value.certificate else {})
        case TargetGroup():
            return {
                "name": value.name,
                "port": value.port,
                "protocol": value.protocol,
                "health_check": _plain(value.health_check),
            }
        case PredefinedPolicy():
            return value.name
        case CustomPolicy():
            return {
                "protocols": sorted(value.protocols),
                "ciphers": sorted(value.ciphers),
                "server_defined_order": value.server_defined_order,
            }
        case HealthCheck() | AccessLogs() | Rule():
            named = ((field.name, getattr(value, field.name)) for field in fields(value))
            return {name: one for name, one in named if one is not None}
        case tuple():
            return [_plain(item) for item in value]
        case str() | int():
            return value
        case _:
            return type(value).__name__


def tidies_up(action: Action) -> bool:
    """Whether the call only deletes leftovers: it comes last, and the plan goes on when AWS refuses it."""
    return isinstance(action, DeleteLoadBalancerPolicy)


def makes_ours(action: Action) -> bool:
    """Whether the call puts our owner tag on a load balancer, a part of it, or a security group."""
    match action:
        case CreateLoadBalancer() | CreateSecurityGroup() | CreateTargetGroup() | CreateListener():
            return True
        case AddTags(tags=tags):
            return OWNER_TAG in dict(tags)
        case _:
            return False
