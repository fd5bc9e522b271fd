"""The bounds of a deployment, held against a declaration: its own values, then what AWS says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.certificates.chosen import Existing, ToUpload
from chalicelib.model.bounds import Bounds
from chalicelib.model.errors import Fault
from chalicelib.model.syntax import quoted
from chalicelib.provision.declaration import Declaration, GivenArn, GivenIssuer, GivenSecret
from chalicelib.provision.facts import Facts
from chalicelib.x509.pem import GivenPem


def faults_beyond(declaration: Declaration, bounds: Bounds, *, adopt: bool) -> Iterator[Fault]:
    """Return the faults that the declaration itself shows, before anything is looked up."""
    if adopt and not bounds.adoption:
        yield Fault("adopt", "this deployment does not take over load balancers (setting ALLOW_ADOPTION)")
    for index, listener in enumerate(declaration.listeners):
        if not bounds.port(listener.instance_port):
            yield Fault(
                f"listeners[{index}].instance_port",
                "this deployment allows the instance ports"
                f" {_listed(map(str, sorted(bounds.instance_ports)))}, not {quoted(listener.instance_port)}"
                " (setting ALLOWED_INSTANCE_PORTS)",
            )
    if declaration.hostname is not None and bounds.beyond([declaration.hostname]):
        yield Fault("hostname", _not_ours(declaration.hostname, bounds))
    match declaration.certificate:
        case GivenIssuer(domains=domains):
            for index, domain in enumerate(domains):
                if bounds.beyond([domain]):
                    yield Fault(f"certificate.domains[{index}]", _not_ours(domain, bounds))
        case _:
            pass


def objections_beyond(declaration: Declaration, facts: Facts, bounds: Bounds) -> Iterator[Fault]:
    """Return the faults that AWS alone could show: the VPC of a subnet, the names of a certificate."""
    there = facts.actual.load_balancer
    for index, id_ in enumerate(declaration.subnets):
        subnet = facts.subnets.get(id_)
        vpc = subnet.vpc if subnet else there.vpc if there and id_ in there.subnets else None
        if vpc is not None and not bounds.vpc(vpc):
            yield Fault(
                f"subnets[{index}]",
                f"{id_} is in {vpc}, and this deployment allows only {_listed(sorted(bounds.vpcs))} (setting"
                " ALLOWED_VPCS)",
            )
    yield from _certificate(declaration, facts, bounds)


def _certificate(declaration: Declaration, facts: Facts, bounds: Bounds) -> Iterator[Fault]:
    """A certificate that we issue has the declared names; a certificate that is served already may stay."""
    match declaration.certificate:
        case GivenArn():
            field = "certificate.arn"
        case GivenSecret():
            field = "certificate.secret_id"
        case GivenPem():
            field = "certificate.pem.certificate"
        case _:
            return
    there = facts.actual.load_balancer
    served = {listener.certificate for listener in there.listeners} if there else set()
    match facts.chosen:
        case Existing(certificate=found) | ToUpload(certificate=found) if found.arn not in served:
            names = found.domains
        case _:
            return
    if beyond := bounds.beyond(names):
        yield Fault(field, f"the certificate is also for another name: {_not_ours(beyond[0], bounds)}")


def _not_ours(name: str, bounds: Bounds) -> str:
    return (
        f"{quoted(name)} is neither one of {_listed(sorted(bounds.domains))} nor below one (setting"
        " ALLOWED_DOMAINS)"
    )


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
