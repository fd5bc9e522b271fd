"""Listeners of network load balancers, their certificates and attributes; of application ones in outline.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lab.fidelity import elb_certificates, elb_state
from lab.fidelity.elbv2_load_balancers import forget_listener
from lab.fidelity.elbv2_ssl import DEFAULT, refuse_unknown
from lab.fidelity.elbv2_state import (
    SHORT,
    Answer,
    Listener,
    Region,
    Request,
    asked_tags,
    attributes,
    changed,
    invalid,
    listener,
    load_balancer,
    page,
    refusal,
    required,
    target_group,
)
from lab.fidelity.knobs import KNOBS

BEHIND: Mapping[str, frozenset[str]] = {
    "TCP": frozenset({"TCP", "TCP_UDP"}),
    "TLS": frozenset({"TCP", "TLS"}),
    "UDP": frozenset({"UDP", "TCP_UDP"}),
    "TCP_UDP": frozenset({"TCP_UDP"}),
}
"""The protocols of the target groups to which a listener of each protocol forwards.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html#listener-configuration
"""

SECURE = frozenset({"TLS", "HTTPS"})
"""A network load balancer's listeners, and an application one's, that have certificates.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html
"""

ALPN = frozenset({"HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"})
QUOTA = 50
CERTIFICATES = 25
IDLE = "tcp.idle_timeout.seconds"
ATTRIBUTES: Mapping[str, re.Pattern[str]] = {
    IDLE: re.compile(r"6[0-9]|[7-9][0-9]|[1-9][0-9]{2}|[1-5][0-9]{3}|6000")
}
DEFAULT_IDLE = "350"


def create_listener(region: Region, request: Request) -> Answer:
    """Create a listener; one of the same port and settings is answered as it is, others are refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    balancer = load_balancer(region, required(request, "LoadBalancerArn"))
    port, protocol = int(required(request, "Port")), str(required(request, "Protocol"))
    made = Listener(
        arn=region.arn(f"listener/{SHORT[balancer.type]}/{balancer.name}/{balancer.arn.rpartition('/')[2]}"),
        load_balancer=balancer.arn,
        port=port,
        protocol=protocol,
        target_groups=_forwarded(required(request, "DefaultActions")),
        alpn=tuple(request.get("AlpnPolicy", [])),
        mutual=request.get("MutualAuthentication"),
    )
    _secure(made, request)
    if balancer.type == "network":
        _refuse(region, made)
    for one in region.listeners_of(balancer.arn):
        if one.port == port:
            if _settings(one) == _settings(made):
                return {"Listeners": [shown(one)]}
            raise refusal("DuplicateListener", f"A listener already exists on port {port}")
    if len(region.listeners_of(balancer.arn)) >= QUOTA:
        raise refusal("TooManyListeners", f"A load balancer has at most {QUOTA} listeners")
    _refuse_certificates(region, made)
    if protocol == "TCP":
        made.attributes = {IDLE: DEFAULT_IDLE}
    asked_tags(region, made.arn, request.get("Tags", []))
    region.listeners[made.arn] = made
    return {"Listeners": [shown(made)]}


def _settings(one: Listener) -> tuple[Any, ...]:
    return one.protocol, one.target_groups, one.certificate, one.ssl_policy, one.alpn


def _forwarded(actions: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int | None], ...]:
    """Return the target groups of the one default action, with their weights where it gives several."""
    if len(actions) != 1 or actions[0].get("Type") != "forward":
        raise refusal("InvalidLoadBalancerAction", "A listener has one default action, of type forward")
    forward = actions[0].get("ForwardConfig") or {}
    groups = forward.get("TargetGroups") or [{"TargetGroupArn": actions[0].get("TargetGroupArn", "")}]
    found = tuple((str(one["TargetGroupArn"]), one.get("Weight")) for one in groups)
    if len(found) == 1:
        return ((found[0][0], None),)
    return found


