"""A private key that was pasted into any other text of a body: refused, and shown by no answer."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chalicelib.api.problems import problem
from chalicelib.api.requests import read_put
from chalicelib.model.errors import InvalidRequest
from chalicelib.model.syntax import holds_key, quoted
from tests.api.test_bounds import PLACES, SOUND, Place, id_of
from tests.world.certificates import authority, leaf

EC = generate_private_key(SECP256R1())
KEYS = {
    "PKCS #8": EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "SEC 1": EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
    # The shortest: its 64 digits fit into nearly every field.
    "Ed25519": Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
    "RSA": leaf("mqtt.example.com", signed_by=authority()).private_key_pem,
}


def digits(pem: str) -> str:
    return "".join(pem.split("\n")[1:-2])


FORMS: dict[str, Callable[[str], str]] = {
    "PEM": lambda pem: pem,
    "one line": lambda pem: pem.replace("\n", " "),
    "without BEGIN": lambda pem: pem.partition("\n")[2],
    "digits alone": digits,
    "lines of digits": lambda pem: "\n".join(pem.split("\n")[1:-2]),
    "small letters": lambda pem: pem.replace("BEGIN PRIVATE KEY", "begin private key"),
    "other dashes": lambda pem: pem.replace("-----", "\u2014\u2014"),
    "four dashes": lambda pem: pem.replace("-----", "----"),
    "of a URL": lambda pem: pem.replace("-", "%2D").replace("\n", "%0A").replace(" ", "%20"),
    "for URLs": lambda pem: digits(pem).replace("+", "-").replace("/", "_"),
    "base64 of the PEM": lambda pem: b64encode(pem.encode()).decode(),
    "hex": lambda pem: b64decode(digits(pem)).hex(),
    "hex with colons": lambda pem: b64decode(digits(pem)).hex(":"),
    "UTF-16": lambda pem: "".join(f"{one}\0" for one in pem),
    "letters spaced": lambda pem: " ".join(digits(pem)),
}
CASES = [(kind, form) for kind in KEYS for form in FORMS]
TEXTS = [
    place
    for place in PLACES
    if place.schema.get("type") == "string" and not re.search(r"\bpem\b", place.field)
]


def plain(text: str) -> str:
    """The text without what a way of writing it down puts in between."""
    return re.sub(r"[^A-Za-z0-9+/_-]|\\u[0-9a-f]{4}|\\n", "", text)


def shown(key: str, answer: str) -> bool:
    """Whether 24 digits in a row of the key are in the answer: 18 of its bytes, 12 of them in hex."""
    given, said = plain(key), plain(answer)
    return any(given[at : at + 24] in said for at in range(len(given) - 24))


def test_every_text_of_a_body_is_tried() -> None:
    assert {"hostname", "certificate.secret_id", "instances[0]", "unmanaged[0]", "dns_name"} <= {
        place.field for place in TEXTS
    }


def refused(body: dict[str, Any], key: str) -> bool:
    """Whether the body has a fault; no answer may show the key."""
    _, faults = read_put("demo", body)
    assert not shown(key, json.dumps(problem(InvalidRequest(faults)).body))
    return bool(faults)


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_key_in_any_text_of_a_body_is_refused_and_not_shown(kind: str, form: str) -> None:
    key = FORMS[form](KEYS[kind])
    assert [id_of(place) for place in TEXTS if not refused(place.body(key), key)] == []


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_a_key_in_the_place_of_anything_else_is_refused_and_not_shown(kind: str, form: str) -> None:
    key = FORMS[form](KEYS[kind])
    others: list[Place] = [place for place in PLACES if place not in TEXTS and "pem" not in place.field]
    assert [id_of(place) for place in others if not refused(place.body(key), key)] == []
    assert refused({**SOUND, key: 1}, key)
    assert refused({**SOUND, "tags": {key: ""}}, key)
    assert refused({**SOUND, "tags": {"team": key}}, key)
    assert refused({**SOUND, "addresses": {key: "10.0.0.1"}}, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "emq-elb-prod/mqtt/customer-1/broker-certificate-a1B2c3",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:emq-elb-Prod/Mqtt/Customer1/Bundle-a1B2c3",
        "MqttBrokersOfTheNorthernHemisphereAndOfTheSouthernOneAsWell1",
        "private key management",
        "a" * 1000,
        "3082" * 30,
        "MIGH",
    ],
)
def test_a_name_is_no_key(text: str) -> None:
    assert not holds_key(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("demo", '"demo"'),
        ("x" * 78, f'"{"x" * 78}"'),
        ("x" * 81, "a text of 81 characters"),
        ("a." * 60 + "example.com", f'"{("a." * 60)[:79]}…'),
        ("sg-0123456789abcdef0 i-0123456789abcdef0", '"sg-0123456789abcdef0 i-0123456789abcdef0"'),
        ("0123456789abcdef" * 3, "a text of 48 characters"),
        ("-----BEGIN", "a PEM text"),
    ],
)
def test_a_text_is_shown_where_it_is_short_and_no_key(value: str, text: str) -> None:
    assert quoted(value) == text
