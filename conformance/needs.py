"""What the rules share: a VPC of its own, certificates, load balancers, instances, a queue for events.

Prices are list prices of us-east-1, rounded up; a started hour of a classic load balancer costs a whole one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from conformance import pki
from conformance.account import CERTIFICATES, TAG, Account, Need
from conformance.answer import code_and_message

ELB_HOUR = 0.028
NETWORK_HOUR = 0.026
INSTANCE_HOUR = 0.006
HANDLER = "def handler(event, context):\n    return {'bytes': len(str(event))}\n"


@dataclass(frozen=True)
class Vpc:
    """`first` and `second` are in two zones, `beside` in the first's zone, `tiny` (/28) in the second's."""

    id: str
    zones: tuple[str, str]
    first: str
    second: str
    beside: str
    tiny: str


@dataclass(frozen=True)
class Uploaded:
    """A server certificate in IAM."""

    name: str
    arn: str
    bundle: pki.Bundle = field(repr=False)


@dataclass(frozen=True)
class Network:
    """A network load balancer, and how many seconds it took until it was active."""

    name: str
    arn: str
    seconds: float


@dataclass(frozen=True)
class Queue:
    """Receives what an EventBridge rule lets through."""

    url: str
    arn: str


def new_vpc(aws: Account, block: str) -> str:
    """Make a VPC that carries the run's tag."""
    ec2 = aws.client("ec2")
    vpc: str = ec2.create_vpc(CidrBlock=block, TagSpecifications=aws.tagged("vpc"))["Vpc"]["VpcId"]
    return vpc


def once_known(aws: Account, call: Callable[..., Any], **parameters: object) -> Any:
    """Make a call about what was just made, until EC2 knows it everywhere.

    https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    """
    answers: list[Any] = []

    def known() -> bool:
        try:
            answers.append(call(**parameters))
        except ClientError as error:
            if not code_and_message(error)[0].endswith(".NotFound"):
                raise
        return bool(answers)

    aws.until(known, 60, "EC2 knows what was just made")
    return answers[0]


def new_subnet(aws: Account, vpc: str, zone: str, block: str) -> str:
    """Make a subnet."""
    made = once_known(
        aws,
        aws.client("ec2").create_subnet,
        VpcId=vpc,
        AvailabilityZone=zone,
        CidrBlock=block,
        TagSpecifications=aws.tagged("subnet"),
    )
    subnet: str = made["Subnet"]["SubnetId"]
    return subnet


def zones(aws: Account) -> tuple[str, str]:
    """Return two availability zones of the region."""
    answer = aws.client("ec2").describe_availability_zones(
        Filters=[
            {"Name": "state", "Values": ["available"]},
            {"Name": "zone-type", "Values": ["availability-zone"]},
        ]
    )
    first, second, *_ = sorted(one["ZoneName"] for one in answer["AvailabilityZones"])
    return first, second


def _vpc(aws: Account) -> Vpc:
    """A VPC with an internet gateway and no route to it: ELB does not look at route tables."""
    ec2, (one, two) = aws.client("ec2"), zones(aws)
    vpc = new_vpc(aws, "10.213.0.0/16")
    gateway = ec2.create_internet_gateway(TagSpecifications=aws.tagged("internet-gateway"))
    id_ = gateway["InternetGateway"]["InternetGatewayId"]
    once_known(aws, ec2.attach_internet_gateway, InternetGatewayId=id_, VpcId=vpc)
    return Vpc(
        vpc,
        (one, two),
        first=new_subnet(aws, vpc, one, "10.213.1.0/24"),
        second=new_subnet(aws, vpc, two, "10.213.2.0/24"),
        beside=new_subnet(aws, vpc, one, "10.213.3.0/24"),
        tiny=new_subnet(aws, vpc, two, "10.213.4.0/28"),
    )


def _closed_subnet(aws: Account) -> str:
    return new_subnet(aws, new_vpc(aws, "10.214.0.0/16"), zones(aws)[0], "10.214.1.0/27")


