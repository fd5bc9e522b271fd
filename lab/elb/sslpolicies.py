"""What AWS's predefined SSL policies allow on the wire, and how HAProxy says it.

Protocols and ciphers of classic load balancers' policies are those of
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-security-policy-table.html. The page no
longer describes the policies of 2014 and 2011; for those the oldest that it does describe stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROTOCOLS = ("TLSv1", "TLSv1.1", "TLSv1.2")

# OpenSSL refuses TLS 1.0 and 1.1 above security level 0, whatever the protocol versions allow
# (SSL_CTX_set_security_level(3)). Level 2 is Debian's: said, since openssl.cnf may have another.
OBSOLETE = frozenset({"TLSv1", "TLSv1.1"})

# In HAProxy's spelling. A classic load balancer knows no TLS 1.3.
HAPROXY_VERSIONS = {"TLSv1": "TLSv1.0", "TLSv1.1": "TLSv1.1", "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}
VERSIONS = tuple(HAPROXY_VERSIONS)


@dataclass(frozen=True)
class SslNegotiation:
    """Protocol versions and ciphers that a listener accepts; both in AWS's spelling."""

    protocols: tuple[str, ...]
    ciphers: tuple[str, ...]
    server_defined_order: bool = True


STRICT = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "AES128-GCM-SHA256",
    "AES128-SHA256",
    "AES256-GCM-SHA384",
    "AES256-SHA256",
)
BROAD = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES128-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA256",
    "AES256-SHA",
)
DHE = ("DHE-RSA-AES128-SHA", "DHE-DSS-AES128-SHA")
OLDEST = SslNegotiation(PROTOCOLS, (*BROAD, *DHE, "DES-CBC3-SHA"))

PREDEFINED: Mapping[str, SslNegotiation] = {
    "ELBSecurityPolicy-TLS-1-2-2017-01": SslNegotiation(("TLSv1.2",), STRICT),
    "ELBSecurityPolicy-TLS-1-1-2017-01": SslNegotiation(("TLSv1.1", "TLSv1.2"), BROAD),
    "ELBSecurityPolicy-2016-08": SslNegotiation(PROTOCOLS, BROAD),
    "ELBSecurityPolicy-2015-05": SslNegotiation(PROTOCOLS, (*BROAD, "DES-CBC3-SHA")),
    "ELBSecurityPolicy-2015-03": OLDEST,
    "ELBSecurityPolicy-2015-02": SslNegotiation(PROTOCOLS, (*BROAD, *DHE)),
    "ELBSecurityPolicy-2014-10": OLDEST,
    "ELBSecurityPolicy-2014-01": OLDEST,
    "ELBSecurityPolicy-2011-08": OLDEST,
}
DEFAULT = PREDEFINED["ELBSecurityPolicy-2016-08"]


def negotiation(attributes: Mapping[str, str]) -> SslNegotiation:
    """Return what an `SSLNegotiationPolicyType` policy with these attributes allows.

    AWS lists a predefined policy's protocols and ciphers beside its reference; the table above decides, so
    that a wrong answer of the emulator is not repeated on the wire.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html
    """
    reference = attributes.get("Reference-Security-Policy", "")
    if reference in PREDEFINED:
        return PREDEFINED[reference]
    on = [name for name, value in attributes.items() if value.lower() == "true"]
    return SslNegotiation(
        protocols=tuple(protocol for protocol in PROTOCOLS if f"Protocol-{protocol}" in on),
        ciphers=tuple(
            name for name in on if not name.startswith("Protocol-") and name != "Server-Defined-Cipher-Order"
        ),
        server_defined_order="Server-Defined-Cipher-Order" in on,
    )


def bind_options(ssl: SslNegotiation) -> str:
    """Return the words of HAProxy's `bind` line for a policy.

    HAProxy takes a lowest and a highest version, and a gap between them by name. TLS 1.3 has ciphers of its
    own, whose names say so.
    """
    versions = [version for version in VERSIONS if version in ssl.protocols]
    inside = VERSIONS[VERSIONS.index(versions[0]) : VERSIONS.index(versions[-1])]
    suites = [cipher for cipher in ssl.ciphers if cipher.startswith("TLS_")]
    ciphers = [cipher for cipher in ssl.ciphers if cipher not in suites] or ["DEFAULT"]
    level = f"@SECLEVEL={0 if OBSOLETE & set(versions) else 2}"
    words = [
        f"ssl-min-ver {HAPROXY_VERSIONS[versions[0]]}",
        f"ssl-max-ver {HAPROXY_VERSIONS[versions[-1]]}",
        *(f"no-{version.lower().replace('.', '')}" for version in inside if version not in versions),
        f"ciphers {':'.join([*ciphers, level])}",
        *([f"ciphersuites {':'.join(suites)}"] if suites else []),
    ]
    return " ".join(words if ssl.server_defined_order else [*words, "prefer-client-ciphers"])
