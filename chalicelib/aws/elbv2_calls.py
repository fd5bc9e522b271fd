"""Elastic Load Balancing, API 2015-12-01: what is changed of network load balancers. One action, one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

from chalicelib.aws.elbv2 import CROSS_ZONE, IDLE, LOGS, LOGS_BUCKET, LOGS_PREFIX, NETWORK, is_there
from chalicelib.aws.errors import translated
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.load_balancer import AccessLogs, HealthCheck, Listener, LoadBalancer, PredefinedPolicy
from chalicelib.model.names import OWNER_TAG

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import (
        ActionTypeDef,
        SubnetMappingTypeDef,
        TagTypeDef,
        TargetDescriptionTypeDef,
    )

SharedAction = do.AddTags | do.DeleteLoadBalancer | do.ModifyLoadBalancerAttributes | do.RemoveTags
"""What both APIs have: the action's `arn` says which one is meant."""

NetworkAction = (
    do.DeleteListener
    | do.DeleteTargetGroup
    | do.DeregisterTargets
    | do.ModifyListener
    | do.ModifyListenerAttributes
    | do.ModifyTargetGroup
    | do.ModifyTargetGroupAttributes
    | do.RegisterTargets
    | do.SetSecurityGroups
    | do.SetSubnets
)
_ONCE_GONE_DONE = (do.DeleteLoadBalancer, do.DeleteTargetGroup)
"""These succeed at AWS for what is gone."""


def create_network(client: ElasticLoadBalancingv2Client, wanted: LoadBalancer) -> tuple[str, str]:
    """Create it and return its ARN and DNS name. Listeners and target groups need calls of their own."""
    with translated("CreateLoadBalancer"):
        made = client.create_load_balancer(
            Name=wanted.name,
            Type=NETWORK,
            Scheme=wanted.scheme,
            **_subnets(sorted(wanted.subnets), wanted.addresses),
            # Without one here none can ever be added.
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
            SecurityGroups=sorted(wanted.security_groups),
            Tags=_tags(wanted.tags.items()),
        )["LoadBalancers"][0]
    return made.get("LoadBalancerArn", ""), made.get("DNSName", "")


def create_target_group(client: ElasticLoadBalancingv2Client, action: do.CreateTargetGroup) -> str:
    """Create the target group, tagged as ours from its first moment, and return its ARN."""
    group = action.target_group
    with translated("CreateTargetGroup"):
        made = client.create_target_group(
            Name=group.name,
            Protocol=group.protocol,  # type: ignore[arg-type] # TCP or TLS
            Port=group.port,
            VpcId=group.vpc,
            TargetType="instance",
            Tags=_tags([(OWNER_TAG, group.owner or "")]),
            **_health_check(group.health_check),
        )
    return made["TargetGroups"][0].get("TargetGroupArn", "")


def create_listener(client: ElasticLoadBalancingv2Client, action: do.CreateListener) -> str:
    """Create the listener, tagged as ours from its first moment, and return its ARN."""
    listener = action.listener
    with translated("CreateListener"):
        made = client.create_listener(
            LoadBalancerArn=action.arn,
            Port=listener.port,
            Protocol=listener.protocol,  # type: ignore[arg-type] # TCP or TLS
            DefaultActions=_forward(listener.target_group or ""),
            Tags=_tags([(OWNER_TAG, listener.owner or "")]),
            **_secure(listener),
        )
    return made["Listeners"][0].get("ListenerArn", "")


def perform_network(
    client: ElasticLoadBalancingv2Client, arn: str, action: NetworkAction | SharedAction
) -> None:
    """Make the one call that the action names, on what has that ARN; Absent when it is gone.

    What the role may do hangs on tags, and those are gone with what carries them: AWS then says AccessDenied
    instead, before it looks for it.
    """
    try:
        _call(client, arn, action)
    except errors.Denied as error:
        if is_there(client, arn):
            raise
        if not isinstance(action, _ONCE_GONE_DONE):
            raise errors.Absent(error.operation, error.code, f"there is no {arn}") from None


