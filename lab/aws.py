"""AWS's API on loopback: moto's server in this process, corrected by `lab/fidelity`, every call on record.

A caller is known by the access key id that it signs with: `app`, `dataplane`, `lab` or anything else. moto
checks no signature.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from lab.machine.serving import serving

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from lab.fidelity.route53_answers import Answer

REGION = "eu-central-1"
ACCOUNT = "123456789012"
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53.html
ROUTE_53 = (
    ("GET", r"/2013-04-01/hostedzone", "ListHostedZones"),
    ("GET", r"/2013-04-01/hostedzone/[^/]+", "GetHostedZone"),
    ("GET", r"/2013-04-01/hostedzone/[^/]+/rrset", "ListResourceRecordSets"),
    ("POST", r"/2013-04-01/hostedzone/[^/]+/rrset/", "ChangeResourceRecordSets"),
    ("GET", r"/2013-04-01/change/[^/]+", "GetChange"),
    ("GET", r"/2013-04-01/testdnsanswer", "TestDNSAnswer"),
)
SECRET = "lab"  # noqa: S105 - moto checks no signature


READS = ("Describe", "List", "Get", "Head")
RECORDING_ONLY = frozenset({"events", "logs", "monitoring"})
"""Services, as signatures name them, whose writes change no resource that carries traffic."""


@dataclass(frozen=True)
class Call:
    """One call of AWS's API; `at` is monotonic seconds, `status` the HTTP status of the answer."""

    at: float
    caller: str
    service: str
    operation: str
    status: int


class Changes:
    """Returns whether a call since the last question may have changed what is at AWS.

    Whoever follows AWS in a loop need not look again when nobody wrote anything.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls, self.seen = calls, 0

    def __call__(self) -> bool:
        """Return whether there was one, and forget it."""
        new = self.calls[self.seen :]
        self.seen += len(new)
        return any(
            not call.operation.startswith(READS) and call.service not in RECORDING_ONLY for call in new
        )


@dataclass(frozen=True)
class Aws:
    """Where AWS's API answers, and what it was asked."""

    endpoint: str
    calls: list[Call] = field(default_factory=list, repr=False)
    clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def environment(self, caller: str) -> dict[str, str]:
        """Return this process's environment, made to reach this AWS and nothing of the user's own."""
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and name.lower() not in {"http_proxy", "https_proxy", "all_proxy"}
        }
        return ours | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": caller,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def elb(self, caller: str = "lab") -> ElasticLoadBalancingClient:
        """Return a client for the classic load balancers."""
        found: ElasticLoadBalancingClient = self.client("elb", caller)
        return found

    def elbv2(self, caller: str = "lab") -> ElasticLoadBalancingv2Client:
        """Return a client for the network load balancers."""
        found: ElasticLoadBalancingv2Client = self.client("elbv2", caller)
        return found

    def ec2(self, caller: str = "lab") -> EC2Client:
        """Return a client for EC2."""
        found: EC2Client = self.client("ec2", caller)
        return found

    def cloudwatch(self, caller: str = "lab") -> CloudWatchClient:
        """Return a client for CloudWatch."""
        found: CloudWatchClient = self.client("cloudwatch", caller)
        return found

    def iam(self, caller: str = "lab") -> IAMClient:
        """Return a client for IAM."""
        found: IAMClient = self.client("iam", caller)
        return found

    def route53(self, caller: str = "lab") -> Route53Client:
        """Return a client for Route 53."""
        found: Route53Client = self.client("route53", caller)
        return found

    def secretsmanager(self, caller: str = "lab") -> SecretsManagerClient:
        """Return a client for Secrets Manager."""
        found: SecretsManagerClient = self.client("secretsmanager", caller)
        return found

    def client(self, service: str, caller: str = "lab") -> Any:
        """Return a client of any service, made once: reading a service's model takes longer than a call."""
        # A session each: boto3's default one is not for several threads, clients are.
        from boto3.session import Session

        if (service, caller) not in self.clients:
            session = Session(aws_access_key_id=caller, aws_secret_access_key=SECRET, region_name=REGION)
            self.clients[service, caller] = cast("Any", session).client(service, endpoint_url=self.endpoint)
        return self.clients[service, caller]


def _as_it_is(application: WSGIApplication) -> WSGIApplication:
    return application


