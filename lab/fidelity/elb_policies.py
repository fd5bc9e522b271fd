"""Policies of classic load balancers: made, set on listeners and instance ports, shown, deleted.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-proxy-protocol.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lab.fidelity import elb_ssl
from lab.fidelity.elb_state import (
    Answer,
    LoadBalancer,
    Policy,
    Region,
    Request,
    invalid,
    named,
    refusal,
    required,
)
from lab.fidelity.knobs import KNOBS

SSL = "SSLNegotiationPolicyType"
PROXY = "ProxyProtocolPolicyType"
APP_COOKIE = "AppCookieStickinessPolicyType"
LB_COOKIE = "LBCookieStickinessPolicyType"
PUBLIC_KEY = "PublicKeyPolicyType"
BACKEND_AUTHENTICATION = "BackendServerAuthenticationPolicyType"

ATTRIBUTES_OF_TYPE: dict[str, tuple[str, ...]] = {
    SSL: (elb_ssl.REFERENCE, *elb_ssl.ATTRIBUTES),
    PROXY: ("ProxyProtocol",),
    APP_COOKIE: ("CookieName",),
    LB_COOKIE: ("CookieExpirationPeriod",),
    PUBLIC_KEY: ("PublicKey",),
    BACKEND_AUTHENTICATION: ("PublicKeyPolicyName",),
}

SAMPLES = (
    *(Policy(name, SSL, elb_ssl.expanded(on, name)) for name, on in elb_ssl.PREDEFINED.items()),
    Policy("ELBSample-AppCookieStickinessPolicy", APP_COOKIE, (("CookieName", "samplecookiename"),)),
    Policy("ELBSample-LBCookieStickinessPolicy", LB_COOKIE, (("CookieExpirationPeriod", "100"),)),
)


def create_load_balancer_policy(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerPolicy.html"""
    load_balancer = named(region, request)
    attributes = [
        (attribute.get("AttributeName", ""), attribute.get("AttributeValue", ""))
        for attribute in request.get("PolicyAttributes", [])
    ]
    policy_type = required(request, "PolicyTypeName")
    if policy_type not in ATTRIBUTES_OF_TYPE:
        raise refusal("PolicyTypeNotFound", f"There is no policy type with name {policy_type}")
    return _add(load_balancer, required(request, "PolicyName"), policy_type, attributes)


