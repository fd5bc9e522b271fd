"""An AWS account in which the stories of provisioning run: every call counted, the clock in our hands.

with account() as here:
    report = here.put({"subnets": here.subnets, …})
    here.calls.writes, here.snapshot()
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from moto import mock_aws

from chalicelib import observe
from chalicelib.api.requests import read_put
from chalicelib.api.views import view_json
from chalicelib.aws.clients import Clients, open_session
from chalicelib.invocation import Invocation
from chalicelib.model.report import Report
from chalicelib.model.step import Step
from chalicelib.provision import delete as deprovision
from chalicelib.provision import put as provision
from chalicelib.settings import Settings
from lab import fidelity
from lab.fidelity.knobs import KNOBS, reset_knobs
from tests.lab import load_balancing
from tests.lab.load_balancing import World
from tests.world.certificates import Issued, authority, leaf

OWNER = "emq-elb-test"
CALLER = "app"
"""The access key id that distinguishes the app's calls from a stranger's."""
REGIONS = ("eu-central-1", "eu-west-1", "us-east-1")
"""The regions that the account can use: ours first. Who looks for a certificate's users asks each."""
READS = ("Describe", "Get", "List")


class Killed(BaseException):
    """The function ended in the middle, as Lambda ends one that takes too long."""


@dataclass
class Calls:
    """What was asked of AWS, in order; `kill_after` that many writes.

    A kill comes when the call is answered: AWS has done it, and nobody learns of it. Reads change nothing, so
    that a kill after a read is one after the write before it.
    """

    made: list[str] = field(default_factory=list)
    kill_after: int | None = None

    @property
    def writes(self) -> list[str]:
        """Those that may change something."""
        return [name for name in self.made if not name.startswith(READS)]

    @property
    def reads(self) -> list[str]:
        """Those that change nothing."""
        return [name for name in self.made if name.startswith(READS)]

    def answered(self, name: str) -> None:
        """Note one more."""
        self.made.append(name)
        if not name.startswith(READS) and len(self.writes) == self.kill_after:
            raise Killed


def granted(_operation: str, _parameters: Mapping[str, str]) -> str | None:
    """Refuse nothing."""
    return None


@dataclass
class Watched:
    """Whose calls the one session's hooks report to, and who refuses them.

    `refuse` is asked before each call, with its operation and its parameters on the wire; a code that it
    returns, or a code, `: ` and a message, is the answer, and AWS is not asked. After `DONE` it is the answer
    to a call that AWS has carried out, as when the first answer is lost and botocore asks again. `invoked`
    takes the payloads of Lambda's functions, where it is a list.
    """

    calls: Calls = field(default_factory=Calls)
    refuse: Callable[[str, Mapping[str, str]], str | None] = granted
    invoked: list[Any] | None = None

    def asked(
        self, model: Any, params: Mapping[str, Any], context: dict[str, Any], **_: Any
    ) -> tuple[Any, Any] | None:
        """Answer in AWS's place when the call is refused, without botocore's retries."""
        refusal = self.refuse(model.name, params["body"] if isinstance(params["body"], dict) else {})
        if refusal and refusal.startswith(DONE):
            context[DONE] = refusal.removeprefix(DONE)
        elif refusal:
            return SimpleNamespace(status_code=400), _refusal(refusal)
        if model.name == "Invoke" and self.invoked is not None:
            self.invoked.append(json.loads(params["body"]))
            return SimpleNamespace(status_code=202), {"StatusCode": 202, "ResponseMetadata": {}}
        return None

    def answered(
        self, model: Any, http_response: Any, parsed: dict[str, Any], context: Mapping[str, Any], **_: Any
    ) -> None:
        """Note the call, and answer with a refusal where one is to be the answer to what is done."""
        if refusal := context.get(DONE):
            http_response.status_code = 400
            parsed |= _refusal(refusal)
        self.calls.answered(model.name)


DONE = "done, and answered "


