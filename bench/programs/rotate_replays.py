"""The AWS calls of others' rotation, in their order, as read from their code, and the floor.

`floor`, `network_floor` (the same for network load balancers), `letsencrypt_aws` (alex/letsencrypt-aws:
letsencrypt-aws.py) and `lemur` (Netflix/lemur: its AWS plugin and sources/service.py). Whoever issues, issues
from the same CA by the same function, in this process. Left out are their calls of ACME and Route 53, their
database and fixed sleeps.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from cryptography import x509

from chalicelib.issuers.private_ca import issue_leaf
from chalicelib.x509.pem import Authority, Bundle

PORT = 8883


@dataclass(frozen=True)
class Issuer:
    """How long before its end somebody renews, and the CA that signs what is new."""

    before: timedelta
    authority: Authority

    def due(self, expiration: datetime) -> bool:
        """Whether it is time."""
        return expiration - datetime.now(UTC) < self.before

    def issue(self, name: str) -> Bundle:
        """Return a new certificate."""
        return issue_leaf(self.authority, [f"{name}.example.com"], now=datetime.now(UTC))


def upload(iam: Any, name: str, made: Bundle) -> str:
    """Upload it, and return its ARN."""
    stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    answer = iam.upload_server_certificate(
        ServerCertificateName=f"{name}-{stamp}",
        CertificateBody=made.certificate,
        PrivateKey=made.private_key,
    )
    return str(answer["ServerCertificateMetadata"]["Arn"])


def swap(elb: Any, name: str, arn: str) -> None:
    """Have the listener serve it."""
    elb.set_load_balancer_listener_ssl_certificate(
        LoadBalancerName=name, LoadBalancerPort=PORT, SSLCertificateId=arn
    )


def served(described: Any) -> str:
    """Return the certificate on the one listener."""
    (listener,) = described["ListenerDescriptions"]
    return str(listener["Listener"]["SSLCertificateId"])


def floor(_names: list[str], issuer: Issuer) -> None:
    """List load balancers and certificates by the largest pages; for each that is due, upload and swap."""
    elb, iam = boto3.client("elb"), boto3.client("iam")
    described = [
        one
        for page in elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 400})
        for one in page["LoadBalancerDescriptions"]
    ]
    ends = _ends(iam)
    for one in described:
        if issuer.due(ends[served(one)]):
            name = one["LoadBalancerName"]
            swap(elb, name, upload(iam, name, issuer.issue(name)))


def network_floor(_names: list[str], issuer: Issuer) -> None:
    """List load balancers, ask each for its listeners, list certificates; upload and swap."""
    elb, iam = boto3.client("elbv2"), boto3.client("iam")
    described = [
        one
        for page in elb.get_paginator("describe_load_balancers").paginate()
        for one in page["LoadBalancers"]
    ]
    ends = _ends(iam)
    for one in described:
        (listener,) = elb.describe_listeners(LoadBalancerArn=one["LoadBalancerArn"])["Listeners"]
        if issuer.due(ends[listener["Certificates"][0]["CertificateArn"]]):
            name = one["LoadBalancerName"]
            arn = upload(iam, name, issuer.issue(name))
            elb.modify_listener(ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": arn}])


def _ends(iam: Any) -> dict[str, datetime]:
    """List certificates by the largest pages, and return when they end, by ARN."""
    pages = iam.get_paginator("list_server_certificates").paginate(PaginationConfig={"PageSize": 1000})
    return {one["Arn"]: one["Expiration"] for page in pages for one in page["ServerCertificateMetadataList"]}


def letsencrypt_aws(names: list[str], issuer: Issuer) -> None:
    """Each load balancer by itself: describe, list until its certificate is found, get that."""
    elb, iam = boto3.client("elb"), boto3.client("iam")
    for name in names:
        (described,) = elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
        found = next(one for one in _listed(iam) if one["Arn"] == served(described))
        body = iam.get_server_certificate(ServerCertificateName=found["ServerCertificateName"])
        text = body["ServerCertificate"]["CertificateBody"]
        certificate = x509.load_pem_x509_certificate(text.encode())
        if issuer.due(certificate.not_valid_after_utc):
            swap(elb, name, upload(iam, name, issuer.issue(name)))


def _listed(iam: Any) -> Iterator[Any]:
    for page in iam.get_paginator("list_server_certificates").paginate():
        yield from page["ServerCertificateMetadataList"]


def lemur(_names: list[str], issuer: Issuer) -> None:
    """Synchronise the source (certificates, then endpoints of both kinds of load balancers), then rotate.

    Every function of its plugin makes clients anew and assumes its role first.
    """
    iam = _assumed("iam")
    ends = {}
    for listed in _listed(iam):
        body = iam.get_server_certificate(ServerCertificateName=listed["ServerCertificateName"])
        text = body["ServerCertificate"]["CertificateBody"]
        ends[listed["Arn"]] = x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
    elb = _assumed("elb")
    endpoints = {}
    for page in elb.get_paginator("describe_load_balancers").paginate():
        for one in page["LoadBalancerDescriptions"]:
            endpoints[one["LoadBalancerName"]] = served(one)
            (listener,) = one["ListenerDescriptions"]
            _assumed("elb").describe_load_balancer_policies(
                LoadBalancerName=one["LoadBalancerName"], PolicyNames=listener["PolicyNames"]
            )
    _assumed("elbv2").describe_load_balancers()
    for name, arn in endpoints.items():
        if issuer.due(ends[arn]):
            uploaded = upload(_assumed("iam"), name, issuer.issue(name))
            swap(_assumed("elb"), name, uploaded)


def _assumed(service: str) -> Any:
    """Make STS's client, assume the role, make the service's client; its calls stay signed by this caller."""
    config = Config(retries={"max_attempts": 20})
    role = "arn:aws:iam::123456789012:role/Lemur"
    boto3.client("sts", config=config).assume_role(RoleArn=role, RoleSessionName="lemur")
    return boto3.client(service, config=config)  # type: ignore[call-overload] # any service


WAYS: Mapping[str, Callable[[list[str], Issuer], None]] = {
    "floor": floor,
    "network_floor": network_floor,
    "letsencrypt_aws": letsencrypt_aws,
    "lemur": lemur,
}


def main() -> None:
    """Do it the way that the mode names."""
    mode, request = sys.argv[1:]
    asked = json.loads(Path(request).read_text())
    authority = Authority(Path(asked["certificate"]).read_text(), Path(asked["private_key"]).read_text())
    WAYS[mode](asked["names"], Issuer(timedelta(days=asked["before_days"]), authority))


if __name__ == "__main__":
    main()
