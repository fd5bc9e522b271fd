"""What IAM accepts as the parameters of its server certificate operations, and how it pages.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from moto.iam.exceptions import IAMException
from moto.iam.responses import IamResponse

NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
PATH = re.compile(r"/|/[!-~]+/")
PATH_PREFIX = re.compile(r"/[!-\x7f]*")
PEM_TEXT = re.compile(r"[\t\n\r -\xff]+")
LONGEST_PATH = 512
LONGEST_PEM = 16_384
LONGEST_CHAIN = 2_097_152


def named(response: IamResponse, field: str, pattern: re.Pattern[str], longest: int = 128) -> str:
    """Return the parameter, or raise ValidationError when it is too long or not of the pattern."""
    value = str(response.params.get(field))
    if len(value) > longest or not pattern.fullmatch(value):
        raise _invalid(field, "Member must satisfy regular expression pattern: " + pattern.pattern)
    return value


def pem(response: IamResponse, field: str, longest: int) -> str:
    """Return the parameter, or raise ValidationError when it is too long or no text."""
    value = str(response.params.get(field))
    if len(value) > longest:
        raise _invalid(field, f"Member must have length less than or equal to {longest}")
    if not PEM_TEXT.fullmatch(value):
        raise _invalid(field, "Member must satisfy regular expression pattern: [\\t\\n\\r -\\xff]+")
    return value


def _invalid(field: str, constraint: str) -> IAMException:
    # Without the value, which AWS shows: one of these fields is a private key.
    where = field[0].lower() + field[1:]
    message = f"1 validation error detected: Value at '{where}' failed to satisfy constraint: {constraint}"
    return IAMException("ValidationError", message)


def page(response: IamResponse, ordered: Sequence[str]) -> tuple[Sequence[str], dict[str, Any]]:
    """Return the keys of the page that MaxItems (1-1000, default 100) and Marker ask for, and its paging.

    The marker is the last key seen, so that a deletion between two pages skips nothing.
    """
    size = int(response.params.get("MaxItems", 100))
    if not 1 <= size <= 1000:
        raise _invalid("MaxItems", "Member must have value between 1 and 1000")
    marker = response.params.get("Marker")
    if marker is not None:
        try:
            after = b64decode(str(marker), altchars="-_", validate=True).decode()
        except ValueError:
            raise _invalid("Marker", "Member must be a marker of an earlier answer") from None
        ordered = [key for key in ordered if key > after]
    shown = ordered[:size]
    if len(ordered) <= size:
        return shown, {"IsTruncated": False}
    return shown, {"IsTruncated": True, "Marker": urlsafe_b64encode(shown[-1].encode()).decode()}