def _secure(one: Listener, request: Request) -> None:
    """Take certificate and policy from a request onto a secure listener, and off any other."""
    certificates = [str(each.get("CertificateArn", "")) for each in request.get("Certificates", [])]
    if one.protocol not in SECURE:
        if certificates or request.get("SslPolicy"):
            raise invalid(f"A {one.protocol} listener has neither certificates nor an SSL policy")
        one.certificate = one.ssl_policy = None
        one.more_certificates = []
        return
    if len(certificates) > 1:
        raise invalid("Exactly one certificate must be specified")
    one.certificate = certificates[0] if certificates else one.certificate
    one.ssl_policy = request.get("SslPolicy") or one.ssl_policy or DEFAULT
    if not one.certificate:
        raise refusal("CertificateNotFound", f"A certificate must be specified for {one.protocol} listeners")
    refuse_unknown(one.ssl_policy)


def _refuse(region: Region, one: Listener) -> None:
    """Refuse what no listener of a network load balancer may be."""
    if one.protocol not in BEHIND:
        raise refusal("UnsupportedProtocol", f"Protocol '{one.protocol}' is not supported by a network one")
    if not 1 <= one.port <= 65535:
        raise invalid(f"Port {one.port} must be between 1 and 65535")
    if one.alpn and (len(one.alpn) > 1 or not set(one.alpn) <= ALPN):
        raise refusal("ALPNPolicyNotFound", f"ALPN policy '{one.alpn[0]}' not found")
    for arn, _ in one.target_groups:
        _refuse_group(region, one, arn)


def _refuse_group(region: Region, one: Listener, arn: str) -> None:
    """Refuse a target group to which the listener cannot forward."""
    group = target_group(region, arn)
    if group.protocol not in BEHIND[one.protocol]:
        raise refusal(
            "IncompatibleProtocols",
            f"A {one.protocol} listener does not forward to a {group.protocol} target group",
        )
    if one.alpn and one.alpn != ("None",) and group.protocol != "TLS":
        raise refusal("IncompatibleProtocols", "An ALPN policy needs a TLS target group")
    if group.vpc_id != region.load_balancers[one.load_balancer].vpc_id:
        raise refusal("InvalidConfigurationRequest", f"Target group '{arn}' is in another VPC")
    others = {user.load_balancer for user in region.users_of(arn)} - {one.load_balancer}
    if others:
        raise refusal("TargetGroupAssociationLimit", f"Target group '{arn}' is used by another load balancer")


def _refuse_certificates(region: Region, one: Listener) -> None:
    for arn in filter(None, [one.certificate]):
        _refuse_certificate(region, arn)


def _refuse_certificate(region: Region, arn: str) -> None:
    if not elb_certificates.known(elb_state.region_of(region.account_id, region.name), arn):
        raise refusal("CertificateNotFound", f"Certificate '{arn}' not found")


def modify_listener(region: Region, request: Request) -> Answer:
    """Change what is named and nothing else; a certificate is exchanged in place.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html
    """
    one = listener(region, required(request, "ListenerArn"))
    after = Listener(**vars(one))
    after.more_certificates = list(one.more_certificates)
    after.port = int(request.get("Port") or one.port)
    after.protocol = str(request.get("Protocol") or one.protocol)
    if request.get("DefaultActions"):
        after.target_groups = _forwarded(request["DefaultActions"])
    if "AlpnPolicy" in request:
        after.alpn = tuple(request["AlpnPolicy"])
    after.mutual = request.get("MutualAuthentication") or one.mutual
    _secure(after, request)
    if region.load_balancers[one.load_balancer].type == "network":
        _refuse(region, after)
    if any(
        other.port == after.port and other.arn != one.arn for other in region.listeners_of(one.load_balancer)
    ):
        raise refusal("DuplicateListener", f"A listener already exists on port {after.port}")
    if after.certificate != one.certificate:
        _refuse_certificates(region, after)
        if one.certificate:
            region.released[one.certificate] = KNOBS.now()
    for arn, _ in set(one.target_groups) - set(after.target_groups):
        if arn in region.target_groups:
            region.target_groups[arn].let_go_at = KNOBS.now()
    if after.protocol == "TCP":
        after.attributes = one.attributes or {IDLE: DEFAULT_IDLE}
    else:
        after.attributes = {}
    region.listeners[one.arn] = after
    return {"Listeners": [shown(after)]}


