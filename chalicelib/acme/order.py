"""Order a certificate from the ACME CA: account, order, challenges, request, certificate.

The CA is asked to look only when the records have spread to every name server of Route 53. Each wait polls,
no more often than the CA wants, until the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from chalicelib.acme import messages as acme
from chalicelib.acme.account import account_key, external_account
from chalicelib.acme.challenges import places, records_shown
from chalicelib.acme.connection import Acme, connect_to_ca
from chalicelib.apply import Progress, note
from chalicelib.invocation import Invocation
from chalicelib.issuers.private_ca import LEAF_KEY_BITS
from chalicelib.model.actions import NewOrder
from chalicelib.model.errors import IssuerSilent
from chalicelib.x509.parse import key_text
from chalicelib.x509.pem import GivenPem

T = TypeVar("T")

_LEAST = timedelta(minutes=3)
"""Route 53 takes about a minute, and the CA its own time: no order is begun with less than this left."""
_MOST = timedelta(minutes=6)
"""How long one order may take, so that others of the same run get their turn."""
_AFTERWARDS = timedelta(seconds=30)
"""What is kept of the function's time for taking the records away, and for the upload."""
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=10)


def time_enough(invocation: Invocation, begin: datetime | None = None) -> bool:
    """Whether this run of a function lasts long enough to order a certificate, now or from `begin` on."""
    return invocation.deadline - max(invocation.now(), begin or invocation.now()) >= _LEAST


def order(
    domains: Sequence[str],
    name: str,
    progress: Progress,
    invocation: Invocation,
    *,
    replaces: str | None = None,
) -> GivenPem:
    """Have a certificate issued for the domains, on a new key, for the load balancer `name`.

    `replaces` is the `certificate_id` of the one that it is to take the place of. Raises InvalidRequest as
    `places` does, IssuerRefused, IssuerLimited or IssuerSilent; no record is left in DNS.
    """
    where = places(domains, invocation)
    end = min(invocation.deadline - _AFTERWARDS, invocation.now() + _MOST)
    patient = replace(invocation, deadline=end)
    settings, secrets = invocation.settings, invocation.clients.secrets
    bound_to = external_account(secrets, settings.acme_eab_secret) if settings.acme_eab_secret else None
    with closing(_connected(name, progress, invocation)) as ca:
        acme.sign_in(ca, settings.acme_contact or "", bound_to)
        ordered = acme.new_order(ca, domains, replaces)
        new_order = NewOrder(reason="the CA is to issue one", domains=(*domains,))
        note(name, new_order, progress, invocation)
        asked = [acme.authorization(ca, url) for url in ordered.authorizations]
        challenges = [one.challenge for one in asked if one.challenge]
        if any(one.record not in where for one in challenges):
            raise IssuerSilent("the CA asks to be shown a name that was not ordered")
        with records_shown(name, challenges, where, progress, invocation, until=end):
            for one in asked:
                if one.challenge:
                    acme.answer_challenge(ca, one)
            for one in asked:
                _awaited(partial(acme.authorization, ca, one.url), _valid, ca, patient)
        ready = _awaited(partial(acme.order_now, ca, ordered), _ready, ca, patient)
        key, request = certificate_request(domains)
        acme.finalize(ca, ready, request)
        issued = _awaited(partial(acme.order_now, ca, ordered), _issued, ca, patient)
        return GivenPem(acme.certificate(ca, issued.certificate or ""), key)


def _connected(name: str, progress: Progress, invocation: Invocation) -> Acme:
    settings = invocation.settings
    key = account_key(name, progress, invocation)
    return connect_to_ca(settings.acme_directory_url, key, invocation.now, settings.acme_ca_bundle)


def _awaited(ask: Callable[[], T], come: Callable[[T], bool], ca: Acme, invocation: Invocation) -> T:
    """Poll until the answer has come, as often as the CA wants; IssuerSilent at the deadline."""
    wait = _FIRST_WAIT
    while not come(found := ask()):
        pause = max(wait, (ca.retry_after or invocation.now()) - invocation.now())
        if invocation.now() + pause >= invocation.deadline:
            raise IssuerSilent("the CA was not done in time")
        invocation.sleep(pause.total_seconds())
        wait = min(2 * wait, _LONGEST_WAIT)
    return found


def _valid(authorization: acme.Authorization) -> bool:
    return authorization.status == "valid"


def _ready(ordered: acme.Order) -> bool:
    return ordered.status == "ready"


def _issued(ordered: acme.Order) -> bool:
    return ordered.status == "valid" and ordered.certificate is not None


def certificate_request(domains: Sequence[str]) -> tuple[str, bytes]:
    """Make an RSA-2048 key and a request (PEM, both) for DNS names, all of them in the SAN."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = generate_private_key(65537, LEAF_KEY_BITS)
    names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.add_extension(names, critical=False).sign(key, SHA256())
    return key_text(key), request.public_bytes(Encoding.PEM)
