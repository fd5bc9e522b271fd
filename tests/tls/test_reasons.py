"""A message names the reason that TLS, the socket or the system gave, however deep it lies."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError, SSLError
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from chalicelib.acme.connection import connect_to_ca
from chalicelib.acme.renewal_info import renewal_info_url
from chalicelib.aws.errors import translated
from chalicelib.model import errors
from chalicelib.tls.reasons import named_reason, reason_of
from tests.world.certificates import authority, leaf
from tests.world.servers import ADDRESS, garbage, serving, speaking_tls

NOW = datetime.now(UTC)
KEY = generate_private_key(SECP256R1())


def wrapped(inner: Exception, outer: Exception) -> Exception:
    """The outer error as a library raises it while it handles the inner one."""
    outer.__context__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError: Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "gaierror: Name or service not known"),
        (TimeoutError("timed out"), "TimeoutError"),
        (ValueError("https://ca.example.com/secret"), "ValueError"),
        (OSError("no bundle at /x"), "OSError: no bundle at /x"),
        (
            wrapped(ConnectionRefusedError(111, "Connection refused"), ValueError("URL")),
            "ValueError: Connection refused",
        ),
        (
            wrapped(wrapped(OSError(113, "No route to host"), KeyError()), ValueError("URL")),
            "ValueError: No route to host",
        ),
    ],
    ids=str,
)
def test_the_reason_lies_under_what_libraries_wrap_around_it(error: Exception, said: str) -> None:
    assert named_reason(error) == said


def test_an_error_without_a_reason_has_none() -> None:
    assert reason_of(ValueError("https://ca.example.com/secret")) is None


def by_acme(url: str, roots: str) -> None:
    connect_to_ca(url, KEY, lambda: NOW, roots)


def by_renewal_information(url: str, roots: str) -> None:
    renewal_info_url(url, roots)


@pytest.mark.parametrize("ask", [by_acme, by_renewal_information])
def test_a_ca_whose_https_does_not_verify_is_said_to_hold_none(
    ask: Callable[[str, str], None], tmp_path: Path
) -> None:
    issued = leaf(signed_by=authority("Stranger"), addresses=[ADDRESS])
    roots = tmp_path / "roots.pem"
    roots.write_text(authority("Mine").certificate_pem)
    with (
        serving(speaking_tls(issued, tmp_path)) as server,
        pytest.raises(errors.IssuerSilent, match="certificate verify failed: unable to get local issuer"),
    ):
        ask(f"https://{ADDRESS}:{server.port}/dir", str(roots))


@pytest.mark.parametrize("ask", [by_acme, by_renewal_information])
def test_a_ca_that_speaks_no_tls_is_said_to_hold_none(
    ask: Callable[[str, str], None], tmp_path: Path
) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(authority("Mine").certificate_pem)
    with serving(garbage) as server, pytest.raises(errors.IssuerSilent, match=r"SSLError: [A-Z0-9_]+$"):
        ask(f"https://{ADDRESS}:{server.port}/dir", str(roots))


@pytest.mark.parametrize("ask", [by_acme, by_renewal_information])
def test_a_bundle_without_a_certificate_is_said_to_hold_none(
    ask: Callable[[str, str], None], tmp_path: Path
) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text("nothing\n")
    with serving(garbage) as server, pytest.raises(errors.IssuerSilent, match="holds no certificate"):
        ask(f"https://{ADDRESS}:{server.port}/dir", str(roots))


def test_aws_that_cannot_be_reached_is_an_error_with_the_reason() -> None:
    inner = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    inner.reason = "WRONG_VERSION_NUMBER"
    outer = SSLError(endpoint_url="https://elasticloadbalancing.eu-central-1.amazonaws.com", error=inner)
    with (
        pytest.raises(errors.Throttled, match=r"AWS could not be reached: WRONG_VERSION_NUMBER$"),
        translated("Operation"),
    ):
        raise wrapped(inner, outer)
    with pytest.raises(errors.Throttled, match=r"AWS could not be reached$"), translated("Operation"):
        raise ReadTimeoutError(endpoint_url="https://elasticloadbalancing.eu-central-1.amazonaws.com")
