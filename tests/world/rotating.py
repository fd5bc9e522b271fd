"""An account whose load balancers answer TLS: what the API says they serve is what is on the wire.

with account() as here, front(here) as wire:
    make(here, wire.port)
    rotate(here, wire)
"""

from __future__ import annotations

import json
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import iam_backends

from chalicelib.model import errors
from chalicelib.rotate.model import Rotation
from chalicelib.rotate.story import rotate_all, rotate_one
from chalicelib.rotate.verify import TlsClient
from lab.aws import ACCOUNT, server_certificate_pem
from tests.lab import load_balancing
from tests.world.certificates import Issued, authority, leaf
from tests.world.kinds import Kind
from tests.world.network import elbv2
from tests.world.provisioning import WATCHED, Account, granted
from tests.world.servers import ADDRESS, server_context, serving

HOST = "mqtt.example.com"
SECRET = {"secret_id": "mqtt"}
PRIVATE = {"issuer": "private-ca", "domains": [HOST]}
LONG_AGO = timedelta(days=-70)
"""A leaf of the private CA that was issued then is due now."""


@dataclass
class Front:
    """A load balancer as clients see it. With `good` no handshake goes well with any other ARN; `stale` is
    the ARN that it goes on serving whatever the API says."""

    here: Account
    name: str = "demo"
    port: int = 0
    good: str | None = None
    stale: str | None = None
    seen: list[str] = field(default_factory=list)

    @property
    def wire(self) -> TlsClient:
        """Resolves every host to it."""
        return TlsClient(resolve=lambda _: (ADDRESS,))

    def talk(self, connection: socket.socket) -> None:
        """Shake hands with what the listener has."""
        arn = self.stale or self._arn()
        self.seen.append(arn)
        pem = server_certificate_pem(arn)
        if pem is None or self.good not in {None, arn}:
            connection.recv(1)
            return
        with context(pem).wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    def _arn(self) -> str:
        for one in network_listeners(self.name):
            if one["Port"] == self.port:
                return str(one["Certificates"][0]["CertificateArn"])
        for one in self.here.world.describe(self.name)["ListenerDescriptions"]:
            if one["Listener"]["LoadBalancerPort"] == self.port:
                return str(one["Listener"]["SSLCertificateId"])
        raise AssertionError("no such listener")


def context(pem: str) -> ssl.SSLContext:
    """A server's context for certificate, chain and key in one text."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        return server_context(Path(file.name))


@contextmanager
def front(here: Account, name: str = "demo") -> Iterator[Front]:
    """Answer on a free port until the block ends."""
    made = Front(here, name)
    with serving(made.talk) as server:
        made.port = server.port
        yield made


def nowhere() -> TlsClient:
    """A wire on which nothing resolves, as for an internal load balancer."""

    def resolve(host: str) -> tuple[str, ...]:
        raise OSError(f"{host} does not resolve")

    return TlsClient(resolve=resolve)


def network_listeners(name: str) -> list[Any]:
    """The listeners of a network load balancer as AWS shows them; none where there is none of that name."""
    found = elbv2().describe_load_balancers()["LoadBalancers"]
    arns = [one["LoadBalancerArn"] for one in found if one["LoadBalancerName"] == name]
    return [one for arn in arns for one in elbv2().describe_listeners(LoadBalancerArn=arn)["Listeners"]]


def body(here: Account, port: int, certificate: Mapping[str, Any], type_: str = "classic") -> dict[str, Any]:
    """A PUT's body for one secure listener."""
    return {
        "type": type_,
        "subnets": here.subnets[:2],
        "hostname": HOST,
        "listeners": [{"protocol": "SSL", "port": port, "instance_protocol": "TCP", "instance_port": 1883}],
        "certificate": dict(certificate),
    }


def make(
    here: Account,
    port: int = 8883,
    certificate: Mapping[str, Any] | None = None,
    name: str = "demo",
    passed: timedelta = LONG_AGO,
    *,
    type_: str = "classic",
) -> str:
    """PUT a load balancer at a time that has passed, and return the ARN that it serves. Then it is now."""
    here.passed = passed
    asked = body(here, port, certificate or PRIVATE, type_)
    report = here.put(asked, name)
    if report.state == "pending":
        here.carry_on(report, asked, name)
    here.passed = max(here.passed, timedelta())
    return served(here, port, name)


