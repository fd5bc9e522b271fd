"""A connection with an ACME CA, as far as it comes without one. With one: `tests/test_rotate_acme*.py`."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from chalicelib.acme.connection import connect_to_ca, post, retry_after
from chalicelib.acme.https_adapter import LONGEST_ANSWER
from chalicelib.acme.renewal_info import renewal_info_url, suggested_window
from chalicelib.model.errors import IssuerLimited, IssuerSilent
from tests.world.certificates import AROUND, authority, leaf
from tests.world.servers import ADDRESS, Talk, over_tls, serving, speaking_tls, tls_context

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", NOW),
        (" 120 ", NOW + timedelta(minutes=2)),
        ("Sun, 22 Nov 2026 13:00:00 GMT", NOW + timedelta(hours=1)),
        ("Sun, 22 Nov 2026 14:00:00 +0200", NOW),
        ("Sunday, 22-Nov-26 13:00:00 GMT", NOW + timedelta(hours=1)),
        ("Sun, 22 Nov 2026 12:00:00 +99999999999999", None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 10, None),
        ("٣", None),
    ],
)
def test_when_to_come_back_is_read_as_seconds_or_as_a_date(text: str, wanted: datetime | None) -> None:
    assert retry_after({"Retry-After": text}, NOW) == wanted
    assert retry_after({}, NOW) is None


def test_what_a_limit_says_is_in_utc_whatever_the_offset_of_the_header() -> None:
    until = retry_after({"Retry-After": "Sun, 22 Nov 2026 14:00:00 +0200"}, NOW)
    assert until is not None
    assert "before 2026-11-22 12:00:00 UTC" in str(IssuerLimited(until, "slow down"))


def test_roots_that_are_not_there_are_said_as_a_ca_that_cannot_be_asked(tmp_path: Path) -> None:
    missing, key = str(tmp_path / "roots.pem"), generate_private_key(SECP256R1())
    with pytest.raises(IssuerSilent, match=r"could not be asked: FileNotFoundError: .*roots\.pem"):
        connect_to_ca("https://127.0.0.1:1/dir", key, lambda: NOW, missing)
    with pytest.raises(IssuerSilent, match="could not be asked: FileNotFoundError: No such file"):
        renewal_info_url("https://127.0.0.1:1/dir", missing)


def answering(document: bytes) -> Talk:
    """Answer every request with this document."""

    def talk(connection: socket.socket) -> None:
        while connection.recv(65536):
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\nContent-Type: application/json"
            connection.sendall(head.encode() + b"\r\n\r\n" + document)

    return talk


ENTRIES = dict.fromkeys(("newNonce", "newAccount", "newOrder", "renewalInfo"), "https://ca.example.com")
ROOT = authority("HTTPS Root")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_whatever_stands_around_the_roots_in_the_file_they_are_trusted(
    around: Callable[[str], str], encoding: str, tmp_path: Path
) -> None:
    roots = tmp_path / "roots.pem"
    text = around(authority("Stranger").certificate_pem + ROOT.certificate_pem)
    roots.write_bytes(text.encode(encoding, "replace"))
    served = leaf(signed_by=ROOT, addresses=[ADDRESS])
    talk = over_tls(tls_context(served, tmp_path), answering(json.dumps(ENTRIES).encode()))
    key = generate_private_key(SECP256R1())
    with serving(talk) as server:
        directory = f"https://{ADDRESS}:{server.port}/dir"
        acme = connect_to_ca(directory, key, lambda: NOW, str(roots))
        assert acme.directory == ENTRIES
        acme.close()
        assert renewal_info_url(directory, str(roots)) == ENTRIES["renewalInfo"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"[" * 60_000, "RecursionError"),
        (b'{"newNonce": "' + b"x" * LONGEST_ANSWER + b'"}', "AnswerTooLongError"),
        (json.dumps(dict.fromkeys(ENTRIES, f"http://{ADDRESS}:1/plain")).encode(), "InvalidSchema"),
    ],
    ids=["nested", "long", "in clear"],
)
def test_an_answer_that_nobody_should_send_is_silence(document: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text(ROOT.certificate_pem)
    served = leaf(signed_by=ROOT, addresses=[ADDRESS])
    with serving(over_tls(tls_context(served, tmp_path), answering(document))) as server:
        directory, roots = f"https://{ADDRESS}:{server.port}/dir", str(tmp_path / "roots.pem")
        with (
            pytest.raises(IssuerSilent, match=words),
            closing(connect_to_ca(directory, generate_private_key(SECP256R1()), lambda: NOW, roots)) as ca,
        ):
            post(ca, "newAccount", None)
        with suppress(IssuerSilent):
            suggested_window(directory, "id", roots)


def test_every_request_says_whose_it_is(tmp_path: Path) -> None:
    """https://www.rfc-editor.org/rfc/rfc8555#section-6.1"""
    asked: list[str] = []

    def talk(connection: socket.socket) -> None:
        asked.append(connection.recv(65536).decode())
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\nContent-Type: application/json"
        connection.sendall(head.encode() + b"\r\n\r\n" + document)

    document = json.dumps(ENTRIES).encode()
    (tmp_path / "roots.pem").write_text(ROOT.certificate_pem)
    served = leaf(signed_by=ROOT, addresses=[ADDRESS])
    with serving(over_tls(tls_context(served, tmp_path), talk)) as server:
        directory, roots = f"https://{ADDRESS}:{server.port}/dir", str(tmp_path / "roots.pem")
        connect_to_ca(directory, generate_private_key(SECP256R1()), lambda: NOW, roots).close()
        renewal_info_url(directory, roots)
        suggested_window(directory, "id", roots)
    assert [one.lower().count("user-agent: emq-elb\r\n") for one in asked] == [1, 1, 1]


def test_the_roots_in_the_file_are_the_only_ones(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(authority("Stranger").certificate_pem)
    served = leaf(signed_by=ROOT, addresses=[ADDRESS])
    key = generate_private_key(SECP256R1())
    with serving(speaking_tls(served, tmp_path)) as server:
        directory = f"https://{ADDRESS}:{server.port}/dir"
        with pytest.raises(IssuerSilent, match="could not be asked: SSLError"):
            connect_to_ca(directory, key, lambda: NOW, str(roots))
        with pytest.raises(IssuerSilent, match="could not be asked: SSLCertVerificationError"):
            renewal_info_url(directory, str(roots))
        roots.write_text("# Müller")
        with pytest.raises(IssuerSilent, match="holds no certificate"):
            connect_to_ca(directory, key, lambda: NOW, str(roots))
        with pytest.raises(IssuerSilent, match="holds no certificate"):
            renewal_info_url(directory, str(roots))


def test_a_ca_that_is_not_there_is_silent_and_the_library_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    key = generate_private_key(SECP256R1())
    with pytest.raises(IssuerSilent, match="could not be asked: ConnectionError: Connection refused"):
        connect_to_ca("https://127.0.0.1:1/dir", key, lambda: NOW)
    assert not logging.getLogger("acme.client").isEnabledFor(logging.INFO)
    assert not [record for record in caplog.records if record.name.startswith("acme")]
