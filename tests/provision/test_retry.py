"""What a moment may mend of what AWS refuses, and what it does not."""

from __future__ import annotations

import pytest

from chalicelib.model import errors
from chalicelib.provision.retry import retryable, slow


@pytest.mark.parametrize(
    ("kind", "code", "circumstances", "mends", "takes_minutes"),
    [
        (errors.CertificateUnknown, "CertificateNotFound", {}, True, True),
        (errors.InUse, "DependencyViolation", {}, True, True),
        (errors.Absent, "LoadBalancerNotFound", {}, True, False),
        (errors.Duplicate, "DuplicateListener", {}, True, False),
        (errors.Refused, "InvalidSecurityGroup", {"own_group": True}, True, False),
        (errors.Refused, "InvalidSecurityGroup", {}, False, False),
        (errors.Refused, "InvalidSubnet", {"own_group": True}, False, False),
        (errors.Denied, "AccessDenied", {"became_ours": True}, True, False),
        (errors.Denied, "AccessDenied", {}, False, False),
        (errors.Throttled, "Throttling", {"own_group": True, "became_ours": True}, False, False),
        (errors.QuotaReached, "TooManyTags", {"own_group": True, "became_ours": True}, False, False),
        (errors.AwsError, "InternalFailure", {"own_group": True, "became_ours": True}, False, False),
    ],
)
def test_what_a_moment_mends(
    kind: type[errors.AwsError],
    code: str,
    circumstances: dict[str, bool],
    mends: bool,
    takes_minutes: bool,
) -> None:
    error = kind("Call", code, "made up")
    given = {"own_group": False, "became_ours": False} | circumstances
    assert (retryable(error, **given), slow(error)) == (mends, takes_minutes)
