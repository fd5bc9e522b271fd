"""Policies of classic load balancers: which TLS a listener speaks, and the PROXY protocol behind it."""

from __future__ import annotations

from typing import Any

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import BALANCER, CERTIFICATE, OTHER_BALANCER, secure
from conformance.rule import question, rule
from conformance.rules.elb_listeners import add, described

SSL = "SSLNegotiationPolicyType"
STRICT = "ELBSecurityPolicy-TLS-1-2-2017-01"
DEFAULT = "ELBSecurityPolicy-2016-08"
PREDEFINED = (
    STRICT,
    "ELBSecurityPolicy-TLS-1-1-2017-01",
    DEFAULT,
    *("ELBSecurityPolicy-2015-05", "ELBSecurityPolicy-2015-03", "ELBSecurityPolicy-2015-02"),
    *("ELBSecurityPolicy-2014-10", "ELBSecurityPolicy-2014-01", "ELBSecurityPolicy-2011-08"),
)
_CIPHERS = """
ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256
ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES256-SHA384 ECDHE-RSA-AES256-SHA384
AES128-GCM-SHA256 AES128-SHA256 AES256-GCM-SHA384 AES256-SHA256
"""
MISFIT = ("InvalidConfigurationRequest", "ValidationError")


def policy(aws: Account, name: str, *attributes: tuple[str, str], kind: str = SSL) -> dict[str, Any]:
    """Return the parameters of CreateLoadBalancerPolicy at the shared load balancer."""
    return {
        "LoadBalancerName": aws.need(BALANCER),
        "PolicyName": name,
        "PolicyTypeName": kind,
        "PolicyAttributes": [{"AttributeName": key, "AttributeValue": value} for key, value in attributes],
    }


def make(aws: Account, name: str, *attributes: tuple[str, str], kind: str = SSL) -> str:
    """Make a policy that goes when the rule ends, and return its name."""
    elb = aws.client("elb")
    elb.create_load_balancer_policy(**policy(aws, name, *attributes, kind=kind))
    aws.defer(elb.delete_load_balancer_policy, LoadBalancerName=aws.need(BALANCER), PolicyName=name)
    return name


def reference(name: str) -> tuple[str, str]:
    """Return the attribute that names a predefined policy."""
    return "Reference-Security-Policy", name


@rule(code="provision/declaration_checks", corrects="elb_ssl")
def predefined_policies_have_these_names(aws: Account) -> None:
    """The predefined SSL policies are those of the guide's table.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-security-policy-table.html
    """
    answer = aws.client("elb").describe_load_balancer_policies()["PolicyDescriptions"]
    names = {one["PolicyName"] for one in answer if one["PolicyTypeName"] == SSL}
    missing = {*PREDEFINED} - names
    hold(not missing, f"AWS does not name {', '.join(sorted(missing))}")
    more = {name for name in names if name.startswith("ELBSecurityPolicy-")} - {*PREDEFINED}
    hold(not more, f"AWS also names {', '.join(sorted(more))}")


@rule(code="tls/connect", corrects="elb_ssl")
def the_strictest_policy_has_twelve_ciphers(aws: Account) -> None:
    """ELBSecurityPolicy-TLS-1-2-2017-01 speaks TLS 1.2 alone, with twelve ciphers and in the server's order.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-security-policy-table.html
    """
    (found,) = aws.client("elb").describe_load_balancer_policies(PolicyNames=[STRICT])["PolicyDescriptions"]
    enabled = {
        one["AttributeName"]
        for one in found["PolicyAttributeDescriptions"]
        if one["AttributeValue"] == "true"
    }
    same(enabled, {"Protocol-TLSv1.2", "Server-Defined-Cipher-Order", *_CIPHERS.split()}, "it switches on")


@rule(BALANCER, CERTIFICATE, code="provision/plan_listeners", corrects="elb_policies", minutes=0.05)
def a_new_secure_listener_has_the_default_policy(aws: Account) -> None:
    """A new secure listener has the policy ELBSecurityPolicy-2016-08.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-ssl-security-policy.html
    """
    add(aws, secure(2020, aws.need(CERTIFICATE).arn))
    same(described(aws)[2020]["PolicyNames"], [DEFAULT], "its policies")