def uploaded_a_minute_ago() -> None:
    """Make all that is in IAM a minute older: in the second of a request it would be as new."""
    for kept in iam_backends[ACCOUNT]["aws"].certificates.values():
        kept.upload_date -= timedelta(minutes=1)  # type: ignore[attr-defined] # moto's stubs have none


def tag(here: Account, key: str, value: str, name: str = "demo") -> None:
    """Set one of our tags on the load balancer."""
    tags_ = [{"Key": f"emq-elb:{key}", "Value": value}]
    if of_network := network_listeners(name):
        elbv2().add_tags(ResourceArns=[of_network[0]["LoadBalancerArn"]], Tags=tags_)
    else:
        here.world.elb.add_tags(LoadBalancerNames=[name], Tags=tags_)


def due(here: Account, port: int, source: str, kind: Kind) -> str:
    """Make one whose certificate, the private CA's or a secret's, is due; return what it serves."""
    if source == "private-ca":
        return make(here, port, type_=kind.type)
    keep_secret(bundle(40))
    old = make(here, port, SECRET, passed=timedelta(), type_=kind.type)
    keep_secret(bundle(70, key="other"))
    return old


def beside_the_certificate(here: Account, port: int, name: str = "demo") -> dict[str, Any]:
    """Everything that AWS shows of the listener but its certificate."""
    for one in network_listeners(name):
        if one["Port"] == port:
            return {key: value for key, value in one.items() if key != "Certificates"}
    (found,) = here.world.describe(name)["ListenerDescriptions"]
    listener = {key: value for key, value in found["Listener"].items() if key != "SSLCertificateId"}
    return {**listener, "policies": found["PolicyNames"]}


def settled(here: Account, port: int) -> tuple[bool, int, bool]:
    """What every good run ends in: a certificate is served, two are there, nothing is waited for."""
    return served(here, port).startswith("arn:"), len(names(here)), "emq-elb:pending" in tags(here)


def served(here: Account, port: int = 8883, name: str = "demo") -> str:
    """The certificate on a listener."""
    front_of = Front(here, name, port)
    return front_of._arn()


def names(here: Account) -> list[str]:
    """The names of all server certificates."""
    return sorted(str(one["ServerCertificateName"]) for one in here.certificates())


def tags(here: Account, name: str = "demo") -> dict[str, str]:
    """A load balancer's tags."""
    if of_network := network_listeners(name):
        arn = of_network[0]["LoadBalancerArn"]
        found = elbv2().describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    else:
        found = here.world.elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]["Tags"]
    return {one["Key"]: one["Value"] for one in found}


def use_in(region: str, certificate: str) -> None:
    """Serve a certificate in another region."""
    USES["classic"](region, certificate)


def _use_by_classic(region: str, certificate: str) -> None:
    zones = load_balancing.client("ec2", region).describe_availability_zones()["AvailabilityZones"]
    load_balancing.client("elb", region).create_load_balancer(
        LoadBalancerName="elsewhere",
        AvailabilityZones=[zones[0]["ZoneName"]],
        Listeners=[
            {
                "Protocol": "SSL",
                "LoadBalancerPort": 8883,
                "InstanceProtocol": "TCP",
                "InstancePort": 1883,
                "SSLCertificateId": certificate,
            }
        ],
    )


def use_in_second(type_: str, beside: bool, region: str, certificate: str, name: str = "elsewhere") -> None:
    """Serve it by a load balancer of the second API, as a listener's default or beside another one."""
    api, ec2 = load_balancing.client("elbv2", region), load_balancing.client("ec2", region)
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    made = api.create_load_balancer(
        Name=name,
        Type=type_,
        Scheme="internal",
        Subnets=[one["SubnetId"] for one in subnets[:2]],
    )["LoadBalancers"][0]
    behind, before = {"network": ("TCP", "TLS"), "application": ("HTTP", "HTTPS")}[type_]
    group = api.create_target_group(
        Name=name,
        Protocol=behind,
        Port=1883,
        VpcId=made["VpcId"],
    )["TargetGroups"][0]
    default = _another() if beside else certificate
    listener = api.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Port=8883,
        Protocol=before,
        Certificates=[{"CertificateArn": default}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )["Listeners"][0]
    if beside:
        api.add_listener_certificates(
            ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": certificate}]
        )


