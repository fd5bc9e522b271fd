"""AWS's own words for TLS on a load balancer: protocols, ciphers, predefined policies.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-ssl-security-policy.html and
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-security-policy-table.html
and, of network ones, https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from chalicelib.model.load_balancer import CustomPolicy, LoadBalancerType, PredefinedPolicy, SslPolicy

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
"""Strictest first, of classic load balancers."""

NETWORK_POLICIES = tuple(
    f"ELBSecurityPolicy-{name}"
    for name in (
        *(f"TLS13-1-{kind}-2021-06" for kind in ("2-Res", "3", "2", "2-Ext1", "2-Ext2", "1", "0")),
        *(f"TLS13-1-{kind}-PQ-2025-09" for kind in ("2-Res", "3", "2", "2-Ext1", "2-Ext2", "0")),
        *(
            f"TLS13-1-{kind}-FIPS-2023-04"
            for kind in ("3", "2", "2-Res", "2-Ext0", "2-Ext1", "2-Ext2", "1", "0")
        ),
        *(
            f"TLS13-1-{kind}-FIPS-PQ-2025-09"
            for kind in ("3", "2", "2-Res", "2-Ext0", "2-Ext1", "2-Ext2", "0")
        ),
        "FS-1-2-Res-2020-10",
        "FS-1-2-Res-2019-08",
        "FS-1-2-2019-08",
        "FS-1-1-2019-08",
        "FS-2018-06",
        "TLS-1-2-Ext-2018-06",
        "TLS-1-2-2017-01",
        "TLS-1-1-2017-01",
        "2016-08",
    )
)
"""Those of network load balancers."""

POLICIES: Mapping[LoadBalancerType, tuple[str, ...]] = {
    "classic": PREDEFINED_POLICIES,
    "network": NETWORK_POLICIES,
}

_KNOWN = tuple(dict.fromkeys((*PREDEFINED_POLICIES, *NETWORK_POLICIES)))
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])$")
NEWEST = max(found[0] for name in _KNOWN if (found := _MONTH.search(name)))
"""The month in the newest of these names: AWS adds policies, and names each by its month."""
_LONGEST_COMPARED = 80

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


def unknown_policy(name: str) -> bool:
    """Whether it stands in neither of AWS's lists as they were read for this version."""
    return name not in _KNOWN


def may_be_newer(name: str) -> bool:
    """Whether AWS may have added a policy of that name since: by its month."""
    found = _MONTH.search(name)
    return found is not None and found[0] >= NEWEST


def near_policies(name: str, type_: LoadBalancerType | None = None) -> tuple[str, ...]:
    """Return three known policies, of one type or of either, whose names are most like that one."""
    known = POLICIES[type_] if type_ else _KNOWN
    return tuple(get_close_matches(name[:_LONGEST_COMPARED], known, n=3, cutoff=0)) or known[:3]


_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# What a policy's name promises: the newest version, where it is not TLS 1.2, and the oldest one.
_PROMISES = re.compile(r"ELBSecurityPolicy-(?:TLS(?P<newest>1[0-9])?|FS)-1-(?P<oldest>[0-3])-")
_SSL_3 = frozenset({"ELBSecurityPolicy-2014-01", "ELBSecurityPolicy-2011-08"})
_NEAREST: Mapping[LoadBalancerType, Mapping[str, str]] = {
    "classic": {
        "TLSv1.3": "ELBSecurityPolicy-TLS-1-2-2017-01",
        "TLSv1.2": "ELBSecurityPolicy-TLS-1-2-2017-01",
        "TLSv1.1": "ELBSecurityPolicy-TLS-1-1-2017-01",
        "TLSv1": "ELBSecurityPolicy-2016-08",
    },
    "network": {
        "TLSv1.3": "ELBSecurityPolicy-TLS13-1-3-2021-06",
        "TLSv1.2": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        "TLSv1.1": "ELBSecurityPolicy-TLS13-1-1-2021-06",
        "TLSv1": "ELBSecurityPolicy-TLS13-1-0-2021-06",
    },
}


def allowed_protocols(policy: SslPolicy) -> frozenset[str] | None:
    """Return the protocol versions that the policy lets clients speak.

    None for a policy of AWS's that is not known here, and whose name does not say.
    """
    match policy:
        case CustomPolicy(protocols=protocols):
            return protocols
        case PredefinedPolicy(name):
            promised = _PROMISES.match(name)
            if promised:
                newest = "TLSv1.3" if promised["newest"] else "TLSv1.2"
                oldest = f"TLSv1.{promised['oldest']}".removesuffix(".0")
            elif unknown_policy(name):
                return None
            else:
                newest, oldest = "TLSv1.2", "SSLv3" if name in _SSL_3 else "TLSv1"
            return frozenset(_VERSIONS[_VERSIONS.index(oldest) : _VERSIONS.index(newest) + 1])


def nearest_policy(policy: SslPolicy, type_: LoadBalancerType) -> str:
    """Return the predefined policy of that type that lets the same old clients in, as far as it can."""
    oldest = min(allowed_protocols(policy) or (), key=_VERSIONS.index, default="TLSv1.2")
    return _NEAREST[type_].get(oldest, _NEAREST[type_]["TLSv1"])
