"""Delete what carries a run's tag, in the order that AWS's dependencies want, and say what is left.

A name that begins with `conform-` and the run counts as the tag where AWS takes no tag on creation, and where
the program, deployed by `make conform-app`, makes a thing. Three uses: the end of every run, also of one that
Ctrl-C ends; `make conform-sweep` for what killed runs left, once it is two hours old; a look for leftovers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from conformance.account import CERTIFICATES, PREFIX, RUN, TAG
from conformance.answer import code_and_message
from conformance.needs import PARENT

OURS = re.compile(rf"{PREFIX}({RUN.pattern})(?:[-/].*)?")
SERVED = "/emq-elb/"
"""Begins the IAM path of the program's own certificates; the deployment's name follows."""

GONE = re.compile(r"NotFound|NoSuch|NonExistent|ResourceNotFound")
"""In a code: somebody else, or AWS itself, deleted it meanwhile."""


@dataclass(frozen=True)
class Thing:
    """Something that a run made: what it is, which run made it, and the calls that delete it.

    `there` says after the deletion whether AWS still holds on to it; None where AWS deletes at once.
    """

    kind: str
    name: str
    run: str
    delete: Callable[[], object]
    there: Callable[[], bool] | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Client = Callable[[str], Any]
Find = Callable[[Client], Iterator[Thing]]


@dataclass(frozen=True)
class Waiting:
    """How long the sweep waits for AWS to let go."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    pause: float
    seconds: float


def things(client: Client) -> list[Thing]:
    """Return everything that any run made and that is still there, in the order of deletion."""
    return [thing for find in FINDS for thing in find(client) if thing.run]


def sweep(
    client: Client, mine: Callable[[str], bool], waiting: Waiting, say: Callable[[str], None]
) -> list[str]:
    """Delete the things of the runs that `mine` picks; return what is left, with AWS's reason."""
    deadline = waiting.clock() + waiting.seconds
    left: list[str] = []
    for find in FINDS:
        pending = [thing for thing in _found(find, client, left) if thing.run and mine(thing.run)]
        for thing in pending:
            say(f"deletes {thing}")
        while pending:
            reasons = {str(thing): reason for thing in pending if (reason := _deleted(thing))}
            pending = [thing for thing in pending if str(thing) in reasons]
            if pending and waiting.clock() >= deadline:
                left += [f"{name}: {reason}" for name, reason in reasons.items()]
                break
            if pending:
                waiting.sleep(waiting.pause)
    return left


def _found(find: Find, client: Client, left: list[str]) -> list[Thing]:
    try:
        return [*find(client)]
    except ClientError as error:
        left.append(f"what {find.__name__} would find: {': '.join(code_and_message(error))}")
        return []


def _deleted(thing: Thing) -> str:
    """Delete a thing; return why it is still there, empty when it is gone."""
    try:
        thing.delete()
    except ClientError as error:
        code, message = code_and_message(error)
        gone = GONE.search(code) if thing.there is None else not thing.there()
        return "" if gone else f"{code}: {message}"
    return "AWS is still at it" if thing.there is not None and thing.there() else ""


def run_of(tags: Sequence[Any]) -> str:
    """Return the run that a list of tags names; empty for none."""
    return next((one["Value"] for one in tags if one["Key"] == TAG), "")


def named(name: str) -> str:
    """Return the run that a name begins with; empty when it is no name of ours."""
    found = OURS.fullmatch(name)
    return found[1] if found else ""


def pages(client: Any, operation: str, key: str, **parameters: object) -> Iterator[Any]:
    """Return what a listing holds, page by page; some leave the key out when it is empty."""
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(key, [])


def auto_scaling_groups(client: Client) -> Iterator[Thing]:
    """Groups first: they would replace their instances."""
    autoscaling = client("autoscaling")
    for group in pages(autoscaling, "describe_auto_scaling_groups", "AutoScalingGroups"):
        name = group["AutoScalingGroupName"]
        delete = partial(autoscaling.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)
        yield Thing(
            "Auto Scaling group",
            name,
            run_of(group["Tags"]),
            delete,
            partial(_group_there, autoscaling, name),
        )


def _group_there(autoscaling: Any, name: str) -> bool:
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return bool(found["AutoScalingGroups"])


