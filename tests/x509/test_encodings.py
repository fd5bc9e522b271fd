"""Certificates and keys with odd but valid encodings: each is taken, or refused with a sentence of use."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from chalicelib.model.errors import InvalidRequest
from chalicelib.tls.connect import anchor
from chalicelib.x509 import pem
from chalicelib.x509.pem import Bundle, GivenPem
from chalicelib.x509.preflight import PEM_FIELDS
from chalicelib.x509.read import checked, read_pem
from tests.world.certificates import authority, leaf, patched, signed_as
from tests.world.facts import NOW

HOST = "mqtt.example.com"
BEGIN, END = NOW - timedelta(days=10), NOW + timedelta(days=80)
LONG_AGO, LONG = NOW - timedelta(days=3000), NOW + timedelta(days=3000)
ROOT = authority("Grüße  An Alle", not_before=LONG_AGO, not_after=LONG)
MIDDLE = authority("Middle CA", signed_by=ROOT, not_before=LONG_AGO, not_after=LONG)
LEAF = leaf(HOST, signed_by=MIDDLE, common_name="demo", not_before=BEGIN, not_after=END)


def named(common_name: str, kind: _ASN1Type, organisation: str = "emq-elb tests") -> x509.Name:
    """The middle's name as another program writes it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation, _type=kind),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name, _type=kind),
        ]
    )


def given(certificate: str, chain: str = "", key: str = LEAF.private_key_pem) -> GivenPem:
    return GivenPem(certificate, key, chain)


def refused(pair: GivenPem) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        checked(pair, now=NOW, hostnames=[HOST])
    return [(fault.field, fault.message) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "issuer",
    [
        named("Middle CA", _ASN1Type.PrintableString),
        named("Middle CA", _ASN1Type.IA5String),
        named("Middle CA", _ASN1Type.BMPString),
        named("MIDDLE ca", _ASN1Type.UTF8String, "EMQ-ELB Tests"),
        named("  Middle   CA ", _ASN1Type.UTF8String),
        named("middle  CA", _ASN1Type.PrintableString, " emq-elb  TESTS "),
    ],
    ids=lambda one: one.rfc4514_string(),
)
def test_an_issuer_that_is_written_in_another_way_is_the_same(issuer: x509.Name) -> None:
    """https://www.rfc-editor.org/rfc/rfc5280#section-7.1"""
    certificate = signed_as(LEAF, issuer).public_bytes(Encoding.PEM).decode()
    bundle, warnings = checked(given(certificate, MIDDLE.certificate_pem), now=NOW, hostnames=[HOST])
    assert bundle == Bundle(certificate, LEAF.private_key_pem, MIDDLE.certificate_pem)
    assert warnings == ()


@pytest.mark.parametrize(
    "issuer",
    [
        named("Middle  CB", _ASN1Type.UTF8String),
        named("MiddleCA", _ASN1Type.UTF8String),
        named("Mïddle CA", _ASN1Type.UTF8String),
        x509.Name([*named("Middle CA", _ASN1Type.UTF8String)][::-1]),
    ],
    ids=lambda one: one.rfc4514_string(),
)
def test_another_name_is_another_issuer(issuer: x509.Name) -> None:
    certificate = signed_as(LEAF, issuer).public_bytes(Encoding.PEM).decode()
    assert [field for field, _ in refused(given(certificate, MIDDLE.certificate_pem))] == [PEM_FIELDS.chain]


@pytest.mark.parametrize("kind", ["rsa-2048", "ec-p256", "ec-p384", "ed25519"])
def test_every_kind_of_signature_is_verified(kind: str) -> None:
    root = authority(f"root {kind}", kind=kind, not_before=LONG_AGO, not_after=LONG)  # type: ignore[arg-type]
    middle = authority(f"middle {kind}", signed_by=root, kind="ec-p256", not_before=LONG_AGO, not_after=LONG)
    one = leaf(HOST, signed_by=middle, not_before=BEGIN, not_after=END)
    facts, bundle = read_pem(one.certificate_pem, one.private_key_pem, one.full_chain_pem, now=NOW)
    assert facts.links == {(0, 1), (1, 2)} | ({(2, 2)} & facts.links)
    assert facts.pool[2].self_signed
    assert bundle is not None