def _refusal(text: str) -> dict[str, Any]:
    code, _, message = text.partition(": ")
    return {"Error": {"Code": code, "Message": message or "made up"}, "ResponseMetadata": {}}


WATCHED = Watched()


def just_before(operation: str, do: Callable[[], object]) -> None:
    """Let something happen when the first call of that operation is about to be made."""

    def happen(name: str, _: Mapping[str, str]) -> str | None:
        if name == operation:
            WATCHED.refuse = granted
            do()
        return None

    WATCHED.refuse = happen


@cache
def clients() -> Clients:
    """The app's clients, made once: reading a model takes longer than the calls."""
    session = open_session()
    session.set_credentials(CALLER, "made-up")
    session.set_config_variable("region", "eu-central-1")
    session.register("after-call.*.*", WATCHED.answered)  # type: ignore[arg-type] # what it takes is there
    session.register("before-call.*.*", WATCHED.asked)  # type: ignore[arg-type] # it may answer
    made = Clients(session)
    made._client = cache(made._client)  # type: ignore[method-assign] # those of other regions too
    return made


@cache
def issued(host: str = "mqtt.example.com", key: str = "leaf") -> Issued:
    """One certificate of a test CA for each host name and key."""
    return leaf(host, signed_by=authority(), key=key)


def pem(one: Issued) -> dict[str, str]:
    """A certificate as PUT's body takes it."""
    return {"certificate": one.certificate_pem, "private_key": one.private_key_pem, "chain": one.chain_pem}


