"""A run that is killed leaves nothing that the sweep does not find, whichever call was its last."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest

import conformance.rules  # noqa: F401 - fills RULES
from conformance import guard, record
from conformance.account import Account, Budget, Run
from conformance.emulated import PLACE, emulated
from conformance.rule import RULES
from conformance.run import ask, clean, ordered
from conformance.sweep import Waiting, sweep

# Python 3.12 and later warn of a fork beside pytest-xdist's own thread; the copies here end by themselves.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

READS = ("Describe", "Get", "List", "Simulate", "Assume", "Receive")
MAKES = ("Create", "Import", "Put", "Run", "Upload")
WAITING = Waiting(PLACE.clock, lambda _: None, 0.0, 2.0)
ENDED = {"terminated", "shutting-down"}


def inventory(client: Callable[[str], Any]) -> frozenset[str]:
    """Everything that a run could leave behind, whatever its tags say."""
    ec2, iam, cloudwatch = client("ec2"), client("iam"), client("cloudwatch")
    instances = [
        one for reservation in ec2.describe_instances()["Reservations"] for one in reservation["Instances"]
    ]
    kinds = {
        "VPC": [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]],
        "subnet": [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]],
        "group": [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]],
        "gateway": [one["InternetGatewayId"] for one in ec2.describe_internet_gateways()["InternetGateways"]],
        "instance": [one["InstanceId"] for one in instances if one["State"]["Name"] not in ENDED],
        "template": [one["LaunchTemplateId"] for one in ec2.describe_launch_templates()["LaunchTemplates"]],
        "Auto Scaling group": [
            one["AutoScalingGroupName"]
            for one in client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        ],
        "load balancer": [
            one["LoadBalancerName"]
            for one in client("elb").describe_load_balancers()["LoadBalancerDescriptions"]
        ],
        "network load balancer": [
            one["LoadBalancerName"] for one in client("elbv2").describe_load_balancers()["LoadBalancers"]
        ],
        "target group": [
            one["TargetGroupName"] for one in client("elbv2").describe_target_groups()["TargetGroups"]
        ],
        "certificate": [
            one["ServerCertificateName"]
            for one in iam.list_server_certificates()["ServerCertificateMetadataList"]
        ],
        "role": [
            one["RoleName"] for one in iam.list_roles()["Roles"] if "aws-service-role" not in one["Path"]
        ],
        "zone": [one["Id"] for one in client("route53").list_hosted_zones()["HostedZones"]],
        "function": [one["FunctionName"] for one in client("lambda").list_functions()["Functions"]],
        "log group": [one["logGroupName"] for one in client("logs").describe_log_groups()["logGroups"]],
        "API": [one["id"] for one in client("apigateway").get_rest_apis()["items"]],
        "rule": [one["Name"] for one in client("events").list_rules()["Rules"]],
        "queue": client("sqs").list_queues().get("QueueUrls", []),
        "alarm": [one["AlarmName"] for one in cloudwatch.describe_alarms()["MetricAlarms"]],
        "dashboard": [one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"]],
    }
    return frozenset(f"{kind} {name}" for kind, names in kinds.items() for name in names)


@dataclass
class Killing:
    """Follows a run call by call. A copy of the process at that moment is what a kill would leave at AWS."""

    client: Callable[[str], Any]
    topic: str = ""
    before: frozenset[str] = frozenset()
    tried: set[tuple[str, str]] = field(default_factory=set)
    left: list[str] = field(default_factory=list)
    asked: set[tuple[str, str]] = field(default_factory=set)

    def answered(self, model: Any, http_response: Any, **_: Any) -> None:
        """Sweep in a copy of this process, after each kind of call that changed something.

        A call that makes something is tried in each topic, where it stands among other things.
        """
        self.asked.add((model.service_model.service_name, model.name))
        call = (self.topic if model.name.startswith(MAKES) else "", model.name)
        if model.name.startswith(READS) or http_response.status_code >= 400 or call in self.tried:
            return
        self.tried.add(call)
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            self.end(writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        if said != "nothing":
            self.left.append(f"killed after {model.name} of {self.topic}: {said}")

    def end(self, writing: int) -> NoReturn:
        """Sweep, write to the pipe what is left, and end without a word to pytest."""
        said = "the sweep did not end"
        try:
            self.topic, self.tried = "", Everything()
            refused = sweep(self.client, lambda _: True, WAITING, lambda _: None)
            said = ", ".join([*refused, *sorted(inventory(self.client) - self.before)]) or "nothing"
        finally:
            os.write(writing, said.encode())
            os._exit(0)


class Everything(set[tuple[str, str]]):
    """Holds whatever is asked for: nobody follows the sweep's own calls."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.fixture(scope="module")
def killing() -> Killing:
    """One whole run on the corrected moto, followed call by call."""
    with emulated() as session:
        aws = Account(session, PLACE, Run.begin(datetime.now(UTC)), Budget(9, 90))
        follows = Killing(aws.client)
        session.events.register("after-call.*.*", follows.answered)
        follows.before = inventory(aws.client)
        follows.asked.clear()
        for rule in ordered(RULES.values()):
            follows.topic = rule.topic
            assert ask(rule, aws).verdict in {"held", "answered", "left out"}
        follows.topic = "the sweep at the end"
        assert clean(aws, lambda _: None) == []
        [*guard.deployments(aws.client)]
        asked = {*follows.asked}
        assert inventory(aws.client) == follows.before
        follows.asked = asked
    return follows


def test_nothing_is_left_of_a_run_that_is_killed_after_any_call(killing: Killing) -> None:
    assert killing.left == []
    assert len(killing.tried) > 60


PREFIXES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
VERBS = {"Create": "POST", "Import": "POST", "Put": "PUT", "Get": "GET", "Delete": "DELETE"}
# What only AWS itself is asked, by rules that are left out on moto, and what AWS asks for besides: tags as
# things are made, roles of its own, images.
AT_AWS = """
autoscaling:CreateOrUpdateTags cloudwatch:ListMetrics cloudwatch:TagResource
ec2:DescribeAccountAttributes ec2:DescribeAddresses ec2:DescribeImages
events:ListTargetsByRule events:PutTargets events:RemoveTargets events:TagResource events:TestEventPattern
iam:CreateServiceLinkedRole iam:PassRole iam:SimulateCustomPolicy iam:TagRole iam:TagServerCertificate
lambda:DeleteFunctionConcurrency lambda:GetAccountSettings lambda:InvokeFunction lambda:PutFunctionConcurrency
lambda:TagResource logs:TagResource route53:AssociateVPCWithHostedZone sqs:CreateQueue sqs:DeleteMessage
sqs:DeleteQueue sqs:GetQueueAttributes sqs:ListQueueTags sqs:ReceiveMessage sqs:SetQueueAttributes
sqs:TagQueue
"""


def action(service: str, operation: str) -> str:
    """The action of IAM that an operation asks for."""
    if service == "apigateway":
        return f"apigateway:{next(verb for begins, verb in VERBS.items() if operation.startswith(begins))}"
    return f"{PREFIXES.get(service, service)}:{operation}"


def test_the_permission_file_grants_what_the_rules_call_and_no_more(killing: Killing) -> None:
    statements = json.loads(record.VERIFIED.with_name("policy.json").read_text())["Statement"]
    granted = {one for statement in statements for one in statement["Action"]}
    called = {action(*one) for one in killing.asked}
    assert called - granted == set()
    assert granted - called - {*AT_AWS.split()} == set()
