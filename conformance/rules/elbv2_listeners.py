"""Listeners of network load balancers: protocols, certificates, SSL policies, idle timeouts."""

from __future__ import annotations

from typing import Any

from conformance import pki
from conformance.account import Account
from conformance.answer import hold, refused, same
from conformance.needs import (
    CERTIFICATE,
    NETWORK,
    OTHER_CERTIFICATE,
    TARGETS,
    VPC,
    new_targets,
    upload_for_the_rule,
)
from conformance.rule import question, rule
from conformance.rules.elb_listeners import PROPAGATION_SECONDS
from conformance.rules.elbv2_balancers import MISFIT, absent

IDLE = "tcp.idle_timeout.seconds"
TRUSTED = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
STRICT = "ELBSecurityPolicy-TLS13-1-3-2021-06"
OF_THE_API = "ELBSecurityPolicy-2016-08"


def listener_request(aws: Account, port: int, **changes: object) -> dict[str, Any]:
    """Return the parameters of CreateListener for a TCP one of the shared load balancer, with changes."""
    return {
        "LoadBalancerArn": aws.need(NETWORK).arn,
        "Port": port,
        "Protocol": "TCP",
        "DefaultActions": [forward(aws.need(TARGETS))],
        "Tags": aws.tags,
        **changes,
    }


def forward(targets: str) -> dict[str, str]:
    """Return the action that forwards to a target group."""
    return {"Type": "forward", "TargetGroupArn": targets}


def secure(certificate: str, **more: object) -> dict[str, Any]:
    """Return what makes a listener a TLS one."""
    return {"Protocol": "TLS", "Certificates": [{"CertificateArn": certificate}], **more}


def listen(aws: Account, port: int, **changes: object) -> str:
    """Make a listener until the rule ends, as soon as ELB knows its certificate; return its ARN."""
    elbv2, request = aws.client("elbv2"), listener_request(aws, port, **changes)
    aws.once_allowed(elbv2.create_listener, ["CertificateNotFound"], PROPAGATION_SECONDS, **request)
    arn = next(one["ListenerArn"] for one in listeners(aws) if one["Port"] == port)
    aws.defer(elbv2.delete_listener, ListenerArn=arn)
    return str(arn)


def listeners(aws: Account) -> list[Any]:
    """Return the listeners of the shared load balancer."""
    found: list[Any] = aws.client("elbv2").describe_listeners(LoadBalancerArn=aws.need(NETWORK).arn)[
        "Listeners"
    ]
    return found


def described(aws: Account, arn: str) -> Any:
    """Return one listener as AWS shows it."""
    (found,) = aws.client("elbv2").describe_listeners(ListenerArns=[arn])["Listeners"]
    return found


def served(aws: Account, arn: str) -> list[tuple[str, bool]]:
    """Return the certificates of a listener, each with whether it is the default one."""
    answer = aws.client("elbv2").describe_listener_certificates(ListenerArn=arn)
    return sorted((one["CertificateArn"], one["IsDefault"]) for one in answer["Certificates"])


@rule(
    NETWORK, TARGETS, CERTIFICATE, code=("provision/plan_network", "aws/refusals"), corrects="elbv2_listeners"
)
def the_same_network_listener_again_is_no_fault(aws: Account) -> str:
    """CreateListener of the same port and settings answers the listener that is there; with another protocol
    it is DuplicateListener.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    create, arn = aws.client("elbv2").create_listener, listen(aws, 3001)
    (answered,) = create(**listener_request(aws, 3001))["Listeners"]
    same(answered["ListenerArn"], arn, "the ARN")
    listen(aws, 3002, **secure(aws.need(CERTIFICATE).arn))  # ELB knows the certificate then
    request = listener_request(aws, 3001, **secure(aws.need(CERTIFICATE).arn))
    return refused(create, "DuplicateListener", **request)


@rule(NETWORK, TARGETS, code="provision/declaration_checks", corrects="elbv2_listeners")
def a_tls_listener_has_a_certificate(aws: Account) -> str:
    """A TLS listener needs a certificate.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-listener.html
    """
    create = aws.client("elbv2").create_listener
    return refused(create, (*MISFIT, "CertificateNotFound"), **listener_request(aws, 3003, Protocol="TLS"))


@rule(NETWORK, TARGETS, code=("aws/refusals", "aws/errors"), corrects="elbv2_listeners")
def a_network_listener_takes_no_unknown_certificate(aws: Account) -> str:
    """A certificate that ELB does not know is CertificateNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    account = aws.client("sts").get_caller_identity()
    partition = account["Arn"].split(":")[1]
    arn = f"arn:{partition}:iam::{account['Account']}:server-certificate/conform-there-is-none"
    request = listener_request(aws, 3004, **secure(arn, SslPolicy=TRUSTED))
    return refused(aws.client("elbv2").create_listener, "CertificateNotFound", **request)