def load_balancers(client: Client) -> Iterator[Thing]:
    """Classic load balancers, before the certificates, groups and subnets that they hold.

    All those in a VPC of a run are its own: the program gives its load balancers no tag of anybody else's.
    """
    elb, runs = client("elb"), runs_by_vpc(client)
    if not runs:
        return
    for one in pages(elb, "describe_load_balancers", "LoadBalancerDescriptions"):
        name = one["LoadBalancerName"]
        delete = partial(elb.delete_load_balancer, LoadBalancerName=name)
        yield Thing("load balancer", name, runs.get(one["VPCId"], ""), delete)


def runs_by_vpc(client: Client) -> dict[str, str]:
    """Return the VPCs that runs made, each with its run."""
    found = pages(client("ec2"), "describe_vpcs", "Vpcs", Filters=TAGGED)
    return {vpc["VpcId"]: run_of(vpc["Tags"]) for vpc in found}


def network_load_balancers(client: Client) -> Iterator[Thing]:
    """Load balancers of the second API in the VPCs of runs, with their listeners."""
    elbv2, runs = client("elbv2"), runs_by_vpc(client)
    if not runs:
        return
    for one in pages(elbv2, "describe_load_balancers", "LoadBalancers"):
        delete = partial(_delete_network, elbv2, one["LoadBalancerArn"])
        name = one["LoadBalancerName"]
        yield Thing(f"{one['Type']} load balancer", name, runs.get(one["VpcId"], ""), delete)


def _delete_network(elbv2: Any, arn: str) -> None:
    try:
        elbv2.delete_load_balancer(LoadBalancerArn=arn)
    except ClientError as error:
        if code_and_message(error)[0] != "OperationNotPermitted":
            raise
        off = [{"Key": "deletion_protection.enabled", "Value": "false"}]
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=off)
        elbv2.delete_load_balancer(LoadBalancerArn=arn)


def target_groups(client: Client) -> Iterator[Thing]:
    """Target groups in the VPCs of runs, once their load balancers have let go of them."""
    elbv2, runs = client("elbv2"), runs_by_vpc(client)
    if not runs:
        return
    for one in pages(elbv2, "describe_target_groups", "TargetGroups"):
        delete = partial(elbv2.delete_target_group, TargetGroupArn=one["TargetGroupArn"])
        yield Thing("target group", one["TargetGroupName"], runs.get(one.get("VpcId", ""), ""), delete)


def balancer_tags(elb: Any) -> Iterator[tuple[str, list[Any]]]:
    """Return every classic load balancer's name with its tags."""
    names = [
        one["LoadBalancerName"] for one in pages(elb, "describe_load_balancers", "LoadBalancerDescriptions")
    ]
    for start in range(0, len(names), 20):
        answer = elb.describe_tags(LoadBalancerNames=names[start : start + 20])
        for described in answer["TagDescriptions"]:
            yield described["LoadBalancerName"], described["Tags"]


def network_tags(elbv2: Any) -> Iterator[tuple[str, list[Any]]]:
    """Return the name of every load balancer of the second API with its tags."""
    names = {
        one["LoadBalancerArn"]: one["LoadBalancerName"]
        for one in pages(elbv2, "describe_load_balancers", "LoadBalancers")
    }
    arns = [*names]
    for start in range(0, len(arns), 20):
        answer = elbv2.describe_tags(ResourceArns=arns[start : start + 20])
        for described in answer["TagDescriptions"]:
            yield names[described["ResourceArn"]], described["Tags"]


def instances(client: Client) -> Iterator[Thing]:
    """Instances; they are gone once they are terminated, and so are their volumes."""
    ec2 = client("ec2")
    for reservation in pages(ec2, "describe_instances", "Reservations", Filters=TAGGED):
        for one in reservation["Instances"]:
            if one["State"]["Name"] != "terminated":
                id_ = one["InstanceId"]
                delete = partial(ec2.terminate_instances, InstanceIds=[id_])
                yield Thing("instance", id_, run_of(one["Tags"]), delete, partial(_alive, ec2, id_))


def _alive(ec2: Any, instance: str) -> bool:
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    return bool(reservation["Instances"][0]["State"]["Name"] != "terminated")


