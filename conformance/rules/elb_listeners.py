"""Listeners of classic load balancers, and their certificates."""

from __future__ import annotations

from typing import Any

from conformance import pki
from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import (
    BALANCER,
    CERTIFICATE,
    OTHER_CERTIFICATE,
    VPC,
    balancer_request,
    plain,
    secure,
    upload_for_the_rule,
)
from conformance.rule import question, rule

MISFIT = ("ValidationError", "InvalidConfigurationRequest")
PROPAGATION_SECONDS = 900


def described(aws: Account) -> dict[int, Any]:
    """Return the listener descriptions of the shared load balancer by port."""
    (found,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    return {one["Listener"]["LoadBalancerPort"]: one for one in found["ListenerDescriptions"]}


def listener(aws: Account, port: int) -> dict[str, Any]:
    """Return the listener at a port of the shared load balancer."""
    found: dict[str, Any] = described(aws)[port]["Listener"]
    return found


def add(aws: Account, *listeners: dict[str, Any]) -> float:
    """Give the shared load balancer listeners until the rule ends; return how late ELB knew a certificate."""
    elb, name = aws.client("elb"), aws.need(BALANCER)
    ports = [one["LoadBalancerPort"] for one in listeners]
    aws.defer(elb.delete_load_balancer_listeners, LoadBalancerName=name, LoadBalancerPorts=ports)
    return aws.once_allowed(
        elb.create_load_balancer_listeners,
        ["CertificateNotFound"],
        PROPAGATION_SECONDS,
        LoadBalancerName=name,
        Listeners=[*listeners],
    )


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_listeners")
def layers_do_not_mix(aws: Account) -> None:
    """TCP and SSL in front go with TCP and SSL behind, HTTP and HTTPS with HTTP and HTTPS.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
    """
    elb = aws.client("elb")
    for change in ({"InstanceProtocol": "HTTP"}, {"Protocol": "HTTP"}):
        refused(
            elb.create_load_balancer_listeners,
            MISFIT,
            LoadBalancerName=aws.need(BALANCER),
            Listeners=[plain(2001) | change],
        )


@rule(VPC, code="provision/declaration_checks", corrects="elb_listeners")
def a_protocol_is_one_of_four(aws: Account) -> str:
    """A protocol is HTTP, HTTPS, TCP or SSL.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_Listener.html
    """
    request = balancer_request(aws, Listeners=[plain(2001) | {"Protocol": "UDP", "InstanceProtocol": "UDP"}])
    return refused(aws.client("elb").create_load_balancer, (*MISFIT, "UnsupportedProtocol"), **request)


@rule(VPC, code="provision/declaration_checks", corrects="elb_listeners")
def ports_are_1_to_65535(aws: Account) -> None:
    """In a VPC ports are 1 to 65535.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
    """
    create = aws.client("elb").create_load_balancer
    for listeners in ([plain(0)], [plain(65536)], [plain(2001, 0)], [plain(2001, 65536)], []):
        refused(create, MISFIT, **balancer_request(aws, Listeners=listeners))


@rule(BALANCER, CERTIFICATE, code="provision/declaration_checks", corrects="elb_listeners", minutes=0.05)
def an_instance_port_is_secure_or_plain(aws: Account) -> str:
    """Two listeners on one instance port must be both secure or both plain behind.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
    """
    elb = aws.client("elb")
    add(aws, secure(2001, aws.need(CERTIFICATE).arn, 1884))  # ELB knows the certificate then
    both = secure(2002, aws.need(CERTIFICATE).arn) | {"InstanceProtocol": "SSL"}
    aws.defer(
        elb.delete_load_balancer_listeners, LoadBalancerName=aws.need(BALANCER), LoadBalancerPorts=[2002]
    )
    create = elb.create_load_balancer_listeners
    return refused(create, MISFIT, LoadBalancerName=aws.need(BALANCER), Listeners=[both])


@rule(BALANCER, code="provision/plan_listeners", corrects="elb_listeners")
def the_same_listener_again_is_no_fault(aws: Account) -> str:
    """CreateLoadBalancerListeners: the same port with the same properties changes nothing, with others it
    is DuplicateListener.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerListeners.html
    """
    elb, name = aws.client("elb"), aws.need(BALANCER)
    before = described(aws)
    elb.create_load_balancer_listeners(LoadBalancerName=name, Listeners=[plain(1883)])
    same(described(aws), before, "the listeners")
    create = elb.create_load_balancer_listeners
    return refused(create, "DuplicateListener", LoadBalancerName=name, Listeners=[plain(1883, 1884)])


@rule(BALANCER, code="provision/plan_listeners", corrects="elb_listeners")
def a_listener_that_is_not_there_can_be_deleted(aws: Account) -> None:
    """DeleteLoadBalancerListeners of a port without a listener succeeds, and several ports go at once.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancerListeners.html
    """
    elb, name = aws.client("elb"), aws.need(BALANCER)
    add(aws, plain(2003), plain(2004))
    elb.delete_load_balancer_listeners(LoadBalancerName=name, LoadBalancerPorts=[2003, 2004, 2005])
    same(sorted(described(aws)), [1883], "the ports that are left")


@rule(BALANCER, CERTIFICATE, code="aws/elb", corrects="elb_listeners", minutes=0.05)
def the_instance_protocol_is_kept(aws: Account) -> None:
    """A listener SSL to TCP reads back as SSL to TCP, with its certificate.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_Listener.html
    """
    arn = aws.need(CERTIFICATE).arn
    add(aws, secure(2006, arn))
    same(listener(aws, 2006), secure(2006, arn), "the listener")


@rule(BALANCER, code="provision/declaration_checks", corrects="elb_listeners")
def a_secure_listener_has_a_certificate(aws: Account) -> str:
    """A listener with SSL or HTTPS in front needs a certificate.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-https-load-balancers.html
    """
    create = aws.client("elb").create_load_balancer_listeners
    without = plain(2007) | {"Protocol": "SSL"}
    codes = (*MISFIT, "CertificateNotFound")
    return refused(create, codes, LoadBalancerName=aws.need(BALANCER), Listeners=[without])


@rule(BALANCER, VPC, code=("aws/refusals", "aws/errors"), corrects="elb_certificates")
def an_unknown_certificate_is_not_found(aws: Account) -> str:
    """A certificate that ELB does not know is CertificateNotFound, in IAM and in ACM alike.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerListeners.html
    """
    elb, account = aws.client("elb"), aws.client("sts").get_caller_identity()
    partition, own = account["Arn"].split(":")[1], account["Account"]
    iam = f"arn:{partition}:iam::{own}:server-certificate/conform-there-is-none"
    acm = f"arn:{partition}:acm:{aws.place.region}:{own}:certificate/00000000-0000-0000-0000-000000000000"
    name = aws.need(BALANCER)
    aws.defer(elb.delete_load_balancer_listeners, LoadBalancerName=name, LoadBalancerPorts=[2008])
    for arn in (iam, acm):
        refused(
            elb.create_load_balancer_listeners,
            "CertificateNotFound",
            LoadBalancerName=name,
            Listeners=[secure(2008, arn)],
        )
    request = balancer_request(aws, Listeners=[secure(8883, iam)])
    return refused(elb.create_load_balancer, "CertificateNotFound", **request)


@question(BALANCER, code="aws/refusals", corrects="knobs")
def a_listener_that_failed_stays(aws: Account) -> str:
    """A creation that failed for an unknown certificate may leave a listener behind; the retry then says
    DuplicateListener.

    https://github.com/hashicorp/terraform/issues/4880
    """
    elb, name = aws.client("elb"), aws.need(BALANCER)
    account = aws.client("sts").get_caller_identity()
    partition = account["Arn"].split(":")[1]
    arn = f"arn:{partition}:iam::{account['Account']}:server-certificate/conform-there-is-none"
    aws.defer(elb.delete_load_balancer_listeners, LoadBalancerName=name, LoadBalancerPorts=[2009])
    outcome(elb.create_load_balancer_listeners, LoadBalancerName=name, Listeners=[secure(2009, arn)])
    left = described(aws).get(2009)
    return (
        "nothing is left behind" if left is None else f"it leaves {left['Listener'].get('SSLCertificateId')}"
    )


@question(BALANCER, code=("aws/refusals", "rotate/install"), corrects="knobs", minutes=1)
def how_long_a_new_certificate_is_unknown(aws: Account) -> str:
    """A new IAM certificate may be unknown to ELB for seconds, by AWS's own word up to about 15 minutes.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ts-elb-error-api-response.html
    https://github.com/hashicorp/terraform/issues/2499
    """
    return f"{add(aws, secure(2010, upload_for_the_rule(aws, pki.leaf()).arn)):.0f} s"


@rule(
    BALANCER,
    CERTIFICATE,
    OTHER_CERTIFICATE,
    code="rotate/install",
    corrects=("elb_listeners", "elb_certificates"),
    minutes=0.1,
)
def a_certificate_is_swapped_in_place(aws: Account) -> None:
    """SetLoadBalancerListenerSSLCertificate swaps the certificate; the listener and its policies stay.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerListenerSSLCertificate.html
    """
    elb, name = aws.client("elb"), aws.need(BALANCER)
    add(aws, secure(2011, aws.need(CERTIFICATE).arn))
    before = described(aws)[2011]
    swap = {
        "LoadBalancerName": name,
        "LoadBalancerPort": 2011,
        "SSLCertificateId": aws.need(OTHER_CERTIFICATE).arn,
    }
    call = elb.set_load_balancer_listener_ssl_certificate
    aws.once_allowed(call, ["CertificateNotFound"], PROPAGATION_SECONDS, **swap)
    after = described(aws)[2011]
    same(after["Listener"]["SSLCertificateId"], aws.need(OTHER_CERTIFICATE).arn, "the certificate")
    same(after["PolicyNames"], before["PolicyNames"], "the policies")


@rule(BALANCER, CERTIFICATE, code="aws/errors", corrects="elb_listeners", minutes=0.05)
def a_certificate_wants_a_secure_listener(aws: Account) -> str:
    """SetLoadBalancerListenerSSLCertificate on a port without a listener is ListenerNotFound, on a plain
    listener InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerListenerSSLCertificate.html
    """
    call = aws.client("elb").set_load_balancer_listener_ssl_certificate
    add(aws, secure(2001, aws.need(CERTIFICATE).arn))  # ELB knows the certificate then
    here = {"LoadBalancerName": aws.need(BALANCER), "SSLCertificateId": aws.need(CERTIFICATE).arn}
    refused(call, "ListenerNotFound", **here, LoadBalancerPort=2012)
    return refused(call, "InvalidConfigurationRequest", **here, LoadBalancerPort=1883)


@rule(BALANCER, code=("x509/preflight", "issuers/private_ca"), corrects="elb_certificates", minutes=1)
def keys_that_a_listener_takes(aws: Account) -> None:
    """A classic load balancer takes RSA keys up to 4096 bits and P-256 and P-384 through IAM.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-server-cert.html
    """
    kinds: tuple[pki.Kind, ...] = ("RSA-4096", "P-256", "P-384")
    for port, kind in enumerate(kinds, start=2013):
        add(aws, secure(port, upload_for_the_rule(aws, pki.leaf(kind)).arn))
    hold({2013, 2014, 2015} <= described(aws).keys(), f"the listeners are at {sorted(described(aws))}")
