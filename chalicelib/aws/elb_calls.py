"""Classic Elastic Load Balancing: what is changed there. One action, one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from chalicelib.aws.elb import describe_load_balancer
from chalicelib.aws.errors import translated
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    ForeignPolicy,
    Listener,
    LoadBalancer,
    Policy,
    PredefinedPolicy,
    ProxyProtocolPolicy,
)

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elb.type_defs import (
        InstanceTypeDef,
        ListenerTypeDef,
        LoadBalancerAttributesTypeDef,
        PolicyAttributeTypeDef,
    )

ElbAction = (
    do.AddTags
    | do.ApplySecurityGroupsToLoadBalancer
    | do.AttachLoadBalancerToSubnets
    | do.ConfigureHealthCheck
    | do.CreateLoadBalancerListeners
    | do.CreateLoadBalancerPolicy
    | do.DeleteLoadBalancer
    | do.DeleteLoadBalancerListeners
    | do.DeleteLoadBalancerPolicy
    | do.DeregisterInstances
    | do.DetachLoadBalancerFromSubnets
    | do.ModifyLoadBalancerAttributes
    | do.RegisterInstances
    | do.RemoveTags
    | do.SetLoadBalancerListenerSSLCertificate
    | do.SetLoadBalancerPoliciesForBackendServer
    | do.SetLoadBalancerPoliciesOfListener
)


def create(client: ElasticLoadBalancingClient, wanted: LoadBalancer) -> str:
    """Create it and return its DNS name. Policies, attributes and instances need calls of their own."""
    with translated("CreateLoadBalancer"):
        return client.create_load_balancer(
            LoadBalancerName=wanted.name,
            Listeners=[_listener(listener) for listener in wanted.listeners],
            Subnets=sorted(wanted.subnets),
            SecurityGroups=sorted(wanted.security_groups),
            # Internet-facing is what AWS makes when no scheme is named; only "internal" is a value.
            **({"Scheme": "internal"} if wanted.scheme == "internal" else {}),
            Tags=[{"Key": key, "Value": value} for key, value in sorted(wanted.tags.items())],
        )["DNSName"]


def perform_classic(client: ElasticLoadBalancingClient, name: str, action: ElbAction) -> None:
    """Make the one call that the action names, on the load balancer `name`; Absent when it is gone.

    Our permissions depend on the load balancer's tags, which are gone with it: AWS then answers AccessDenied
    before it looks for the load balancer.
    """
    try:
        _call(client, name, action)
    except errors.Denied as error:
        if describe_load_balancer(client, name) is not None:
            raise
        if not isinstance(action, do.DeleteLoadBalancer):  # that one succeeds for one that is gone
            raise errors.Absent(error.operation, error.code, f"there is no load balancer {name}") from None


def _call(client: ElasticLoadBalancingClient, name: str, action: ElbAction) -> None:  # noqa: C901, PLR0912 - one case an action
    with translated(type(action).__name__):
        match action:
            case do.DeleteLoadBalancer():
                client.delete_load_balancer(LoadBalancerName=name)
            case do.AttachLoadBalancerToSubnets(subnets=subnets):
                client.attach_load_balancer_to_subnets(LoadBalancerName=name, Subnets=list(subnets))
            case do.DetachLoadBalancerFromSubnets(subnets=subnets):
                client.detach_load_balancer_from_subnets(LoadBalancerName=name, Subnets=list(subnets))
            case do.ApplySecurityGroupsToLoadBalancer(groups=groups):
                client.apply_security_groups_to_load_balancer(
                    LoadBalancerName=name, SecurityGroups=list(groups)
                )
            case do.CreateLoadBalancerListeners(listeners=listeners):
                client.create_load_balancer_listeners(
                    LoadBalancerName=name, Listeners=[_listener(listener) for listener in listeners]
                )
            case do.DeleteLoadBalancerListeners(ports=ports):
                client.delete_load_balancer_listeners(LoadBalancerName=name, LoadBalancerPorts=list(ports))
            case do.SetLoadBalancerListenerSSLCertificate(port=port, certificate=certificate):
                client.set_load_balancer_listener_ssl_certificate(
                    LoadBalancerName=name, LoadBalancerPort=port, SSLCertificateId=certificate
                )
            case do.CreateLoadBalancerPolicy(policy_name=policy_name, policy=policy):
                type_name, attributes = _policy(policy)
                client.create_load_balancer_policy(
                    LoadBalancerName=name,
                    PolicyName=policy_name,
                    PolicyTypeName=type_name,
                    PolicyAttributes=attributes,
                )
            case do.DeleteLoadBalancerPolicy(policy_name=policy_name):
                client.delete_load_balancer_policy(LoadBalancerName=name, PolicyName=policy_name)
            case do.SetLoadBalancerPoliciesOfListener(port=port, policy_names=names):
                client.set_load_balancer_policies_of_listener(
                    LoadBalancerName=name, LoadBalancerPort=port, PolicyNames=list(names)
                )
            case do.SetLoadBalancerPoliciesForBackendServer(instance_port=port, policy_names=names):
                client.set_load_balancer_policies_for_backend_server(
                    LoadBalancerName=name, InstancePort=port, PolicyNames=list(names)
                )
            case do.ConfigureHealthCheck(health_check=check):
                client.configure_health_check(
                    LoadBalancerName=name,
                    HealthCheck={
                        "Target": check.target,
                        "Interval": check.interval,
                        "Timeout": check.timeout,
                        "UnhealthyThreshold": check.unhealthy_threshold,
                        "HealthyThreshold": check.healthy_threshold,
                    },
                )
            case do.ModifyLoadBalancerAttributes():
                client.modify_load_balancer_attributes(
                    LoadBalancerName=name, LoadBalancerAttributes=_attributes(action)
                )
            case do.AddTags(tags=tags):
                client.add_tags(
                    LoadBalancerNames=[name], Tags=[{"Key": key, "Value": value} for key, value in tags]
                )
            case do.RemoveTags(keys=keys):
                client.remove_tags(LoadBalancerNames=[name], Tags=[{"Key": key} for key in keys])
            case do.RegisterInstances(instances=instances):
                client.register_instances_with_load_balancer(
                    LoadBalancerName=name, Instances=_instances(instances)
                )
            case do.DeregisterInstances(instances=instances):
                client.deregister_instances_from_load_balancer(
                    LoadBalancerName=name, Instances=_instances(instances)
                )
            case _:
                assert_never(action)


def _instances(ids: Sequence[str]) -> list[InstanceTypeDef]:
    return [{"InstanceId": id_} for id_ in ids]


def _listener(listener: Listener) -> ListenerTypeDef:
    request: ListenerTypeDef = {
        "Protocol": listener.protocol,
        "LoadBalancerPort": listener.port,
        "InstanceProtocol": listener.instance_protocol,
        "InstancePort": listener.instance_port,
    }
    if listener.certificate:
        request["SSLCertificateId"] = listener.certificate
    return request


def _policy(policy: Policy) -> tuple[str, list[PolicyAttributeTypeDef]]:
    """Policy type and attributes; a predefined one can only be referred to by a policy of one's own
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html)."""
    match policy:
        case PredefinedPolicy(name):
            return "SSLNegotiationPolicyType", [
                {"AttributeName": "Reference-Security-Policy", "AttributeValue": name}
            ]
        case CustomPolicy():
            on = [f"Protocol-{protocol}" for protocol in sorted(policy.protocols)] + sorted(policy.ciphers)
            on += ["Server-Defined-Cipher-Order"] if policy.server_defined_order else []
            return "SSLNegotiationPolicyType", [
                {"AttributeName": name, "AttributeValue": "true"} for name in on
            ]
        case ProxyProtocolPolicy():
            return "ProxyProtocolPolicyType", [{"AttributeName": "ProxyProtocol", "AttributeValue": "true"}]
        case ForeignPolicy(type_name):
            raise ValueError(f"a policy of type {type_name} is not ours to make")
        case _:
            assert_never(policy)


def _attributes(change: do.ModifyLoadBalancerAttributes) -> LoadBalancerAttributesTypeDef:
    request: LoadBalancerAttributesTypeDef = {}
    if change.idle_timeout is not None:
        request["ConnectionSettings"] = {"IdleTimeout": change.idle_timeout}
    if change.connection_draining is not None:
        # The timeout can be set only together with Enabled=true
        # (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html).
        request["ConnectionDraining"] = (
            {"Enabled": True, "Timeout": change.connection_draining}
            if change.connection_draining
            else {"Enabled": False}
        )
    if change.cross_zone is not None:
        request["CrossZoneLoadBalancing"] = {"Enabled": change.cross_zone}
    match change.access_logs:
        case AccessLogs(bucket, prefix, interval):
            request["AccessLog"] = {"Enabled": True, "S3BucketName": bucket, "S3BucketPrefix": prefix}
            if interval is not None:
                request["AccessLog"]["EmitInterval"] = interval
        case False:
            request["AccessLog"] = {"Enabled": False}
        case _:
            pass
    return request
