"""Which of AWS's refusals another look, a moment later, may find mended.

AWS's parts see a change at different times, and somebody else may be at work.
"""

from __future__ import annotations

from chalicelib.model import errors

_PASSING = (errors.CertificateUnknown, errors.Duplicate, errors.Absent, errors.InUse)
# What is known to take AWS minutes.
_SLOW = (errors.CertificateUnknown, errors.InUse)
# What AWS says of a security group that it made, or that somebody deleted, a moment ago.
_GROUP_UNKNOWN = "InvalidSecurityGroup"


def retryable(error: errors.AwsError, *, own_group: bool, became_ours: bool) -> bool:
    """Whether another look may find it mended.

    `own_group`: the security group is one that we make. `became_ours`: our owner tag was put on something in
    this very run; what the role may do hangs on that tag, and IAM's conditions can see it later than the call
    that set it (https://github.com/hashicorp/terraform-provider-aws/issues/6055).
    """
    match error:
        case errors.Refused():
            return own_group and error.code == _GROUP_UNKNOWN
        case errors.Denied():
            return became_ours
        case errors.QuotaReached():
            # Another look finds the instance that got its last tag since the one before.
            return error.operation == "CreateTags"
        case _:
            return isinstance(error, _PASSING)


def slow(error: errors.AwsError) -> bool:
    """Whether it can take AWS longer than an answer may, so that the background goes on with it."""
    return isinstance(error, _SLOW)