def _another() -> str:
    """A stranger's certificate."""
    one = bundle(50, key="strangers")
    uploaded = load_balancing.client("iam").upload_server_certificate(
        ServerCertificateName="strangers",
        CertificateBody=one.certificate_pem,
        PrivateKey=one.private_key_pem,
    )
    return str(uploaded["ServerCertificateMetadata"]["Arn"])


USES: dict[str, Callable[[str, str], None]] = {
    "classic": _use_by_classic,
    **{
        f"{type_}, {'beside another' if beside else 'as the default'}": partial(use_in_second, type_, beside)
        for type_ in ("network", "application")
        for beside in (False, True)
    },
}
"""The ways in which a listener of a region may serve a certificate, by what is said of them."""


def supersede(here: Account, front: Front, used_in: str | None = None) -> str:
    """Make a load balancer and replace its certificate twice, two hours ago; return the ARN of the oldest."""
    old = make(here, front.port)
    if used_in:
        use_in(used_in, old)
    rotate(here, front)
    rotate_one(front.name, here.invocation(), front.wire)
    here.passed = timedelta(hours=2)
    return old


def refusing(operation: str, code: str) -> Callable[[str, Mapping[str, str]], str | None]:
    """Refuse one operation with one code."""

    def refuse(called: str, _: Mapping[str, str]) -> str | None:
        return code if called == operation else None

    return refuse


def rotating_beside(
    here: Account, front: Front, moment: Callable[[str], bool]
) -> Callable[[str, Mapping[str, str]], str | None]:
    """Have another run of the schedule come in between, before the first call for which `moment` is true."""

    def meanwhile(called: str, _: Mapping[str, str]) -> None:
        if moment(called):
            WATCHED.refuse = granted
            rotate_all(here.invocation(), front.wire)

    return meanwhile


def bundle(days: float = 60, *, host: str = HOST, key: str = "leaf", life: float = 90) -> Issued:
    """A leaf of a test CA with so many days left of its life."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    return leaf(host, signed_by=authority(), key=key, not_after=end, not_before=end - timedelta(days=life))


def keep_secret(one: Issued | str, name: str = "mqtt") -> None:
    """Put a bundle into Secrets Manager, as other tooling does; a second time as a new version."""
    client = load_balancing.client("secretsmanager", "eu-central-1")
    text = (
        one
        if isinstance(one, str)
        else json.dumps(
            {"fullchain": one.certificate_pem + one.chain_pem, "private_key": one.private_key_pem}
        )
    )
    try:
        client.create_secret(Name=name, SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=text)


def rotate(here: Account, wire: TlsClient | Front, within: float = 300) -> tuple[Rotation, ...]:
    """What the schedule does, counted."""
    with here.counted(here.calls.kill_after):
        return rotate_all(here.invocation(within), wire.wire if isinstance(wire, Front) else wire)


def ends_after_a_refusal(
    here: Account, front: Front, old: str, refused: tuple[str, str], kind: type[errors.AwsError]
) -> None:
    """Refuse one operation with a code: `old` stays served, and the next run ends the rotation."""
    WATCHED.refuse = refusing(*refused)
    with pytest.raises(errors.Unserved) as caught:
        rotate(here, front)
    assert [type(error) for _, error in caught.value.failures] == [kind]
    assert served(here, front.port) == old
    WATCHED.refuse = granted
    (rotation,) = rotate(here, front)
    assert rotation.verified
    assert served(here, front.port) != old
    assert len(names(here)) == 2, "none was left over"


def changes_nothing_after_a_refused_look(here: Account, front: Front, old: str, operation: str) -> None:
    """Refuse a read on which every rotation rests: nothing is written, and `old` stays served."""
    WATCHED.refuse = refusing(operation, "Throttling")
    with pytest.raises(errors.Throttled):
        rotate(here, front)
    assert (served(here, front.port), here.calls.writes) == (old, [])