# An encoding that OpenSSL reads and that X.509 does not allow: bytes, what is exchanged, the part.
ODD = {
    "explicit default": (b"\x55\x1d\x0f\x01\x01\xff", b"\x55\x1d\x0f\x01\x01\x00", "extensions"),
    "Latin-1 in a name": (b"\x0c\x04demo", b"\x14\x04d\xe9mo", "subject"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("where", ["certificate", "chain"])
def test_what_openssl_alone_reads_is_refused_by_the_name_of_its_part(odd: str, where: str) -> None:
    before, after, part = ODD[odd]
    one = leaf(HOST, signed_by=MIDDLE, common_name="demo", not_before=BEGIN, not_after=END)
    der = patched(one, before, after)
    text = pem.encode("CERTIFICATE", der)
    assert anchor(text) == text, "OpenSSL reads it"
    pair = given(text) if where == "certificate" else given(LEAF.certificate_pem, text)
    field, message = refused(pair)[0]
    assert field == getattr(PEM_FIELDS, where)
    assert re.search(f"an encoding that X.509 does not know in its {part}", message)
    assert "issued again" in message


def test_bytes_that_are_no_certificate_are_said_to_be_none() -> None:
    text = pem.encode("CERTIFICATE", b"\x30\x03\x02\x01\x05")
    assert "is no X.509 certificate" in refused(given(text))[0][1]


# openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048; openssl req -x509 -new -days 36500 …
PSS_KEY = """-----BEGIN PRIVATE KEY-----
MIIEvAIBADALBgkqhkiG9w0BAQoEggSoMIIEpAIBAAKCAQEAswwlhFrVd0P1EmTh
vWo4KqWMgwuAejYYqRcIxLewC4fFAMnfDDHaX7UIVEQLblmHDFeCgKpD9e0RrmpB
t3XSt7H4Sid2VXUXPZBBY0AGoxlvAy/VDDTaXq1eri+5Fhc+j+HgkhonHRGFUF/j
PRCSctfiLDibGit7piKXSWuyPM3ELVvzaA7zJ8x553NeM1v02i22hYK4RKKqIlqs
cazPLkeFEyduTOrrPcPqDNt/tiaf4ZvqAmjA7jjTvtAYgcykQS5XS//AgOpYrocE
TzSeqrBLCC0ZOW4apcIPcj3Mxuh96mOc1ZHArJTxV436YEAjvA0cyGTuJM1S/jI7
pHMA/QIDAQABAoIBAASbLWPoSlGVJ/rfKYeL8gH23FSKuTVrqtq+wvT8nMTPK1xH
1TslFS8dIye30Gt4VicVIUBaIQF0pd3M0f/8Qf2D0JVnyn2MU5q72VLKVOFhSB/W
3S5BNdT1tNfaVnKhCnT9JJ/dmGABEWLt9JSfloTp1OG6WxMjRz0Q6r9yy9UQkwGC
WSjtJrIJuSr2WlSkLCGiqnO9hW2X5/Ynxr7LZjzhtK8qkryVTWZi6V3nUviIeCxo
CcVJkhao4MiXdle3MH51cxYcCVLcx+Mj0LvpH3qB9+0V3OABIBGnrN0C7j/QHgln
fTaCtKvHuURkOFaBpIQcrDZMeuioNIEqTRCJXQECgYEA8Rdn1z2CAeMWovpz2KoV
c8j6fG+8qulhdfPxMNVg3zsBfTlI8MtY2EreHb2TmFKytk4CqZR+5+Ndd34qYnXx
GTe/7Q/I8LRWrHeqbRZbcVhBp/aPm0mJNbuPfjaErqMY7+NmScphBeHMNWP/7QkP
b4jC0hLmpzDYrqSOHZuq7CECgYEAvh6N+Qy+MhMltqHCSUHVuPkWqv3JhNYKnAeU
xZ8B/Kl9D+r832sXsdG/4DqGod45MgW/yrR3dMs91huPtFldyfOTOp/0FrkgKVdm
erfOpB2tIO9U60f145TnLTgcOpKY6mr4rO6oMvl9kR2KTBdrxAdhUnUCMYXa9OuW
arzMGV0CgYBDGI92sJCA8/E11FvvPY6Q1asYfIRWUHMmP4itXYUDO0mzzwCEuyLz
twpP3pW3+7Pu1pEZHtGeuYEmoz8qfcZmjURltlHm41mH0BnnGCTEy5oiI5Vd0z5T
bOqHZqbQb2WeRXwPJzqPR4LsjPMJxc687KPDkS0N9KMpH3TJuqv74QKBgQC3Mpwd
w2C2weqSXLbpfm3iauuj4x8/SD068rcx4rG4dN2U7Bu1ce2IJJSfDeZTrd4xTIbu
Xg3J1lqEqVRFNeQBSRuy3xUGnGbYT2bpk5qkXBBK7zRF77aKER7eXPYensqJAIEV
qncbf3u2zN9JyTvHzlDCcwulCtXdMfJkcf695QKBgQDnchgCCwRyJoevd0l5KsrF
SsD1VE31o7vZyft8gMET0O0fkKngSMKyWfIFQp1uBmNJa8vhSN6TITK4Sdb16FdU
8K5FARTFWtKv4yV/RglXdW5kyf1ckMAHMJ/L6nLKLc2+Ql+L2N+IhNlhBHvaOrvZ
Zs2ucdF+eN/ceD0vn6p+tg==
-----END PRIVATE KEY-----
"""
PSS_CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIDnjCCAlGgAwIBAgIUL6sPzbzbgqUuF5hsboYrsP/TEaUwQgYJKoZIhvcNAQEK
MDWgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEF
AKIEAgIA3jAbMRkwFwYDVQQDDBBtcXR0LmV4YW1wbGUuY29tMCAXDTI2MTEyODIy
MjA1NVoYDzIxMjYxMTA0MjIyMDU1WjAbMRkwFwYDVQQDDBBtcXR0LmV4YW1wbGUu
Y29tMIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBALMMJYRa1XdD9RJk4b1q
OCqljIMLgHo2GKkXCMS3sAuHxQDJ3wwx2l+1CFREC25ZhwxXgoCqQ/XtEa5qQbd1
0rex+EondlV1Fz2QQWNABqMZbwMv1Qw02l6tXq4vuRYXPo/h4JIaJx0RhVBf4z0Q
knLX4iw4mxore6Yil0lrsjzNxC1b82gO8yfMeedzXjNb9NottoWCuESiqiJarHGs
zy5HhRMnbkzq6z3D6gzbf7Ymn+Gb6gJowO44077QGIHMpEEuV0v/wIDqWK6HBE80
nqqwSwgtGTluGqXCD3I9zMbofepjnNWRwKyU8VeN+mBAI7wNHMhk7iTNUv4yO6Rz
AP0CAwEAAaNwMG4wHQYDVR0OBBYEFPeH+0/g0v8rxpHFqNMzpjM2MxiuMB8GA1Ud
IwQYMBaAFPeH+0/g0v8rxpHFqNMzpjM2MxiuMA8GA1UdEwEB/wQFMAMBAf8wGwYD
VR0RBBQwEoIQbXF0dC5leGFtcGxlLmNvbTBCBgkqhkiG9w0BAQowNaAPMA0GCWCG
SAFlAwQCAQUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAQUAogQCAgDeA4IB
AQAeiVGkeperQLJV2v9c64zNYBrZ07Up7gqdESgKbC1CHBjeD3pMHkam5++lmwJl
b0Cnazwx+NZB4yv2uKdPjLR9QoRBj8IdylBsMKqiSr63p+ZG6CLQFxv7rFn+ycrs
GLzRcqnQH2sVbRTPAMQhQ8j2fuQLff2AlI4U4qYoZwbGsmmoI5/yxYgAEUGR0e37
YmPMOe9fS+Sjch+l9d31crFprgzeGzF0W4e95qgP7AuxX5ZtxrIQ+3Mll/DVHZZy
0K8Aqmm7sje9PbCfYwolA90tZ9z0AL1Oi9NFoOPGRDuOl9GD0Hc38yxDjePREjy0
WNjVehqpo7Cjfj0c57VEk6Id
-----END CERTIFICATE-----
"""


def test_a_certificate_for_an_rsa_pss_key_is_refused() -> None:
    found = refused(given(PSS_CERTIFICATE, key=PSS_KEY))
    about = [field for field, message in found if "restricted to RSA-PSS" in message]
    assert about == [PEM_FIELDS.certificate, PEM_FIELDS.private_key]


def test_a_key_for_rsa_pss_alone_is_refused_beside_a_certificate_of_plain_rsa() -> None:
    """IAM takes PKCS #1, which cannot say so: what is uploaded would not be the key that was given."""
    found = refused(given(LEAF.certificate_pem, key=PSS_KEY))
    about = [field for field, message in found if "restricted to RSA-PSS" in message]
    assert about == [PEM_FIELDS.private_key]


EXPIRED = authority("Old Root", not_before=LONG_AGO, not_after=NOW - timedelta(days=10))
CROSS = authority(  # the root's own key and name, signed by a root that has expired since
    "Grüße  An Alle", signed_by=EXPIRED, not_before=LONG_AGO, not_after=NOW - timedelta(days=10)
)


@pytest.mark.parametrize(
    "chain",
    [[MIDDLE, CROSS], [CROSS, MIDDLE], [MIDDLE, CROSS, EXPIRED], [MIDDLE, EXPIRED, CROSS]],
    ids=["in order", "out of order", "with its root", "with its root first"],
)
def test_an_expired_cross_signed_authority_is_left_out_with_a_warning(chain: list[object]) -> None:
    text = "".join(one.certificate_pem for one in chain)  # type: ignore[attr-defined]
    bundle, warnings = checked(given(LEAF.certificate_pem, text), now=NOW, hostnames=[HOST])
    assert bundle.chain == MIDDLE.certificate_pem
    assert "chain-superfluous" in [one.code for one in warnings]
    assert any("because it has expired" in one.message for one in warnings)


def test_of_two_that_signed_it_the_valid_one_is_taken() -> None:
    text = MIDDLE.certificate_pem + CROSS.certificate_pem + ROOT.certificate_pem
    bundle, _ = checked(given(LEAF.certificate_pem, text), now=NOW, hostnames=[HOST])
    assert bundle.chain == MIDDLE.certificate_pem + ROOT.certificate_pem


def test_the_expired_issuer_of_the_leaf_itself_is_a_fault() -> None:
    old = authority("Expired", signed_by=ROOT, not_before=LONG_AGO, not_after=NOW - timedelta(days=10))
    one = leaf(HOST, signed_by=old, not_before=BEGIN, not_after=END)
    found = refused(given(one.certificate_pem, old.certificate_pem))
    assert [field for field, _ in found] == [PEM_FIELDS.chain]
    assert "expired" in found[0][1]
