"""The SSL policies of network load balancers' TLS listeners; there are no custom ones.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.fidelity import elb_ssl
from lab.fidelity.elbv2_state import Answer, Region, Request, refusal

DEFAULT = "ELBSecurityPolicy-2016-08"
"""What the API takes where none is named; the console takes another."""

_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_RES = tuple(one for one in elb_ssl.TLS12 if one.startswith("ECDHE") and "GCM" in one)
_EXT1 = tuple(elb_ssl.TLS12)
_ECDHE = tuple(one for one in elb_ssl.TLS12 if one.startswith("ECDHE"))
_OLD = (*elb_ssl.TLS12, *elb_ssl.SHA1)

POLICIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    f"ELBSecurityPolicy-{name}": (protocols, ciphers)
    for dated in ("2021-06", "PQ-2025-09")
    for name, protocols, ciphers in (
        (f"TLS13-1-3-{dated}", ("TLSv1.3",), _13),
        (f"TLS13-1-2-Res-{dated}", ("TLSv1.3", "TLSv1.2"), (*_13, *_RES)),
        (f"TLS13-1-2-{dated}", ("TLSv1.3", "TLSv1.2"), (*_13, *_ECDHE)),
        (f"TLS13-1-2-Ext1-{dated}", ("TLSv1.3", "TLSv1.2"), (*_13, *_EXT1)),
        (f"TLS13-1-2-Ext2-{dated}", ("TLSv1.3", "TLSv1.2"), (*_13, *_OLD)),
        (f"TLS13-1-0-{dated}", ("TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"), (*_13, *_OLD)),
    )
} | {
    "ELBSecurityPolicy-TLS13-1-1-2021-06": (("TLSv1.3", "TLSv1.2", "TLSv1.1"), (*_13, *_OLD)),
    "ELBSecurityPolicy-FS-1-2-Res-2020-10": (("TLSv1.2",), _RES),
    "ELBSecurityPolicy-FS-1-2-Res-2019-08": (("TLSv1.2",), _ECDHE),
    "ELBSecurityPolicy-FS-1-2-2019-08": (("TLSv1.2",), _ECDHE),
    "ELBSecurityPolicy-FS-1-1-2019-08": (("TLSv1.2", "TLSv1.1"), _ECDHE),
    "ELBSecurityPolicy-FS-2018-06": (("TLSv1.2", "TLSv1.1", "TLSv1"), _ECDHE),
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06": (("TLSv1.2",), _OLD),
    "ELBSecurityPolicy-TLS-1-2-2017-01": (("TLSv1.2",), _EXT1),
    "ELBSecurityPolicy-TLS-1-1-2017-01": (("TLSv1.2", "TLSv1.1"), _OLD),
    DEFAULT: (("TLSv1.2", "TLSv1.1", "TLSv1"), _OLD),
}
"""Protocols and ciphers by the policy's name; the FIPS ones are left out."""


def refuse_unknown(name: str) -> None:
    if name not in POLICIES:
        raise refusal("SSLPolicyNotFound", f"SSL policy '{name}' not found")


def describe_ssl_policies(_region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeSSLPolicies.html"""
    names = request.get("Names", []) or list(POLICIES)
    for name in names:
        refuse_unknown(name)
    return {
        "SslPolicies": [
            {
                "Name": name,
                "SslProtocols": list(POLICIES[name][0]),
                "Ciphers": [
                    {"Name": cipher, "Priority": number}
                    for number, cipher in enumerate(POLICIES[name][1], start=1)
                ],
                "SupportedLoadBalancerTypes": ["application", "network"],
            }
            for name in names
        ]
    }
