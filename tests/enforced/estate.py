"""An account with things of three owners, and the calls that could be made about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from moto.elbv2.models import elbv2_backends

from lab.fidelity.authorization_call import Call
from tests.lab.load_balancing import issued
from tests.register.test_drain import group
from tests.world.provisioning import Account
from tests.world.rotating import keep_secret

ACCOUNT, REGION = "123456789012", "eu-central-1"
PROD, DEV = "emq-elb-prod", "emq-elb-dev"
OWNER = "emq-elb:owner"


@dataclass(frozen=True)
class Estate:
    """An account in which each thing is there thrice: that of `prod`, that of `dev`, and a stranger's."""

    groups: dict[str, str]
    instances: dict[str, str]


def owned(owner: str | None, **tags: str) -> list[dict[str, str]]:
    """Tags, the owner's among them, as most requests write them."""
    return [
        {"Key": key, "Value": value} for key, value in {**({OWNER: owner} if owner else {}), **tags}.items()
    ]


OWNERS: dict[str, str | None] = {"prod": PROD, "dev": DEV, "theirs": None}


def made(here: Account) -> Estate:
    """Make everything."""
    world, groups, instances = here.world, {}, {}
    kept = elbv2_backends[ACCOUNT][REGION].tagging_service
    for name, owner in OWNERS.items():
        for kind in KINDS:
            for tagged in of_kind(kind, name).values():
                kept.tag_resource(tagged, owned(owner))
        world.create(name, **({"Tags": owned(owner)} if owner else {}))
        certificate(here, name, f"/emq-elb/{owner}/{REGION}/{name}/" if owner else "/", owner)
        groups[name] = here.group(name)
        if owner:
            here.tag([groups[name]], OWNER, owner)
        keep_secret("{}", f"{owner or 'team'}/private-ca")
        (instances[name],) = world.launch()
    keep_secret("{}", f"{PROD}/private-ca-certificate")
    certificate(here, "untagged", f"/emq-elb/{PROD}/{REGION}/prod/", None)
    here.tag([instances["dev"]], "emq-elb:cluster", "dev")
    here.tag([instances["prod"]], "emq-elb:cluster", "prod")
    instances["reserved"], instances["member"] = world.launch(2)
    here.tag([instances["reserved"], instances["member"]], OWNER, DEV)
    here.tag([instances["member"]], "emq-elb:cluster", "dev")
    client = group(cluster="prod")
    client.create_auto_scaling_group(
        AutoScalingGroupName="theirs",
        LaunchConfigurationName="nodes",
        AvailabilityZones=["eu-central-1a"],
        MinSize=0,
        MaxSize=1,
    )
    return Estate(groups, instances)


KINDS = {"app": "application", "net": "network", "gwy": "gateway"}
"""What an ARN calls a kind of load balancer that is not classic, and what the API calls it."""


def arn(resource: str) -> str:
    """The ARN of something of Elastic Load Balancing."""
    return f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{resource}"


def of_kind(kind: str, name: str) -> dict[str, str]:
    """The ARNs of a load balancer that is not classic, and of what belongs to it."""
    resources = {
        "load balancer": f"loadbalancer/{kind}/{name}/0123",
        "listener": f"listener/{kind}/{name}/0123/4567",
        "rule": f"listener-rule/{kind}/{name}/0123/4567/89ab",
        "target group": f"targetgroup/{name}-{kind}/0123",
    }
    return {what: arn(resource) for what, resource in resources.items()}


def certificate(here: Account, name: str, path: str, owner: str | None) -> None:
    """Keep a server certificate in IAM, tagged as the owner's."""
    here.world.iam.upload_server_certificate(
        Path=path,
        ServerCertificateName=name,
        CertificateBody=issued().certificate_pem,
        PrivateKey=issued().private_key_pem,
        **({"Tags": owned(owner)} if owner else {}),
    )


def call(service: str, operation: str, **parameters: Any) -> Call:
    """A call in that account."""
    return Call(service, operation, parameters, ACCOUNT, REGION)


def upload(path: str, owner: str | None) -> Call:
    return call(
        "iam",
        "UploadServerCertificate",
        Path=path,
        ServerCertificateName="new",
        CertificateBody=issued().certificate_pem,
        PrivateKey="made up",
        **({"Tags": owned(owner)} if owner else {}),
    )


def creating(owner: str | None) -> Call:
    return call(
        "elb",
        "CreateLoadBalancer",
        LoadBalancerName="new",
        Listeners=[],
        **({"Tags": owned(owner)} if owner else {}),
    )


def new_group(owner: str | None) -> Call:
    tagged = [{"ResourceType": "security-group", "Tags": owned(owner)}] if owner else []
    return call(
        "ec2",
        "CreateSecurityGroup",
        GroupName="new",
        Description="new",
        VpcId="vpc-0",
        TagSpecifications=tagged,
    )


def records(name: str, kind: str = "TXT", action: str = "CREATE", zone: str = "Z0") -> Call:
    changed = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": '"x"'}]}
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": changed}]}
    return call("route53", "ChangeResourceRecordSets", HostedZoneId=zone, ChangeBatch=batch)


def balancer(operation: str, name: str, **parameters: Any) -> Call:
    return call("elb", operation, LoadBalancerName=name, **parameters)


def tagging(name: str, tags: list[dict[str, str]]) -> Call:
    return call("elb", "AddTags", LoadBalancerNames=[name], Tags=tags)


def hook(operation: str, group_name: str) -> Call:
    result = {"LifecycleActionResult": "CONTINUE"} if operation == "CompleteLifecycleAction" else {}
    hooked = {"AutoScalingGroupName": group_name, "LifecycleHookName": "emq-elb-drain", "InstanceId": "i-0"}
    return call("autoscaling", operation, **hooked, **result)


def secret(name: str) -> Call:
    return call("secretsmanager", "GetSecretValue", SecretId=name)


def keeping(name: str, owner: str) -> Call:
    return call("secretsmanager", "CreateSecret", Name=name, SecretString="{}", Tags=owned(owner))


def event(source: str) -> Call:
    return call("events", "PutEvents", Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])


def alarm(name: str) -> Call:
    return call("cloudwatch", "DeleteAlarms", AlarmNames=[name])


def ringing(name: str, *actions: str, when: str = "AlarmActions") -> Call:
    """An alarm that does these actions."""
    return call(
        "cloudwatch",
        "PutMetricAlarm",
        AlarmName=name,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        **({when: list(actions)} if actions else {}),
    )


def dashboard(name: str) -> Call:
    return call("cloudwatch", "PutDashboard", DashboardName=name, DashboardBody="{}")


def marking(id_: str, *keys: str) -> Call:
    """`id_` names something of the estate: `instance:dev`, `group:theirs`."""
    return call("ec2", "CreateTags", Resources=[id_], Tags=[{"Key": key, "Value": "x"} for key in keys])


def grouped(operation: str, name: str) -> Call:
    rules = {"IpPermissions": [{"IpProtocol": "-1"}]} if "Ingress" in operation else {}
    return call("ec2", operation, GroupId=f"group:{name}", **rules)


def named(one: Call, estate: Estate) -> Call:
    """The call with the ids that the things of the estate have."""

    def id_of(value: Any) -> Any:
        match value:
            case list():
                return [id_of(item) for item in value]
            case str() if value.startswith("group:"):
                return estate.groups[value.removeprefix("group:")]
            case str() if value.startswith("instance:"):
                return estate.instances[value.removeprefix("instance:")]
            case _:
                return value

    return replace(one, parameters={key: id_of(value) for key, value in one.parameters.items()})
