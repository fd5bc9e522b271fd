from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.model.errors import InvalidRequest
from chalicelib.x509.pem import Bundle, GivenPem, certificate_digest, encode
from chalicelib.x509.preflight import SECRET_FIELDS, examine
from chalicelib.x509.read import checked, read_leaf, read_pem
from tests.world.certificates import AROUND, KeyKind, authority, key_pem, leaf, private_key, self_signed

NOW = datetime.now(UTC)
ROOT = authority("Root")
UPPER = authority("Upper", signed_by=ROOT)
MIDDLE = authority("Middle", signed_by=UPPER)
DEVICE = leaf("mqtt.example.com", signed_by=MIDDLE, addresses=["127.0.0.1"])
LEAF, KEY, CHAIN = DEVICE.certificate_pem, DEVICE.private_key_pem, DEVICE.chain_pem
FULL_CHAIN = DEVICE.full_chain_pem


def faults(certificate: str = LEAF, key: str = KEY, chain: str = CHAIN, *hostnames: str) -> list[str]:
    facts, bundle = read_pem(certificate, key, chain)
    found = examine(facts, now=NOW, hostnames=hostnames).faults
    assert bundle is not None or found
    return [fault.message for fault in found]


def test_a_whole_bundle_is_read_as_it_was_given() -> None:
    facts, bundle = read_pem(LEAF, KEY, CHAIN)
    assert bundle == Bundle(LEAF, KEY, CHAIN)
    first, middle, upper = facts.pool
    assert (first.names, first.addresses, first.authority) == (("mqtt.example.com",), ("127.0.0.1",), False)
    assert (first.key.kind, first.key.bits, first.self_signed) == ("rsa", 2048, False)
    assert first.not_after == DEVICE.certificate.not_valid_after_utc
    assert first.characters == len(LEAF)
    assert middle.authority
    assert (first.issuer, middle.issuer) == (middle.subject, upper.subject)
    assert facts.links == {(0, 1), (1, 2)}


@pytest.mark.parametrize(
    ("certificate", "key", "chain", "expected"),
    [
        (LEAF, KEY, FULL_CHAIN, FULL_CHAIN),
        (LEAF, KEY, ROOT.certificate_pem + UPPER.certificate_pem + MIDDLE.certificate_pem, FULL_CHAIN),
        (LEAF + CHAIN, KEY, "", CHAIN),
        (LEAF + CHAIN, KEY, LEAF + CHAIN, CHAIN),
        (LEAF, KEY, LEAF + CHAIN, CHAIN),
        (CHAIN + LEAF, KEY, "", CHAIN),
        (f"subject=CN = leaf\n{LEAF}", f"Key Attributes: <No Attributes>\n{KEY}", f"s:\n{CHAIN}i:\n", CHAIN),
        (LEAF.replace("\n", "\r\n"), KEY.replace("\n", "\r\n"), CHAIN.replace("\n", "\r\n"), CHAIN),
        (LEAF.replace("\n", " "), KEY.strip(), CHAIN.replace("\n", " "), CHAIN),
        (LEAF, key_pem(DEVICE.key, "pkcs8"), CHAIN, CHAIN),
        (LEAF, KEY + LEAF + CHAIN, CHAIN, CHAIN),
        (LEAF, KEY, "", ""),
        (LEAF, KEY, " \n", ""),
    ],
    ids=[
        "root kept",
        "out of order",
        "full chain as the certificate",
        "full chain twice",
        "full chain as the chain",
        "leaf last",
        "text around the blocks",
        "windows line ends",
        "spaces for line ends",
        "PKCS #8",
        "everything in the key's text",
        "leaf alone",
        "blank chain",
    ],
)
def test_a_bundle_is_put_in_the_form_that_iam_takes(
    certificate: str, key: str, chain: str, expected: str
) -> None:
    assert faults(certificate, key, chain, "mqtt.example.com", "127.0.0.1") == []
    _, bundle = read_pem(certificate, key, chain)
    assert bundle == Bundle(LEAF, KEY, expected)


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_what_stands_around_the_blocks_never_reaches_iam(around: Callable[[str], str]) -> None:
    texts = around(LEAF), around(KEY), around(CHAIN)
    assert faults(*texts, "mqtt.example.com") == []
    _, bundle = read_pem(*texts)
    assert bundle == Bundle(LEAF, KEY, CHAIN)


