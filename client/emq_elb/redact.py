"""What must not reach a terminal or a log: private keys, and characters that steer a terminal.

Neither a file nor an answer is trusted to be free of them, so that everything printed passes through here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

NOT_SHOWN = "(private key, not shown)"
# RFC 7468, section 2. A block without an end goes on to the end of the text.
_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
# C0 and C1 but for tab and line feed, and the marks that change the direction of text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# A line of a key in base64 has 64 characters, its last one any number.
_LINE_AT_LEAST = 12
KEY_FIELD = "private_key"


def redacted(text: str, known: Collection[str] = ()) -> str:
    """Return the text without private keys; `known` are texts of keys that the command was given."""
    shown = _BLOCK.sub(NOT_SHOWN, text)
    for secret in known:
        shown = shown.replace(secret, NOT_SHOWN)
    return shown


def printable(text: str, known: Collection[str] = ()) -> str:
    """Return the text as a terminal may get it: no private key, nothing that steers the terminal."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", redacted(text.replace("\r\n", "\n"), known))


def redacted_value(value: Any, known: Collection[str] = ()) -> Any:
    """Return a JSON value without private keys, wherever in it they stand."""
    match value:
        case str():
            return redacted(value, known)
        case dict():
            return {
                redacted(str(key), known): NOT_SHOWN if key == KEY_FIELD else redacted_value(one, known)
                for key, one in value.items()
            }
        case list() | tuple():
            return [redacted_value(one, known) for one in value]
        case _:
            return value


def key_texts(value: Any, *, key: bool = False) -> Iterator[str]:
    """Yield the texts by which private keys in a JSON value can be known again, line by line.

    What stands under `private_key` is taken for one, whatever it looks like.
    """
    match value:
        case str():
            blocks = [value] if key else _BLOCK.findall(value)
            for line in (line.strip() for block in blocks for line in block.splitlines()):
                if len(line) >= _LINE_AT_LEAST and not line.startswith("-----"):
                    yield line
        case dict():
            for name, one in value.items():
                yield from key_texts(one, key=key or name == KEY_FIELD)
        case list():
            for one in value:
                yield from key_texts(one, key=key)
        case _:
            pass