def new_group(aws: Account, vpc: str, name: str) -> str:
    """Make a security group."""
    ec2 = aws.client("ec2")
    made = once_known(
        aws,
        ec2.create_security_group,
        GroupName=name,
        Description=f"{TAG}={aws.run.name}",
        VpcId=vpc,
        TagSpecifications=aws.tagged("security-group"),
    )
    group: str = made["GroupId"]
    once_known(aws, ec2.describe_security_groups, GroupIds=[group])
    return group


def _group(aws: Account) -> str:
    """A group that admits the VPC to SSH's port: what Amazon's images listen on, for health checks."""
    group = new_group(aws, aws.need(VPC).id, aws.name("sg"))
    aws.client("ec2").authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.213.0.0/16"}]}
        ],
    )
    return group


def upload(aws: Account, bundle: pki.Bundle) -> Uploaded:
    """Upload a server certificate under the run's path."""
    name = aws.name("crt")
    answer = aws.client("iam").upload_server_certificate(
        **certificate_request(aws, bundle, ServerCertificateName=name)
    )
    return Uploaded(name, answer["ServerCertificateMetadata"]["Arn"], bundle)


def upload_for_the_rule(aws: Account, bundle: pki.Bundle) -> Uploaded:
    """Upload a server certificate that goes when the rule ends: an account has room for twenty."""
    uploaded = upload(aws, bundle)
    aws.defer(aws.client("iam").delete_server_certificate, ServerCertificateName=uploaded.name)
    return uploaded


def certificate_request(aws: Account, bundle: pki.Bundle, **changes: object) -> dict[str, Any]:
    """Return the parameters of UploadServerCertificate, with changes."""
    return {
        "ServerCertificateName": aws.name("crt"),
        "Path": f"{CERTIFICATES}{aws.run.name}/",
        "CertificateBody": bundle.body,
        "PrivateKey": bundle.key_pem(),
        "CertificateChain": bundle.chain_pem,
        "Tags": aws.tags,
        **changes,
    }


def balancer_request(aws: Account, **changes: object) -> dict[str, Any]:
    """Return the parameters of CreateLoadBalancer for an internal one with a plain listener, with changes."""
    return {
        "LoadBalancerName": aws.name("lb"),
        "Scheme": "internal",
        "Subnets": [aws.need(VPC).first],
        "Listeners": [plain(1883)],
        "Tags": aws.tags,
        **changes,
    }


def plain(port: int, instance_port: int = 1883) -> dict[str, Any]:
    """Return a TCP listener."""
    return {
        "Protocol": "TCP",
        "LoadBalancerPort": port,
        "InstanceProtocol": "TCP",
        "InstancePort": instance_port,
    }


def secure(port: int, certificate: str, instance_port: int = 1883) -> dict[str, Any]:
    """Return an SSL listener that ends TLS."""
    return plain(port, instance_port) | {"Protocol": "SSL", "SSLCertificateId": certificate}


def new_balancer(aws: Account, **changes: object) -> str:
    """Make a load balancer and return its name; the run pays for it."""
    aws.spend(ELB_HOUR)
    request = balancer_request(aws, **changes)
    aws.client("elb").create_load_balancer(**request)
    return str(request["LoadBalancerName"])


def _balancer(aws: Account) -> str:
    request = balancer_request(aws, SecurityGroups=[aws.need(GROUP)])
    aws.client("elb").create_load_balancer(**request)
    return str(request["LoadBalancerName"])


def network_request(aws: Account, **changes: object) -> dict[str, Any]:
    """Return the parameters of CreateLoadBalancer for an internal network one, with changes."""
    return {
        "Name": aws.name("net"),
        "Type": "network",
        "Scheme": "internal",
        "Subnets": [aws.need(VPC).first],
        "SecurityGroups": [aws.need(GROUP)],
        "Tags": aws.tags,
        **changes,
    }


