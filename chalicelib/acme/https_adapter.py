"""The HTTPS of `requests`, which certbot's `acme` library speaks through, over a TLS context of ours.

urllib3 would make one itself: strict on Python 3.13 and not before, with the ciphers of the build. And
requests takes no context, but a path that OpenSSL reads by itself, with whatever else is in that file.
"""

from __future__ import annotations

import io
import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as ConnectionFailed
from requests.exceptions import RequestException
from requests.models import PreparedRequest, Response
from urllib3.exceptions import HTTPError

LONGEST_ANSWER = 1 << 20
"""Bytes. A chain of certificates, the longest answer of a CA, has some ten thousand."""


class AnswerTooLongError(RequestException):
    """The CA sends more than any answer of an ACME CA has."""


class HttpsAdapter(HTTPAdapter):
    """Connect with this context, through a proxy as well, and trust what it trusts."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """Send a request and read the answer: of one that is too long no more than shows that it is."""
        response = super().send(request, *arguments, **options)
        raw = response.raw
        try:
            read = raw.read(LONGEST_ANSWER + 1, decode_content=True)
        except HTTPError as error:
            raise ConnectionFailed(error, request=request) from error
        if len(read) > LONGEST_ANSWER:
            raw.close()
            raise AnswerTooLongError(request=request)
        response.raw = io.BytesIO(read)
        return response

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pool of direct connections."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, _verify: object, cert: Any = None
    ) -> Any:
        """Verify, and by the context alone: requests would add the roots that `REQUESTS_CA_BUNDLE` names."""
        return super().build_connection_pool_key_attributes(request, True, cert)

    def cert_verify(self, *_: Any) -> None:
        """Add no roots of requests' own."""