def launch_templates(client: Client) -> Iterator[Thing]:
    """Launch templates of Auto Scaling groups."""
    ec2 = client("ec2")
    for one in pages(ec2, "describe_launch_templates", "LaunchTemplates", Filters=TAGGED):
        delete = partial(ec2.delete_launch_template, LaunchTemplateId=one["LaunchTemplateId"])
        yield Thing("launch template", one["LaunchTemplateName"], run_of(one["Tags"]), delete)


def event_rules(client: Client) -> Iterator[Thing]:
    """EventBridge's rules, their targets first."""
    events = client("events")
    for one in pages(events, "list_rules", "Rules", NamePrefix=PREFIX):
        yield Thing("event rule", one["Name"], named(one["Name"]), partial(_delete_rule, events, one["Name"]))


def _delete_rule(events: Any, name: str) -> None:
    targets = [one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]]
    if targets:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def queues(client: Client) -> Iterator[Thing]:
    """Queues of SQS."""
    sqs = client("sqs")
    for url in pages(sqs, "list_queues", "QueueUrls", QueueNamePrefix=PREFIX):
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        delete = partial(sqs.delete_queue, QueueUrl=url)
        yield Thing("queue", url.rpartition("/")[2], tags.get(TAG, ""), delete)


def apis(client: Client) -> Iterator[Thing]:
    """REST APIs of API Gateway, known by their names: an import takes no tag."""
    gateway = client("apigateway")
    for one in pages(gateway, "get_rest_apis", "items"):
        delete = partial(gateway.delete_rest_api, restApiId=one["id"])
        yield Thing("REST API", one["id"], named(one["name"]), delete)


def functions(client: Client) -> Iterator[Thing]:
    """Lambda functions."""
    lambda_ = client("lambda")
    for one in pages(lambda_, "list_functions", "Functions"):
        name = one["FunctionName"]
        yield Thing("function", name, named(name), partial(lambda_.delete_function, FunctionName=name))


def log_groups(client: Client) -> Iterator[Thing]:
    """What functions logged; Lambda makes a group anew, without a tag, for one that still runs."""
    logs = client("logs")
    for one in pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=f"/aws/lambda/{PREFIX}"):
        name = one["logGroupName"]
        delete = partial(logs.delete_log_group, logGroupName=name)
        yield Thing("log group", name, named(name.removeprefix("/aws/lambda/")), delete)


def alarms(client: Client) -> Iterator[Thing]:
    """CloudWatch's alarms."""
    cloudwatch = client("cloudwatch")
    for one in pages(cloudwatch, "describe_alarms", "MetricAlarms", AlarmNamePrefix=PREFIX):
        delete = partial(cloudwatch.delete_alarms, AlarmNames=[one["AlarmName"]])
        yield Thing("alarm", one["AlarmName"], named(one["AlarmName"]), delete)


def dashboards(client: Client) -> Iterator[Thing]:
    """Dashboards, known by their names."""
    cloudwatch = client("cloudwatch")
    for one in pages(cloudwatch, "list_dashboards", "DashboardEntries", DashboardNamePrefix=PREFIX):
        delete = partial(cloudwatch.delete_dashboards, DashboardNames=[one["DashboardName"]])
        yield Thing("dashboard", one["DashboardName"], named(one["DashboardName"]), delete)


def zones(client: Client) -> Iterator[Thing]:
    """Hosted zones with their records, known by name and comment: Route 53 tags only what is there."""
    route53 = client("route53")
    for one in pages(route53, "list_hosted_zones", "HostedZones"):
        run, _, parent = one["Name"].rstrip(".").partition(".")
        ours = parent == PARENT and one.get("Config", {}).get("Comment") == f"{TAG}={run}"
        id_ = one["Id"].rpartition("/")[2]
        yield Thing("hosted zone", id_, run if ours else "", partial(_delete_zone, route53, id_, one["Name"]))


def _delete_zone(route53: Any, zone: str, name: str) -> None:
    records = pages(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)
    own = [one for one in records if one["Name"] != name or one["Type"] not in {"NS", "SOA"}]
    if own:
        changes = [{"Action": "DELETE", "ResourceRecordSet": one} for one in own]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    route53.delete_hosted_zone(Id=zone)


