"""An account of AWS's as the place where the program is used: a throw-away stage, two instances, a VPC.

The application is named after the run, so that the sweep finds what a killed run leaves: functions, roles,
rules, the API, alarms and secrets begin with `conform-<run>`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.account import PREFIX, TAG, Account
from conformance.app import DidNotHoldError
from conformance.needs import instance_state, new_group, new_subnet, new_vpc, once_known, zones

ROOT = Path(__file__).parents[1]
PROJECT = ("app.py", "chalicelib", "vendor", "tools", ".chalice", "requirements.txt")
STAGE = "app"
DEBIAN = "136693071363"
"""Debian's account: https://wiki.debian.org/Cloud/AmazonEC2Image"""

BROKER = """#!/bin/sh
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y mosquitto
printf 'listener 1883\\nallow_anonymous true\\nset_tcp_nodelay true\\n' > /etc/mosquitto/conf.d/conform.conf
systemctl restart mosquitto
mkdir -p /srv/status && cd /srv/status && echo 'conform is running' > index.html
exec python3 -m http.server 18083
"""


@dataclass
class AwsSite:
    """A real account. `project` is a copy of the program with a stage of its own."""

    aws: Account
    project: Path
    profile: str
    settled: float = 180.0
    vpc: str = ""
    made: tuple[str, ...] = ()

    @property
    def region(self) -> str:
        """The run's region."""
        return self.aws.place.region

    @property
    def credentials(self) -> Any:
        """The profile's credentials, as botocore signs with them."""
        return self.aws.session.get_credentials().get_frozen_credentials()

    @property
    def application(self) -> str:
        """The name that begins every function's."""
        return f"{PREFIX}{self.aws.run.name}"

    def client(self, service: str) -> Any:
        """Return a client for AWS."""
        return self.aws.client(service)

    def deploy(self) -> str:
        """Write the stage and its policies, deploy it, and return the API's URL."""
        path = self.project / ".chalice" / "config.json"
        path.write_text(json.dumps(self.configured(json.loads(path.read_text())), indent=2))
        self._run([sys.executable, "-m", "tools.policies"])
        self._chalice("deploy")
        deployed = json.loads((self.project / ".chalice" / "deployed" / f"{STAGE}.json").read_text())
        urls: list[str] = [one["rest_api_url"] for one in deployed["resources"] if "rest_api_url" in one]
        return urls[0].rstrip("/")

    def configured(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration with one stage, named after the run and carrying its tag."""
        model = next(iter(config["stages"].values()))
        functions = {
            name: {**one, "iam_policy_file": f"{STAGE}/{Path(one['iam_policy_file']).name}"}
            for name, one in model["lambda_functions"].items()
        }
        stage = {
            "environment_variables": {"OWNER": f"{self.application}-{STAGE}"},
            "lambda_functions": functions,
        }
        return {
            **config,
            "app_name": self.application,
            "tags": {TAG: self.aws.run.name},
            "stages": {STAGE: stage},
        }

    def run_brokers(self) -> Sequence[str]:
        """Make a VPC with a way out, and run Debian's mosquitto on two small instances in it."""
        ec2, (one, two) = self.client("ec2"), zones(self.aws)
        self.vpc = new_vpc(self.aws, "10.215.0.0/16")
        made = ec2.create_internet_gateway(TagSpecifications=self.aws.tagged("internet-gateway"))
        gateway = made["InternetGateway"]["InternetGatewayId"]
        once_known(self.aws, ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=self.vpc)
        here = [{"Name": "vpc-id", "Values": [self.vpc]}]
        (table,) = ec2.describe_route_tables(Filters=here)["RouteTables"]
        ec2.create_route(
            RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
        self.made = tuple(
            new_subnet(self.aws, self.vpc, zone, f"10.215.{number}.0/24")
            for number, zone in enumerate((one, two))
        )
        group = new_group(self.aws, self.vpc, self.aws.name("sg"))
        ports = [
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.215.0.0/16"}]}
            for port in (1883, 18083)
        ]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ports)
        # One broker alone would be no cluster; the probe's echo needs no bridge: it comes back where it went.
        return [self._run_broker(subnet, group) for subnet in self.made]

    def _run_broker(self, subnet: str, group: str) -> str:
        ec2 = self.client("ec2")
        names = [{"Name": "name", "Values": ["debian-12-amd64-*"]}]
        images = ec2.describe_images(Owners=[DEBIAN], Filters=names)["Images"]
        interface = {
            "DeviceIndex": 0,
            "SubnetId": subnet,
            "Groups": [group],
            "AssociatePublicIpAddress": True,
        }
        answer = ec2.run_instances(
            ImageId=max(images, key=lambda one: one["CreationDate"])["ImageId"],
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[interface],
            UserData=BROKER,
            TagSpecifications=[*self.aws.tagged("instance"), *self.aws.tagged("volume")],
        )
        instance: str = answer["Instances"][0]["InstanceId"]
        self.aws.until(lambda: instance_state(self.aws, instance) == "running", 300, f"{instance} runs")
        return instance

    def subnets(self) -> Sequence[str]:
        """Return the VPC's two subnets."""
        return self.made

    def stop(self, instance: str) -> None:
        """Stop an instance."""
        self.client("ec2").stop_instances(InstanceIds=[instance])

    def remove(self) -> None:
        """Remove the stage."""
        if (self.project / ".chalice" / "deployed" / f"{STAGE}.json").exists():
            self._chalice("delete")

    def _chalice(self, command: str) -> None:
        chalice = str(Path(sys.executable).with_name("chalice"))
        self._run([chalice, command, "--stage", STAGE, "--profile", self.profile])

    def _run(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "AWS_DEFAULT_REGION": self.region}
        done = subprocess.run(  # noqa: S603 - our own words
            [*command], cwd=self.project, env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise DidNotHoldError(f"{Path(command[0]).name} {command[1]} fails: {done.stdout}{done.stderr}")


@contextmanager
def aws_site(aws: Account, profile: str) -> Iterator[AwsSite]:
    """Copy the program; the copy goes with the block, and what was deployed by `AwsSite.remove`."""
    with tempfile.TemporaryDirectory(prefix="emq-elb-conform-") as name:
        project = Path(name)
        for part in PROJECT:
            source = ROOT / part
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
                shutil.copytree(source, project / part, ignore=ignore)
            elif source.exists():
                shutil.copy(source, project / part)
        yield AwsSite(aws, project, profile)
