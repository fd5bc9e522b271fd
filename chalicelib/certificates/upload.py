"""Which certificate a declaration leads to. Nothing is changed at AWS here: the answer says what must be."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.invocation import Invocation
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.names import certificate_path
from chalicelib.model.report import ReviewWarning
from chalicelib.x509.pem import Bundle, certificate_name
from chalicelib.x509.read import to_be


def as_uploaded(bundle: Bundle, load_balancer: str, invocation: Invocation) -> Certificate:
    """The certificate as it will be at AWS, its name standing for its ARN."""
    region, owner = invocation.clients.region, invocation.settings.owner
    name = certificate_name(region, load_balancer, bundle)
    return to_be(bundle, name=name, path=certificate_path(owner, region, load_balancer))


def for_any_name(wanted: Sequence[str]) -> ReviewWarning:
    """What to say of a certificate whose names nobody gave."""
    return ReviewWarning(
        "default-domains",
        "neither `hostname` nor `certificate.domains` is given, so the certificate is for"
        f" {', '.join(wanted)}, whatever load balancer of the region that is",
    )