def new_network(aws: Account, **changes: object) -> str:
    """Make a network load balancer for a rule, which is deleted when that ends; return its ARN."""
    aws.spend(NETWORK_HOUR)
    elbv2 = aws.client("elbv2")
    arn: str = elbv2.create_load_balancer(**network_request(aws, **changes))["LoadBalancers"][0][
        "LoadBalancerArn"
    ]
    aws.defer(elbv2.delete_load_balancer, LoadBalancerArn=arn)
    return arn


def _network(aws: Account) -> Network:
    """An active network load balancer in the shared group: AWS needs minutes for it."""
    elbv2, request, began = aws.client("elbv2"), network_request(aws), aws.place.clock()
    arn = elbv2.create_load_balancer(**request)["LoadBalancers"][0]["LoadBalancerArn"]

    def active() -> bool:
        (found,) = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return bool(found["State"]["Code"] == "active")

    aws.until(active, 600, "the network load balancer is active")
    return Network(str(request["Name"]), arn, aws.place.clock() - began)


def targets_request(aws: Account, **changes: object) -> dict[str, Any]:
    """Return the parameters of CreateTargetGroup for instances by TCP, with changes."""
    return {
        "Name": aws.name("tgt"),
        "Protocol": "TCP",
        "Port": 1883,
        "VpcId": aws.need(VPC).id,
        "TargetType": "instance",
        "Tags": aws.tags,
        **changes,
    }


def new_targets(aws: Account, **changes: object) -> str:
    """Make a target group for a rule, which is deleted when that ends; return its ARN."""
    elbv2 = aws.client("elbv2")
    arn: str = elbv2.create_target_group(**targets_request(aws, **changes))["TargetGroups"][0][
        "TargetGroupArn"
    ]
    aws.defer(elbv2.delete_target_group, TargetGroupArn=arn)
    return arn


def _targets(aws: Account) -> str:
    made = aws.client("elbv2").create_target_group(**targets_request(aws))
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    return arn


def run_instance(aws: Account, subnet: str, group: str = "") -> str:
    """Run a small instance in the shared group, or another one; return its id once it runs."""
    ec2 = aws.client("ec2")
    answer = once_known(
        aws,
        ec2.run_instances,
        ImageId=aws.place.image(ec2),
        InstanceType="t3.nano",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[group or aws.need(GROUP)],
        InstanceInitiatedShutdownBehavior="terminate",
        TagSpecifications=[*aws.tagged("instance"), *aws.tagged("volume")],
    )
    instance: str = answer["Instances"][0]["InstanceId"]
    aws.until(lambda: instance_state(aws, instance) == "running", 300, f"{instance} runs")
    return instance


def instance_state(aws: Account, instance: str) -> str:
    """Return an instance's state; empty while EC2 does not know it everywhere."""
    try:
        answer = aws.client("ec2").describe_instances(InstanceIds=[instance])
    except ClientError as error:
        if code_and_message(error)[0] != "InvalidInstanceID.NotFound":
            raise
        return ""
    state: str = answer["Reservations"][0]["Instances"][0]["State"]["Name"]
    return state


