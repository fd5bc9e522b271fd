"""What AWS holds of a load balancer and the body of a PUT cannot say: GET shows it, and PUT leaves it alone.

    listeners that differ in certificate or policy    the secure one with the lowest port speaks for all; a
                                                      certificate that we uploaded is no difference to keep:
                                                      an exchange of ours began and has to go on
    policies of other types on a listener or a port   stickiness, authentication of instances
    an idle timeout longer than a keepalive makes it  a classic one's guide allows 4000 seconds, a keepalive
                                                      makes 3600 at most
    AWS's other attributes, of target groups too      unless they have their defaults
    a policy, a tag or a part of one of our tags      AWS may know ciphers that we do not; a tag of ours may
    that a body cannot say                            have been edited by hand
    listeners of a network one by other protocols,    and targets that are registered at another port than
    or that forward to targets of another type        their group's

Where the declaration asks for what GET shows, a listener that differs stays as it is. Where it asks for
something else, all listeners get that, the one that speaks for all the last: a plan that was killed in
between still finds the old value there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chalicelib.model.ciphers import CIPHERS, POLICIES, PROTOCOLS, unknown_policy
from chalicelib.model.dns_options import dns_unread, read_dns_tag
from chalicelib.model.load_balancer import (
    CustomPolicy,
    ForeignPolicy,
    Listener,
    LoadBalancer,
    LoadBalancerType,
    PredefinedPolicy,
    SslPolicy,
    longest_idle_timeout,
)
from chalicelib.model.members import members_unread
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    DNS_TAG,
    HOSTNAME_TAG,
    MEMBERS_TAG,
    PROBE_TAG,
    certificate_path,
    certificate_path_of,
)
from chalicelib.model.probe_options import probe_unread
from chalicelib.model.syntax import SOURCE_PATTERN, SSL_POLICY_PATTERN, matches
from chalicelib.model.user_tags import tags_left

_CERTIFICATE_GONE = "Invalid-Certificate"
"""What ELB shows for a certificate that was deleted.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
"""
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-desync-mode.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
_DEFAULTS: Mapping[LoadBalancerType, Mapping[str, str]] = {
    "classic": {"elb.http.desyncmitigationmode": "defensive"},
    "network": {
        "deletion_protection.enabled": "false",
        "dns_record.client_routing_policy": "any_availability_zone",
        "ipv6.deny_all_igw_traffic": "false",
        "zonal_shift.config.enabled": "false",
        "secondary_ips.auto_assigned.per_subnet": "0",
    },
}
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
_GROUP_DEFAULTS = {
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}


def shown_certificate(balancer: LoadBalancer) -> str | None:
    """The certificate that GET shows."""
    return next((one.certificate for one in _by_port(balancer) if one.certificate), None)


def shown_policy(balancer: LoadBalancer) -> SslPolicy | None:
    """The SSL policy that GET shows; None where a body cannot say it, or no listener has one."""
    policies = (one.ssl_policy for one in _by_port(balancer) if one.secure and one.ssl_policy)
    policy = next(policies, None)
    return policy if policy and _sayable(policy, balancer.type) else None


def _sayable(policy: SslPolicy, type_: LoadBalancerType) -> bool:
    """Whether a body can say it: AWS may know protocols and ciphers that we do not."""
    match policy:
        case PredefinedPolicy(name):
            return matches(SSL_POLICY_PATTERN, name) and (name in POLICIES[type_] or unknown_policy(name))
        case CustomPolicy(protocols, ciphers):
            known = protocols <= {*PROTOCOLS} and ciphers <= {*CIPHERS}
            return bool(known and protocols and ciphers and type_ == "classic")


def keeps_certificate(before: Listener, certificate: str | None, there: LoadBalancer) -> bool:
    """Whether the listener keeps its own, since the declaration asks for what GET shows."""
    gone = before.certificate in {None, _CERTIFICATE_GONE}
    return certificate == shown_certificate(there) and not gone and not _uploaded_by_us(before, there)


def _uploaded_by_us(listener: Listener, balancer: LoadBalancer) -> bool:
    """Whether the listener's certificate is under the IAM path of this load balancer's own."""
    path = certificate_path_of(listener.certificate or "") or ""
    match path.split("/"), balancer.owner:
        case ["", _, _, region, _, ""], str(owner):
            return path == certificate_path(owner, region, balancer.name)
        case _:
            return False


def keeps_policy(before: Listener, policy: SslPolicy | None, there: LoadBalancer) -> bool:
    """Whether the listener keeps its own, since the declaration asks for what GET shows."""
    return policy == shown_policy(there) and (before.ssl_policy is None or _by_hand(before))


def _by_hand(listener: Listener) -> bool:
    """Whether somebody gave the listener its SSL policy: a new one has AWS's, under AWS's own name.

    A plan that was killed between the two calls finds the latter, and has to go on.
    """
    return listener.ssl_policy is not None and not any(
        name.startswith("ELBSecurityPolicy-") for name in listener.policy_names
    )


def keeps_idle_timeout(wanted: int, there: int, balancer: LoadBalancer) -> bool:
    """Whether the idle timeout stays: no keepalive can ask for so long a one."""
    longest = longest_idle_timeout(balancer)
    return there > longest and wanted == longest


def unmanaged(balancer: LoadBalancer) -> tuple[str, ...]:
    """A sentence for each."""
    return (
        *_of_listeners(balancer),
        *_of_instance_ports(balancer),
        *_of_attributes(balancer),
        *_of_target_groups(balancer),
        *_of_our_tags(balancer),
        *tags_left(balancer.tags),
    )


def _of_listeners(balancer: LoadBalancer) -> Iterator[str]:
    certificate, policy = shown_certificate(balancer), shown_policy(balancer)
    for one in _by_port(balancer):
        differs = one.certificate is not None and one.certificate != certificate
        if differs and not _uploaded_by_us(one, balancer):
            yield f"the listener on port {one.port} serves another certificate, {one.certificate}"
        names = sorted(one.policy_names)
        if one.secure and one.ssl_policy is None:
            yield f"the listener on port {one.port} has no SSL policy"
        elif one.secure and policy is None:
            yield f"the listener on port {one.port} has a policy that a body cannot say, {', '.join(names)}"
        elif one.secure and one.ssl_policy != policy and _by_hand(one):
            yield f"the listener on port {one.port} negotiates by another policy, {', '.join(names)}"
        for name in names:
            if isinstance(found := balancer.policies.get(name), ForeignPolicy):
                yield f"the listener on port {one.port} has the policy {name} ({found.type_name})"


def _of_instance_ports(balancer: LoadBalancer) -> Iterator[str]:
    for port, names in sorted(balancer.backend_policies.items()):
        for name in sorted(names):
            if isinstance(found := balancer.policies.get(name), ForeignPolicy):
                yield f"instance port {port} has the policy {name} ({found.type_name})"


def _of_attributes(balancer: LoadBalancer) -> Iterator[str]:
    if balancer.idle_timeout > longest_idle_timeout(balancer):
        yield f"the idle timeout is {balancer.idle_timeout} s, longer than any `keepalive` makes it"
    for name, value in sorted(balancer.additional_attributes.items()):
        if _DEFAULTS[balancer.type].get(name) != value:
            yield f"the attribute {name} is {value}"


def _of_target_groups(balancer: LoadBalancer) -> Iterator[str]:
    for listener in balancer.foreign_listeners:
        yield f"the listener on port {listener.port} {listener.what}"
    for _, group in sorted(balancer.target_groups.items()):
        for name, value in sorted(group.additional_attributes.items()):
            if _GROUP_DEFAULTS.get(name) != value:
                yield f"the attribute {name} of target group {group.name} is {value}"
        yield from group.unmanaged


def _of_our_tags(balancer: LoadBalancer) -> Iterator[str]:
    tags = balancer.tags
    if HOSTNAME_TAG in tags and balancer.hostname is None:
        yield f"the tag {HOSTNAME_TAG} is no name of a host"
    if not matches(SOURCE_PATTERN, tags.get(CERTIFICATE_TAG, "external")):
        yield f"the tag {CERTIFICATE_TAG} says no source of a certificate"
    for key, unread in _UNREAD.items():
        if key in tags and unread(tags[key]):
            yield f"the tag {key} has a part that cannot be read"
    if read_dns_tag(tags.get(DNS_TAG)) and balancer.hostname is None:
        yield f"the tag {DNS_TAG} keeps no record, since there is no hostname"


_UNREAD: Mapping[str, Callable[[str], bool]] = {
    DNS_TAG: dns_unread,
    MEMBERS_TAG: members_unread,
    PROBE_TAG: probe_unread,
}


def _by_port(balancer: LoadBalancer) -> list[Listener]:
    return sorted(balancer.listeners, key=lambda listener: listener.port)