@dataclass
class Account:
    """One account, as the stories see it (`invocation`) and as a stranger sees it (`world`).

    `oversleep` is how many times longer than it asked for a story sleeps.
    """

    world: World = field(default_factory=World)
    calls: Calls = field(default_factory=Calls)
    steps: list[tuple[str, Step]] = field(default_factory=list)
    passed: timedelta = timedelta()
    oversleep: float = 1
    settings: Settings = field(
        default_factory=lambda: Settings(owner=OWNER, private_ca_secret=f"{OWNER}/private-ca")
    )

    def now(self) -> datetime:
        """The time: that of the machine, which moto's IAM goes by, and what was slept."""
        return datetime.now(UTC) + self.passed

    def stop_clock(self) -> None:
        """Let time pass only when somebody sleeps, however busy the machine is."""
        began = datetime.now(UTC)
        self.now = lambda: began + self.passed  # type: ignore[method-assign] # its clock

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += timedelta(seconds=seconds)

    def invocation(self, within: float = 20) -> Invocation:
        """A run of a function that must answer within so many seconds."""
        return Invocation(
            clients=clients(),
            settings=self.settings,
            now=self.now,
            sleep=lambda seconds: self.sleep(self.oversleep * seconds),
            deadline=self.now() + timedelta(seconds=within),
            log=lambda name, step: self.steps.append((name, step)),
        )

    @contextmanager
    def counted(self, kill_after: int | None = None) -> Iterator[Calls]:
        """Count from nought."""
        WATCHED.calls = self.calls = Calls(kill_after=kill_after)
        yield self.calls

    def subnet_beside(self, subnet: str) -> str:
        """Make another subnet in that one's zone."""
        (there,) = self.world.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
        made = self.world.ec2.create_subnet(
            VpcId=there["VpcId"], CidrBlock="172.31.96.0/20", AvailabilityZone=there["AvailabilityZone"]
        )
        return str(made["Subnet"]["SubnetId"])

    def put(self, body: Mapping[str, Any], name: str = "demo", within: float = 20, **how: bool) -> Report:
        """PUT; the calls that it makes are in `calls`, without those before."""
        declaration, faults = read_put(name, dict(body), region="eu-central-1")
        with self.counted(self.calls.kill_after):
            return provision.put(declaration, faults, self.invocation(within), **how)

    def carry_on(
        self, report: Report, body: Mapping[str, Any], name: str = "demo", within: float = 890
    ) -> Report | None:
        """What the function `provision` does with what a PUT that is pending left to it."""
        left = json.loads(json.dumps({"body": dict(body), **report.carry_on}))
        certificate = left["certificate"]
        declaration, faults = read_put(
            name, left["body"] | ({"certificate": certificate} if certificate else {}), region="eu-central-1"
        )
        since = datetime.fromisoformat(left["since"])
        with self.counted(self.calls.kill_after):
            work = self.invocation(within)
            return provision.carry_on_put(
                declaration, faults, since, work, existed=left["existed"], adopt=left["adopt"]
            )

    def get(self, name: str = "demo", *, adopt: bool = False) -> dict[str, Any]:
        """GET, as JSON."""
        with self.counted():
            view = observe.show(name, self.invocation(), adopt=adopt)
        shown: dict[str, Any] = json.loads(json.dumps(view_json(view)))
        return shown

    def delete(self, name: str = "demo", within: float = 20, **how: bool) -> Report:
        """DELETE."""
        with self.counted(self.calls.kill_after):
            return deprovision.delete(name, self.invocation(within), **how)

    def finish(self, report: Report, within: float = 890) -> bool:
        """What the function `provision` does with what a DELETE that is pending left to it."""
        left = json.loads(json.dumps(report.carry_on))
        with self.counted(self.calls.kill_after):
            return deprovision.finish(report.name, left, self.invocation(within))

    def launch(self, *names: str, subnet: str | None = None, **tags: str) -> list[str]:
        """Run instances that admit whoever is in the VPC; `Name` distinguishes them in snapshots."""
        found = []
        for name in names:
            (id_,) = self.world.launch(subnet=subnet)
            marks = {"Name": name} | {key.replace("_", ":", 1): value for key, value in tags.items()}
            self.world.ec2.create_tags(
                Resources=[id_], Tags=[{"Key": key, "Value": value} for key, value in marks.items()]
            )
            found.append(id_)
        return found

    def tag(self, ids: Sequence[str], key: str, value: str) -> None:
        """Tag EC2's resources."""
        self.world.ec2.create_tags(Resources=list(ids), Tags=[{"Key": key, "Value": value}])

    def served(self, name: str = "demo") -> str:
        """The certificate on the listener of port 8883."""
        (listener,) = (
            one["Listener"]
            for one in self.world.describe(name)["ListenerDescriptions"]
            if one["Listener"]["LoadBalancerPort"] == 8883
        )
        return str(listener["SSLCertificateId"])

    def group(self, name: str = "by-hand", *referring: str, outgoing: bool = False) -> str:
        """Create a security group of a stranger's; it lets in whoever is in the groups `referring`.

        With `outgoing` it lets its own members reach those instead.
        """
        vpc = self.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        found = self.world.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
        if found["SecurityGroups"]:
            return str(found["SecurityGroups"][0]["GroupId"])
        group = self.world.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        authorize = (
            self.world.ec2.authorize_security_group_egress
            if outgoing
            else self.world.ec2.authorize_security_group_ingress
        )
        for other in referring:
            pairs = [{"GroupId": other}]
            rule = {"IpProtocol": "tcp", "FromPort": 1883, "ToPort": 1883, "UserIdGroupPairs": pairs}
            authorize(GroupId=group, IpPermissions=[rule])
        return str(group)

    def snapshot(self) -> dict[str, Any]:
        """Everything of ours that is at AWS, by names that are the same in every account."""
        world = self.world
        groups = {one["GroupId"]: one for one in world.ec2.describe_security_groups()["SecurityGroups"]}
        zones = {one["SubnetId"]: one["CidrBlock"] for one in world.ec2.describe_subnets()["Subnets"]}
        instances = {
            one["InstanceId"]: {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
            for reservation in world.ec2.describe_instances()["Reservations"]
            for one in reservation["Instances"]
        }
        certificates = {one["Arn"]: self._certificate(one) for one in self.certificates()}
        return {
            "load balancers": {
                one["LoadBalancerName"]: self._load_balancer(one, groups, zones, instances, certificates)
                for one in world.elb.describe_load_balancers()["LoadBalancerDescriptions"]
            },
            "groups": {
                group["GroupName"]: sorted(
                    (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], source["CidrIp"])
                    for rule in group["IpPermissions"]
                    for source in rule["IpRanges"]
                )
                for group in groups.values()
                if group["GroupName"] != "default"
            },
            "certificates": sorted(certificates.values()),
            "secrets": sorted(one["Name"] for one in self.secrets()),
            "instances": {tags["Name"]: tags.get("emq-elb:cluster") for tags in instances.values()},
        }

    def _load_balancer(
        self,
        one: Any,
        groups: Mapping[str, Any],
        zones: Mapping[str, str],
        instances: Mapping[str, Any],
        certificates: Mapping[str, str],
    ) -> dict[str, Any]:
        elb, name = self.world.elb, one["LoadBalancerName"]
        tags = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"][0]["Tags"]
        listeners = [
            {**listener["Listener"], "policies": listener["PolicyNames"]}
            for listener in one["ListenerDescriptions"]
        ]
        for listener in listeners:
            if arn := listener.get("SSLCertificateId"):
                listener["SSLCertificateId"] = certificates.get(arn, arn)
        return {
            "scheme": one["Scheme"],
            "subnets": sorted(zones[id_] for id_ in one["Subnets"]),
            "listeners": sorted(listeners, key=lambda listener: int(listener["LoadBalancerPort"])),
            "groups": sorted(groups[id_]["GroupName"] for id_ in one["SecurityGroups"]),
            "health check": one["HealthCheck"],
            "backends": one["BackendServerDescriptions"],
            "attributes": elb.describe_load_balancer_attributes(LoadBalancerName=name)[
                "LoadBalancerAttributes"
            ],
            "policies": sorted(
                policy if isinstance(policy, str) else policy["PolicyName"]
                for policies in one["Policies"].values()
                for policy in policies
            ),
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
            "instances": sorted(instances[member["InstanceId"]]["Name"] for member in one["Instances"]),
        }

    def certificates(self) -> list[Any]:
        """The metadata of every server certificate."""
        listed = self.world.iam.list_server_certificates()["ServerCertificateMetadataList"]
        return [*listed]

    def secrets(self) -> list[Any]:
        """Every secret that is there."""
        return [*load_balancing.client("secretsmanager").list_secrets()["SecretList"]]

    def _certificate(self, metadata: Any) -> str:
        name = metadata["ServerCertificateName"]
        body = self.world.iam.get_server_certificate(ServerCertificateName=name)["ServerCertificate"]
        read = x509.load_pem_x509_certificate(body["CertificateBody"].encode())
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return f"{metadata['Path']} {' '.join(names.get_values_for_type(x509.DNSName))}"

    @property
    def subnets(self) -> list[str]:
        """The default VPC's public subnets, one a zone, by zone."""
        return self.world.subnets

    @property
    def article(self) -> dict[str, Any]:
        """The article's load balancer: a certificate and a group that are there, two instances."""
        return {
            "subnets": self.subnets[:2],
            "security_groups": [self.group()],
            "certificate": {"arn": self.world.upload("by-hand")},
            "instances": self.launch("node-1", "node-2"),
        }

    def owned_by(self, owner: str) -> Account:
        """The same account, seen by another deployment."""
        return replace(self, settings=replace(self.settings, owner=owner))


@contextmanager
def account() -> Iterator[Account]:
    """An empty account with AWS's default VPC."""
    fidelity.install()
    reset_knobs()
    KNOBS.regions = REGIONS
    with mock_aws():
        here = Account()
        # What AWS needs time for counts the seconds that were slept here.
        KNOBS.now = lambda: here.passed.total_seconds()  # noqa: PLW0108 - `passed` is another one later
        WATCHED.calls, WATCHED.refuse, WATCHED.invoked = here.calls, granted, None
        yield here
        WATCHED.refuse = granted
    reset_knobs()
