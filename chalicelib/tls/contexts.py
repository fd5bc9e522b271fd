"""Every TLS context of the program is made here, so that no build of Python or OpenSSL decides for it.

Debian's Python leaves the lowest version and the ciphers to OpenSSL; other builds have their own.
`openssl.cnf` sets versions, ciphers and a security level for every program of a machine. Python 3.13 verifies
some contexts strictly. Each context here sets all of these itself. Python cannot set the cipher suites of
TLS 1.3, the groups of the key exchange and the signature algorithms before 3.15: those stay OpenSSL's.
"""

from __future__ import annotations

import ssl
import warnings

# Level 2 is OpenSSL's default since 3.2, and Python's and Debian's before: keys of 2048 bits, no SHA-1.
_CIPHERS = "DEFAULT:@SECLEVEL=2"
# Above level 0 OpenSSL itself refuses TLS 1.0 and 1.1, before a server could.
_OBSOLETE_CIPHERS = "ALL:@SECLEVEL=0"
# Without VERIFY_X509_STRICT, which neither OpenSSL nor a device turns on by default: it refuses a private CA
# with a path length and no keyCertSign, which other clients accept. With PARTIAL_CHAIN an intermediate
# certificate is enough as trust; Python 3.13 sets it too.
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


def client_context(
    minimum: ssl.TLSVersion | None = None, maximum: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return a context that verifies chain and name and trusts nobody yet; TLS 1.2 to 1.3 by default."""
    lowest, highest = minimum or ssl.TLSVersion.TLSv1_2, maximum or ssl.TLSVersion.TLSv1_3
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(_CIPHERS if lowest >= ssl.TLSVersion.TLSv1_2 else _OBSOLETE_CIPHERS)
    context.options = _OPTIONS
    context.verify_flags = _VERIFY
    context.hostname_checks_common_name = False  # as MQTT clients of today do not
    with warnings.catch_warnings():
        # Obsolete versions are offered on purpose: to see that they are refused.
        warnings.filterwarnings("ignore", "ssl.TLSVersion", DeprecationWarning)
        context.minimum_version = lowest
        context.maximum_version = highest
    return context
