"""TLS is the same on every machine: no build of Python or OpenSSL and no openssl.cnf changes a context."""

from __future__ import annotations

import ast
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from chalicelib.acme.connection import connect_to_ca
from chalicelib.acme.renewal_info import renewal_info_url
from lab.certificates.issuer import Bundle, bundle, make_authority
from lab.machine.serving import serving
from lab.machine.tls import trusting
from tests.world.certificates import key_pem, private_key
from tests.world.servers import ADDRESS, server_context

ROOT = Path(__file__).parents[2]
FOLDERS = ("app.py", "bench", "chalicelib", "lab", "tests", "tools")
HOMES = {"chalicelib/tls/contexts.py", "lab/machine/tls.py", "tests/world/servers.py"}
# They make a context by themselves, whatever their caller's says.
MAKERS = {
    "SSLContext",
    "create_default_context",
    "create_urllib3_context",
    "_create_default_https_context",
    "_create_stdlib_context",
    "_create_unverified_context",
}

# What is wrong with a machine: https://docs.openssl.org/3.0/man5/config/#ssl-configuration
HOSTILE = {
    "old": "MinProtocol = TLSv1\nMaxProtocol = TLSv1.1\nCipherString = AES128-SHA:@SECLEVEL=0",
    "new": "MinProtocol = TLSv1.3\nCipherString = ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=5",
    "options": "Protocol = -TLSv1.2\nOptions = UnsafeLegacyRenegotiation\nVerifyMode = Request",
}
# Each context that there is, as an expression.
CONTEXTS = {
    "a device's": "tls._context(Trust((), system=False), None, None)",
    "a device's that verifies nothing": "tls._context(None, None, None)",
    "obsolete TLS": "tls._context(None, V.TLSv1, V.TLSv1)",
    "renewal information": "https_context()",
    "ACME": "HttpsAdapter(https_context()).poolmanager.connection_pool_kw['ssl_context']",
    "ACME through a proxy":
        "HttpsAdapter(https_context()).proxy_manager_for('http://127.0.0.1:1').connection_pool_kw['ssl_context']",
    "AWS":
        "Clients().elb_in('eu-central-1')"
        "._endpoint.http_session._manager.connection_pool_kw['ssl_context']",
    "the lab's": "lab.machine.tls.trusting(AUTHORITY)",
    "the lab's that verifies nothing": "lab.machine.tls.looking()",
    "the tests' servers": "server_context(Path(CHAIN))",
}  # fmt: skip
PROGRAM = """
import json, os, sys
from pathlib import Path
from ssl import TLSVersion as V
import lab.machine.tls
from chalicelib.tls import connect as tls
from chalicelib.aws.clients import Clients
from chalicelib.acme.https import https_context
from chalicelib.acme.https_adapter import HttpsAdapter
from chalicelib.tls.handshake import Trust
from tests.world.servers import server_context

AUTHORITY, CHAIN = Path(sys.argv[2]).read_text(), sys.argv[2]
def settings(context):
    # The names of TLS 1.3 begin so: Python cannot set them.
    ciphers = [one["name"] for one in context.get_ciphers() if not one["name"].startswith("TLS_")]
    return {
        "versions": [context.minimum_version.name, context.maximum_version.name],
        "level": context.security_level,
        "ciphers": ciphers,
        "options": int(context.options),
        "flags": int(context.verify_flags),
        "mode": context.verify_mode.name,
        "name": context.check_hostname,
        "common name": context.hostname_checks_common_name,
    }
print(json.dumps({name: settings(eval(made)) for name, made in json.loads(sys.argv[1]).items()}))
"""


