from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.errors import InvalidRequest
from chalicelib.x509.facts import (
    Arrangement,
    BundleFacts,
    CertificateFacts,
    KeyFacts,
    PublicKey,
    TextFacts,
    arrange,
    given_in_secret,
)
from chalicelib.x509.preflight import LOOKED_AT_EVERY, PEM_FIELDS, SECRET_FIELDS, examine, renew_from

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def key(digest: str = "leaf-key", bits: int = 2048) -> PublicKey:
    return PublicKey(kind="rsa", bits=bits, digest=digest)


def curve(name: str) -> PublicKey:
    return PublicKey(kind="ec", bits=256, curve=name, digest="leaf-key")


def certificate(name: str, issuer: str, **different: object) -> CertificateFacts:
    facts = CertificateFacts(
        subject=f"CN={name}",
        issuer=f"CN={issuer}",
        digest=name,
        key=key(f"{name}-key"),
        not_before=NOW - 10 * DAY,
        not_after=NOW + 80 * DAY,
        authority=True,
        self_signed=name == issuer,
        characters=1000,
    )
    return replace(facts, **different)  # type: ignore[arg-type]  # each test names fields of the dataclass


LEAF = certificate("leaf", "middle", authority=False, names=("mqtt.example.com",))
MIDDLE = certificate("middle", "upper")
UPPER = certificate("upper", "root")
ROOT = certificate("root", "root", not_before=NOW - 1000 * DAY, not_after=NOW + 1000 * DAY)
STRANGER = certificate("stranger", "elsewhere")
SELF_SIGNED = replace(LEAF, issuer="CN=leaf", self_signed=True)
KEY = KeyFacts(public=key(), characters=1700)


def text(*certificates: CertificateFacts) -> TextFacts:
    return TextFacts(
        blank=not certificates,
        certificates=certificates,
        places=tuple(range(len(certificates))),
        certificate_blocks=len(certificates),
    )


KEY_TEXT = TextFacts(key=KEY, key_blocks=1)


def bundle(
    leaf: CertificateFacts | TextFacts = LEAF,
    *chain: CertificateFacts,
    private_key: TextFacts = KEY_TEXT,
    chain_text: TextFacts | None = None,
) -> BundleFacts:
    """Facts whose links are those that subject and issuer promise."""
    facts = BundleFacts(
        certificate=leaf if isinstance(leaf, TextFacts) else text(leaf),
        private_key=private_key,
        chain=chain_text or text(*chain),
    )
    links = frozenset(
        (n, m)
        for n, issued in enumerate(facts.pool)
        for m, issuer in enumerate(facts.pool)
        if n != m and issued.issuer == issuer.subject
    )
    return replace(facts, links=links)


def faults(facts: BundleFacts, *hostnames: str, now: datetime = NOW) -> list[tuple[str, str]]:
    found = examine(facts, now=now, hostnames=hostnames).faults
    return [(fault.field.removeprefix("certificate.pem."), fault.message) for fault in found]


def warnings(facts: BundleFacts, now: datetime = NOW) -> list[str]:
    return [warning.code for warning in examine(facts, now=now).warnings]