def create_app_cookie_stickiness_policy(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateAppCookieStickinessPolicy.html"""
    attributes = [("CookieName", required(request, "CookieName"))]
    return _add(named(region, request), required(request, "PolicyName"), APP_COOKIE, attributes)


def create_lb_cookie_stickiness_policy(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLBCookieStickinessPolicy.html"""
    seconds = request.get("CookieExpirationPeriod")
    attributes = [] if seconds is None else [("CookieExpirationPeriod", str(seconds))]
    return _add(named(region, request), required(request, "PolicyName"), LB_COOKIE, attributes)


def _add(lb: LoadBalancer, name: str, policy_type: str, attributes: list[tuple[str, str]]) -> Answer:
    if not re.fullmatch(r"[a-zA-Z0-9-]+", name):
        raise invalid("Policy names consist of letters, digits and the dash")
    if name.startswith(("ELBSecurityPolicy-", "ELBSample-")):
        raise refusal("InvalidConfigurationRequest", f"Policy name {name} has a reserved prefix")
    if name in lb.policies:
        raise refusal("DuplicatePolicyName", f"Policy {name} already exists for load balancer {lb.name}")
    if len(lb.policies) >= KNOBS.policies_quota:
        raise refusal(
            "TooManyPolicies", f"Load balancer {lb.name} has {KNOBS.policies_quota} policies already"
        )
    unknown = [key for key, _ in attributes if key not in ATTRIBUTES_OF_TYPE[policy_type]]
    if unknown:
        raise refusal(
            "InvalidConfigurationRequest", f"{policy_type} has no attribute named {', '.join(unknown)}"
        )
    if len({key for key, _ in attributes}) < len(attributes):
        raise refusal("InvalidConfigurationRequest", "A policy attribute was named more than once")
    if policy_type == SSL:
        kept = _ssl_attributes(dict(attributes))
    else:
        _refuse_misfit(policy_type, dict(attributes))
        kept = tuple(attributes)
    lb.policies[name] = Policy(name, policy_type, kept)
    return {}


def _refuse_misfit(policy_type: str, attributes: dict[str, str]) -> None:
    if policy_type == LB_COOKIE:
        return
    missing = [key for key in ATTRIBUTES_OF_TYPE[policy_type] if not attributes.get(key)]
    if missing:
        raise refusal("InvalidConfigurationRequest", f"{policy_type} needs the attribute {missing[0]}")
    if policy_type == PROXY and attributes["ProxyProtocol"] not in {"true", "false"}:
        raise refusal("InvalidConfigurationRequest", "ProxyProtocol is true or false")


def _ssl_attributes(attributes: dict[str, str]) -> tuple[tuple[str, str], ...]:
    reference = attributes.get(elb_ssl.REFERENCE)
    if reference is not None:
        if len(attributes) > 1:
            raise refusal("InvalidConfigurationRequest", f"{elb_ssl.REFERENCE} stands alone")
        if reference not in elb_ssl.PREDEFINED:
            raise refusal("InvalidConfigurationRequest", f"There is no predefined policy named {reference}")
        return elb_ssl.expanded(elb_ssl.PREDEFINED[reference], reference)
    if any(value not in {"true", "false"} for value in attributes.values()):
        raise refusal("InvalidConfigurationRequest", "An SSL policy attribute is true or false")
    enabled = {key for key, value in attributes.items() if value == "true"}
    if enabled.isdisjoint(elb_ssl.PROTOCOLS) or enabled.isdisjoint(elb_ssl.CIPHERS):
        raise refusal(
            "InvalidConfigurationRequest", "At least one SSL protocol and one cipher must be enabled"
        )
    return elb_ssl.expanded(enabled)


def give_default_policy(load_balancer: LoadBalancer, port: int) -> None:
    """Put AWS's default SSL policy on a new secure listener.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-ssl-security-policy.html
    """
    default = Policy(
        elb_ssl.DEFAULT, SSL, elb_ssl.expanded(elb_ssl.PREDEFINED[elb_ssl.DEFAULT], elb_ssl.DEFAULT)
    )
    load_balancer.policies.setdefault(elb_ssl.DEFAULT, default)
    load_balancer.listener_policies[port] = [elb_ssl.DEFAULT]


def _policies(load_balancer: LoadBalancer, names: Iterable[str]) -> list[Policy]:
    for name in names:
        if name not in load_balancer.policies:
            raise refusal(
                "PolicyNotFound",
                f"There is no policy with name {name} for load balancer {load_balancer.name}",
            )
    return [load_balancer.policies[name] for name in names]


def set_load_balancer_policies_of_listener(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerPoliciesOfListener.html"""
    load_balancer = named(region, request)
    port = required(request, "LoadBalancerPort")
    listener = load_balancer.listeners.get(port)
    if listener is None:
        raise refusal(
            "ListenerNotFound", f"Load balancer {load_balancer.name} has no listener on port {port}"
        )
    names = list(dict.fromkeys(request.get("PolicyNames", [])))
    types = [policy.type for policy in _policies(load_balancer, names)]
    suitable = {SSL} if listener.secure else set()
    if listener.protocol in {"HTTP", "HTTPS"}:
        suitable |= {APP_COOKIE, LB_COOKIE}
    for policy_type in types:
        if policy_type not in suitable or types.count(policy_type) > 1:
            raise refusal(
                "InvalidConfigurationRequest",
                f"A listener of protocol {listener.protocol} takes no such policies: {', '.join(types)}",
            )
    load_balancer.listener_policies[port] = names
    return {}


def set_load_balancer_policies_for_backend_server(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerPoliciesForBackendServer.html"""
    load_balancer = named(region, request)
    port = required(request, "InstancePort")
    if port not in {listener.instance_port for listener in load_balancer.listeners.values()}:
        raise refusal("InvalidConfigurationRequest", f"No listener routes to instance port {port}")
    names = list(dict.fromkeys(request.get("PolicyNames", [])))
    for policy in _policies(load_balancer, names):
        if policy.type not in {PROXY, BACKEND_AUTHENTICATION}:
            raise refusal("InvalidConfigurationRequest", f"{policy.type} is not for instance ports")
    load_balancer.backend_policies[port] = names
    return {}


def delete_load_balancer_policy(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancerPolicy.html"""
    load_balancer = named(region, request)
    name = required(request, "PolicyName")
    in_use = [*load_balancer.listener_policies.values(), *load_balancer.backend_policies.values()]
    if any(name in names for names in in_use):
        raise refusal("InvalidConfigurationRequest", f"Policy {name} is in use")
    load_balancer.policies.pop(name, None)
    return {}


def describe_load_balancer_policies(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancerPolicies.html

    Without a load balancer it shows the predefined policies and the samples.
    """
    names = request.get("PolicyNames", [])
    if request.get("LoadBalancerName"):
        load_balancer = named(region, request)
        shown = _policies(load_balancer, names or load_balancer.policies)
    else:
        shown = [policy for policy in SAMPLES if not names or policy.name in names]
        if len(shown) < len(set(names)):
            raise refusal("PolicyNotFound", "One or more of the specified policies do not exist")
    return {
        "PolicyDescriptions": [
            {
                "PolicyName": policy.name,
                "PolicyTypeName": policy.type,
                "PolicyAttributeDescriptions": [
                    {"AttributeName": name, "AttributeValue": value} for name, value in policy.attributes
                ],
            }
            for policy in shown
        ]
    }


def describe_load_balancer_policy_types(_region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancerPolicyTypes.html"""
    names = request.get("PolicyTypeNames", [])
    if set(names) - set(ATTRIBUTES_OF_TYPE):
        raise refusal("PolicyTypeNotFound", "One or more of the specified policy types do not exist")
    return {
        "PolicyTypeDescriptions": [
            {
                "PolicyTypeName": policy_type,
                "PolicyAttributeTypeDescriptions": [{"AttributeName": name} for name in attributes],
            }
            for policy_type, attributes in ATTRIBUTES_OF_TYPE.items()
            if not names or policy_type in names
        ]
    }


def shown_policies(load_balancer: LoadBalancer) -> Answer:
    """Return a load balancer's policies as DescribeLoadBalancers groups them."""
    policies = list(load_balancer.policies.values())
    return {
        "AppCookieStickinessPolicies": [
            {"PolicyName": policy.name, **dict(policy.attributes)}
            for policy in policies
            if policy.type == APP_COOKIE
        ],
        "LBCookieStickinessPolicies": [
            {"PolicyName": policy.name, **dict(policy.attributes)}
            for policy in policies
            if policy.type == LB_COOKIE
        ],
        "OtherPolicies": [policy.name for policy in policies if policy.type not in {APP_COOKIE, LB_COOKIE}],
    }
