"""TLS against real small servers on loopback, each with its own fault."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.tls import connect as tls
from chalicelib.tls.handshake import HandshakeCause, Trust
from chalicelib.x509.pem import encode
from tests.world.certificates import AROUND, OTHERS, UNKNOWN, Issued, authority, key_usage, leaf, self_signed
from tests.world.servers import (
    ADDRESS,
    Talk,
    alerting,
    filtered,
    garbage,
    hanging_up,
    over_tls,
    server_context,
    serving,
    silent,
    speaking_tls,
)

NAME = "mqtt.example.com"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
ROOT = authority("Wire CA")
MIDDLE = authority("Wire Intermediate", signed_by=ROOT)
GOOD = leaf(NAME, signed_by=MIDDLE)
TRUST = Trust((ROOT.certificate_pem,), system=False)


def test_returns_what_was_negotiated_and_served_where_all_is_well(tmp_path: Path) -> None:
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        port = server.port
        result = tls.handshake(ADDRESS, port, NAME, trust=TRUST, timeout=10)
    assert result.verified, result
    assert (result.version, result.address, result.port) == ("TLSv1.2", ADDRESS, port)
    assert result.cipher is not None
    assert result.served is not None
    assert int(result.served.leaf.serial, 16) == GOOD.certificate.serial_number
    assert result.served.leaf.not_after == GOOD.certificate.not_valid_after_utc
    assert result.served.leaf.domains == (NAME,)
    assert result.served.chain_not_after == MIDDLE.certificate.not_valid_after_utc
    assert result.tcp_ms is not None
    assert result.tls_ms is not None


@pytest.mark.parametrize(
    ("issued", "trust", "cause"),
    [
        (leaf(NAME, signed_by=MIDDLE, not_after=NOW - DAY), TRUST, "tls-expired"),
        (leaf(NAME, signed_by=MIDDLE, not_before=NOW + DAY), TRUST, "tls-not-yet-valid"),
        (leaf("other.example.com", signed_by=MIDDLE), TRUST, "tls-name"),
        (leaf(signed_by=MIDDLE, common_name=NAME), TRUST, "tls-name"),
        (leaf(NAME, signed_by=authority("Stranger")), TRUST, "tls-untrusted"),
        (self_signed(NAME), TRUST, "tls-untrusted"),
        (GOOD, Trust(()), "tls-untrusted"),
        (GOOD, Trust((), system=False), "tls-untrusted"),
    ],
    ids=["expired", "early", "name", "common name only", "stranger", "self-signed", "system's", "nobody"],
)
def test_names_why_a_certificate_does_not_verify_and_shows_it_all_the_same(
    issued: Issued, trust: Trust, cause: HandshakeCause, tmp_path: Path
) -> None:
    with serving(speaking_tls(issued, tmp_path)) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=trust, timeout=10)
    assert result.cause == cause
    assert not result.verified
    assert result.served is not None
    assert int(result.served.leaf.serial, 16) == issued.certificate.serial_number


@pytest.mark.parametrize(
    "trust",
    [
        Trust((MIDDLE.certificate_pem,), system=False),
        Trust((GOOD.certificate_pem,), system=False),
        Trust((authority("Stranger").certificate_pem, ROOT.certificate_pem)),
    ],
    ids=["the intermediate", "the very certificate", "one of several"],
)
def test_any_anchor_is_enough(trust: Trust, tmp_path: Path) -> None:
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        assert tls.handshake(ADDRESS, server.port, NAME, trust=trust, timeout=10).cause is None


CLIENTS = [ExtendedKeyUsageOID.CLIENT_AUTH]
NO_LEAVES = x509.BasicConstraints(ca=True, path_length=0)
BELOW = authority("Below", signed_by=authority("Narrow", signed_by=ROOT, constraints=NO_LEAVES))
FLAWED = {
    "a client's": (leaf(NAME, signed_by=MIDDLE, purposes=CLIENTS), "unsuitable certificate purpose"),
    "unknown and critical": (leaf(NAME, signed_by=MIDDLE, more=[UNKNOWN]), "unhandled critical extension"),
    "of no authority": (
        leaf(NAME, signed_by=authority("Plain", signed_by=ROOT, constraints=None)),
        "invalid CA certificate",
    ),
    "of one that says so": (
        leaf(NAME, signed_by=authority("No", signed_by=ROOT, constraints=x509.BasicConstraints(False, None))),
        "invalid CA certificate",
    ),
    "of one whose key is for servers": (
        leaf(NAME, signed_by=authority("Server", signed_by=ROOT, usage=key_usage(authority=False))),
        "invalid CA certificate",
    ),
    "of one for clients": (
        leaf(NAME, signed_by=authority("For Clients", signed_by=ROOT, more=[x509.ExtendedKeyUsage(CLIENTS)])),
        "unsuitable certificate purpose",
    ),
    "path too long": (leaf(NAME, signed_by=BELOW), "path length constraint exceeded"),
}


@pytest.mark.parametrize("name", FLAWED)
@pytest.mark.parametrize("trust", [TRUST, Trust((), system=False)], ids=["known", "unknown"])
def test_a_flaw_is_no_matter_of_the_issuer_whether_it_is_known_or_not(
    name: str, trust: Trust, tmp_path: Path
) -> None:
    issued, said = FLAWED[name]
    with serving(speaking_tls(issued, tmp_path)) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=trust, timeout=10)
    if name == "of no authority" and trust is not TRUST:
        # The last that was sent is trusted as it is then; `x509/preflight.py` has refused it before.
        assert result.cause == "tls-untrusted"
    else:
        assert (result.cause, said in result.detail) == ("tls-invalid", True), result
    assert result.served is not None
    assert int(result.served.leaf.serial, 16) == issued.certificate.serial_number


def test_what_is_sent_beside_the_path_that_verified_ends_nothing(tmp_path: Path) -> None:
    """An expired cross-signed authority, as servers go on sending it."""
    old = authority("Wire Old Root", not_before=NOW - 900 * DAY, not_after=NOW - 10 * DAY)
    cross = authority("Wire CA", signed_by=old, not_before=NOW - 900 * DAY, not_after=NOW - 10 * DAY)
    (tmp_path / "chain.pem").write_text(GOOD.certificate_pem + MIDDLE.certificate_pem + cross.certificate_pem)
    (tmp_path / "key.pem").write_text(GOOD.private_key_pem)
    context = server_context(tmp_path / "chain.pem", tmp_path / "key.pem")
    with serving(over_tls(context, garbage)) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=TRUST, timeout=10)
        untrusted = tls.handshake(ADDRESS, server.port, NAME, trust=Trust((), system=False), timeout=10)
    assert (result.cause, result.served is not None) == (None, True), result
    assert result.served is not None
    assert result.served.chain_not_after == MIDDLE.certificate.not_valid_after_utc
    assert untrusted.served is not None
    assert untrusted.served.chain_not_after == cross.certificate.not_valid_after_utc


def test_an_altered_signature_is_a_flaw(tmp_path: Path) -> None:
    der = GOOD.certificate.public_bytes(Encoding.DER)
    altered = x509.load_der_x509_certificate(der[:-1] + bytes([der[-1] ^ 1]))
    with serving(speaking_tls(Issued(altered, GOOD.key, MIDDLE), tmp_path)) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=TRUST, timeout=10)
    assert (result.cause, "signature failure" in result.detail) == ("tls-invalid", True), result


ISSUER_UNKNOWN = {2, 18, 19, 20, 21, 27}
OWN_CAUSES = {9: "tls-not-yet-valid", 10: "tls-expired", 62: "tls-name", 64: "tls-name"}


@pytest.mark.parametrize("code", range(100))
def test_of_openssls_verification_errors_only_those_about_an_unknown_issuer_are_untrusted(code: int) -> None:
    """https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/"""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "OpenSSL's words"
    wanted = "tls-untrusted" if code in ISSUER_UNKNOWN else OWN_CAUSES.get(code, "tls-invalid")
    assert (tls._tls_cause(error), tls._detail(error)) == (wanted, "OpenSSL's words")


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_whatever_stands_around_an_anchor_it_is_trusted(around: Callable[[str], str], tmp_path: Path) -> None:
    both = authority("Stranger").certificate_pem + ROOT.certificate_pem
    text = around(both)
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=Trust((text,), system=False), timeout=10)
    assert result.cause is None, result
    assert tls.anchor(text) == both


@pytest.mark.parametrize("text", ["", "Müller", GOOD.private_key_pem, OTHERS, encode("CERTIFICATE", b"none")])
def test_a_text_without_a_certificate_is_no_anchor_and_raises_nothing(text: str, tmp_path: Path) -> None:
    assert tls.anchor(text) is None
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        trust = Trust((text,), system=False)
        assert tls.handshake(ADDRESS, server.port, NAME, trust=trust, timeout=10).cause == "tls-untrusted"


def test_a_block_that_cannot_be_read_takes_nothing_from_the_others() -> None:
    text = encode("CERTIFICATE", b"none") + ROOT.certificate_pem + GOOD.private_key_pem
    assert tls.anchor(text) == ROOT.certificate_pem


@given(st.text(), st.text())
def test_any_text_around_a_block_leaves_it_as_it_is(before: str, after: str) -> None:
    assert tls.anchor(f"{before}\n{ROOT.certificate_pem}{after}") == ROOT.certificate_pem


@pytest.mark.parametrize(
    ("talk", "timeout", "cause"),
    [
        (silent, 0.3, "tls-timeout"),
        (hanging_up, 10, "tls-closed"),
        (garbage, 10, "tls-garbage"),
        # An alert is TLS, whatever it says: close_notify, handshake_failure, protocol_version,
        # insufficient_security, internal_error, unrecognized_name, no_application_protocol.
        (alerting(0, fatal=False), 10, "tls-closed"),
        (alerting(40), 10, "tls-cipher"),
        (alerting(70), 10, "tls-protocol"),
        (alerting(71), 10, "tls-cipher"),
        (alerting(80), 10, "tls-closed"),
        (alerting(112), 10, "tls-closed"),
        (alerting(120), 10, "tls-closed"),
    ],
)
def test_names_what_ended_the_handshake(talk: Talk, timeout: float, cause: HandshakeCause) -> None:
    with serving(talk) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=TRUST, timeout=timeout)
    assert result.cause == cause
    assert result.served is None
    assert result.tcp_ms is not None
    assert result.tls_ms is None


def test_a_port_where_nobody_listens_refuses() -> None:
    with socket.create_server((ADDRESS, 0)) as reserved:
        port = int(reserved.getsockname()[1])
    result = tls.handshake(ADDRESS, port, NAME, trust=TRUST, timeout=10)
    assert (result.cause, result.tcp_ms) == ("tcp-refused", None)


def test_a_server_that_takes_no_more_connections_times_out() -> None:
    with filtered() as port:
        result = tls.handshake(ADDRESS, port, NAME, trust=TRUST, timeout=0.3)
    assert result.cause == "tcp-timeout"


def test_an_obsolete_version_is_refused_by_the_server_and_not_by_us(tmp_path: Path) -> None:
    old = ssl.TLSVersion.TLSv1_1
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=TRUST, timeout=10, minimum=old, maximum=old)
    assert (result.cause, result.detail) == ("tls-protocol", "TLSV1_ALERT_PROTOCOL_VERSION")


def test_no_cipher_in_common_is_its_own_cause(tmp_path: Path) -> None:
    # A cipher for RSA-signed keys only cannot serve a certificate with an EC key.
    issued = leaf(NAME, signed_by=MIDDLE, kind="ec-p256", key="ec")
    with serving(speaking_tls(issued, tmp_path, ciphers="ECDHE-RSA-AES128-GCM-SHA256")) as server:
        result = tls.handshake(ADDRESS, server.port, NAME, trust=TRUST, timeout=10)
    assert result.cause == "tls-cipher"


def test_a_name_that_can_be_none_is_reported_and_not_raised(tmp_path: Path) -> None:
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        assert tls.handshake(ADDRESS, server.port, "", trust=TRUST, timeout=10).cause == "tls-name"


def test_connect_leaves_the_session_open(tmp_path: Path) -> None:
    with serving(speaking_tls(GOOD, tmp_path)) as server:
        result, session = tls.connect(ADDRESS, server.port, NAME, trust=TRUST, timeout=10)
        assert result.verified
        assert session is not None
        with session:
            session.sendall(b"x")
            assert session.recv(1) == b""  # the server takes one byte and hangs up


def test_resolves_a_host_to_its_addresses() -> None:
    assert "127.0.0.1" in tls.resolve("localhost")
    assert tls.resolve("127.83.4.9") == ("127.83.4.9",)


def test_asks_for_no_address_that_a_load_balancer_cannot_have() -> None:
    """Those of IPv6 are made up by a VPC's DNS64, and lead nowhere without its NAT64."""
    with pytest.raises(socket.gaierror):
        tls.resolve("::1")


def test_the_systems_roots_are_read_once_for_all_that_begin_side_by_side() -> None:
    together = Barrier(16)

    def shake(_number: int) -> HandshakeCause | None:
        together.wait(20)
        return tls.handshake(ADDRESS, 1, NAME, trust=Trust(), timeout=10).cause

    tls._context.cache_clear()
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(shake, range(16))) == {"tcp-refused"}
    assert tls._context.cache_info().misses == 1