def delete_listener(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteListener.html"""
    forget_listener(region, listener(region, required(request, "ListenerArn")).arn)
    return {}


def describe_listeners(region: Region, request: Request) -> Answer:
    """Show one load balancer's listeners, or those named: one of the two must be said.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html
    """
    arns, of = request.get("ListenerArns", []), request.get("LoadBalancerArn")
    if bool(arns) == bool(of):
        raise invalid("Either listener ARNs or a load balancer's ARN must be specified")
    found = [listener(region, arn) for arn in arns]
    if of:
        found = region.listeners_of(load_balancer(region, of).arn)
    part, marker = page(request, found)
    return {"Listeners": [shown(one) for one in part], "NextMarker": marker}


def shown(one: Listener) -> Answer:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in one.target_groups]
    only = one.target_groups[0][0] if len(one.target_groups) == 1 else None
    return {
        "ListenerArn": one.arn,
        "LoadBalancerArn": one.load_balancer,
        "Port": one.port,
        "Protocol": one.protocol,
        "Certificates": [{"CertificateArn": one.certificate}] if one.certificate else None,
        "SslPolicy": one.ssl_policy,
        "DefaultActions": [
            {"Type": "forward", "TargetGroupArn": only, "ForwardConfig": {"TargetGroups": groups}}
        ],
        "AlpnPolicy": list(one.alpn) or None,
        "MutualAuthentication": one.mutual,
    }


def add_listener_certificates(region: Region, request: Request) -> Answer:
    """Add one certificate to the SNI list; one that is there already is no fault.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddListenerCertificates.html
    """
    one, arn = _of_list(region, request)
    _refuse_certificate(region, arn)
    if arn not in one.more_certificates:
        together = {
            each
            for other in region.listeners_of(one.load_balancer)
            for each in [other.certificate, *other.more_certificates]
            if each
        }
        if len(together | {arn}) > CERTIFICATES:
            raise refusal("TooManyCertificates", f"A load balancer has at most {CERTIFICATES} certificates")
        one.more_certificates.append(arn)
    return {"Certificates": [{"CertificateArn": arn}]}


def remove_listener_certificates(region: Region, request: Request) -> Answer:
    """Take one certificate off the SNI list; the default one cannot be taken off.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RemoveListenerCertificates.html
    """
    one, arn = _of_list(region, request)
    if arn in one.more_certificates:
        one.more_certificates.remove(arn)
        region.released[arn] = KNOBS.now()
    elif arn == one.certificate:
        raise refusal("OperationNotPermitted", "The default certificate of a listener cannot be removed")
    return {}


def _of_list(region: Region, request: Request) -> tuple[Listener, str]:
    one = listener(region, required(request, "ListenerArn"))
    asked = required(request, "Certificates")
    if one.protocol not in SECURE:
        raise refusal("UnsupportedProtocol", f"A {one.protocol} listener has no certificates")
    if len(asked) != 1:
        raise invalid("Exactly one certificate must be specified")
    return one, str(asked[0].get("CertificateArn", ""))


def describe_listener_certificates(region: Region, request: Request) -> Answer:
    """Show the default certificate, and the SNI list, in which it may stand again.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerCertificates.html
    """
    one = listener(region, required(request, "ListenerArn"))
    default = [{"CertificateArn": one.certificate, "IsDefault": True}] if one.certificate else []
    others = [{"CertificateArn": arn, "IsDefault": False} for arn in one.more_certificates]
    return {"Certificates": [*default, *others]}


def describe_listener_attributes(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerAttributes.html"""
    return {"Attributes": attributes(listener(region, required(request, "ListenerArn")).attributes)}


def modify_listener_attributes(region: Region, request: Request) -> Answer:
    """Set the idle time of a TCP listener, 60 to 6000 seconds; a TLS listener's is 350 and fixed.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
    """
    one = listener(region, required(request, "ListenerArn"))
    if one.protocol != "TCP":
        raise refusal(
            "InvalidConfigurationRequest", f"A {one.protocol} listener has no attribute that can be set"
        )
    one.attributes = changed(request, one.attributes, ATTRIBUTES, "Listener")
    return {"Attributes": attributes(one.attributes)}


def in_use(account_id: str, regions: Sequence[Region], arn: str) -> bool:
    """Say whether a listener of any region uses a certificate, or still holds on to it."""
    return any(_uses(region, arn) for region in regions if region.account_id == account_id)


def _uses(region: Region, arn: str) -> bool:
    since = region.released.get(arn)
    if since is not None and KNOBS.now() - since < KNOBS.certificate_hold_seconds:
        return True
    return any(arn in {one.certificate, *one.more_certificates} for one in list(region.listeners.values()))
