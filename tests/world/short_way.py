"""The way of a call to moto in the same process, made short: the same answers, without the detours.

moto looks through the addresses of all services for each call, and has a web server's client make a request
of it; for each account it tells `requests` of every address, by which nothing here calls AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import moto.core.models
import moto.core.responses
from botocore.awsrequest import AWSPreparedRequest
from moto import backend_index, backends
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from werkzeug.exceptions import HTTPException

_PROCESS = BotocoreStubber.process_request


def install() -> None:
    """Take the short way from now on; a second time is as good as once."""
    vars(moto.core.models)["RESPONSES_METHODS"] = []
    vars(moto.core.responses)["gen_amzn_requestid_long"] = _with_request_id
    setattr(BotocoreStubber, "process_request", answer)  # noqa: B010 - mypy takes no other method in its place


def answer(stubber: BotocoreStubber, call: AWSPreparedRequest) -> Any:
    """Have moto answer a call; one that says in its path what it asks for goes moto's own way."""
    url = urlsplit(call.url)
    answers = _who_answers(url.netloc) if (url.scheme, url.path, url.query) == ("https", "/", "") else None
    if answers is None:
        return _PROCESS(stubber, call)
    request = _request(call, url.netloc)
    try:
        return answers(request, call.url, request.headers)
    except HTTPException as refusal:
        return refusal.code, refusal.get_headers(), refusal.get_body()


@cache
def _who_answers(host: str) -> Callable[..., Any] | None:
    """Return moto's function for what is asked of a host at `/`, or None where there is none."""
    url = f"https://{host}/"
    for service, pattern in backend_index.backend_url_patterns:
        if pattern.match(url):
            of_account = backends.get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
            backend = of_account["us-east-1" if "us-east-1" in of_account else "aws"]
            return next((do for one, do in backend.urls.items() if re.match(one, url)), None)
    return None


def _with_request_id(headers: dict[str, Any]) -> str:
    """Give an answer its id: nobody asks for it, and equal answers are read once."""
    headers["x-amzn-requestid"] = 52 * "0"
    return str(headers["x-amzn-requestid"])


def sent(call: AWSPreparedRequest) -> bytes:
    """Return the body of a call to `/`; a file is sent to a path."""
    body = call.body or b""
    assert isinstance(body, str | bytes)
    return body.encode() if isinstance(body, str) else body


def _request(call: AWSPreparedRequest, host: str) -> Request:
    """Return a call to a host's `/` in the form in which moto reads one."""
    body = sent(call)
    fields: Iterable[tuple[str, str | bytes]] = call.headers.items()
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value.decode() if isinstance(value, bytes) else value
        for name, value in fields
    }
    return Request(
        {
            **headers,
            "REQUEST_METHOD": call.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": host,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": host,
            "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "https",
        }
    )
