from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.x509 import pem

CERTIFICATE = pem.encode("CERTIFICATE", b"leaf")


def test_text_around_the_blocks_is_no_part_of_them() -> None:
    text = f"Bag Attributes\n    friendlyName: C:\\new\n{CERTIFICATE}subject=CN = x\n{CERTIFICATE}\n\n"
    assert pem.certificates(text) == (b"leaf", b"leaf")


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE.replace("\n", "\r\n"),
        CERTIFICATE.replace("\n", " "),
        CERTIFICATE.replace("\n", ""),
        "﻿" + CERTIFICATE,
        CERTIFICATE.replace("CERTIFICATE", "X509 CERTIFICATE"),
    ],
    ids=["windows", "one line", "no line", "byte order mark", "older label"],
)
def test_a_block_is_read_however_its_lines_were_broken(text: str) -> None:
    assert pem.certificates(text) == (b"leaf",)


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE.splitlines()[0],
        CERTIFICATE.splitlines()[-1],
        CERTIFICATE.splitlines()[0] + "\n" + CERTIFICATE,
        CERTIFICATE.replace("END CERTIFICATE", "END PRIVATE KEY"),
    ],
    ids=["begin alone", "end alone", "begin twice", "end of another kind"],
)
def test_a_block_without_its_other_end_is_torn(text: str) -> None:
    assert pem.parse(text).torn


@pytest.mark.parametrize("body", ["", "###", "bGVhZ", "bGVhZg==bGVhZg==", "bGVhZg\\n=="])
def test_a_body_that_is_no_base64_has_no_bytes(body: str) -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"
    assert [block.der for block in pem.parse(text).blocks] == [None]
    assert pem.certificates(text) == ()


def test_an_encrypted_key_is_known_by_its_label_or_its_headers() -> None:
    headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
    old = f"-----BEGIN RSA PRIVATE KEY-----\n{headers}bGVhZg==\n-----END RSA PRIVATE KEY-----\n"
    new = pem.encode("ENCRYPTED PRIVATE KEY", b"key")
    plain = pem.encode("PRIVATE KEY", b"key")
    blocks = pem.parse(old + new + plain).blocks
    assert [block.encrypted for block in blocks] == [True, True, False]
    assert all(block.is_private_key for block in blocks)


def test_the_bytes_are_in_no_repr() -> None:
    assert "secret" not in repr(pem.parse(pem.encode("PRIVATE KEY", b"secret")))


@given(st.lists(st.tuples(st.sampled_from(["CERTIFICATE", "PRIVATE KEY"]), st.binary(min_size=1))))
def test_what_was_put_together_is_taken_apart_again(parts: list[tuple[str, bytes]]) -> None:
    text = pem.parse("".join(pem.encode(label, der) for label, der in parts))
    assert [(block.label, block.der) for block in text.blocks] == parts
    assert not text.torn


@given(
    st.text() | st.lists(st.sampled_from([*CERTIFICATE.split(), "-----BEGIN ", "-----", "x"])).map(" ".join)
)
def test_any_text_can_be_taken_apart(text: str) -> None:
    for block in pem.parse(text).blocks:
        assert block.der is None or block.der
