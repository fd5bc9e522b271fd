"""Each reader of PEM, with spoilt texts: no exception but ours, bounded memory, and no key in a message."""

from __future__ import annotations

import tracemalloc
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.model.errors import InvalidRequest
from chalicelib.tls.connect import anchor
from chalicelib.x509.pem import GivenPem
from chalicelib.x509.read import (
    certificates_alone,
    checked,
    describe_authority,
    read_leaf,
    read_pem,
)
from tests.world.certificates import authority, leaf

NOW = datetime.now(UTC)
ROOT = authority("Fuzz CA")
GOOD = leaf("mqtt.example.com", signed_by=authority("Fuzz Intermediate", signed_by=ROOT))
TEXTS = (GOOD.certificate_pem, GOOD.private_key_pem, GOOD.chain_pem)
KEY_LINES = [line for line in GOOD.private_key_pem.splitlines() if len(line) > 40]
ENOUGH = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
)
# Bytes: what a text of a few kilobytes may take on its way through the readers.
MEMORY = 8_000_000


@st.composite
def spoilt(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes with a few places changed."""
    changed = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        match draw(st.sampled_from(("flip", "cut", "put", "twice"))):
            case "flip" if at < len(changed):
                changed[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del changed[at : at + draw(st.integers(1, 50))]
            case "put":
                changed[at:at] = draw(st.binary(min_size=1, max_size=20))
            case _:
                changed[at:at] = changed[at : at + 100]
    return bytes(changed)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A PEM text of which the text, or what is encoded in a block, is spoilt."""
    text = draw(st.sampled_from(TEXTS))
    if draw(st.booleans()):
        return draw(spoilt(text.encode())).decode(errors="replace")
    head, *body, foot = text.strip().splitlines()[: text.count("\n", 0, text.index("-----END")) + 1]
    der = draw(spoilt(b64decode("".join(body))))
    return "\n".join([head, b64encode(der).decode(), foot, ""])


@pytest.fixture(autouse=True)
def _warm() -> None:
    """Load what the first reading loads, which is not the text's."""
    read_pem(*TEXTS)
    anchor(GOOD.chain_pem)


@ENOUGH
@given(texts(), texts(), texts())
def test_no_text_makes_a_reader_fail_or_grow_or_show_a_key(
    certificate: str, private_key: str, chain: str
) -> None:
    tracemalloc.start()
    said = []
    try:
        checked(GivenPem(certificate=certificate, private_key=private_key, chain=chain), now=NOW)
    except InvalidRequest as error:
        said = [fault.message for fault in error.faults]
    read_pem(certificate, private_key, chain)
    alone = certificates_alone(certificate)
    read_leaf(certificate, chain)
    describe_authority(certificate)
    anchor(certificate)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= MEMORY
    assert "PRIVATE KEY" not in alone
    assert not any(line in message for line in KEY_LINES for message in said)
    assert len(said) <= 100
