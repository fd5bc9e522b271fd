"""A request over HTTP: signed by botocore, sent by botocore's own HTTP session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from emq_elb import credentials
from emq_elb.answers import Answer
from emq_elb.faults import Failed

SERVICE = "execute-api"
CONNECT_SECONDS = 10
# API Gateway gives up after 29 seconds, and answers then.
READ_SECONDS = 35

Send = Callable[[str, str, bytes | None], Answer]
"""Sends method, URL and body, and returns the answer; raises Lost when none came, Failed when none can."""


class Lost(Exception):
    """The request was sent, and its answer did not arrive: it may have been done."""


def url_of(base: str, path: tuple[str, ...], query: Mapping[str, bool]) -> str:
    """Return a URL of the API, encoded and sorted as Signature Version 4 wants it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    flags = sorted((name, "true") for name, on in query.items() if on)
    text = urlencode(flags, quote_via=quote, safe="-_.~")
    return "/".join([base, *(quote(part, safe="-_.~") for part in path)]) + (f"?{text}" if text else "")


def sender(signer: Credentials | None, region: str | None, ca_bundle: str | None, *, loopback: bool) -> Send:
    """Return what sends requests, signed when there are credentials; loopback is reached without a proxy."""
    sessions: dict[str, URLLib3Session] = {}

    def session(url: str) -> URLLib3Session:
        if not sessions:
            verify: Any = ca_bundle or True
            proxies: Any = {} if loopback else get_environ_proxies(url)
            timeout: Any = (CONNECT_SECONDS, READ_SECONDS)
            sessions[""] = URLLib3Session(verify=verify, proxies=proxies, timeout=timeout)
        return sessions[""]

    def send(method: str, url: str, body: bytes | None) -> Answer:
        headers = {"Accept": "application/json", "User-Agent": "emq-elb"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = AWSRequest(method, url, headers, body)
        if signer is not None:
            _sign(request, signer, region)
        try:
            answer = session(url).send(request.prepare())
            content = answer.content
        except (ReadTimeoutError, ConnectionClosedError) as error:
            raise Lost(_reason(error)) from None
        except SSLError as error:
            raise Failed(
                f"TLS with the API fails: {_reason(error)}",
                "behind a proxy of your own, name its CA in AWS_CA_BUNDLE",
            ) from None
        except BotoCoreError as error:
            raise Failed(
                f"the API cannot be reached: {_reason(error)}", "check the URL, the network and the proxy"
            ) from None
        named = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, named, content, signed=signer is not None)

    return send


def _sign(request: AWSRequest, signer: Credentials, region: str | None) -> None:
    try:
        frozen = signer.get_frozen_credentials()  # those that end meanwhile are refreshed here
    except (BotoCoreError, ClientError) as error:
        raise credentials.unreadable(error) from None
    SigV4Auth(frozen, SERVICE, region or "").add_auth(request)


def _reason(error: BotoCoreError) -> str:
    """Return botocore's sentence, with the library's own words in place of its objects."""
    return str(error).replace("\n", " ")
