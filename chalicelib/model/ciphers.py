"""AWS's own words for TLS on a classic load balancer: protocols, ciphers, predefined policies.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-ssl-security-policy.html and
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-security-policy-table.html
"""

from __future__ import annotations

from chalicelib.model.load_balancer import CustomPolicy, PredefinedPolicy, SslPolicy

PREDEFINED_POLICIES = (
    "ELBSecurityPolicy-TLS-1-2-2017-01",
    "ELBSecurityPolicy-TLS-1-1-2017-01",
    "ELBSecurityPolicy-2016-08",
    "ELBSecurityPolicy-2015-05",
    "ELBSecurityPolicy-2015-03",
    "ELBSecurityPolicy-2015-02",
    "ELBSecurityPolicy-2014-10",
    "ELBSecurityPolicy-2014-01",
    "ELBSecurityPolicy-2011-08",
)
"""Strictest first."""

PROTOCOLS = ("TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3")
"""What a custom policy may allow, as the attribute `Protocol-…` has it. There is no TLS 1.3."""


_CURRENT = """
ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256
ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA DHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-GCM-SHA384
ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES256-SHA384 ECDHE-RSA-AES256-SHA384 ECDHE-RSA-AES256-SHA
ECDHE-ECDSA-AES256-SHA AES128-GCM-SHA256 AES128-SHA256 AES128-SHA AES256-GCM-SHA384 AES256-SHA256 AES256-SHA
DHE-DSS-AES128-SHA
"""

# Accepted by AWS still; no predefined policy of today's offers them.
_OBSOLETE = """
CAMELLIA128-SHA EDH-RSA-DES-CBC3-SHA DES-CBC3-SHA ECDHE-RSA-RC4-SHA RC4-SHA ECDHE-ECDSA-RC4-SHA
DHE-DSS-AES256-GCM-SHA384 DHE-RSA-AES256-GCM-SHA384 DHE-RSA-AES256-SHA256 DHE-DSS-AES256-SHA256
DHE-RSA-AES256-SHA DHE-DSS-AES256-SHA DHE-RSA-CAMELLIA256-SHA DHE-DSS-CAMELLIA256-SHA CAMELLIA256-SHA
EDH-DSS-DES-CBC3-SHA DHE-DSS-AES128-GCM-SHA256 DHE-RSA-AES128-GCM-SHA256 DHE-RSA-AES128-SHA256
DHE-DSS-AES128-SHA256 DHE-RSA-CAMELLIA128-SHA DHE-DSS-CAMELLIA128-SHA
ADH-AES128-GCM-SHA256 ADH-AES128-SHA ADH-AES128-SHA256 ADH-AES256-GCM-SHA384 ADH-AES256-SHA ADH-AES256-SHA256
ADH-CAMELLIA128-SHA ADH-CAMELLIA256-SHA ADH-DES-CBC3-SHA ADH-DES-CBC-SHA ADH-RC4-MD5 ADH-SEED-SHA
DES-CBC-SHA DHE-DSS-SEED-SHA DHE-RSA-SEED-SHA EDH-DSS-DES-CBC-SHA EDH-RSA-DES-CBC-SHA IDEA-CBC-SHA RC4-MD5
SEED-SHA DES-CBC3-MD5 DES-CBC-MD5 RC2-CBC-MD5
PSK-AES256-CBC-SHA PSK-3DES-EDE-CBC-SHA PSK-AES128-CBC-SHA PSK-RC4-SHA
KRB5-DES-CBC3-SHA KRB5-DES-CBC3-MD5 KRB5-RC4-SHA KRB5-RC4-MD5 KRB5-DES-CBC-SHA KRB5-DES-CBC-MD5
EXP-EDH-RSA-DES-CBC-SHA EXP-EDH-DSS-DES-CBC-SHA EXP-ADH-DES-CBC-SHA EXP-DES-CBC-SHA EXP-RC2-CBC-MD5
EXP-KRB5-RC2-CBC-SHA EXP-KRB5-DES-CBC-SHA EXP-KRB5-RC2-CBC-MD5 EXP-KRB5-DES-CBC-MD5 EXP-ADH-RC4-MD5
EXP-RC4-MD5 EXP-KRB5-RC4-SHA EXP-KRB5-RC4-MD5
"""

CIPHERS = (*_CURRENT.split(), *_OBSOLETE.split())
"""Every cipher that a custom policy may name, in AWS's order of preference."""

OBSOLETE_PROTOCOLS = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})
"""Retired by RFC 7568 and RFC 8996."""


def allowed_protocols(policy: SslPolicy) -> frozenset[str]:
    """Return the protocol versions that the policy lets clients speak."""
    match policy:
        case CustomPolicy(protocols=protocols):
            return protocols
        case PredefinedPolicy("ELBSecurityPolicy-TLS-1-2-2017-01"):
            return frozenset({"TLSv1.2"})
        case PredefinedPolicy("ELBSecurityPolicy-TLS-1-1-2017-01"):
            return frozenset({"TLSv1.1", "TLSv1.2"})
        case PredefinedPolicy("ELBSecurityPolicy-2014-01" | "ELBSecurityPolicy-2011-08"):
            return frozenset({"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"})
        case PredefinedPolicy():
            return frozenset({"TLSv1", "TLSv1.1", "TLSv1.2"})
