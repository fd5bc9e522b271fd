"""The ACME server of the lab validates what its DNS server shows, and issues what leads to its root."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from acme import challenges, client, messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.jwk import JWKRSA

from lab.certificates.acme import LIFE, Acme
from lab.machine.processes import until
from tests.world.pebble import pebble

HOST = "mqtt.example.com"
RECORD = f"_acme-challenge.{HOST}."


@pytest.fixture(scope="module")
def running() -> Iterator[Acme]:
    # The library asks again only once when a nonce is refused.
    with pebble(nonces_refused=0) as one:
        yield one


@pytest.fixture
def acme(running: Acme, monkeypatch: pytest.MonkeyPatch) -> Acme:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.trust))
    return running


def account(acme: Acme) -> client.ClientV2:
    key = JWKRSA(key=rsa.generate_private_key(65537, 2048))
    net = client.ClientNetwork(key)
    made = client.ClientV2(client.ClientV2.get_directory(acme.directory, net), net)
    made.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))
    return made


def request(*names: str) -> bytes:
    """A certificate signing request."""
    key = rsa.generate_private_key(65537, 2048)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.add_extension(alternatives, critical=False).sign(key, SHA256())
    return signed.public_bytes(Encoding.PEM)


def validated(
    acme: Acme, asking: client.ClientV2, order: messages.OrderResource, *values: str
) -> messages.Authorization:
    """Show these values, `right` standing for the one that the CA wants to see, and let it look."""
    (authorization,) = order.authorizations
    (challenge,) = (one for one in authorization.body.challenges if isinstance(one.chall, challenges.DNS01))
    right = challenge.validation(asking.net.key)
    acme.show(RECORD, [right if value == "right" else value for value in values])
    asking.answer_challenge(challenge, challenge.response(asking.net.key))

    def decided() -> messages.Authorization | None:
        found, _ = asking.poll(authorization)
        return found.body if found.body.status != messages.STATUS_PENDING else None

    body = until(decided, 20, "the CA decides")
    assert body is not None
    return body


@pytest.mark.parametrize("values", [[], ["wrong"], ["right "], ["wrong", "other"]])
def test_a_record_that_is_missing_or_wrong_is_refused(acme: Acme, values: Sequence[str]) -> None:
    asking = account(acme)
    body = validated(acme, asking, asking.new_order(request(HOST)), *values)
    assert body.status == messages.STATUS_INVALID
    assert "unauthorized" in str(body.challenges)


@pytest.mark.parametrize("values", [["right"], ["wrong", "right"]])
def test_the_right_one_among_others_leads_to_a_certificate_of_the_root(
    acme: Acme, values: Sequence[str]
) -> None:
    asking = account(acme)
    order = asking.new_order(request(HOST))
    assert validated(acme, asking, order, *values).status == messages.STATUS_VALID
    issued = asking.finalize_order(order, datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=20))
    leaf, *chain = x509.load_pem_x509_certificates(issued.fullchain_pem.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc in {LIFE, LIFE - timedelta(seconds=1)}
    root = x509.load_pem_x509_certificate(acme.root().encode())
    for below, above in zip([leaf, *chain], [*chain, root], strict=True):
        below.verify_directly_issued_by(above)


def test_another_one_starts_beside_it_as_another_ca(acme: Acme) -> None:
    with pebble() as other:
        assert other.root() != acme.root()
