"""An ACME CA (RFC 8555) through certbot's `acme` library: one request each, without waiting.

Polling, which the library does with the machine's own clock and sleep, is left to `chalicelib/acme/order.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from chalicelib.acme.account import ExternalAccount
from chalicelib.acme.connection import NO_ACME, Acme, parsed, post, refused
from chalicelib.acme.records import Challenge
from chalicelib.model.errors import IssuerRefused, IssuerSilent

if TYPE_CHECKING:
    from acme import messages
    from requests import Response

_PEM = "-----BEGIN CERTIFICATE-----"

Status = Literal["pending", "processing", "ready", "valid", "invalid"]


@dataclass(frozen=True)
class Authorization:
    """The proof that the CA wants for one name; `challenge` is None when it has seen the proof.

    `url` is where to ask about it, `answer_to` where to announce that the record can be looked up.
    """

    url: str
    status: Status
    challenge: Challenge | None
    answer_to: str


@dataclass(frozen=True)
class Order:
    """An order as the CA shows it; `certificate` is the URL of the certificate once it is issued."""

    url: str
    status: Status
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None


def sign_in(acme: Acme, contact: str, bound_to: ExternalAccount | None = None) -> None:
    """Have the CA find the account of the key, or make it: that agrees to its terms of service.

    A CA that knows its customers wants a new account to be `bound_to` one of theirs.
    """
    from acme import messages

    binding = None
    if bound_to:
        binding = messages.ExternalAccountBinding.from_data(
            acme.key.public_key(), bound_to.kid, bound_to.hmac_key, messages.Directory(dict(acme.directory))
        )
    wanted = messages.NewRegistration.from_data(
        email=contact, terms_of_service_agreed=True, external_account_binding=binding
    )
    there = post(acme, "newAccount", wanted).headers.get("Location")
    acme.net.account = messages.RegistrationResource(uri=there, body=wanted)


def new_order(acme: Acme, domains: Sequence[str], replaces: str | None) -> Order:
    """Order a certificate; `replaces` is the `certificate_id` of the certificate that it replaces, if any.

    The CA may then exempt it from its rate limits (https://www.rfc-editor.org/rfc/rfc9773#section-5). Where
    the CA refuses the replacement, order without it.
    """
    if replaces and "renewalInfo" in acme.directory:
        try:
            return _new_order(acme, domains, {"replaces": replaces})
        except (IssuerRefused, IssuerSilent):
            if acme.answers[-1].ok:
                raise
    return _new_order(acme, domains, {})


def order_now(acme: Acme, order: Order) -> Order:
    """The order as it is by now."""
    return _order(post(acme, order.url, None), order.url)


def authorization(acme: Acme, url: str) -> Authorization:
    """What is to be shown for one name. IssuerRefused without DNS-01 for it, or when it was found wrong."""
    from acme import challenges, messages

    response = post(acme, url, None)
    body = parsed(lambda: messages.Authorization.from_json(response.json()))
    if body.identifier is None:
        raise IssuerSilent(NO_ACME)
    domain = f"*.{body.identifier.value}" if body.wildcard else body.identifier.value
    status = _status(body.status)
    if status not in {"pending", "processing", "valid"}:
        error = next((one.error for one in body.challenges if one.error), None)
        raise refused(error, f"{domain}: ")
    if status == "valid":
        return Authorization(url, status, None, "")
    offered = next((one for one in body.challenges if isinstance(one.chall, challenges.DNS01)), None)
    if offered is None:
        raise IssuerRefused("unsupported", f"{domain}: the CA offers no DNS-01 challenge")
    value = offered.chall.validation(acme.net.key)
    return Authorization(url, status, Challenge(domain, value), offered.uri)


def answer_challenge(acme: Acme, authorization: Authorization) -> None:
    """Announce that the record can be looked up (https://www.rfc-editor.org/rfc/rfc8555#section-7.5.1)."""
    from acme import challenges

    post(acme, authorization.answer_to, challenges.DNS01Response(key_authorization=""))


def finalize(acme: Acme, order: Order, request: bytes) -> None:
    """Hand the certificate request (PEM) in, once every name is authorized."""
    from acme import messages
    from cryptography import x509

    post(acme, order.finalize, messages.CertificateRequest(csr=x509.load_pem_x509_csr(request)))


def certificate(acme: Acme, url: str) -> str:
    """Fetch the certificate with its chain, as PEM: the CA's default chain."""
    text = post(acme, url, None).text
    if _PEM not in text:
        raise IssuerSilent(NO_ACME)
    return text


def _new_order(acme: Acme, domains: Sequence[str], more: Mapping[str, str]) -> Order:
    from acme import messages
    from josepy.json_util import field as json_field

    class NewOrder(messages.NewOrder):
        """The library's own, which does not know this field."""

        replaces: str = json_field("replaces", omitempty=True)

    names = [messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=domain) for domain in domains]
    return _order(post(acme, "newOrder", NewOrder(identifiers=names, **more)))


def _order(answered: Response, url: str = "") -> Order:
    from acme import messages

    body = parsed(lambda: messages.Order.from_json(answered.json()))
    status = _status(body.status)
    if status == "invalid":
        raise refused(body.error, "")
    return Order(
        url=answered.headers.get("Location", url),
        status=status,
        authorizations=tuple(body.authorizations or ()),
        finalize=body.finalize or "",
        certificate=body.certificate,
    )


def _status(given: messages.Status | None) -> Status:
    if given is None:
        raise IssuerSilent(NO_ACME)
    return cast("Status", given.name)