@pytest.mark.parametrize(
    "facts",
    [
        bundle(LEAF),
        bundle(LEAF, MIDDLE),
        bundle(LEAF, MIDDLE, UPPER),
        bundle(LEAF, MIDDLE, UPPER, ROOT),
        bundle(LEAF, MIDDLE, UPPER, replace(ROOT, for_servers=False)),
        bundle(text(LEAF, MIDDLE, UPPER)),
        bundle(text(LEAF, MIDDLE), UPPER),
        bundle(LEAF, LEAF, MIDDLE, UPPER),
        bundle(text(LEAF, MIDDLE), MIDDLE),
        bundle(LEAF, private_key=replace(KEY_TEXT, others=("EC PARAMETERS",))),
        bundle(LEAF, private_key=replace(KEY_TEXT, certificate_blocks=2)),
        bundle(replace(LEAF, key=key(bits=4096))),
        bundle(replace(LEAF, key=curve("secp256r1"))),
        bundle(replace(LEAF, key=curve("secp384r1"))),
    ],
    ids=[
        "leaf alone",
        "root and one link missing at the end",
        "root missing",
        "root given",
        "root given, whose own purposes nobody looks at",
        "full chain in the certificate",
        "part of the chain in the certificate",
        "leaf repeated in the chain",
        "link given twice",
        "curve parameters beside the key",
        "certificates beside the key",
        "RSA-4096",
        "P-256",
        "P-384",
    ],
)
def test_what_aws_takes_has_neither_fault_nor_warning(facts: BundleFacts) -> None:
    assert faults(facts, "mqtt.example.com") == []
    assert warnings(facts) == []


@pytest.mark.parametrize(
    ("facts", "field", "says"),
    [
        (bundle(text()), "certificate", "is empty"),
        (bundle(TextFacts()), "certificate", "holds none"),
        (bundle(TextFacts(torn=True)), "certificate", "is cut off"),
        (bundle(TextFacts(escaped=True, certificate_blocks=1)), "certificate", "backslash and n"),
        (bundle(TextFacts(certificate_blocks=1)), "certificate", "cannot be read"),
        (bundle(replace(text(LEAF), certificate_blocks=2)), "certificate", "certificate 2 of 2"),
        (bundle(TextFacts(certificate_blocks=140)), "certificate", "holds 140 certificates"),
        (bundle(replace(text(LEAF), key_blocks=1)), "certificate", "a private key stands in the certificate"),
        (bundle(TextFacts(others=("CERTIFICATE REQUEST",))), "certificate", "a certificate request"),
        (bundle(TextFacts(others=("PKCS7",))), "certificate", "PKCS #7"),
        (bundle(TextFacts(others=("PGP MESSAGE",))), "certificate", "a kind that does not belong here"),
        (bundle(replace(LEAF, key=key(bits=1023))), "certificate", "RSA with 1023 bits"),
        (bundle(replace(LEAF, key=key(bits=4097))), "certificate", "RSA with 4097 bits"),
        (bundle(replace(LEAF, key=curve("secp521r1"))), "certificate", "EC secp521r1"),
        (
            bundle(replace(LEAF, key=PublicKey(kind="other", bits=0, digest="leaf-key"))),
            "certificate",
            "neither RSA nor EC",
        ),
        (bundle(replace(LEAF, for_servers=False)), "certificate", "leaves out server authentication"),
        (bundle(LEAF, replace(MIDDLE, for_servers=False)), "chain", "without server authentication"),
        (bundle(replace(LEAF, characters=16_385)), "certificate", "16385 characters"),
        (bundle(private_key=text()), "private_key", "is empty"),
        (bundle(private_key=TextFacts()), "private_key", "holds none"),
        (bundle(private_key=TextFacts(torn=True)), "private_key", "is cut off"),
        (bundle(private_key=TextFacts(escaped=True, key_blocks=1)), "private_key", "backslash and n"),
        (bundle(private_key=text(LEAF)), "private_key", "a certificate stands where the private key"),
        (bundle(private_key=TextFacts(others=("PUBLIC KEY",))), "private_key", "a public key"),
        (bundle(private_key=replace(KEY_TEXT, key_blocks=2)), "private_key", "holds 2 keys"),
        (bundle(private_key=TextFacts(key=KeyFacts(), key_blocks=1)), "private_key", "cannot be read"),
        (
            bundle(private_key=TextFacts(key=KeyFacts(encrypted=True), key_blocks=1)),
            "private_key",
            "is encrypted",
        ),
        (
            bundle(private_key=TextFacts(key=replace(KEY, characters=16_385), key_blocks=1)),
            "private_key",
            "16385 characters",
        ),
        (
            bundle(private_key=TextFacts(key=replace(KEY, public=key("other")), key_blocks=1)),
            "private_key",
            "does not belong to the certificate of CN=leaf",
        ),
        (
            bundle(LEAF, MIDDLE, private_key=TextFacts(key=KeyFacts(public=MIDDLE.key), key_blocks=1)),
            "private_key",
            "belongs to a certificate of the chain",
        ),
        (bundle(chain_text=TextFacts()), "chain", "holds no certificate"),
        (bundle(chain_text=TextFacts(torn=True)), "chain", "is cut off"),
        (bundle(chain_text=TextFacts(escaped=True, certificate_blocks=1)), "chain", "backslash and n"),
        (bundle(chain_text=TextFacts(certificate_blocks=17)), "chain", "holds 17 certificates"),
        (bundle(chain_text=TextFacts(certificate_blocks=1)), "chain", "cannot be read"),
        (
            bundle(chain_text=replace(text(MIDDLE), key_blocks=1)),
            "chain",
            "a private key stands in the chain",
        ),
        (bundle(LEAF, UPPER), "chain", "signed CN=leaf, of CN=middle, is missing, so that CN=upper"),
        (bundle(LEAF, MIDDLE, ROOT), "chain", "signed CN=middle, of CN=upper, is missing"),
        (bundle(LEAF, MIDDLE, STRANGER), "chain", "so that CN=stranger proves nothing"),
        (bundle(LEAF, replace(MIDDLE, authority=False)), "chain", "is not one of an authority"),
        (bundle(LEAF, replace(MIDDLE, characters=2_097_153)), "chain", "2097153 characters"),
        (bundle(LEAF, replace(MIDDLE, not_after=NOW - MINUTE)), "chain", "get a new one"),
        (bundle(LEAF, replace(MIDDLE, not_before=NOW + MINUTE)), "chain", "is not valid before"),
    ],
)
def test_each_fault_has_its_own_field_and_message(facts: BundleFacts, field: str, says: str) -> None:
    assert [(where, says in message) for where, message in faults(facts)] == [(field, True)]


