"""Which of AWS's two load balancing APIs is asked, or makes the call of an action: one place decides it.

What a story does with load balancers of both kinds stands here: their secure listeners, their tags, the swap
of a certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.aws import elb, elb_calls, elbv2, elbv2_calls
from chalicelib.model import actions as do
from chalicelib.model.errors import Absent, AwsError
from chalicelib.model.load_balancer import INVALID_CERTIFICATE, LoadBalancer, SecureListener
from chalicelib.model.names import future_arn

if TYPE_CHECKING:
    from chalicelib.aws.clients import Clients

_FEW = 10
"""So many load balancers with one secure listener each have their tags in one call."""

Making = do.CreateLoadBalancer | do.CreateTargetGroup | do.CreateListener
"""What AWS answers with an ARN, or with a name in DNS."""


@dataclass(frozen=True)
class Made:
    """What AWS gave to something new: `arns` by the names that stood for them."""

    dns_name: str | None
    arns: dict[str, str]


def create_at_aws(clients: Clients, action: Making) -> Made:
    """Create what the action names."""
    match action:
        case do.CreateLoadBalancer(load_balancer=wanted):
            return _CREATE[wanted.type](clients, wanted)
        case do.CreateTargetGroup(target_group=group):
            arn = elbv2_calls.create_target_group(clients.elbv2, action)
            return Made(None, {future_arn("targetgroup", group.name): arn})
        case do.CreateListener(load_balancer=name, listener=listener):
            arn = elbv2_calls.create_listener(clients.elbv2, action)
            return Made(None, {future_arn("listener", f"{name}/{listener.port}"): arn})


def _create_classic(clients: Clients, wanted: LoadBalancer) -> Made:
    return Made(elb_calls.create(clients.elb, wanted), {})


def _create_network(clients: Clients, wanted: LoadBalancer) -> Made:
    arn, dns_name = elbv2_calls.create_network(clients.elbv2, wanted)
    return Made(dns_name, {future_arn("loadbalancer", wanted.name): arn})


_CREATE = {"classic": _create_classic, "network": _create_network}


def perform(clients: Clients, name: str, action: elb_calls.ElbAction | elbv2_calls.NetworkAction) -> None:
    """Make the one call that the action names; without an ARN it is about the classic one `name`."""
    match action:
        case (
            do.AddTags(arn=str(arn))
            | do.DeleteLoadBalancer(arn=str(arn))
            | do.ModifyLoadBalancerAttributes(arn=str(arn))
            | do.RemoveTags(arn=str(arn))
            | do.DeleteListener(arn=arn)
            | do.DeleteTargetGroup(arn=arn)
            | do.DeregisterTargets(arn=arn)
            | do.ModifyListener(arn=arn)
            | do.ModifyListenerAttributes(arn=arn)
            | do.ModifyTargetGroup(arn=arn)
            | do.ModifyTargetGroupAttributes(arn=arn)
            | do.RegisterTargets(arn=arn)
            | do.SetSecurityGroups(arn=arn)
            | do.SetSubnets(arn=arn)
        ):
            elbv2_calls.perform_network(clients.elbv2, arn, action)
        case _:
            elb_calls.perform_classic(clients.elb, name, action)


@dataclass(frozen=True)
class SecureListeners:
    """The secure listeners of the region, and the load balancers of one owner by name.

    `ours` are on these load balancers and may be changed; `foreign` are on them too, and do not carry the
    owner's tag. `in_use` are the certificates on every listener that was seen, of any owner. `unread` are
    those whose listeners AWS does not show, and why. `same_name` are names that a load balancer of ours of
    each kind has.
    """

    load_balancers: Mapping[str, LoadBalancer]
    ours: tuple[SecureListener, ...]
    foreign: tuple[SecureListener, ...]
    in_use: frozenset[str]
    unread: Mapping[str, AwsError] = field(default_factory=dict)
    same_name: frozenset[str] = frozenset()


def list_secure_listeners(clients: Clients, owner: str, sleep: Callable[[float], None]) -> SecureListeners:
    """Read the load balancers of both kinds, their tags and secure listeners.

    Two listings, one call for each 20 classic ones, and for each 20 network ones and listeners of theirs;
    one for each network one of ours, or, where there are few, for each of the region. Where both kinds have
    one of ours of the same name, the classic one counts.
    """
    with ThreadPoolExecutor(2) as pool:
        listing = pool.submit(_list_classic, clients, owner)
        network = _list_network(clients, owner, sleep)
    classic = listing.result()
    return SecureListeners(
        load_balancers={**network.load_balancers, **classic.load_balancers},
        ours=(*classic.ours, *_others(network.ours, classic)),
        foreign=_others(network.foreign, classic),
        in_use=classic.in_use | network.in_use,
        unread={name: error for name, error in network.unread.items() if name not in classic.load_balancers},
        same_name=frozenset(classic.load_balancers.keys() & network.load_balancers),
    )


def _others(listeners: tuple[SecureListener, ...], classic: SecureListeners) -> tuple[SecureListener, ...]:
    return tuple(one for one in listeners if one.load_balancer not in classic.load_balancers)


def _list_classic(clients: Clients, owner: str) -> SecureListeners:
    """A classic load balancer's tags are its listeners' too."""
    described = elb.describe_all(clients.elb)
    ours = elb.listed(clients.elb, described, owner).ours
    everyone = (listener for one in described for listener in elb.parse_listeners(one, {}))
    return SecureListeners(
        load_balancers=ours,
        ours=tuple(
            SecureListener(one.name, listener.port, listener.certificate or INVALID_CERTIFICATE)
            for one in ours.values()
            for listener in one.listeners
            if listener.secure
        ),
        foreign=(),
        in_use=frozenset(filter(None, (listener.certificate for listener in everyone))),
    )


def _list_network(clients: Clients, owner: str, sleep: Callable[[float], None]) -> SecureListeners:
    client = clients.elbv2
    described = elbv2.describe_second_kind(client)
    found = {one.get("LoadBalancerArn", ""): one for one in described if elbv2.is_network(one)}
    tags: dict[str, Mapping[str, str]] = {}
    if len(found) > _FEW:
        tags |= elbv2.resource_tags(client, [*found])
        found = {arn: found[arn] for arn in elbv2.owned_by(owner, tags)}
    answers = dict(zip(found, elbv2.listeners_of_each(client, [*found], sleep), strict=True))
    refused = {arn: answer for arn, answer in answers.items() if isinstance(answer, AwsError)}
    listeners = {
        arn: [one for one in answer if one.get("Protocol") == "TLS"]
        for arn, answer in answers.items()
        if not isinstance(answer, AwsError)
    }
    parts = [one.get("ListenerArn", "") for those in listeners.values() for one in those]
    tags |= elbv2.resource_tags(client, [*found.keys() - tags.keys(), *parts])
    owned = {*elbv2.owned_by(owner, tags)}
    on_ours = [
        SecureListener(
            found[arn].get("LoadBalancerName", ""),
            one.get("Port", 0),
            elbv2.default_certificate(one) or INVALID_CERTIFICATE,
            one.get("ListenerArn"),
        )
        for arn, those in listeners.items()
        if arn in owned
        for one in sorted(those, key=lambda listener: listener.get("Port", 0))
    ]
    served = (elbv2.default_certificate(one) for those in listeners.values() for one in those)
    return SecureListeners(
        load_balancers={
            one.get("LoadBalancerName", ""): elbv2.parse_network(one, tags[arn])
            for arn, one in found.items()
            if arn in owned
        },
        ours=tuple(one for one in on_ours if one.arn in owned),
        foreign=tuple(one for one in on_ours if one.arn not in owned),
        in_use=frozenset(filter(None, served)),
        unread={
            found[arn].get("LoadBalancerName", ""): error
            for arn, error in refused.items()
            if arn in owned and not isinstance(error, Absent)
        },
    )


def current_tags(clients: Clients, load_balancer: LoadBalancer) -> Mapping[str, str]:
    """The load balancer's tags now; none where it vanished."""
    match load_balancer:
        case LoadBalancer(arn=str(arn)):
            return elbv2.resource_tags(clients.elbv2, [arn]).get(arn, {})
        case LoadBalancer(name=name):
            return elb.load_balancer_tags(clients.elb, [name]).get(name, {})