@rule(BALANCER, CERTIFICATE, code="provision/plan_listeners", corrects="elb_policies", minutes=0.05)
def a_predefined_name_is_no_policy(aws: Account) -> str:
    """A predefined name cannot be set on a listener: a policy that refers to it must be made first.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html
    """
    elb = aws.client("elb")
    add(aws, secure(2021, aws.need(CERTIFICATE).arn))
    here: dict[str, Any] = {"LoadBalancerName": aws.need(BALANCER), "LoadBalancerPort": 2021}
    said = refused(elb.set_load_balancer_policies_of_listener, "PolicyNotFound", **here, PolicyNames=[STRICT])
    name = aws.name("pol")
    elb.create_load_balancer_policy(**policy(aws, name, reference(STRICT)))
    elb.set_load_balancer_policies_of_listener(**here, PolicyNames=[name])
    same(described(aws)[2021]["PolicyNames"], [name], "its policies")
    return said


@rule(BALANCER, CERTIFICATE, code="provision/plan_listeners", corrects="elb_policies", minutes=0.05)
def set_policies_replaces_all_of_a_port(aws: Account) -> None:
    """SetLoadBalancerPoliciesOfListener replaces all policies of the port.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerPoliciesOfListener.html
    """
    elb = aws.client("elb")
    add(aws, secure(2022, aws.need(CERTIFICATE).arn))
    for base in (STRICT, "ELBSecurityPolicy-2015-05"):
        name = make(aws, aws.name("pol"), reference(base))
        elb.set_load_balancer_policies_of_listener(
            LoadBalancerName=aws.need(BALANCER), LoadBalancerPort=2022, PolicyNames=[name]
        )
        same(described(aws)[2022]["PolicyNames"], [name], "its policies")
    elb.delete_load_balancer_listeners(LoadBalancerName=aws.need(BALANCER), LoadBalancerPorts=[2022])


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_policies")
def policy_names_are_reserved_by_prefix(aws: Account) -> None:
    """A policy's name must not begin with ELBSecurityPolicy- or ELBSample-.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html
    """
    create = aws.client("elb").create_load_balancer_policy
    for name in ("ELBSecurityPolicy-conform", "ELBSample-conform"):
        refused(create, MISFIT, **policy(aws, name, reference(STRICT)))


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_policies")
def a_custom_policy_has_a_protocol_and_a_cipher(aws: Account) -> None:
    """A custom policy names attributes with the value true, at least one protocol and one cipher.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html
    """
    elb = aws.client("elb")
    protocol, cipher = ("Protocol-TLSv1.2", "true"), ("ECDHE-RSA-AES128-GCM-SHA256", "true")
    name = make(aws, aws.name("pol"), protocol, cipher, ("Server-Defined-Cipher-Order", "true"))
    (found,) = elb.describe_load_balancer_policies(LoadBalancerName=aws.need(BALANCER), PolicyNames=[name])[
        "PolicyDescriptions"
    ]
    enabled = {
        one["AttributeName"]
        for one in found["PolicyAttributeDescriptions"]
        if one["AttributeValue"] == "true"
    }
    same(enabled, {protocol[0], cipher[0], "Server-Defined-Cipher-Order"}, "it switches on")
    for attributes in ((protocol,), (cipher,), (protocol, ("NO-SUCH-CIPHER", "true"))):
        refused(elb.create_load_balancer_policy, MISFIT, **policy(aws, aws.name("pol"), *attributes))
    missing = policy(aws, aws.name("pol"), reference("ELBSecurityPolicy-1999-01"))
    refused(elb.create_load_balancer_policy, (*MISFIT, "PolicyNotFound"), **missing)


@rule(BALANCER, code="provision/plan_listeners", corrects="elb_policies")
def a_policy_cannot_be_changed(aws: Account) -> str:
    """Policies are immutable: another one of the same name is DuplicatePolicyName.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerPolicy.html
    """
    name = make(aws, aws.name("pol"), reference(STRICT))
    again = policy(aws, name, reference(DEFAULT))
    return refused(aws.client("elb").create_load_balancer_policy, "DuplicatePolicyName", **again)


@rule(BALANCER, CERTIFICATE, code=("aws/refusals", "aws/errors"), corrects="elb_policies", minutes=0.05)
def a_policy_in_use_cannot_be_deleted(aws: Account) -> str:
    """A policy that a listener uses cannot be deleted: InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancerPolicy.html
    https://github.com/hashicorp/terraform/issues/10989
    """
    elb, name = aws.client("elb"), aws.need(BALANCER)
    add(aws, secure(2023, aws.need(CERTIFICATE).arn))
    kept = make(aws, aws.name("pol"), reference(STRICT))
    elb.set_load_balancer_policies_of_listener(
        LoadBalancerName=name, LoadBalancerPort=2023, PolicyNames=[kept]
    )
    delete = elb.delete_load_balancer_policy
    said = refused(delete, "InvalidConfigurationRequest", LoadBalancerName=name, PolicyName=kept)
    elb.delete_load_balancer_listeners(LoadBalancerName=name, LoadBalancerPorts=[2023])
    return said


