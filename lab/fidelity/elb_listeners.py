"""Listeners of classic load balancers and their certificates.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lab.fidelity.elb_certificates import known, put_listener, refuse_unknown, take_listener
from lab.fidelity.elb_policies import give_default_policy
from lab.fidelity.elb_state import (
    SECURE,
    Answer,
    Listener,
    LoadBalancer,
    Region,
    Request,
    invalid,
    named,
    refusal,
    required,
)
from lab.fidelity.knobs import KNOBS

LAYER_4 = frozenset({"TCP", "SSL"})
LAYER_7 = frozenset({"HTTP", "HTTPS"})
QUOTA = 100
INVALID_CERTIFICATE = "Invalid-Certificate"


def asked(request: Request) -> list[Listener]:
    """Return the listeners of a request, each well-formed, or refuse."""
    listeners = request.get("Listeners", [])
    if not listeners:
        raise invalid("Listeners cannot be empty")
    return [_listener(listener) for listener in listeners]


def _listener(asked: Request) -> Listener:
    protocol = str(required(asked, "Protocol")).upper()
    instance_protocol = str(asked.get("InstanceProtocol") or protocol).upper()
    for value in (protocol, instance_protocol):
        if value not in LAYER_4 | LAYER_7:
            raise refusal("UnsupportedProtocol", f"Protocol {value} is none of HTTP, HTTPS, TCP, SSL")
    if (protocol in LAYER_4) != (instance_protocol in LAYER_4):
        raise invalid(f"Listener protocol {protocol} does not go with instance protocol {instance_protocol}")
    for name in ("LoadBalancerPort", "InstancePort"):
        if not 1 <= int(asked.get(name, 0)) <= 65535:
            raise invalid(f"{name} must be between 1 and 65535")
    certificate = asked.get("SSLCertificateId") or None
    if protocol in SECURE and certificate is None:
        raise invalid("Secure Listeners need to specify a SSLCertificateId")
    if protocol not in SECURE and certificate is not None:
        raise invalid("Only secure Listeners may specify a SSLCertificateId")
    return Listener(
        protocol, int(asked["LoadBalancerPort"]), instance_protocol, int(asked["InstancePort"]), certificate
    )


def added(existing: Iterable[Listener], asked: Sequence[Listener], name: str) -> list[Listener]:
    """Return those of the asked listeners that do not exist yet, or refuse when they do not go together.

    The same port with the same properties is no fault, with others it is DuplicateListener:
    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerListeners.html
    """
    together = {listener.port: listener for listener in existing}
    new = []
    for listener in asked:
        before = together.setdefault(listener.port, listener)
        if before != listener:
            raise refusal(
                "DuplicateListener",
                f"A listener already exists for {name} with LoadBalancerPort {listener.port}, "
                "but with a different InstancePort, Protocol, or SSLCertificateId",
            )
        if before is listener:
            new.append(listener)
    secure_ports = {one.instance_port: one.instance_protocol in SECURE for one in together.values()}
    for listener in together.values():
        if secure_ports[listener.instance_port] != (listener.instance_protocol in SECURE):
            raise refusal(
                "InvalidConfigurationRequest",
                f"Instance port {listener.instance_port} is secure in one listener and plain in another",
            )
    if len(together) > QUOTA:
        raise refusal("InvalidConfigurationRequest", f"A load balancer has at most {QUOTA} listeners")
    return new


def refuse_unknown_certificates(region: Region, listeners: Iterable[Listener]) -> None:
    """Refuse with CertificateNotFound unless ELB knows every listener's certificate."""
    for listener in listeners:
        if listener.certificate is not None:
            refuse_unknown(region, listener.certificate)


def add(region: Region, load_balancer: LoadBalancer, listeners: Iterable[Listener]) -> None:
    """Keep new listeners, a secure one with AWS's default SSL policy."""
    for listener in listeners:
        put_listener(region, load_balancer, listener)
        if listener.secure:
            give_default_policy(load_balancer, listener.port)


def create_load_balancer_listeners(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancerListeners.html"""
    load_balancer = named(region, request)
    new = added(load_balancer.listeners.values(), asked(request), load_balancer.name)
    unknown = [one for one in new if one.certificate and not known(region, one.certificate)]
    if KNOBS.failed_listener_stays:
        add(
            region,
            load_balancer,
            [replace(listener, certificate=INVALID_CERTIFICATE) for listener in unknown],
        )
    refuse_unknown_certificates(region, unknown)
    add(region, load_balancer, new)
    return {}


def delete_load_balancer_listeners(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancerListeners.html

    A port without a listener is no fault.
    """
    load_balancer = named(region, request)
    for port in required(request, "LoadBalancerPorts"):
        take_listener(region, load_balancer, port)
        load_balancer.listener_policies.pop(port, None)
    routed = {listener.instance_port for listener in load_balancer.listeners.values()}
    for port in set(load_balancer.backend_policies) - routed:
        del load_balancer.backend_policies[port]
    return {}


def set_load_balancer_listener_ssl_certificate(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_SetLoadBalancerListenerSSLCertificate.html"""
    load_balancer = named(region, request)
    port = required(request, "LoadBalancerPort")
    arn = required(request, "SSLCertificateId")
    listener = load_balancer.listeners.get(port)
    if listener is None:
        raise refusal(
            "ListenerNotFound", f"Load balancer {load_balancer.name} has no listener on port {port}"
        )
    if not listener.secure:
        raise refusal(
            "InvalidConfigurationRequest", f"The listener on port {port} is not secure: {listener.protocol}"
        )
    refuse_unknown(region, arn)
    put_listener(region, load_balancer, replace(listener, certificate=arn))
    return {}