def seen_under(configuration: str, directory: Path) -> dict[str, dict[str, object]]:
    """The settings of every context in a process with this openssl.cnf."""
    chain, openssl = directory / "chain.pem", directory / "openssl.cnf"
    authority = make_authority("Anybody")
    chain.write_text(authority.certificate + authority.private_key)
    openssl.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = machine\n"
        f"[machine]\n{configuration}\n"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(CONTEXTS), str(chain)],
        cwd=ROOT,
        env={**os.environ, "OPENSSL_CONF": str(openssl)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    return seen_under("", tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("machine", HOSTILE)
def test_no_openssl_configuration_changes_a_context(
    machine: str, usual: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    assert seen_under(HOSTILE[machine], tmp_path) == usual


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_context_says_its_versions_its_level_and_its_strictness(
    name: str, usual: dict[str, dict[str, object]]
) -> None:
    versions, level = ["TLSv1_2", "TLSv1_3"], 2
    if name == "obsolete TLS":
        versions, level = ["TLSv1", "TLSv1"], 0
    if name == "the tests' servers":
        versions = ["TLSv1_2", "TLSv1_2"]
    assert (usual[name]["versions"], usual[name]["level"]) == (versions, level)
    assert usual[name]["flags"] == ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    verified = not name.endswith("nothing") and name not in {"obsolete TLS", "the tests' servers"}
    assert (usual[name]["mode"], usual[name]["name"]) == (
        ("CERT_REQUIRED", True) if verified else ("CERT_NONE", False)
    )


def contexts_made(tree: ast.AST, within: str = "") -> Iterator[tuple[str, int]]:
    """Where a module makes a TLS context: the function, and the line."""
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else within
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in MAKERS:
                yield inner, node.lineno
            # IAM has an operation of that name.
            case ast.Call(func=ast.Attribute(ast.Name("ssl"), "get_server_certificate")):
                yield inner, node.lineno
            case ast.Call(func=ast.Attribute(attr="HTTPSConnection") | ast.Name(id="HTTPSConnection")):
                if "context" not in {one.arg for one in node.keywords}:
                    yield inner, node.lineno
            case _:
                pass
        yield from contexts_made(node, inner)


def test_contexts_are_made_in_their_homes_only() -> None:
    sources = [source for folder in FOLDERS for source in sorted(files(ROOT / folder))]
    assert len(sources) > 100
    strayed = [
        f"{name}:{line}"
        for source in sources
        if (name := source.relative_to(ROOT).as_posix()) not in HOMES
        for _, line in contexts_made(ast.parse(source.read_text()))
    ]
    assert strayed == []


def files(place: Path) -> Iterator[Path]:
    """A module, or those of a folder."""
    return iter([place]) if place.is_file() else place.rglob("*.py")


@pytest.mark.parametrize(
    "text",
    [
        "ssl.create_default_context()",
        "def f():\n    return SSLContext(PROTOCOL_TLS_CLIENT)",
        "class A:\n    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)",
        "ssl.get_server_certificate(('127.0.0.1', 1))",
        "HTTPSConnection('127.0.0.1')",
    ],
)
def test_the_law_of_contexts_finds_what_breaks_it(text: str) -> None:
    assert [*contexts_made(ast.parse(text))]


class Directory(BaseHTTPRequestHandler):
    """An ACME CA's directory, and nothing else."""

    def do_GET(self) -> None:
        """Answer it."""
        names = ("newNonce", "newAccount", "newOrder", "renewalInfo")
        body = json.dumps({name: f"https://ca.example.com/{name}" for name in names}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def loose_authority() -> Bundle:
    """A CA as many a company's: a path length, and no key usage that would allow it to sign."""
    key = private_key("loose")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Loose CA")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return Bundle(made.public_bytes(Encoding.PEM).decode(), key_pem(key))


def by_acme(url: str, roots: str) -> bool:
    key = generate_private_key(SECP256R1())
    with closing(connect_to_ca(url, key, lambda: datetime.now(UTC), roots)) as acme:
        return bool(acme.directory)


def by_renewal_information(url: str, roots: str) -> bool:
    return renewal_info_url(url, roots) == "https://ca.example.com/renewalInfo"


@pytest.mark.parametrize("ask", [by_acme, by_renewal_information])
@pytest.mark.parametrize(
    "make", [loose_authority, lambda: make_authority("Sound CA")], ids=["loose", "sound"]
)
def test_a_ca_is_asked_whatever_its_own_https_is_signed_by(
    make: Callable[[], Bundle], ask: Callable[[str, str], bool], tmp_path: Path
) -> None:
    signer = make()
    served = bundle(signer, [ADDRESS], 30)
    (tmp_path / "roots.pem").write_text(signer.certificate)
    (tmp_path / "served.pem").write_text(served.certificate + served.private_key)
    server = ThreadingHTTPServer((ADDRESS, 0), Directory)
    context = server_context(tmp_path / "served.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server, "ca"):
        assert ask(f"https://{ADDRESS}:{server.server_port}/dir", str(tmp_path / "roots.pem"))


def test_the_labs_own_ca_is_one_by_openssls_strictest_rules(tmp_path: Path) -> None:
    signer = make_authority("emq-elb lab")
    served = bundle(signer, [ADDRESS], 30)
    (tmp_path / "served.pem").write_text(served.certificate + served.private_key)
    strict = trusting(signer.certificate)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = strict.wrap_bio(near, far, server_hostname=ADDRESS)
    server = server_context(tmp_path / "served.pem").wrap_bio(far, near, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):  # and no SSLCertVerificationError
        client.do_handshake()