@pytest.mark.parametrize("label", ["TRUSTED CERTIFICATE", "PKCS7"])
def test_a_block_that_may_hold_a_certificate_is_not_left_out_in_silence(label: str) -> None:
    other = encode(label, b"perhaps the issuer")
    assert len(faults(LEAF + other)) == 1
    assert len(faults(LEAF, KEY, CHAIN + other)) == 1
    assert faults(LEAF, KEY + other) == []


def test_other_blocks_alone_are_named_by_their_kind() -> None:
    parameters = encode("EC PARAMETERS", b"curve")
    for texts in ((parameters, KEY, CHAIN), (LEAF, parameters, CHAIN), (LEAF, KEY, parameters)):
        assert any("does not belong here" in message for message in faults(*texts))


@pytest.mark.parametrize("kind", get_args(KeyKind))
@pytest.mark.parametrize("form", ["traditional", "pkcs8"])
def test_keys_of_the_kinds_that_a_load_balancer_takes_become_pkcs1_or_sec1(kind: KeyKind, form: str) -> None:
    device = leaf("mqtt.example.com", signed_by=ROOT, kind=kind, key=f"leaf-{kind}")
    key = key_pem(device.key, "pkcs8" if form == "pkcs8" else "traditional")
    _, bundle = read_pem(device.certificate_pem, key, "")
    if kind == "ed25519":
        assert bundle is None
        assert "neither RSA nor EC" in faults(device.certificate_pem, key, "")[0]
    else:
        assert faults(device.certificate_pem, key, "") == []
        assert bundle is not None
        assert bundle.private_key == device.private_key_pem
        assert re.match(r"-----BEGIN (RSA|EC) PRIVATE KEY-----", bundle.private_key)


SERVERS, CLIENTS = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
ANY, EMAIL = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.EMAIL_PROTECTION
STEP_UP = ObjectIdentifier("2.16.840.1.113730.4.1")


@pytest.mark.parametrize(
    ("purposes", "kind"),
    [
        ([], None),
        ([SERVERS], None),
        ([CLIENTS, SERVERS], None),
        ([ANY, SERVERS], None),
        ([STEP_UP], None),
        ([ANY], "warning"),
        ([ANY, CLIENTS], "warning"),
        ([CLIENTS], "fault"),
        ([EMAIL, CLIENTS], "fault"),
    ],
)
def test_a_certificate_for_other_purposes_than_servers_is_a_fault_or_warned_of(
    purposes: list[ObjectIdentifier], kind: str | None
) -> None:
    one = leaf("mqtt.example.com", signed_by=ROOT, purposes=purposes)
    facts, _ = read_pem(one.certificate_pem, one.private_key_pem, "")
    found = examine(facts, now=NOW)
    assert [warning.code for warning in found.warnings] == (["not-for-servers"] if kind == "warning" else [])
    assert ["server authentication" in fault.message for fault in found.faults] == [True] * (kind == "fault")


@pytest.mark.parametrize("authority_flag", [True, False])
def test_a_self_signed_leaf_is_taken_with_a_warning(authority_flag: bool) -> None:
    one = self_signed("mqtt.example.com", authority=authority_flag)
    given = GivenPem(one.certificate_pem, one.private_key_pem, one.certificate_pem)
    bundle, warnings = checked(given, now=NOW, hostnames=["mqtt.example.com"])
    assert [warning.code for warning in warnings] == ["self-signed"]
    assert bundle == Bundle(one.certificate_pem, one.private_key_pem, "")


