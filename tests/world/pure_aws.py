"""What AWS makes of each action, as a pure function that refuses what AWS refuses (AssertionError)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import assert_never

from chalicelib.model import actions as do
from chalicelib.model.load_balancer import (
    SECURE_PROTOCOLS,
    CustomPolicy,
    Listener,
    LoadBalancer,
    PredefinedPolicy,
    ProxyProtocolPolicy,
    State,
)
from chalicelib.model.vpc import SecurityGroup
from chalicelib.provision.plan_listeners import AWS_DEFAULT_POLICY
from tests.world.pure_network import (
    network_arns,
    network_changed,
    network_created,
    target_group_created,
    target_group_deleted,
    without_load_balancer,
)

OWN_GROUP = "sg-own"
ZONES = {f"subnet-{zone}{number}": f"zone-{zone}" for zone in "abc" for number in (1, 2)}
KNOWN_GROUPS = frozenset({"sg-1", "sg-2"})
KNOWN_CERTIFICATES = frozenset({"arn:one", "arn:two"})


def bound(desired: State, actual: State) -> State:
    """The same desired state once AWS has given ids: what `desire` makes of it at the next look."""
    ids = _ids(actual)
    wanted = desired.load_balancer
    return replace(
        desired,
        load_balancer=wanted and do.bind_load_balancer(wanted, ids),
        group=desired.group and replace(desired.group, id=ids.get(desired.group.name)),
        private_ca=None if actual.private_ca else desired.private_ca,
        certificates=desired.certificates | actual.certificates if wanted else desired.certificates,
    )


def _ids(actual: State) -> dict[str, str]:
    """What AWS gave for each name that stands in a plan."""
    ids = {name: f"arn:{name}" for name in actual.certificates}
    if actual.group and actual.group.id:
        ids[actual.group.name] = actual.group.id
    return ids | network_arns(actual)


def run(actual: State, plan: Iterable[do.Action]) -> State:
    """All of a plan."""
    return reduce(performed, plan, actual)


def performed(actual: State, action: do.Action) -> State:  # noqa: C901, PLR0912 - one case an action
    """The state after one call."""
    match do.bind(action, _ids(actual)):
        case do.CreateSecurityGroup(group=group, vpc=vpc):
            assert actual.group is None, "there is a group of that name"
            return replace(actual, group=SecurityGroup(group, vpc, frozenset(), OWN_GROUP, "us"))
        case do.AuthorizeSecurityGroupIngress(group=group, rules=rules):
            own = _own(actual, group)
            assert rules
            assert not own.rules & {*rules}, "InvalidPermission.Duplicate"
            return replace(actual, group=replace(own, rules=own.rules | {*rules}))
        case do.RevokeSecurityGroupIngress(group=group, rules=rules):
            own = _own(actual, group)
            assert own.rules >= {*rules}, "InvalidPermission.NotFound"
            return replace(actual, group=replace(own, rules=own.rules - {*rules}))
        case do.DeleteSecurityGroup(group=group):
            _own(actual, group)
            there = actual.load_balancer
            assert there is None or group not in there.security_groups, "DependencyViolation"
            return replace(actual, group=None)
        case do.TagResource() | do.CreateSecret() if actual.private_ca:
            return actual  # its certificate, and the mark on it
        case do.CreateSecret(secret=secret):
            assert actual.private_ca is None, "ResourceExistsException"
            return replace(actual, private_ca=secret)
        case do.UploadServerCertificate(certificate=certificate):
            assert certificate not in actual.certificates, "EntityAlreadyExists"
            return replace(actual, certificates=actual.certificates | {certificate})
        case do.DeleteServerCertificate(certificate=certificate):
            assert certificate in actual.certificates, "NoSuchEntity"
            served = {listener.certificate for listener in _listeners(actual)}
            assert f"arn:{certificate}" not in served, "DeleteConflict"
            return replace(actual, certificates=actual.certificates - {certificate})
        case do.CreateTags(resources=instances):
            return replace(actual, cluster=actual.cluster | {*instances})
        case do.CreateLoadBalancer(load_balancer=born) if born.type == "network":
            return network_created(actual, born)
        case do.CreateLoadBalancer(load_balancer=born):
            assert actual.load_balancer is None, "DuplicateLoadBalancerName"
            _refuse_groups(actual, born.security_groups)
            empty = replace(born, listeners=())
            return replace(actual, load_balancer=_with_listeners(actual, empty, born.listeners))
        case do.DeleteLoadBalancer():
            return without_load_balancer(actual)
        case do.DeleteTargetGroup(arn=arn):
            return target_group_deleted(actual, arn)
        case do.CreateTargetGroup(target_group=group):
            return target_group_created(actual, group)
        case elb:
            there = actual.load_balancer
            assert there is not None, "LoadBalancerNotFound"
            if there.type == "network":
                return network_changed(actual, there, elb)
            after = _changed(actual, there, elb)
            _refuse_broken(after)
            return replace(actual, load_balancer=after)


def _changed(actual: State, there: LoadBalancer, action: do.Action) -> LoadBalancer:  # noqa: C901, PLR0912 - one case an action
    match action:
        case do.AttachLoadBalancerToSubnets(subnets=subnets):
            return replace(there, subnets=there.subnets | {*subnets})
        case do.DetachLoadBalancerFromSubnets(subnets=subnets):
            assert there.subnets >= {*subnets}, "not attached"
            return replace(there, subnets=there.subnets - {*subnets})
        case do.ApplySecurityGroupsToLoadBalancer(groups=groups):
            _refuse_groups(actual, groups)
            return replace(there, security_groups=frozenset(groups))
        case do.CreateLoadBalancerListeners(listeners=listeners):
            return _with_listeners(actual, there, listeners)
        case do.DeleteLoadBalancerListeners(ports=ports):
            assert {*ports} <= {one.port for one in there.listeners}, "ListenerNotFound"
            left = tuple(one for one in there.listeners if one.port not in ports)
            backs = {one.instance_port for one in left}
            policies = {port: names for port, names in there.backend_policies.items() if port in backs}
            return _proxying(replace(there, listeners=left, backend_policies=policies))
        case do.SetLoadBalancerListenerSSLCertificate(port=port, certificate=certificate):
            _refuse_certificate(actual, certificate)
            assert _at(there, port).secure, "InvalidConfigurationRequest"
            return _with(there, replace(_at(there, port), certificate=certificate))
        case do.CreateLoadBalancerPolicy(policy_name=name, policy=policy):
            assert name not in there.policies, "DuplicatePolicyName"
            return replace(there, policies={**there.policies, name: policy})
        case do.DeleteLoadBalancerPolicy(policy_name=name):
            used = [one.policy_names for one in there.listeners] + [*there.backend_policies.values()]
            assert not any(name in names for names in used), "in use"
            return replace(
                there, policies={key: value for key, value in there.policies.items() if key != name}
            )
        case do.SetLoadBalancerPoliciesOfListener(port=port, policy_names=names):
            assert {*names} <= there.policies.keys(), "PolicyNotFound"
            assert not any(name.startswith("ELBSecurityPolicy-") for name in names), "AWS's own cannot be set"
            contents = [
                policy
                for name in names
                if isinstance(policy := there.policies[name], PredefinedPolicy | CustomPolicy)
            ]
            assert len(contents) <= 1
            listener = _at(there, port)
            assert listener.secure or not contents
            changed = replace(
                listener, policy_names=frozenset(names), ssl_policy=contents[0] if contents else None
            )
            return _with(there, changed)
        case do.SetLoadBalancerPoliciesForBackendServer(instance_port=port, policy_names=names):
            assert {*names} <= there.policies.keys(), "PolicyNotFound"
            assert port in {one.instance_port for one in there.listeners}, "no listener routes there"
            policies = {**there.backend_policies, port: frozenset(names)}
            return _proxying(replace(there, backend_policies=policies))
        case do.ConfigureHealthCheck(health_check=check):
            return replace(there, health_check=check)
        case do.ModifyLoadBalancerAttributes():
            logs = action.access_logs
            return replace(
                there,
                idle_timeout=there.idle_timeout if action.idle_timeout is None else action.idle_timeout,
                connection_draining=there.connection_draining
                if action.connection_draining is None
                else action.connection_draining,
                cross_zone=there.cross_zone if action.cross_zone is None else action.cross_zone,
                access_logs=there.access_logs if logs is None else None if isinstance(logs, bool) else logs,
            )
        case do.AddTags(tags=tags):
            return replace(there, tags={**there.tags, **dict(tags)})
        case do.RemoveTags(keys=keys):
            assert there.tags.keys() >= {*keys}
            return replace(there, tags={key: text for key, text in there.tags.items() if key not in keys})
        case do.RegisterInstances(instances=instances):
            assert not there.instances & {*instances}, "registered twice"
            return replace(there, instances=there.instances | {*instances})
        case do.DeregisterInstances(instances=instances):
            assert there.instances >= {*instances}, "InvalidInstance"
            return replace(there, instances=there.instances - {*instances})
        case (
            do.CreateSecurityGroup()
            | do.AuthorizeSecurityGroupIngress()
            | do.RevokeSecurityGroupIngress()
            | do.DeleteSecurityGroup()
            | do.CreateSecret()
            | do.PutSecretValue()
            | do.TagResource()
            | do.UploadServerCertificate()
            | do.DeleteServerCertificate()
            | do.CreateTags()
            | do.DeleteTags()
            | do.CompleteLifecycleAction()
            | do.RecordLifecycleActionHeartbeat()
            | do.PutMetricAlarm()
            | do.DeleteAlarms()
            | do.PutDashboard()
            | do.DeleteDashboards()
            | do.ChangeResourceRecordSets()
            | do.CreateLoadBalancer()
            | do.DeleteLoadBalancer()
            | do.SetSubnets()
            | do.SetSecurityGroups()
            | do.CreateTargetGroup()
            | do.ModifyTargetGroup()
            | do.ModifyTargetGroupAttributes()
            | do.DeleteTargetGroup()
            | do.CreateListener()
            | do.ModifyListener()
            | do.DeleteListener()
            | do.ModifyListenerAttributes()
            | do.RegisterTargets()
            | do.DeregisterTargets()
        ):
            raise AssertionError("no call on a load balancer")
        case _:
            assert_never(action)


def _refuse_broken(there: LoadBalancer) -> None:
    assert there.subnets, "a load balancer keeps one subnet"
    zones = [ZONES[subnet] for subnet in there.subnets]
    assert len(zones) == len({*zones}), "two subnets in one zone"
    ports = [listener.port for listener in there.listeners]
    assert len(ports) == len({*ports}), "DuplicateListener"
    secure: dict[int, bool] = {}
    for listener in there.listeners:
        behind = listener.instance_protocol in SECURE_PROTOCOLS
        assert secure.setdefault(listener.instance_port, behind) == behind, "one secure, one plain"
        assert listener.secure == (listener.certificate is not None)


def _refuse_groups(actual: State, groups: Iterable[str]) -> None:
    ours = {actual.group.id} if actual.group else set()
    assert {*groups} <= KNOWN_GROUPS | ours, "InvalidSecurityGroup"
    assert groups


def _refuse_certificate(actual: State, certificate: str) -> None:
    known = KNOWN_CERTIFICATES | {f"arn:{name}" for name in actual.certificates}
    assert certificate in known, "CertificateNotFound"


def _own(actual: State, group: str) -> SecurityGroup:
    assert actual.group is not None
    assert group == actual.group.id, "InvalidGroup.NotFound"
    return actual.group


def _listeners(actual: State) -> tuple[Listener, ...]:
    return actual.load_balancer.listeners if actual.load_balancer else ()


def _at(there: LoadBalancer, port: int) -> Listener:
    (listener,) = (one for one in there.listeners if one.port == port)
    return listener


def _with(there: LoadBalancer, listener: Listener) -> LoadBalancer:
    others = tuple(one for one in there.listeners if one.port != listener.port)
    return replace(there, listeners=_ordered((*others, listener)))


def _with_listeners(actual: State, there: LoadBalancer, new: Iterable[Listener]) -> LoadBalancer:
    policies = {**there.policies}
    made = []
    for listener in new:
        if listener.certificate is not None:
            _refuse_certificate(actual, listener.certificate)
        names: frozenset[str] = frozenset()
        if listener.secure:
            policies[AWS_DEFAULT_POLICY.name] = AWS_DEFAULT_POLICY
            names = frozenset({AWS_DEFAULT_POLICY.name})
        made.append(
            replace(listener, ssl_policy=AWS_DEFAULT_POLICY if listener.secure else None, policy_names=names)
        )
    after = replace(there, listeners=_ordered((*there.listeners, *made)), policies=policies)
    _refuse_broken(after)
    return after


def _ordered(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    return tuple(sorted(listeners, key=lambda listener: listener.port))


def _proxying(there: LoadBalancer) -> LoadBalancer:
    ports = (
        port
        for port, names in there.backend_policies.items()
        if any(isinstance(there.policies.get(name), ProxyProtocolPolicy) for name in names)
    )
    return replace(there, proxy_protocol_ports=frozenset(ports))