def certificates(client: Client) -> Iterator[Thing]:
    """Server certificates, which load balancers hold for a while after they are gone."""
    iam = client("iam")
    for one in pages(iam, "list_server_certificates", "ServerCertificateMetadataList"):
        name, path = one["ServerCertificateName"], one["Path"]
        run = path.removeprefix(CERTIFICATES).partition("/")[0] if path.startswith(CERTIFICATES) else ""
        if path.startswith(SERVED):
            run = named(path.removeprefix(SERVED).partition("/")[0])
        delete = partial(iam.delete_server_certificate, ServerCertificateName=name)
        yield Thing("server certificate", name, run if RUN.fullmatch(run) else "", delete)


def secrets(client: Client) -> Iterator[Thing]:
    """The private CA of a deployed program."""
    manager = client("secretsmanager")
    filters = [{"Key": "name", "Values": [PREFIX]}]
    for one in pages(manager, "list_secrets", "SecretList", Filters=filters):
        name = one["Name"]
        delete = partial(manager.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
        yield Thing("secret", name, named(name), delete)


def roles(client: Client) -> Iterator[Thing]:
    """Roles, their policies first."""
    iam = client("iam")
    for one in pages(iam, "list_roles", "Roles"):
        name = one["RoleName"]
        yield Thing("role", name, named(name), partial(_delete_role, iam, name))


def _delete_role(iam: Any, name: str) -> None:
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def groups(client: Client) -> Iterator[Thing]:
    """Security groups of the runs' own VPCs but the default ones, their rules first: one may name another."""
    ec2 = client("ec2")
    for vpc in pages(ec2, "describe_vpcs", "Vpcs", Filters=TAGGED):
        inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        for one in pages(ec2, "describe_security_groups", "SecurityGroups", Filters=inside):
            if one["GroupName"] != "default":
                delete = partial(_delete_group, ec2, one)
                yield Thing("security group", one["GroupId"], run_of(vpc["Tags"]), delete)


def _delete_group(ec2: Any, group: Any) -> None:
    id_ = group["GroupId"]
    try:
        if group["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=id_, IpPermissions=group["IpPermissions"])
    except ClientError:  # an earlier attempt revoked them
        pass
    ec2.delete_security_group(GroupId=id_)


def gateways(client: Client) -> Iterator[Thing]:
    """Internet gateways, detached first."""
    ec2 = client("ec2")
    for one in pages(ec2, "describe_internet_gateways", "InternetGateways", Filters=TAGGED):
        vpcs = [attached["VpcId"] for attached in one["Attachments"]]
        delete = partial(_delete_gateway, ec2, one["InternetGatewayId"], vpcs)
        yield Thing("internet gateway", one["InternetGatewayId"], run_of(one["Tags"]), delete)


def _delete_gateway(ec2: Any, gateway: str, vpcs: Sequence[str]) -> None:
    for vpc in vpcs:
        try:
            ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        except ClientError as error:
            if code_and_message(error)[0] != "Gateway.NotAttached":
                raise
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def subnets(client: Client) -> Iterator[Thing]:
    """Subnets, once the network interfaces of load balancers have left them."""
    ec2 = client("ec2")
    for one in pages(ec2, "describe_subnets", "Subnets", Filters=TAGGED):
        delete = partial(ec2.delete_subnet, SubnetId=one["SubnetId"])
        yield Thing("subnet", one["SubnetId"], run_of(one["Tags"]), delete)


def vpcs(client: Client) -> Iterator[Thing]:
    """VPCs last: everything is in them."""
    ec2 = client("ec2")
    for one in pages(ec2, "describe_vpcs", "Vpcs", Filters=TAGGED):
        yield Thing("VPC", one["VpcId"], run_of(one["Tags"]), partial(ec2.delete_vpc, VpcId=one["VpcId"]))


TAGGED = [{"Name": "tag-key", "Values": [TAG]}]

FINDS: tuple[Find, ...] = (
    auto_scaling_groups,
    load_balancers,
    network_load_balancers,
    target_groups,
    instances,
    launch_templates,
    event_rules,
    queues,
    apis,
    functions,
    log_groups,
    alarms,
    dashboards,
    zones,
    certificates,
    secrets,
    roles,
    groups,
    gateways,
    subnets,
    vpcs,
)
"""In the order in which AWS lets go of things."""
