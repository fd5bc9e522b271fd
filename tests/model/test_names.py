from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import names
from chalicelib.x509 import pem
from chalicelib.x509.pem import Bundle, certificate_digest, certificate_name, serial_text

LEAF, OTHER_LEAF = (pem.encode("CERTIFICATE", der) for der in (b"leaf", b"other leaf"))
ISSUER, ROOT = (pem.encode("CERTIFICATE", der) for der in (b"issuer", b"root"))


def test_a_certificate_is_named_by_region_load_balancer_and_content() -> None:
    digits = sha256(b"leafissuer").hexdigest()[:16]
    assert certificate_name("eu-central-1", "demo", Bundle(LEAF, "key", ISSUER)) == (
        f"eu-central-1-demo-{digits}"
    )


@pytest.mark.parametrize(
    ("certificate", "chain"),
    [(OTHER_LEAF, ISSUER), (LEAF, ""), (LEAF, ROOT), (LEAF, ISSUER + ROOT), (LEAF, ROOT + ISSUER)],
)
def test_another_leaf_or_chain_is_another_name(certificate: str, chain: str) -> None:
    one = certificate_name("eu-central-1", "demo", Bundle(LEAF, "key", ISSUER))
    assert certificate_name("eu-central-1", "demo", Bundle(certificate, "key", chain)) != one


@pytest.mark.parametrize(
    "rewritten",
    [
        LEAF.rstrip(),
        LEAF.replace("\n", "\r\n"),
        "text\n" + LEAF,
        LEAF.replace("CERTIFICATE", "X509 CERTIFICATE"),
    ],
)
def test_the_same_content_written_differently_is_the_same_name(rewritten: str) -> None:
    assert certificate_digest(rewritten, ISSUER) == certificate_digest(LEAF, ISSUER)


def test_the_key_is_no_part_of_the_name() -> None:
    one, other = (certificate_name("r", "l", Bundle(LEAF, key, "")) for key in ("one", "other"))
    assert one == other


@given(
    st.sampled_from(["us-gov-west-1", "ap-southeast-5", "eu-isoe-west-1"]),
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", fullmatch=True),
    st.binary(min_size=1),
)
def test_a_name_is_one_that_iam_takes(region: str, load_balancer: str, der: bytes) -> None:
    name = certificate_name(region, load_balancer, Bundle(pem.encode("CERTIFICATE", der), "key"))
    assert re.fullmatch(r"[\w+=,.@-]{1,128}", name, re.ASCII)


def test_certificates_of_a_load_balancer_have_a_path_of_their_own() -> None:
    path = names.certificate_path("emq-elb-prod", "eu-central-1", "demo")
    assert path == "/emq-elb/emq-elb-prod/eu-central-1/demo/"
    assert not names.certificate_path("emq-elb-prod", "eu-central-1", "demo-2").startswith(path)


@pytest.mark.parametrize(
    ("arn", "home"),
    [
        ("arn:aws:iam::123456789012:server-certificate/demo", "iam"),
        ("arn:aws-cn:iam::123456789012:server-certificate/emq-elb/o/r/l/demo", "iam"),
        ("arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234", "acm"),
        ("arn:aws:iam::123456789012:role/demo", None),
        ("arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/1", None),
        ("Invalid-Certificate", None),
        ("", None),
    ],
)
def test_an_arn_says_where_the_certificate_is_kept(arn: str, home: str | None) -> None:
    assert names.certificate_home(arn) == home


def test_the_name_in_an_arn_is_what_follows_the_path() -> None:
    assert names.certificate_name_of("arn:aws:iam::1:server-certificate/emq-elb/o/r/l/the-name") == "the-name"
    assert names.certificate_name_of("arn:aws:iam::1:server-certificate/the-name") == "the-name"


@pytest.mark.parametrize(("serial", "text"), [(1, "01"), (0xABC, "0ABC"), (0xFF00, "FF00"), (0, "00")])
def test_a_serial_number_is_written_as_openssl_writes_it(serial: int, text: str) -> None:
    assert serial_text(serial) == text


def test_the_group_that_we_make_is_named_after_its_load_balancer() -> None:
    assert names.security_group_name("demo") == "demo-elb"


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", fullmatch=True), st.integers(1, 65535))
def test_a_target_group_names_its_load_balancer_as_far_as_its_name_holds_it(name: str, port: int) -> None:
    assert names.load_balancer_of_target_group(names.target_group_name(name, port)) == name[:20]


@pytest.mark.parametrize(
    "group", ["demo", "demo-1883", "demo-1883-ffff", "demo-0-2a97", "-1883-2a97", "demo-99999-2a97"]
)
def test_a_target_group_of_another_name_is_nobodys(group: str) -> None:
    assert names.load_balancer_of_target_group(group) is None
