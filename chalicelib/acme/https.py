"""Whom to trust when an ACME CA is asked over HTTPS."""

from __future__ import annotations

import ssl
from pathlib import Path

from chalicelib.model.errors import IssuerSilent
from chalicelib.tls import connect as tls
from chalicelib.tls.contexts import client_context
from chalicelib.tls.reasons import named_reason

USER_AGENT = "emq-elb"
"""What every request names itself (https://www.rfc-editor.org/rfc/rfc8555#section-6.1)."""


def https_context(trusted: str | None = None) -> ssl.SSLContext:
    """Return a client's context that trusts the certificates of a PEM file; the system's roots without one.

    IssuerSilent when the file cannot be read, or holds no certificate.
    """
    context = client_context()
    if trusted is None:
        context.load_default_certs()
        return context
    try:
        # What stands around the blocks may be in any encoding. Every byte is a character of this one.
        text = Path(trusted).read_text("latin-1")
    except OSError as error:
        raise IssuerSilent(f"the CA could not be asked: {named_reason(error)}: {trusted}") from None
    anchor = tls.anchor(text)
    if anchor is None:
        raise IssuerSilent(f"the CA could not be asked: {trusted} holds no certificate")
    context.load_verify_locations(cadata=anchor)
    return context