@pytest.mark.parametrize(
    ("certificate", "key", "chain", "says"),
    [
        ("", KEY, CHAIN, "the certificate is empty"),
        ("hello", KEY, CHAIN, "the certificate holds none"),
        (LEAF[:-40], KEY, CHAIN, "the certificate is cut off"),
        (LEAF.replace("\n", "\\n"), KEY, CHAIN, "backslash and n"),
        (LEAF.replace("MII", "XXX", 1), KEY, CHAIN, "the certificate cannot be read"),
        (LEAF.replace("MII", "MI", 1), KEY, CHAIN, "the certificate cannot be read"),
        (LEAF + KEY, KEY, CHAIN, "a private key stands in the certificate"),
        (KEY + LEAF, KEY, CHAIN, "a private key stands in the certificate"),
        (LEAF, KEY, CHAIN + KEY, "a private key stands in the chain"),
        (LEAF, "", CHAIN, "the private key is empty"),
        (LEAF, LEAF, CHAIN, "a certificate stands where"),
        (LEAF, KEY.replace("\n", "\\n"), CHAIN, "backslash and n"),
        (LEAF, KEY[:-40], CHAIN, "the private key is cut off"),
        (LEAF, KEY.replace("MII", "AAA", 1), CHAIN, "the private key cannot be read"),
        (LEAF, KEY + KEY, CHAIN, "holds 2 keys"),
        (LEAF, key_pem(DEVICE.key, "traditional", b"pass"), CHAIN, "is encrypted"),
        (LEAF, key_pem(DEVICE.key, "pkcs8", b"pass"), CHAIN, "is encrypted"),
        (LEAF, key_pem(private_key("other")), CHAIN, "does not belong to the certificate"),
        (LEAF, key_pem(MIDDLE.key), CHAIN, "belongs to a certificate of the chain"),
        (LEAF, KEY, UPPER.certificate_pem, "the chain is broken"),
        (LEAF, KEY, MIDDLE.certificate_pem + ROOT.certificate_pem, "the chain is broken"),
        (LEAF, KEY, "hello", "the chain holds no certificate"),
        (LEAF, KEY, CHAIN * 10, "the chain holds 20 certificates"),
    ],
)
def test_each_broken_text_has_its_own_message(certificate: str, key: str, chain: str, says: str) -> None:
    messages = faults(certificate, key, chain)
    assert len([message for message in messages if says in message]) == 1


def test_a_certificate_that_only_bears_the_issuers_name_did_not_sign() -> None:
    impostor = authority("Middle", signed_by=ROOT, kind="ec-p256")
    assert "the chain is broken" in faults(chain=impostor.certificate_pem)[0]


@pytest.mark.parametrize(
    ("begins", "ends", "says"),
    [
        (timedelta(minutes=1), timedelta(days=90), "is not valid before"),
        (timedelta(days=-90), timedelta(minutes=-1), "expired at"),
    ],
)
def test_dates_are_read_from_the_certificate(begins: timedelta, ends: timedelta, says: str) -> None:
    one = leaf("a.example.com", signed_by=ROOT, not_before=NOW + begins, not_after=NOW + ends)
    assert any(says in message for message in faults(one.certificate_pem, one.private_key_pem, ""))


def test_a_certificate_with_a_common_name_only_covers_nothing() -> None:
    one = leaf(signed_by=ROOT, common_name="mqtt.example.com")
    given = GivenPem(one.certificate_pem, one.private_key_pem)
    _, warnings = checked(given, now=NOW)
    assert [warning.code for warning in warnings] == ["no-names"]
    assert (
        "does not cover mqtt.example.com"
        in faults(given.certificate, given.private_key, "", "mqtt.example.com")[0]
    )


def test_a_key_longer_than_iam_takes_is_not_even_looked_at() -> None:
    huge = "-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 20_000 + "\n-----END RSA PRIVATE KEY-----\n"
    assert any("IAM takes 16384" in message for message in faults(key=huge))