def certificate_on(clients: Clients, listener: SecureListener) -> str | None:
    """What the listener serves now: an ARN, or `Invalid-Certificate`; None where the listener is gone."""
    match listener:
        case SecureListener(arn=str(arn)):
            found = elbv2.find_listener(clients.elbv2, arn)
            return (elbv2.default_certificate(found) or INVALID_CERTIFICATE) if found else None
        case SecureListener(load_balancer=name, port=port):
            described = elb.describe_load_balancer(clients.elb, name)
            there = elb.parse_listeners(described, {}) if described else ()
            return next((one.certificate or INVALID_CERTIFICATE for one in there if one.port == port), None)


def swapping(
    listener: SecureListener, certificate: str, reason: str
) -> do.ModifyListener | do.SetLoadBalancerListenerSSLCertificate:
    """The action that puts a certificate on the listener in the place of another, and changes nothing else.

    Open sessions stay, and so do the listener's policy, its target group and the certificates beside it.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-update-ssl-cert.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/listener-update-certificates.html
    """
    match listener:
        case SecureListener(arn=str(arn), port=port):
            return do.ModifyListener(reason=reason, arn=arn, port=port, certificate=certificate)
        case SecureListener(port=port):
            return do.SetLoadBalancerListenerSSLCertificate(reason=reason, port=port, certificate=certificate)
