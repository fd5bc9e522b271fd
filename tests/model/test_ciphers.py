"""What the names of AWS's SSL policies say, also of those that are newer than our lists."""

from __future__ import annotations

import pytest

from chalicelib.model.ciphers import (
    NETWORK_POLICIES,
    PREDEFINED_POLICIES,
    allowed_protocols,
    may_be_newer,
    near_policies,
    unknown_policy,
)
from chalicelib.model.load_balancer import PredefinedPolicy
from lab.fidelity import elb_ssl, elbv2_ssl

SINCE_TLS_1_2 = {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", {"TLSv1.3"}),
        ("ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09", SINCE_TLS_1_2),
        ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2031-02", SINCE_TLS_1_2),
        ("ELBSecurityPolicy-TLS14-1-2-2031-02", SINCE_TLS_1_2),
        ("ELBSecurityPolicy-TLS13-1-0-2031-02", {"TLSv1", "TLSv1.1"} | SINCE_TLS_1_2),
        ("ELBSecurityPolicy-TLS-1-2-2031-02", {"TLSv1.2"}),
        ("ELBSecurityPolicy-Quantum-2031-02", None),
        ("ELBSecurityPolicy-2031-02", None),
    ],
)
def test_the_name_promises_protocols(name: str, allowed: set[str] | None) -> None:
    found = allowed_protocols(PredefinedPolicy(name))
    assert (found and {*found}) == allowed


def test_of_every_known_one_the_name_says_what_aws_says() -> None:
    for name, on in elb_ssl.PREDEFINED.items():
        told = {one.removeprefix("Protocol-") for one in on if one.startswith("Protocol-")}
        if "SSLv3" in told:
            told |= {"TLSv1.1", "TLSv1.2"}  # of the two oldest one alone lacks them, and nobody else asks
        assert allowed_protocols(PredefinedPolicy(name)) == frozenset(told), name
    for name, (protocols, _) in elbv2_ssl.POLICIES.items():
        assert allowed_protocols(PredefinedPolicy(name)) == frozenset(protocols), name
    assert not any(unknown_policy(name) for name in (*PREDEFINED_POLICIES, *NETWORK_POLICIES))


@pytest.mark.parametrize(
    ("name", "newer"),
    [
        ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", True),
        ("ELBSecurityPolicy-TLS13-1-2-Res-2026-01", True),
        ("ELBSecurityPolicy-TLS13-1-2-Res-2026-13", False),
        ("ELBSecurityPolicy-TLS13-1-2-Res-2021-07", False),
        ("ELBSecurityPolicy-TLS13-1-2-Res", False),
    ],
)
def test_the_month_says_whether_aws_may_have_added_it_since(name: str, newer: bool) -> None:
    assert may_be_newer(name) == newer


def test_what_may_have_been_meant_is_of_the_same_type() -> None:
    misspelled = "ELBSecurityPolicy-TLS13-1-2-Rse-2021-06"
    assert near_policies(misspelled, "network")[0] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert set(near_policies(misspelled, "classic")) <= {*PREDEFINED_POLICIES}
    assert len(near_policies("x" * 100_000)) == 3
