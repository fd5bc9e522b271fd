"""Load balancers whose certificates end one day: made in an empty account, rotated by somebody, looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bench.account import OWNER, Account, deployed, program
from bench.job import Run
from bench.provisioning import authority
from bench.stacks import remember
from chalicelib.issuers.private_ca import as_secret, certificate_as_secret, mark
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    OWNER_TAG,
    authority_certificate_secret,
    certificate_path,
)
from chalicelib.x509.pem import Authority, Bundle, NewSecret, certificate_name
from lab.aws import ACCOUNT, REGION
from lab.certificates.issuer import bundle
from lab.fidelity.iam import set_quota
from lab.nodes.vpc import Vpc

DAYS_LEFT, DAYS_LEFT_IDLE = 10, 80
POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


@dataclass(frozen=True)
class Estate:
    """How many load balancers there are, how long their certificates last, and where those come from.

    These are classic ones.
    """

    balancers: int
    days_left: int
    source: str = "private-ca"

    def build(self, account: Account) -> None:
        """Make all of it in an empty account."""
        vpc = account.empty()
        set_quota(ACCOUNT, 1000)
        made = authority()
        account.write("ca.pem", made.certificate)
        account.write("ca-key.pem", made.private_key)
        keep(account, Authority(made.certificate, made.private_key))
        for name, one in certificates(self.balancers, self.days_left).items():
            answer = account.aws.iam().upload_server_certificate(
                Path=certificate_path(OWNER, REGION, name),
                ServerCertificateName=certificate_name(REGION, name, one),
                CertificateBody=one.certificate,
                PrivateKey=one.private_key,
            )
            self.balancer(account, vpc, name, answer["ServerCertificateMetadata"]["Arn"])

    def balancer(self, account: Account, vpc: Vpc, name: str, certificate: str) -> None:
        """Make one load balancer, which serves a certificate."""
        account.aws.elb().create_load_balancer(
            LoadBalancerName=name,
            Listeners=[
                {
                    "Protocol": "SSL",
                    "LoadBalancerPort": 8883,
                    "InstanceProtocol": "TCP",
                    "InstancePort": 1883,
                    "SSLCertificateId": certificate,
                }
            ],
            Subnets=[*vpc.subnets.values()],
            Tags=self.tags(),
        )

    def tags(self) -> Any:
        """Return what each load balancer carries."""
        return [{"Key": OWNER_TAG, "Value": OWNER}, {"Key": CERTIFICATE_TAG, "Value": self.source}]

    def served(self, account: Account) -> dict[str, str]:
        """Return the ARNs of the certificates that are served, by load balancer."""
        return {
            one["LoadBalancerName"]: one["ListenerDescriptions"][0]["Listener"]["SSLCertificateId"]
            for one in account.aws.elb().describe_load_balancers()["LoadBalancerDescriptions"]
        }


class NetworkEstate(Estate):
    """The same with network load balancers, a target group and a TLS listener each."""

    def build(self, account: Account) -> None:
        """Make all of it in an empty account, and write what Terraform would remember of it."""
        super().build(account)
        remember(account.aws.elbv2(), account.directory / "state.json")

    def balancer(self, account: Account, vpc: Vpc, name: str, certificate: str) -> None:
        """Make one load balancer, which serves a certificate."""
        elb, owner = account.aws.elbv2(), self.tags()[:1]
        (made,) = elb.create_load_balancer(
            Name=name, Type="network", Subnets=[*vpc.subnets.values()], Tags=self.tags()
        )["LoadBalancers"]
        (group,) = elb.create_target_group(
            Name=f"{name}-1883", Protocol="TCP", Port=1883, VpcId=vpc.id, TargetType="instance", Tags=owner
        )["TargetGroups"]
        elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="TLS",
            Port=8883,
            Certificates=[{"CertificateArn": certificate}],
            SslPolicy=POLICY,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
            Tags=owner,
        )

    def served(self, account: Account) -> dict[str, str]:
        """Return the ARNs of the certificates that are served, by load balancer."""
        elb = account.aws.elbv2()
        return {
            one["LoadBalancerName"]: listener["Certificates"][0]["CertificateArn"]
            for one in elb.describe_load_balancers()["LoadBalancers"]
            for listener in elb.describe_listeners(LoadBalancerArn=one["LoadBalancerArn"])["Listeners"]
        }


def keep(account: Account, authority: Authority) -> None:
    """Keep the CA as a deployment does that has rotated before: its certificate apart from its key."""
    name = f"{OWNER}/private-ca"
    tags = {OWNER_TAG: OWNER, CERTIFICATE_TAG: mark(authority)}
    _create_secret(account, name, as_secret(authority), tags)
    _create_secret(
        account, authority_certificate_secret(name), certificate_as_secret(authority), {OWNER_TAG: OWNER}
    )


def _create_secret(account: Account, name: str, secret: NewSecret, tags: Mapping[str, str]) -> None:
    account.aws.secretsmanager().create_secret(
        Name=name,
        SecretString=json.dumps(secret.value),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


@cache
def certificates(count: int, days_left: int) -> Mapping[str, Bundle]:
    """Return certificates, by the load balancers that they are for; made once, for their keys take long."""
    made = {f"lb-{number}": bundle(authority(), [host(number)], days_left) for number in range(count)}
    return {name: Bundle(one.certificate, one.private_key) for name, one in made.items()}


def host(number: int) -> str:
    """Return the name that the clients of a load balancer use."""
    return f"lb-{number}.example.com"


@dataclass(frozen=True)
class Way:
    """Who rotates: a command, which is given the request's file, and how long before its end it renews."""

    caller: str
    command: Callable[[Path], Sequence[object]]
    environment: Mapping[str, str] = field(default_factory=dict)
    before_days: int = 30


BY_STORY = Way("story", lambda _: program("rotate_story"), deployed())


def rotated(account: Account, estate: Estate, way: Way) -> Run:
    """Build the estate, have it rotated, and see that exactly what was due is replaced."""
    estate.build(account)
    before = estate.served(account)
    asked = {
        "names": [*before],
        "certificate": str(account.directory / "ca.pem"),
        "private_key": str(account.directory / "ca-key.pem"),
        "before_days": way.before_days,
    }
    command = way.command(account.write("request.json", asked))
    ran = account.run(way.caller, command, more=way.environment)
    after = estate.served(account)
    replaced = sum(after[name] != arn for name, arn in before.items())
    if replaced != (estate.balancers if estate.days_left == DAYS_LEFT else 0):
        raise RuntimeError(f"{replaced} of {estate.balancers} are replaced")
    return ran
