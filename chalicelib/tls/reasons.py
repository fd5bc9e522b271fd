"""Why a connection could not be made, in the words of the library or the system that knows it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator


def named_reason(error: BaseException) -> str:
    """Return an error's class, and its reason where a library gives one: "SSLError: certificate verify …"."""
    reason = reason_of(error)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def reason_of(error: BaseException) -> str | None:
    """Return the reason that TLS, the socket or the system gave; None when none of them did.

    HTTP libraries wrap that error several times. Their own text is not quoted: it contains the whole URL, and
    repeats the reason.
    """
    return next(filter(None, map(_reason, _causes(error))), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _reason(error: BaseException) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            return f"certificate verify failed: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            return reason
        case OSError(strerror=str(words)):
            return words
        case OSError() if type(error) is OSError:  # requests' own, for a bundle that is not there
            return str(error)
        case _:
            return None
