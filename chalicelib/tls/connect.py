"""TLS as a client speaks it: one address at a time, the name apart from the address.

What goes wrong is a value with its cause, never an exception.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from threading import Lock

from chalicelib.tls.contexts import client_context
from chalicelib.tls.handshake import UNVERIFIED_CAUSES, Handshake, HandshakeCause, Served, Trust
from chalicelib.x509 import pem
from chalicelib.x509.parse import describe_leaf, parse_certificate

Resolve = Callable[[str], tuple[str, ...]]
"""From a host name to its addresses, sorted; OSError when it has none."""

# OpenSSL's X509_V_ERR_…: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
# Who knows an issuer depends on who verifies. Every code that is not listed is a flaw of the certificate or
# of its path, which every client refuses: "tls-invalid".
_VERIFY_CAUSES: dict[int, HandshakeCause] = {
    2: "tls-untrusted",  # unable to get issuer certificate
    18: "tls-untrusted",  # self-signed certificate
    19: "tls-untrusted",  # self-signed certificate in certificate chain
    20: "tls-untrusted",  # unable to get local issuer certificate
    21: "tls-untrusted",  # unable to verify the first certificate
    27: "tls-untrusted",  # certificate not trusted
    9: "tls-not-yet-valid",
    10: "tls-expired",
    62: "tls-name",
    64: "tls-name",
}
_REASON_CAUSES: dict[str, HandshakeCause] = {
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls-protocol",
    "UNSUPPORTED_PROTOCOL": "tls-protocol",
    "NO_PROTOCOLS_AVAILABLE": "tls-protocol",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls-cipher",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "tls-cipher",
    "UNEXPECTED_EOF_WHILE_READING": "tls-closed",
}


# Probes begin side by side: without it each would read the system's roots for itself, and keep them.
_making = Lock()


def resolve(host: str) -> tuple[str, ...]:
    """Return every IPv4 address of a host, as the system resolves it; OSError (gaierror) when it has none.

    A classic load balancer in a VPC has no others; an IPv6 address is made up by the DNS64 of the function's
    VPC. https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html
    """
    found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    return tuple(sorted({str(address[0]) for *_, address in found}))


def handshake(
    address: str,
    port: int,
    server_name: str,
    *,
    trust: Trust,
    timeout: float,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
) -> Handshake:
    """Shake hands with one address and hang up. `timeout` is seconds, for the whole.

    A certificate that does not verify is looked at in a second connection, so that `served` has it. One of
    an unknown issuer is tried in a third, which trusts the last that was sent: OpenSSL looks for the issuer
    first, and reports no other flaw where it finds none.
    """
    began = time.monotonic()
    result, connection = connect(
        address, port, server_name, trust=trust, timeout=timeout, minimum=minimum, maximum=maximum
    )
    if connection is not None:
        connection.close()
    left = timeout - (time.monotonic() - began)
    if result.cause not in UNVERIFIED_CAUSES or left <= 0:
        return result
    again, connection = connect(
        address, port, server_name, trust=None, timeout=left, minimum=minimum, maximum=maximum
    )
    sent: tuple[bytes, ...] = ()
    if connection is not None:
        sent = _sent_chain(connection)
        connection.close()
    seen = replace(result, served=again.served, version=again.version, cipher=again.cipher)
    left = timeout - (time.monotonic() - began)
    if result.cause != "tls-untrusted" or not sent or left <= 0:
        return seen
    last = Trust((ssl.DER_cert_to_PEM_cert(sent[-1]),), system=False)
    beside, connection = connect(
        address, port, server_name, trust=last, timeout=left, minimum=minimum, maximum=maximum
    )
    if connection is not None:
        connection.close()
    return replace(seen, cause="tls-invalid", detail=beside.detail) if beside.cause == "tls-invalid" else seen


def connect(
    address: str,
    port: int,
    server_name: str,
    *,
    trust: Trust | None,
    timeout: float,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
    verify_name: bool = True,
) -> tuple[Handshake, ssl.SSLSocket | None]:
    """Connect and shake hands; the socket, to be closed by the caller, is there when that went well.

    `trust` None verifies nothing, `verify_name` False everything but the name. Without `minimum` and
    `maximum` the client speaks TLS 1.2 to 1.3. `timeout` is seconds, for the whole; it stays on the socket.
    """
    try:
        # Before anything is timed: reading the system's roots takes longer than a handshake.
        with _making:
            context = _context(trust, minimum, maximum, verify_name=verify_name)
    except OSError as error:
        return Handshake(address=address, port=port, cause=_tls_cause(error), detail=_detail(error)), None
    began = time.monotonic()
    result, plain = connect_plainly(address, port, timeout=timeout)
    if plain is None:
        return result, None
    connected = time.monotonic()
    try:
        plain.settimeout(max(timeout - (connected - began), 0.001))
        secure = context.wrap_socket(plain, server_hostname=server_name)
    except OSError as error:
        plain.close()
        return replace(result, cause=_tls_cause(error), detail=_detail(error)), None
    except ValueError as error:  # a server name that cannot be one
        plain.close()
        return replace(result, cause="tls-name", detail=str(error)), None
    secure.settimeout(timeout)
    cipher = secure.cipher()
    return replace(
        result,
        tls_ms=(time.monotonic() - connected) * 1000,
        served=_served(secure),
        version=secure.version(),
        cipher=cipher[0] if cipher else None,
    ), secure


def connect_plainly(address: str, port: int, *, timeout: float) -> tuple[Handshake, socket.socket | None]:
    """Connect without TLS: a handshake that ends with TCP. The socket is the caller's to close."""
    result = Handshake(address=address, port=port)
    began = time.monotonic()
    try:
        plain = socket.create_connection((address, port), timeout=timeout)
    except OSError as error:
        return replace(result, cause=_tcp_cause(error), detail=str(error)), None
    return replace(result, tcp_ms=(time.monotonic() - began) * 1000), plain