@pytest.mark.parametrize(
    ("not_before", "not_after", "says"),
    [
        (NOW, NOW + 90 * DAY, None),
        (NOW + MINUTE, NOW + 90 * DAY, "is not valid before 2026-03-01 12:01:00 UTC"),
        (NOW - 90 * DAY, NOW, None),
        (NOW - 90 * DAY, NOW - timedelta(seconds=1), "expired at 2026-03-01 11:59:59 UTC"),
    ],
)
def test_a_certificate_is_taken_from_its_first_second_to_its_last(
    not_before: datetime, not_after: datetime, says: str | None
) -> None:
    found = faults(bundle(replace(LEAF, not_before=not_before, not_after=not_after)))
    assert [field for field, _ in found] == ([] if says is None else ["certificate"])
    assert all(says is not None and says in message for _, message in found)


@pytest.mark.parametrize(
    ("lifetime", "left", "due"),
    [
        (365, 31, False),
        (365, 30, True),
        (365, 1, True),
        (90, 31, False),
        (90, 30, True),
        (47, 30, False),
        (47, 16, False),
        (47, 15, True),
        (6, 3, False),
        (6, 2, True),
    ],
)
def test_a_certificate_expires_soon_in_its_last_thirty_days_or_the_last_third_of_a_short_life(
    lifetime: int, left: int, due: bool
) -> None:
    ending = replace(LEAF, not_before=NOW + (left - lifetime) * DAY, not_after=NOW + left * DAY)
    assert warnings(bundle(ending)) == (["expires-soon"] if due else [])
    assert (renew_from(ending.not_before, ending.not_after) <= NOW) is due


