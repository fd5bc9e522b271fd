"""Whom to trust when an ACME CA is asked over HTTPS."""

from __future__ import annotations

import ssl
from pathlib import Path

from chalicelib.adapters import tls
from chalicelib.adapters.contexts import client_context


def https_context(trusted: str | None = None) -> ssl.SSLContext:
    """Return a client's context that trusts the certificates of a PEM file; the system's roots without one.

    OSError when the file cannot be read, ValueError when it holds no certificate.
    """
    context = client_context()
    if trusted is None:
        context.load_default_certs()
        return context
    # What stands around the blocks may be in any encoding. Every byte is a character of this one.
    anchor = tls.anchor(Path(trusted).read_text("latin-1"))
    if anchor is None:
        raise ValueError(f"{trusted} holds no certificate")
    context.load_verify_locations(cadata=anchor)
    return context