def _queue(aws: Account) -> Queue:
    """A queue, and the rule that leads events of instances, groups, tags and alarms there."""
    sqs, events, name = aws.client("sqs"), aws.client("events"), aws.name("evt")
    url = sqs.create_queue(QueueName=name, tags={TAG: aws.run.name})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.ec2", "aws.autoscaling", "aws.tag", "aws.cloudwatch"]}
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern), Tags=aws.tags)["RuleArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return Queue(url, arn)


def _zone(aws: Account) -> str:
    return new_zone(aws, f"{aws.run.name}.{PARENT}")


PARENT = "emq-elb-conformance.test"
"""Ends the name of every hosted zone: Route 53 takes no tag while it makes one."""


def new_zone(aws: Account, name: str, **more: object) -> str:
    """Make a hosted zone and return its id; the comment says whose it is from the first moment."""
    config = {"Comment": f"{TAG}={aws.run.name}", "PrivateZone": "VPC" in more}
    answer = aws.client("route53").create_hosted_zone(
        Name=name, CallerReference=aws.name("dns"), HostedZoneConfig=config, **more
    )
    zone: str = answer["HostedZone"]["Id"].rpartition("/")[2]
    return zone


def new_role(aws: Account, principal: dict[str, str]) -> str:
    """Make a role that somebody may take on, and return its ARN; it may do nothing yet."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    made = aws.client("iam").create_role(
        RoleName=aws.name("rol"),
        Path=CERTIFICATES,
        AssumeRolePolicyDocument=json.dumps(trust),
        Tags=aws.tags,
    )
    arn: str = made["Role"]["Arn"]
    return arn


def function_request(aws: Account, **changes: object) -> dict[str, Any]:
    """Return the parameters of CreateFunction for one that answers at once, with changes."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", HANDLER)
    return {
        "FunctionName": aws.name("fun"),
        "Runtime": "python3.13",
        "Role": aws.need(ROLE),
        "Handler": "index.handler",
        "Code": {"ZipFile": package.getvalue()},
        "Timeout": 10,
        "MemorySize": 128,
        "Tags": {TAG: aws.run.name},
        **changes,
    }


def _function(aws: Account) -> str:
    request = function_request(aws)
    name = str(request["FunctionName"])
    # Lambda would make the log group without a tag.
    aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}", tags={TAG: aws.run.name})
    lambda_ = aws.client("lambda")
    # A new role is unknown to Lambda for some seconds, which it calls InvalidParameterValueException.
    aws.once_allowed(lambda_.create_function, ["InvalidParameterValueException"], 90, **request)
    aws.until(
        lambda: lambda_.get_function(FunctionName=name)["Configuration"].get("State", "Active") == "Active",
        120,
        f"{name} is active",
    )
    return name


def new_api(aws: Account, **more: object) -> str:
    """Make a REST API and return its id."""
    made = aws.client("apigateway").create_rest_api(name=aws.name("api"), tags={TAG: aws.run.name}, **more)
    api: str = made["id"]
    return api


VPC = Need("vpc", _vpc, minutes=0.3, common=True)
CLOSED_SUBNET = Need("subnet without an internet gateway", _closed_subnet, common=True)
GROUP = Need("security group", _group, of=(VPC,), common=True)
CERTIFICATE = Need("certificate", lambda aws: upload(aws, pki.leaf()))
OTHER_CERTIFICATE = Need("second certificate", lambda aws: upload(aws, pki.leaf()))
BALANCER = Need("load balancer", _balancer, dollars=ELB_HOUR, of=(VPC, GROUP))
OTHER_BALANCER = Need("second load balancer", _balancer, dollars=ELB_HOUR, of=(VPC, GROUP))
NETWORK = Need("network load balancer", _network, dollars=NETWORK_HOUR, minutes=3, of=(VPC, GROUP))
TARGETS = Need("target group", _targets, of=(VPC,))
INSTANCE = Need(
    "instance",
    lambda aws: run_instance(aws, aws.need(VPC).first),
    dollars=INSTANCE_HOUR,
    minutes=0.7,
    of=(VPC, GROUP),
)
FAR_INSTANCE = Need(
    "instance in the second zone",
    lambda aws: run_instance(aws, aws.need(VPC).second),
    dollars=INSTANCE_HOUR,
    minutes=0.7,
    of=(VPC, GROUP),
)
QUEUE = Need("queue for events", _queue, minutes=0.2)
ZONE = Need("hosted zone", _zone)
ROLE = Need("role for functions", lambda aws: new_role(aws, {"Service": "lambda.amazonaws.com"}))
FUNCTION = Need("function", _function, minutes=0.5, of=(ROLE,))
API = Need("REST API", new_api)