@pytest.mark.parametrize("hours", [1, 6, 12, 24, 30, 36, 47, 48, 60, 72, 100, 24 * 6, 24 * 45, 24 * 90])
@given(late=st.floats(min_value=0, max_value=1))
def test_the_schedule_looks_at_what_is_due_before_it_ends(hours: int, late: float) -> None:
    """Twice, where the life has room for it; never in the first third."""
    life = timedelta(hours=hours)
    due = renew_from(NOW, NOW + life)
    assert due >= NOW + life / 3 - timedelta(seconds=1)
    looks = [NOW + LOOKED_AT_EVERY * (late + number) for number in range(400)]
    in_time = [one for one in looks if due <= one < NOW + life]
    assert len(in_time) >= (2 if hours >= 36 else 1 if hours >= 18 else 0)


def test_what_has_expired_is_not_said_to_expire_soon() -> None:
    assert warnings(bundle(replace(LEAF, not_after=NOW - DAY))) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (bundle(SELF_SIGNED), "self-signed"),
        (bundle(replace(SELF_SIGNED, authority=True)), "self-signed"),
        (bundle(replace(LEAF, names=(), common_name="mqtt.example.com")), "no-names"),
        (bundle(replace(LEAF, key=key(bits=1024))), "short-key"),
        (bundle(replace(LEAF, any_purpose=True)), "not-for-servers"),
        (bundle(replace(LEAF, issuer_published=True)), "no-chain"),
        (bundle(LEAF, UPPER, MIDDLE), "chain-reordered"),
        (bundle(text(MIDDLE, LEAF)), None),
        (bundle(LEAF, MIDDLE, UPPER, ROOT, STRANGER), "chain-superfluous"),
        (bundle(LEAF, replace(MIDDLE, not_after=NOW + DAY)), "expires-soon"),
        (bundle(replace(LEAF, issuer_published=True), MIDDLE), None),
    ],
)
def test_what_aws_takes_but_clients_may_not_is_a_warning(facts: BundleFacts, code: str | None) -> None:
    assert warnings(facts) == ([] if code is None else [code])
    assert faults(facts) == []


@pytest.mark.parametrize(
    ("leaf", "hostname", "says"),
    [
        (replace(LEAF, names=("*.example.com",)), "mqtt.example.com", None),
        (replace(LEAF, names=("*.example.com",)), "a.mqtt.example.com", "it is for *.example.com"),
        (replace(LEAF, names=(), addresses=("127.0.0.1",)), "127.0.0.1", None),
        (replace(LEAF, names=(), common_name="mqtt.example.com"), "mqtt.example.com", "common name"),
        (
            replace(LEAF, names=tuple(f"{n}.example.com" for n in range(9))),
            "x.org",
            "4.example.com and 4 more",
        ),
    ],
)
def test_the_host_name_is_covered_by_the_subject_alternative_names(
    leaf: CertificateFacts, hostname: str, says: str | None
) -> None:
    found = faults(bundle(leaf), hostname)
    assert [field for field, _ in found] == ([] if says is None else ["certificate"])
    assert all(says is not None and says in message for _, message in found)


def test_all_faults_are_returned_at_once() -> None:
    broken = bundle(
        replace(LEAF, not_after=NOW - DAY, key=key(bits=512)),
        UPPER,
        private_key=TextFacts(key=KeyFacts(encrypted=True), key_blocks=1),
    )
    assert [field for field, _ in faults(broken, "a.example.org", "b.example.org")] == [
        "certificate",
        "certificate",
        "certificate",
        "certificate",
        "private_key",
        "chain",
    ]


def test_faults_of_a_secret_name_the_secret() -> None:
    found = examine(bundle(LEAF, UPPER, private_key=text()), now=NOW, fields=SECRET_FIELDS).faults
    assert {fault.field for fault in found} == {"certificate.secret_id"}
    assert {fault.field for fault in examine(bundle(text()), now=NOW).faults} == {PEM_FIELDS.certificate}