def test_checked_raises_every_fault_under_the_fields_that_it_was_given() -> None:
    with pytest.raises(InvalidRequest) as raised:
        checked(GivenPem(LEAF, "", UPPER.certificate_pem), now=NOW, fields=SECRET_FIELDS)
    assert [fault.field for fault in raised.value.faults] == ["certificate.secret_id"] * 2


def test_what_iam_gives_back_is_described() -> None:
    described = read_leaf(LEAF.rstrip(), CHAIN.replace("\n", "\r\n"))
    assert described is not None
    assert described.domains == ("mqtt.example.com", "127.0.0.1")
    assert int(described.serial, 16) == DEVICE.certificate.serial_number
    assert described.not_before == DEVICE.certificate.not_valid_before_utc
    assert described.not_after == DEVICE.certificate.not_valid_after_utc
    assert described.digest == certificate_digest(LEAF, CHAIN)
    assert read_leaf("no certificate", "") is None


def secret_lines(key: str) -> set[str]:
    return {line for line in key.splitlines() if line and not line.startswith("-----")}


@pytest.mark.parametrize(
    ("certificate", "key", "chain"),
    [
        (KEY, LEAF, CHAIN),
        (LEAF + KEY, KEY, KEY),
        (LEAF, KEY + KEY[:-30], CHAIN),
        (LEAF, KEY.replace("MII", "AAA", 1), CHAIN),
        (KEY.replace("RSA PRIVATE KEY", "CERTIFICATE"), KEY.replace("RSA PRIVATE KEY", "PUBLIC KEY"), KEY),
        (LEAF, key_pem(private_key("other")), CHAIN),
    ],
)
def test_the_key_is_in_no_fault_no_fact_and_no_repr(certificate: str, key: str, chain: str) -> None:
    facts, bundle = read_pem(certificate, key, chain)
    made = [repr(facts), repr(bundle), repr(examine(facts, now=NOW)), repr(GivenPem(certificate, key, chain))]
    with pytest.raises(InvalidRequest) as raised:
        checked(GivenPem("", key, chain), now=NOW)
    made += [str(raised.value), repr(raised.value), repr(raised.value.faults)]
    assert raised.value.__context__ is None
    texts = "\n".join(made)
    assert not [line for line in secret_lines(KEY) | secret_lines(key) if line in texts]


def test_a_bundle_that_was_read_shows_no_key() -> None:
    _, bundle = read_pem(LEAF, KEY, CHAIN)
    assert not [line for line in secret_lines(KEY) if line in repr(bundle)]


TEXTS = st.text() | st.sampled_from(
    ["", LEAF, KEY, CHAIN, FULL_CHAIN, LEAF + CHAIN, key_pem(DEVICE.key, "pkcs8")]
)


@given(TEXTS, TEXTS, TEXTS)
def test_any_three_texts_give_a_bundle_or_a_fault(certificate: str, key: str, chain: str) -> None:
    faults(certificate, key, chain)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_text_that_was_cut_or_altered_anywhere_gives_a_bundle_or_a_fault(data: st.DataObject) -> None:
    texts = [LEAF, KEY, CHAIN]
    which = data.draw(st.integers(0, 2))
    text = texts[which]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 80)))
    texts[which] = text[:start] + data.draw(st.text(max_size=10)) + text[end:]
    faults(*texts)


@pytest.mark.thorough
@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_bytes_altered_inside_a_certificate_or_a_key_raise_nothing(data: st.DataObject) -> None:
    key_der = DEVICE.key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    ders = [DEVICE.certificate.public_bytes(Encoding.DER), key_der]
    which = data.draw(st.integers(0, 1))
    der = bytearray(ders[which])
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    texts = [LEAF, KEY]
    texts[which] = encode(("CERTIFICATE", "RSA PRIVATE KEY")[which], bytes(der))
    faults(*texts)


def test_bytes_behind_the_certificate_are_no_certificate() -> None:
    der = DEVICE.certificate.public_bytes(Encoding.DER) + b"\0"
    assert "cannot be read" in faults(certificate=encode("CERTIFICATE", der))[0]