@question(BALANCER, CERTIFICATE, code="aws/refusals", corrects="elb_policies", minutes=0.1)
def how_long_a_policy_let_go_reads_as_in_use(aws: Account) -> str:
    """A policy that a listener has let go of reads as in use for a moment.

    https://github.com/hashicorp/terraform/issues/10989
    """
    elb, name = aws.client("elb"), aws.need(BALANCER)
    add(aws, secure(2024, aws.need(CERTIFICATE).arn))
    first, second = (make(aws, aws.name("pol"), reference(base)) for base in (STRICT, DEFAULT))
    for one in (first, second):
        elb.set_load_balancer_policies_of_listener(
            LoadBalancerName=name, LoadBalancerPort=2024, PolicyNames=[one]
        )
    delete = elb.delete_load_balancer_policy
    codes = ["InvalidConfigurationRequest"]
    seconds = aws.once_allowed(delete, codes, 120, LoadBalancerName=name, PolicyName=first)
    elb.delete_load_balancer_listeners(LoadBalancerName=name, LoadBalancerPorts=[2024])
    return f"{seconds:.0f} s"


@question(OTHER_BALANCER, code="provision/plan_listeners", corrects="knobs", minutes=0.5)
def how_many_policies_a_load_balancer_has(aws: Account) -> str:
    """Policies pile up to TooManyPolicies; AWS does not say how many that are.

    https://github.com/cloud-custodian/cloud-custodian/issues/1295
    """
    elb, (key, value) = aws.client("elb"), reference(STRICT)
    for number in range(130):
        here = {"LoadBalancerName": aws.need(OTHER_BALANCER), "PolicyName": f"pile-{number}"}
        attributes = [{"AttributeName": key, "AttributeValue": value}]
        said = outcome(
            elb.create_load_balancer_policy, **here, PolicyTypeName=SSL, PolicyAttributes=attributes
        )
        if said != "accepted":
            return f"{number}; one more is {said}"
        aws.defer(elb.delete_load_balancer_policy, **here)
    return "more than 130"


@rule(BALANCER, code="aws/errors", corrects="elb_policies")
def what_is_missing_of_policies(aws: Account) -> None:
    """An unknown type is PolicyTypeNotFound, an unknown policy PolicyNotFound, a port without a listener
    ListenerNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerPoliciesOfListener.html
    """
    elb, here = aws.client("elb"), {"LoadBalancerName": aws.need(BALANCER)}
    made_up = policy(aws, aws.name("pol"), kind="NoSuchPolicyType")
    refused(elb.create_load_balancer_policy, "PolicyTypeNotFound", **made_up)
    set_policies = elb.set_load_balancer_policies_of_listener
    refused(set_policies, "PolicyNotFound", **here, LoadBalancerPort=1883, PolicyNames=["no-such-policy"])
    refused(set_policies, "ListenerNotFound", **here, LoadBalancerPort=2025, PolicyNames=[])


@rule(BALANCER, code="provision/plan_listeners", corrects="elb_policies")
def the_proxy_protocol_is_set_for_an_instance_port(aws: Account) -> None:
    """The PROXY protocol is a policy of type ProxyProtocolPolicyType with ProxyProtocol=true;
    SetLoadBalancerPoliciesForBackendServer replaces the policies of an instance port.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-proxy-protocol.html
    """
    elb, here = aws.client("elb"), {"LoadBalancerName": aws.need(BALANCER), "InstancePort": 1883}
    name = make(aws, aws.name("pol"), ("ProxyProtocol", "true"), kind="ProxyProtocolPolicyType")
    elb.set_load_balancer_policies_for_backend_server(**here, PolicyNames=[name])
    (found,) = elb.describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])["LoadBalancerDescriptions"]
    behind = [{"InstancePort": 1883, "PolicyNames": [name]}]
    same(found["BackendServerDescriptions"], behind, "behind it is")
    elb.set_load_balancer_policies_for_backend_server(**here, PolicyNames=[])
    (found,) = elb.describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])["LoadBalancerDescriptions"]
    same(found["BackendServerDescriptions"], [], "behind it is afterwards")
