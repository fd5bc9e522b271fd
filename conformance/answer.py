"""What AWS answered, held against what we believe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

PEM = re.compile(r"-----BEGIN.*?(?:-----END[^-]*-----|$)", re.DOTALL)


class DiffersError(Exception):
    """AWS answers otherwise than we believe; the message says what AWS answers."""


def hold(promise: bool, otherwise: str) -> None:
    """Raise DiffersError with what AWS answers instead, unless the promise is kept."""
    if not promise:
        raise DiffersError(otherwise)


def same(seen: object, wanted: object, what: str) -> None:
    """Raise DiffersError unless AWS answers what we believe."""
    hold(seen == wanted, f"{what}: AWS answers {seen!r}, we believe {wanted!r}")


def refused(
    call: Callable[..., Any], codes: str | tuple[str, ...], text: str = "", **parameters: object
) -> str:
    """Make a call that AWS refuses with one of the codes and the text; return code and message."""
    wanted = (codes,) if isinstance(codes, str) else codes
    try:
        answer = call(**parameters)
    except ClientError as error:
        code, message = code_and_message(error)
        if code not in wanted or text.lower() not in message.lower():
            raise DiffersError(
                f"AWS refuses with {code}: {message}; we believe {expected(wanted, text)}"
            ) from None
        return f"{code}: {message}"
    raise DiffersError(f"AWS accepts it and answers {shown(answer)}; we believe {expected(wanted, text)}")


def outcome(call: Callable[..., Any], **parameters: object) -> str:
    """Make a call that AWS may take or refuse; return what it does."""
    try:
        call(**parameters)
    except ClientError as error:
        return f"refused with {': '.join(code_and_message(error))}"
    return "accepted"


def expected(codes: tuple[str, ...], text: str) -> str:
    """Return a refusal as a message says it."""
    return " or ".join(codes) + (f" with {text!r}" if text else "")


def code_and_message(error: ClientError) -> tuple[str, str]:
    """Return AWS's code and message; what may be a private key is cut out of it."""
    found = error.response.get("Error", {})
    return found.get("Code", ""), PEM.sub("[PEM]", found.get("Message", ""))


def shown(answer: object) -> str:
    """Return an answer in one short line."""
    if isinstance(answer, Mapping):
        answer = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return PEM.sub("[PEM]", str(answer))[:200]