def _call(  # noqa: C901, PLR0912 - one case an action
    client: ElasticLoadBalancingv2Client, arn: str, action: NetworkAction | SharedAction
) -> None:
    with translated(type(action).__name__):
        match action:
            case do.DeleteLoadBalancer():
                client.delete_load_balancer(LoadBalancerArn=arn)
            case do.SetSubnets(subnets=subnets, addresses=addresses):
                client.set_subnets(LoadBalancerArn=arn, **_subnets(subnets, dict(addresses)))
            case do.SetSecurityGroups(groups=groups):
                client.set_security_groups(LoadBalancerArn=arn, SecurityGroups=list(groups))
            case do.ModifyLoadBalancerAttributes():
                attributes = _attributes(_load_balancer_attributes(action))
                client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)
            case do.ModifyTargetGroup(health_check=check):
                client.modify_target_group(TargetGroupArn=arn, **_health_check(check))
            case do.ModifyTargetGroupAttributes(attributes=changed):
                client.modify_target_group_attributes(
                    TargetGroupArn=arn, Attributes=_attributes(dict(changed))
                )
            case do.DeleteTargetGroup():
                client.delete_target_group(TargetGroupArn=arn)
            case do.ModifyListener():
                client.modify_listener(ListenerArn=arn, **_listener_change(action))
            case do.DeleteListener():
                client.delete_listener(ListenerArn=arn)
            case do.ModifyListenerAttributes(idle_timeout=seconds):
                client.modify_listener_attributes(
                    ListenerArn=arn, Attributes=_attributes({IDLE: str(seconds)})
                )
            case do.RegisterTargets(instances=instances):
                client.register_targets(TargetGroupArn=arn, Targets=_targets(instances))
            case do.DeregisterTargets(instances=instances):
                client.deregister_targets(TargetGroupArn=arn, Targets=_targets(instances))
            case do.AddTags(tags=tags):
                client.add_tags(ResourceArns=[arn], Tags=_tags(tags))
            case do.RemoveTags(keys=keys):
                client.remove_tags(ResourceArns=[arn], TagKeys=list(keys))
            case _:
                assert_never(action)


def _tags(tags: Iterable[tuple[str, str]]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags)]


def _targets(ids: Sequence[str]) -> list[TargetDescriptionTypeDef]:
    return [{"Id": id_} for id_ in ids]


def _attributes(attributes: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in sorted(attributes.items())]


def _subnets(subnets: Sequence[str], addresses: Mapping[str, str]) -> dict[str, Any]:
    """The parameter that names the subnets; with addresses it is another one."""
    if not addresses:
        return {"Subnets": list(subnets)}
    mappings: list[SubnetMappingTypeDef] = []
    for subnet in subnets:
        mapping: SubnetMappingTypeDef = {"SubnetId": subnet}
        if (address := addresses.get(subnet, "")).startswith("eipalloc-"):
            mapping["AllocationId"] = address
        elif address:
            mapping["PrivateIPv4Address"] = address
        mappings.append(mapping)
    return {"SubnetMappings": mappings}


def _forward(target_group: str) -> list[ActionTypeDef]:
    return [{"Type": "forward", "TargetGroupArn": target_group}]


def _secure(listener: Listener) -> dict[str, Any]:
    """Certificate and policy of a TLS listener: AWS's own choice of a policy lets TLS 1.0 in."""
    request: dict[str, Any] = {}
    if listener.certificate:
        request["Certificates"] = [{"CertificateArn": listener.certificate}]
    if isinstance(listener.ssl_policy, PredefinedPolicy):
        request["SslPolicy"] = listener.ssl_policy.name
    return request


def _listener_change(action: do.ModifyListener) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if action.protocol:
        request["Protocol"] = action.protocol
    if action.certificate:
        request["Certificates"] = [{"CertificateArn": action.certificate}]
    if action.ssl_policy:
        request["SslPolicy"] = action.ssl_policy.name
    if action.target_group_arn:
        request["DefaultActions"] = _forward(action.target_group_arn)
    return request


def _health_check(check: HealthCheck) -> dict[str, Any]:
    protocol, _, rest = check.target.partition(":")
    port, slash, path = rest.partition("/")
    request: dict[str, Any] = {
        "HealthCheckProtocol": protocol,
        "HealthCheckPort": port,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
    }
    return request | ({"HealthCheckPath": slash + path} if slash else {})


def _load_balancer_attributes(change: do.ModifyLoadBalancerAttributes) -> Mapping[str, str]:
    request: dict[str, str] = {}
    if change.cross_zone is not None:
        request[CROSS_ZONE] = "true" if change.cross_zone else "false"
    match change.access_logs:
        case AccessLogs(bucket, prefix):
            request |= {LOGS: "true", LOGS_BUCKET: bucket, LOGS_PREFIX: prefix}
        case False:
            request[LOGS] = "false"
        case _:
            pass
    return request
