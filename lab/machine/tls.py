"""Every TLS context of the lab is made here, so that no build of Python or OpenSSL decides for it.

`chalicelib/tls/contexts.py` does the same for the app, and has the reasons.
"""

from __future__ import annotations

import ssl
from pathlib import Path

# Keys of 2048 bits, no SHA-1.
CIPHERS = "DEFAULT:@SECLEVEL=2"
# OpenSSL refuses TLS 1.0 and 1.1 above security level 0, whatever the protocol versions allow
# (SSL_CTX_set_security_level(3)).
OBSOLETE_CIPHERS = "ALL:@SECLEVEL=0"
# Without VERIFY_X509_STRICT, as a device verifies.
_VERIFY = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
# Every option, because `Protocol` in openssl.cnf forbids TLS versions by one.
_OPTIONS = (
    ssl.OP_ALL
    | ssl.OP_NO_COMPRESSION
    | ssl.OP_CIPHER_SERVER_PREFERENCE
    | ssl.OP_SINGLE_DH_USE
    | ssl.OP_SINGLE_ECDH_USE
    | ssl.OP_ENABLE_MIDDLEBOX_COMPAT
    | ssl.OP_IGNORE_UNEXPECTED_EOF
)


def trusting(authority: Path | str) -> ssl.SSLContext:
    """Return a client's context that trusts these certificates only: a PEM file, or PEM text."""
    context = settled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if isinstance(authority, Path):
        context.load_verify_locations(cafile=authority)
    else:
        context.load_verify_locations(cadata=authority)
    return context


def looking() -> ssl.SSLContext:
    """Return a client's context that verifies nothing: to see what is served."""
    context = settled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def settled(context: ssl.SSLContext) -> ssl.SSLContext:
    """Set the versions, ciphers, security level, options and strictness of a context, and return it."""
    context.set_ciphers(CIPHERS)
    context.options = _OPTIONS
    context.verify_flags = _VERIFY
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    return context
