"""A connection with an ACME CA: signed requests through certbot's `acme` library, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from chalicelib.acme.https import USER_AGENT, https_context
from chalicelib.aws.library_logs import hold_at_warning
from chalicelib.model.errors import IssuerLimited, IssuerRefused, IssuerSilent
from chalicelib.model.pending import LONGEST_LIMIT
from chalicelib.tls.reasons import named_reason

if TYPE_CHECKING:
    from acme import messages
    from acme.client import ClientNetwork
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from josepy.interfaces import JSONDeSerializable
    from josepy.jwk import JWKEC
    from requests import Response

T = TypeVar("T")

NO_ACME = "the CA answered what is no ACME"
_TIMEOUT = 30
# Pebble refuses some nonces on purpose; the library tries once more by itself.
_NONCES = 5
_LIMITED = timedelta(hours=1)
"""How long a CA is left alone that says it is asked too much, and not until when."""
_ENTRIES = frozenset({"newNonce", "newAccount", "newOrder"})
_TOO_MANY = frozenset({429, 503})


@dataclass(frozen=True)
class Acme:
    """A CA and our account there. `answers` holds its last answer: errors of the library hold no headers."""

    net: ClientNetwork = field(repr=False)
    key: JWKEC = field(repr=False)
    now: Callable[[], datetime]
    directory: Mapping[str, str]
    answers: list[Response] = field(default_factory=list, repr=False)

    @property
    def retry_after(self) -> datetime | None:
        """When the last answer asks to be asked again."""
        return retry_after(self.answers[-1].headers, self.now()) if self.answers else None

    @property
    def overloaded(self) -> bool:
        """Whether the last answer is that there are too many requests."""
        return bool(self.answers) and self.answers[-1].status_code in _TOO_MANY

    def close(self) -> None:
        """Close the connections. urllib3 does once nothing refers to their pool, which an answer does."""
        self.answers.clear()
        self.net.session.close()


def connect_to_ca(
    directory: str, key: EllipticCurvePrivateKey, now: Callable[[], datetime], trusted: str | None = None
) -> Acme:
    """Read the CA's directory; the caller closes the connection.

    `trusted` is a PEM file with the roots that its HTTPS is verified by.
    """
    hold_at_warning()  # the library logs the tokens of challenges
    from acme.client import ClientNetwork
    from josepy.jwa import ES256
    from josepy.jwk import JWKEC

    from chalicelib.acme.https_adapter import HttpsAdapter

    account = JWKEC(key=key)
    net = ClientNetwork(account, alg=ES256, user_agent=USER_AGENT, timeout=_TIMEOUT)
    net.session.mount("https://", HttpsAdapter(https_context(trusted)))
    # Where a CA says so, or redirects to it, nothing is asked in clear: RFC 8555 (section 6.1) wants HTTPS.
    del net.session.adapters["http://"]
    answers: list[Response] = []
    acme = Acme(net, account, now, {}, answers)

    def keep(response: Response, **_: object) -> None:
        # Not `acme.answers`: the session would refer to itself, and close its sockets only when Python's
        # garbage collector comes to it.
        answers[:] = [response]

    net.session.hooks["response"].append(keep)
    with ExitStack() as closing:
        closing.callback(acme.close)
        found = _ask(acme, lambda: net.get(directory).json())
        if not isinstance(found, dict) or not found.keys() >= _ENTRIES:
            raise IssuerSilent(f"{directory} is no directory of an ACME CA")
        closing.pop_all()
    return replace(acme, directory=found)


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """The time in a `Retry-After` header, seconds or a date; None without one, or with anything else.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return now + timedelta(seconds=int(text))
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def refused(error: messages.Error | None, where: str) -> IssuerRefused:
    """Return the CA's refusal as an error, with `where` before its words."""
    if error is None:
        return IssuerRefused("invalid", f"{where}it does not say why")
    parts = [part.detail for part in error.subproblems or () if part.detail]
    return IssuerRefused(error.code or error.typ, where + "; ".join([error.detail or "", *parts]))


def post(acme: Acme, where: str, body: JSONDeSerializable | None) -> Response:
    """Send a signed request; without a body it reads (https://www.rfc-editor.org/rfc/rfc8555#section-6.3)."""
    url, nonces = acme.directory.get(where, where), acme.directory["newNonce"]
    return _ask(acme, lambda: acme.net.post(url, body, new_nonce_url=nonces))


def _ask(acme: Acme, call: Callable[[], T]) -> T:
    """Make a request, and once more where the CA refused its nonce without looking at it."""
    from acme import messages

    with _translated(acme):
        for _ in range(_NONCES):
            try:
                return call()
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return call()


@contextmanager
def _translated(acme: Acme) -> Iterator[None]:
    """Turn what the library raises into errors of ours."""
    from acme import errors, messages

    try:
        yield
    except messages.Error as error:
        if error.code == "rateLimited" or acme.overloaded:
            raise _left_alone(acme, error.detail or "it does not say why") from None
        raise refused(error, "") from None
    # requests' own are OSErrors, and so is a missing bundle; JSON may be nested too deeply to be read.
    except (errors.Error, OSError, ValueError, RecursionError) as error:
        if acme.overloaded:
            raise _left_alone(acme, "it is overloaded") from None
        raise IssuerSilent(f"the CA could not be asked: {named_reason(error)}") from None


def _left_alone(acme: Acme, detail: str) -> IssuerLimited:
    now = acme.now()
    return IssuerLimited(min(acme.retry_after or now + _LIMITED, now + LONGEST_LIMIT), detail)


def parsed(read: Callable[[], T]) -> T:
    """Parse an answer; IssuerSilent when it is not of the kind that was asked for."""
    from josepy.errors import DeserializationError

    try:
        return read()
    except (DeserializationError, ValueError, TypeError, RecursionError):
        raise IssuerSilent(NO_ACME) from None