@question(NETWORK, TARGETS, code=("aws/refusals", "rotate/install"), corrects="knobs", minutes=1)
def how_long_a_network_listener_does_not_know_a_new_certificate(aws: Account) -> str:
    """A new server certificate may be CertificateNotFound for a while.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    elbv2, uploaded = aws.client("elbv2"), upload_for_the_rule(aws, pki.leaf())
    request = listener_request(aws, 3005, **secure(uploaded.arn))
    seconds = aws.once_allowed(elbv2.create_listener, ["CertificateNotFound"], PROPAGATION_SECONDS, **request)
    (arn,) = (one["ListenerArn"] for one in listeners(aws) if one["Port"] == 3005)
    elbv2.delete_listener(ListenerArn=arn)
    return f"{seconds:.0f} s"


@rule(
    NETWORK,
    TARGETS,
    CERTIFICATE,
    OTHER_CERTIFICATE,
    code=("aws/load_balancers", "rotate/install"),
    corrects="elbv2_listeners",
    minutes=0.1,
)
def a_swapped_certificate_leaves_everything_else(aws: Account) -> None:
    """ModifyListener with a certificate alone exchanges the default one: port, protocol, policy, actions and
    the certificates beside it stay.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/listener-update-certificates.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html
    """
    elbv2 = aws.client("elbv2")
    old, new = aws.need(CERTIFICATE).arn, aws.need(OTHER_CERTIFICATE).arn
    beside = upload_for_the_rule(aws, pki.leaf()).arn
    arn = listen(aws, 3006, **secure(old, SslPolicy=STRICT))
    here, unknown = {"ListenerArn": arn}, ["CertificateNotFound"]
    aws.once_allowed(
        elbv2.add_listener_certificates,
        unknown,
        PROPAGATION_SECONDS,
        **here,
        Certificates=[{"CertificateArn": beside}],
    )
    before = described(aws, arn)
    aws.once_allowed(
        elbv2.modify_listener,
        unknown,
        PROPAGATION_SECONDS,
        **here,
        Certificates=[{"CertificateArn": new}],
    )
    same(described(aws, arn), before | {"Certificates": [{"CertificateArn": new}]}, "the listener")
    same(served(aws, arn), sorted([(new, True), (beside, False)]), "its certificates")


@rule(NETWORK, TARGETS, CERTIFICATE, code="provision/plan_network", corrects="elbv2_listeners", minutes=0.05)
def another_policy_leaves_the_certificate(aws: Account) -> None:
    """ModifyListener with an SSL policy alone leaves the certificate.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/listener-update-certificates.html
    """
    arn = listen(aws, 3007, **secure(aws.need(CERTIFICATE).arn, SslPolicy=TRUSTED))
    before = described(aws, arn)
    aws.client("elbv2").modify_listener(ListenerArn=arn, SslPolicy=STRICT)
    same(described(aws, arn), before | {"SslPolicy": STRICT}, "the listener")


@rule(NETWORK, TARGETS, CERTIFICATE, code="provision/plan_network", corrects="elbv2_listeners", minutes=0.05)
def a_tcp_listener_becomes_a_tls_one_in_place(aws: Account) -> None:
    """ModifyListener makes a TLS listener of a TCP one, with certificate and policy, under the same ARN.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/listener-update-rules.html
    """
    elbv2, arn = aws.client("elbv2"), listen(aws, 3008)
    change = secure(aws.need(CERTIFICATE).arn, SslPolicy=TRUSTED)
    aws.once_allowed(
        elbv2.modify_listener, ["CertificateNotFound"], PROPAGATION_SECONDS, ListenerArn=arn, **change
    )
    found = described(aws, arn)
    same((found["Protocol"], found["SslPolicy"]), ("TLS", TRUSTED), "protocol and policy")


@rule(NETWORK, TARGETS, CERTIFICATE, code="model/load_balancer", corrects="elbv2_listeners", minutes=0.05)
def without_a_policy_the_api_takes_an_old_one(aws: Account) -> None:
    """A TLS listener that is made through the API without a policy has ELBSecurityPolicy-2016-08.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
    """
    arn = listen(aws, 3009, **secure(aws.need(CERTIFICATE).arn))
    same(described(aws, arn)["SslPolicy"], OF_THE_API, "the policy")


@rule(
    NETWORK, TARGETS, CERTIFICATE, code=("aws/refusals", "model/ciphers"), corrects="elbv2_ssl", minutes=0.05
)
def an_unknown_policy_is_not_found(aws: Account) -> str:
    """A policy that AWS does not have is SSLPolicyNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    listen(aws, 3010, **secure(aws.need(CERTIFICATE).arn))  # ELB knows the certificate then
    request = listener_request(
        aws, 3011, **secure(aws.need(CERTIFICATE).arn, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2001-01")
    )
    return refused(aws.client("elbv2").create_listener, "SSLPolicyNotFound", **request)


@rule(code="model/ciphers", corrects="elbv2_ssl")
def names_of_policies_say_which_versions_they_allow(aws: Account) -> None:
    """ELBSecurityPolicy-TLS13-1-2-Res-2021-06 allows TLS 1.3 and 1.2, TLS13-1-3 1.3 alone, 2016-08 TLS 1.0 to
    1.2.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
    """
    wanted = {
        TRUSTED: {"TLSv1.3", "TLSv1.2"},
        STRICT: {"TLSv1.3"},
        OF_THE_API: {"TLSv1.2", "TLSv1.1", "TLSv1"},
    }
    answer = aws.client("elbv2").describe_ssl_policies(Names=[*wanted])["SslPolicies"]
    same({one["Name"]: {*one["SslProtocols"]} for one in answer}, wanted, "the versions")


@question(code="model/ciphers", corrects="elbv2_ssl")
def the_policies_that_there_are(aws: Account) -> str:
    """AWS adds SSL policies from time to time, and names each by its month.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeSSLPolicies.html
    """
    answer = aws.client("elbv2").describe_ssl_policies(LoadBalancerType="network")
    names = [one["Name"].removeprefix("ELBSecurityPolicy-") for one in answer["SslPolicies"]]
    return ", ".join(sorted(names))


@rule(NETWORK, TARGETS, CERTIFICATE, code="model/load_balancer", corrects="elbv2_listeners", minutes=0.05)
def a_tls_listeners_idle_timeout_is_fixed(aws: Account) -> str:
    """The idle timeout of a TLS listener cannot be set.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
    """
    arn = listen(aws, 3012, **secure(aws.need(CERTIFICATE).arn))
    modify, wanted = aws.client("elbv2").modify_listener_attributes, [{"Key": IDLE, "Value": "400"}]
    return refused(modify, (*MISFIT, "UnsupportedProtocol"), ListenerArn=arn, Attributes=wanted)


@rule(NETWORK, TARGETS, code=("model/load_balancer", "provision/desired"), corrects="elbv2_listeners")
def a_tcp_listeners_idle_timeout(aws: Account) -> None:
    """The idle timeout of a TCP listener is 350 s unless it is set, from 60 to 6000.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html
    """
    elbv2, here = aws.client("elbv2"), {"ListenerArn": listen(aws, 3013)}

    def idle() -> str:
        answer = elbv2.describe_listener_attributes(**here)["Attributes"]
        return str({one["Key"]: one["Value"] for one in answer}.get(IDLE))

    same(idle(), "350", "at first")
    for value in ("60", "6000"):
        elbv2.modify_listener_attributes(**here, Attributes=[{"Key": IDLE, "Value": value}])
        same(idle(), value, "then")
    for value in ("59", "6001"):
        wrong = [{"Key": IDLE, "Value": value}]
        refused(elbv2.modify_listener_attributes, MISFIT, **here, Attributes=wrong)


@rule(NETWORK, TARGETS, VPC, code="provision/desired", corrects="elbv2_listeners")
def tcp_listeners_lead_to_tcp_target_groups(aws: Account) -> str:
    """A TCP listener does not forward to a TLS target group: IncompatibleProtocols.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html
    """
    tls = new_targets(aws, Protocol="TLS")
    request = listener_request(aws, 3014, DefaultActions=[forward(tls)])
    return refused(aws.client("elbv2").create_listener, (*MISFIT, "IncompatibleProtocols"), **request)


@rule(NETWORK, TARGETS, code="aws/elbv2_calls", corrects="elbv2_listeners")
def a_network_one_speaks_no_http(aws: Account) -> str:
    """A network load balancer has no HTTP listener.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html
    """
    create = aws.client("elbv2").create_listener
    return refused(create, (*MISFIT, "UnsupportedProtocol"), **listener_request(aws, 3015, Protocol="HTTP"))


@rule(code="aws/elbv2", corrects="elbv2_listeners")
def listeners_are_read_of_one_load_balancer(aws: Account) -> str:
    """DescribeListeners needs a load balancer or listeners: there is no list of all.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html
    """
    return refused(aws.client("elbv2").describe_listeners, "ValidationError")


@question(NETWORK, TARGETS, code="provision/put", corrects="elbv2_listeners", minutes=0.2)
def how_soon_a_new_listener_is_seen(aws: Account) -> str:
    """A listener that was just made may be ListenerNotFound for some seconds.

    https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/deploy/elbv2/listener_manager.go
    """
    elbv2 = aws.client("elbv2")
    (made,) = elbv2.create_listener(**listener_request(aws, 3016))["Listeners"]
    arn = made["ListenerArn"]
    aws.defer(elbv2.delete_listener, ListenerArn=arn)
    seconds = aws.once_allowed(elbv2.describe_tags, ["ListenerNotFound"], 60, ResourceArns=[arn])
    return f"{seconds:.0f} s"


@rule(NETWORK, TARGETS, CERTIFICATE, code="certificates/users", corrects="elbv2_listeners", minutes=0.1)
def certificates_beside_the_default_one(aws: Account) -> str:
    """A certificate that is in the list of a listener already can be added again, and its default one cannot
    be removed.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddListenerCertificates.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RemoveListenerCertificates.html
    """
    elbv2, default = aws.client("elbv2"), aws.need(CERTIFICATE).arn
    beside = upload_for_the_rule(aws, pki.leaf()).arn
    arn = listen(aws, 3017, **secure(default))
    for _ in range(2):
        aws.once_allowed(
            elbv2.add_listener_certificates,
            ["CertificateNotFound"],
            PROPAGATION_SECONDS,
            ListenerArn=arn,
            Certificates=[{"CertificateArn": beside}],
        )
    hold((beside, False) in served(aws, arn), f"it has {served(aws, arn)}")
    remove, codes = elbv2.remove_listener_certificates, ("OperationNotPermitted", *MISFIT)
    return refused(remove, codes, ListenerArn=arn, Certificates=[{"CertificateArn": default}])


@rule(
    NETWORK,
    TARGETS,
    code=("certificates/users", "rotate/delete_superseded"),
    corrects=("iam", "elbv2_listeners"),
    minutes=0.1,
)
def a_certificate_of_a_network_listener_cannot_be_deleted(aws: Account) -> str:
    """DeleteServerCertificate of one that a TLS listener serves is DeleteConflict.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    uploaded = upload_for_the_rule(aws, pki.leaf())
    listen(aws, 3018, **secure(uploaded.arn))
    delete = aws.client("iam").delete_server_certificate
    return refused(delete, "DeleteConflict", ServerCertificateName=uploaded.name)


@rule(code="aws/refusals", corrects="elbv2_state")
def a_missing_listener_is_not_found(aws: Account) -> None:
    """Operations on a listener that does not exist are ListenerNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteListener.html
    """
    elbv2 = aws.client("elbv2")
    arn = absent(aws, "listener/net/conform-there-is-none/0123456789abcdef/0123456789abcdef")
    refused(elbv2.describe_listeners, "ListenerNotFound", ListenerArns=[arn])
    refused(elbv2.describe_tags, "ListenerNotFound", ResourceArns=[arn])
    refused(elbv2.modify_listener, "ListenerNotFound", ListenerArn=arn, SslPolicy=TRUSTED)
    refused(elbv2.delete_listener, "ListenerNotFound", ListenerArn=arn)
