"""No private key reaches a terminal, in whatever a file or an answer holds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emq_elb.redact import NOT_SHOWN, key_texts, printable, redacted, redacted_value
from tests.world.provisioning import issued

KEY = issued().private_key_pem
BODY = [line for line in KEY.splitlines() if not line.startswith("-----")]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def holds_key(text: str) -> bool:
    """Whether any line of the key can be read."""
    return any(line in text for line in BODY)


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"certificate.pem.private_key: {KEY!r} is no key",
        KEY.replace("\n", "\r\n"),
        KEY.rpartition("-----END")[0],
        KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
        KEY.replace("PRIVATE KEY", "EC PRIVATE KEY"),
        f"{issued().certificate_pem}{KEY}",
    ],
)
def test_a_private_key_is_cut_out_of_a_text(text: str) -> None:
    assert holds_key(text)
    assert not holds_key(redacted(text))
    assert NOT_SHOWN in redacted(text)
    assert not holds_key(printable(text))


def test_a_certificate_is_left_as_it_is() -> None:
    assert redacted(issued().certificate_pem) == issued().certificate_pem


@given(JSON, st.sampled_from(["value", "field", "list"]))
def test_a_private_key_is_cut_out_of_a_value_wherever_it_stands(value: object, where: str) -> None:
    holding = {"value": {"private_key": BODY}, "field": {"a": [value, {KEY: value}]}, "list": [value, [KEY]]}
    assert not holds_key(json.dumps(redacted_value(holding[where])))


@given(JSON)
def test_what_holds_no_key_is_left_as_it_is(value: object) -> None:
    assert redacted_value(value) == value


def test_a_line_of_a_key_that_was_read_from_a_file_is_known_again() -> None:
    known = {*key_texts({"certificate": {"pem": {"private_key": KEY}}, "mistaken": f"x {KEY}"})}
    assert known == {*BODY}
    assert redacted(f"{BODY[1]!r} is no subnet", known) == f"'{NOT_SHOWN}' is no subnet"
    assert {*key_texts({"private_key": {"value": "no-pem-at-all"}})} == {"no-pem-at-all"}


def test_what_would_steer_the_terminal_is_shown_as_a_mark() -> None:
    assert printable("\x1b[2Jgone\x07\x9b1m\u202eabc\ttab\nline") == "�[2Jgone��1m�abc\ttab\nline"
