"""A certificate as it will be at AWS once it is uploaded."""

from __future__ import annotations

from chalicelib.invocation import Invocation
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.names import certificate_path
from chalicelib.x509.pem import Bundle, certificate_name
from chalicelib.x509.read import to_be


def as_uploaded(bundle: Bundle, load_balancer: str, invocation: Invocation) -> Certificate:
    """The certificate as it will be at AWS, its name standing for its ARN."""
    region, owner = invocation.clients.region, invocation.settings.owner
    name = certificate_name(region, load_balancer, bundle)
    return to_be(bundle, name=name, path=certificate_path(owner, region, load_balancer))