@lru_cache(maxsize=16)
def _context(
    trust: Trust | None,
    minimum: ssl.TLSVersion | None,
    maximum: ssl.TLSVersion | None,
    *,
    verify_name: bool = True,
) -> ssl.SSLContext:
    """A context for this trust; reading the system's roots takes longer than a handshake."""
    context = client_context(minimum, maximum)
    context.check_hostname = verify_name and trust is not None
    if trust is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        if trust.system:
            context.load_default_certs()
        for anchor in trust.anchors:
            for der in _trustworthy(anchor):
                context.load_verify_locations(cadata=der)
    return context


def anchor(text: str) -> str | None:
    """Return the certificates of a PEM text that can be trusted, encoded anew; None when it holds none."""
    return "".join(pem.encode(pem.CERTIFICATE_LABEL, der) for der in _trustworthy(text)) or None


def _trustworthy(text: str) -> Iterator[bytes]:
    """The certificates (DER) of a PEM text that OpenSSL reads.

    The text itself is not OpenSSL's: what stands around the blocks may be anything, in any encoding
    (https://www.rfc-editor.org/rfc/rfc7468#section-2), and OpenSSL takes ASCII only.
    """
    context = client_context()
    for der in pem.certificates(text):
        with suppress(ssl.SSLError, ValueError):
            context.load_verify_locations(cadata=der)
            yield der


def _tcp_cause(error: OSError) -> HandshakeCause:
    if isinstance(error, ConnectionRefusedError):
        return "tcp-refused"
    return "tcp-timeout" if isinstance(error, TimeoutError) else "tcp-unreachable"


def _tls_cause(error: OSError) -> HandshakeCause:
    match error:
        case ssl.SSLCertVerificationError():
            return _VERIFY_CAUSES.get(error.verify_code, "tls-invalid")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return "tls-closed"
        case ssl.SSLError():
            return _REASON_CAUSES.get(error.reason or "", "tls-closed" if _alert(error) else "tls-garbage")
        case TimeoutError():
            return "tls-timeout"
        case _:
            return "tls-closed"


def _alert(error: ssl.SSLError) -> bool:
    """Whether it is an alert of the other side, by OpenSSL's names: one that hangs up with a reason."""
    said = _detail(error).upper()
    return "ALERT" in said or said.startswith("TLSV1_")


def _detail(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)


def _served(secure: ssl.SSLSocket) -> Served | None:
    if not secure.getpeercert(binary_form=True):
        return None
    return _read(_sent_chain(secure), _verified_path(secure))


@lru_cache(maxsize=1024)
def _read(sent: tuple[bytes, ...], path: tuple[bytes, ...]) -> Served | None:
    """Read what was sent, leaf first. A load balancer sends the same at each address and in each minute.

    `path` is the chain that verified, empty where none was asked for: what was sent beside it ends nothing.
    """
    leaf = parse_certificate(sent[0]) if sent else None
    if leaf is None:
        return None
    issuers = [parse_certificate(one) for one in sent[1:]]
    needed = [one for one, der in zip(issuers, sent[1:], strict=True) if one and (not path or der in path)]
    last = [leaf, *issuers][-1]
    return Served(
        leaf=describe_leaf(leaf, sha256(b"".join(sent)).hexdigest()),
        chain_not_after=min((one.facts.not_after for one in needed), default=None),
        root=ssl.DER_cert_to_PEM_cert(sent[-1]) if last and last.facts.self_signed else None,
    )


def _sent_chain(secure: ssl.SSLSocket) -> tuple[bytes, ...]:
    """Everything that the server sent, leaf first: public from Python 3.13 on, there since 3.10."""
    internal = secure._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above; a test holds it
    sent = internal.get_unverified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sent)


def _verified_path(secure: ssl.SSLSocket) -> tuple[bytes, ...]:
    """The chain that verified, leaf first, with the root; empty where nothing was verified."""
    if secure.context.verify_mode is ssl.CERT_NONE:
        return ()
    internal = secure._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - as in `_sent_chain`
    path = internal.get_verified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in path)
