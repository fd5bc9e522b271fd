"""What an ACME CA suggests about the renewal of a certificate (RFC 9773): read without an account."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from chalicelib.acme.https import USER_AGENT, https_context
from chalicelib.acme.renewal_window import Window, window_of
from chalicelib.model.errors import IssuerSilent
from chalicelib.tls.reasons import named_reason

_TIMEOUT = 10
_LONGEST = 1 << 16


def renewal_info_url(directory: str, trusted: str | None = None) -> str | None:
    """The URL of the CA's renewal information; None when it has none. IssuerSilent when it cannot be asked.

    `trusted` is a PEM file with the roots that its HTTPS is verified by.
    """
    found = _read(directory, trusted)
    url = found.get("renewalInfo") if isinstance(found, dict) else None
    return url if isinstance(url, str) else None


def suggested_window(url: str, certificate_id: str, trusted: str | None = None) -> Window | None:
    """When the CA would have this certificate renewed; None when its answer makes no sense."""
    return window_of(_read(f"{url.rstrip('/')}/{certificate_id}", trusted))


def _read(url: str, trusted: str | None) -> Any:
    parts = urlsplit(url)
    try:
        context = https_context(trusted)
        with closing(HTTPSConnection(parts.netloc, timeout=_TIMEOUT, context=context)) as connection:
            path = parts._replace(scheme="", netloc="").geturl()
            connection.request("GET", path, headers={"User-Agent": USER_AGENT})
            answer = connection.getresponse()
            if answer.status != 200:
                raise IssuerSilent(f"{parts.netloc} answers {answer.status}")
            return json.loads(answer.read(_LONGEST))
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise IssuerSilent(f"{parts.netloc} could not be asked: {named_reason(error)}") from None