@contextmanager
def serve(address: str, around: Callable[[WSGIApplication], WSGIApplication] = _as_it_is) -> Iterator[Aws]:
    """Answer AWS's API at an address of this machine until the block ends; it starts as an empty account.

    `around` may put something between the record of calls and moto.
    """
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    from lab import fidelity
    from lab.fidelity.knobs import reset_knobs

    class Quiet(MotoRequestHandler):
        """Keeps no access log: `Aws.calls` says more."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    fidelity.install()
    moto_api_backend.reset()
    calls: list[Call] = []
    application = around(DomainDispatcherApplication(create_backend_app))
    server = make_server(
        address, 0, recorded(application, calls.append, time.monotonic), threaded=True, request_handler=Quiet
    )
    aws = Aws(f"http://{address}:{server.server_port}", calls)
    try:
        with serving(server, "aws"):
            try:
                yield aws
            finally:
                for client in aws.clients.values():
                    client.close()
    finally:
        reset_knobs()


def warm(aws: Aws) -> None:
    """Ask each service once: the first call makes moto load it, EC2's for many seconds on a slow machine."""
    asks: list[Callable[[], object]] = [
        lambda: aws.ec2().describe_subnets(),
        lambda: aws.elb().describe_load_balancers(),
        lambda: aws.elbv2().describe_load_balancers(),
        lambda: aws.iam().list_server_certificates(),
        lambda: aws.secretsmanager().list_secrets(),
    ]
    with ThreadPoolExecutor(len(asks)) as pool:
        for answer in [pool.submit(ask) for ask in asks]:
            answer.result()


def recorded(
    application: WSGIApplication, record: Callable[[Call], None], clock: Callable[[], float]
) -> WSGIApplication:
    """Wrap a WSGI application so that every signed call is recorded once it is answered."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        who = credential(environ.get("HTTP_AUTHORIZATION", ""))

        def start(status: str, *rest: Any) -> Any:
            if who is not None:
                caller, service = who
                record(
                    Call(clock(), caller, service, operation(environ, body), int(status.split(maxsplit=1)[0]))
                )
            return start_response(status, *rest)

        return application(environ, start)

    return answer


def credential(authorization: str) -> tuple[str, str] | None:
    """Return access key id and service from a Signature Version 4 header, or None without one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
    """
    _, found, rest = authorization.partition("Credential=")
    scope = rest.partition(",")[0].split("/")
    return (scope[0], scope[3]) if found and len(scope) == 5 else None


def operation(environ: Mapping[str, Any], body: bytes) -> str:
    """Return the operation's name, as each of AWS's protocols says it.

    For REST it is the method and path, but for those of Route 53's that the app calls.
    """
    if target := environ.get("HTTP_X_AMZ_TARGET"):  # AWS JSON
        return str(target).rpartition(".")[2]
    path = str(environ.get("PATH_INFO", "/"))
    if "/operation/" in path:  # Smithy RPC v2 CBOR
        return path.rpartition("/")[2]
    if action := parse_qs(body.decode("latin-1")).get("Action"):  # Query, EC2 Query
        return action[0]
    method = str(environ.get("REQUEST_METHOD"))
    for asked, pattern, name in ROUTE_53:
        if asked == method and re.fullmatch(pattern, path):
            return name
    return f"{method} {path}"


def resolve(name: str, type_: str) -> Answer | None:
    """Return what the account's public hosted zones answer now, or None for a name of no zone."""
    from lab.fidelity import route53

    return route53.resolve(ACCOUNT, name, type_)


def server_certificate_pem(arn: str) -> str | None:
    """Return certificate, chain and private key as one PEM text, or None when there is none of that ARN.

    The key comes from moto's memory: no API gives it, and a load balancer of AWS's gets it the same way.
    """
    from moto.acm.models import acm_backends
    from moto.iam.models import iam_backends

    for certificate in list(iam_backends[ACCOUNT]["aws"].certificates.values()):
        if certificate.arn == arn:
            return pem_bundle(certificate.cert_body, certificate.cert_chain, certificate.private_key)
    if ":acm:" in arn:
        bundle = acm_backends[ACCOUNT][REGION]._certificates.get(arn)  # noqa: SLF001 - its only place
        if bundle is not None:
            return pem_bundle(bundle.cert.decode(), (bundle.chain or b"").decode(), bundle.key.decode())
    return None


def pem_bundle(certificate: str, chain: str | None, private_key: str) -> str:
    """Return the parts in HAProxy's order, one below the other."""
    return "".join(f"{part.strip()}\n" for part in (certificate, chain or "", private_key) if part.strip())