def test_a_long_or_unprintable_name_does_not_spoil_the_message() -> None:
    (_, message), *_ = faults(bundle(replace(LEAF, issuer="CN=" + "x\x1b\n" * 500), UPPER))
    assert len(message) < 400
    assert message.isprintable()


MIDDLE_AGAIN = replace(certificate("middle", "old root", key=MIDDLE.key), digest="middle, cross-signed")
OLD_ROOT = certificate("old root", "old root")
BACK = certificate("upper", "middle", digest="upper, signed by middle")


@pytest.mark.parametrize(
    ("facts", "arrangement"),
    [
        (bundle(text()), None),
        (bundle(LEAF), Arrangement(leaf=0)),
        (bundle(LEAF, MIDDLE, UPPER), Arrangement(leaf=0, chain=(1, 2))),
        (bundle(LEAF, ROOT, UPPER, MIDDLE), Arrangement(leaf=0, chain=(3, 2, 1), reordered=True)),
        (bundle(text(MIDDLE, LEAF), UPPER), Arrangement(leaf=1, chain=(0, 2))),
        (bundle(LEAF, LEAF, MIDDLE), Arrangement(leaf=0, chain=(2,))),
        (bundle(text(LEAF, MIDDLE), LEAF, MIDDLE, UPPER), Arrangement(leaf=0, chain=(1, 4))),
        (bundle(LEAF, MIDDLE, ROOT), Arrangement(leaf=0, chain=(1,), unlinked=(2,))),
        (bundle(SELF_SIGNED, STRANGER), Arrangement(leaf=0, superfluous=(1,))),
        (bundle(LEAF, MIDDLE_AGAIN, MIDDLE), Arrangement(leaf=0, chain=(1,), superfluous=(2,))),
        (
            bundle(LEAF, MIDDLE_AGAIN, OLD_ROOT, MIDDLE),
            Arrangement(leaf=0, chain=(1, 2), superfluous=(3,)),
        ),
        (bundle(LEAF, MIDDLE, BACK), Arrangement(leaf=0, chain=(1, 2))),
    ],
    ids=[
        "no certificate",
        "leaf alone",
        "in order",
        "backwards with its root",
        "leaf second: the key shows which it is",
        "leaf repeated",
        "everything given twice",
        "link missing in the middle",
        "chain of another beside a self-signed leaf",
        "one authority cross-signed, the first given is taken",
        "cross-signed with its old root",
        "two that signed one another",
    ],
)
def test_the_chain_is_walked_from_the_leaf_from_issuer_to_issuer(
    facts: BundleFacts, arrangement: Arrangement | None
) -> None:
    assert arrange(facts) == arrangement


@pytest.mark.parametrize(
    ("value", "certificate", "chain"),
    [
        ({"certificate": "leaf", "private_key": "key"}, "leaf", ""),
        ({"certificate": "leaf", "private_key": "key", "chain": "middle", "note": "x"}, "leaf", "middle"),
        ({"fullchain": "leaf middle", "private_key": "key"}, "leaf middle", ""),
        ({"fullchain": "leaf middle", "certificate": "leaf", "private_key": "key"}, "leaf", ""),
    ],
)
def test_a_secret_holds_the_texts_under_either_name(
    value: dict[str, str], certificate: str, chain: str
) -> None:
    given = given_in_secret(value)
    assert (given.certificate, given.private_key, given.chain) == (certificate, "key", chain)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "no `certificate` (or `fullchain`) and no `private_key`"),
        ({"certificate": "leaf"}, "no `private_key`"),
        ({"private_key": "hush", "cert": "leaf"}, "no `certificate` (or `fullchain`)"),
    ],
)
def test_a_secret_that_lacks_a_text_is_refused_with_its_name(value: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        given_in_secret(value)
    assert [fault.field for fault in raised.value.faults] == ["certificate.secret_id"]
    assert says in raised.value.faults[0].message
    assert "hush" not in str(raised.value)
