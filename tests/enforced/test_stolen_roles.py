"""What whoever has stolen a function's role can do with it, and what nobody can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from lab.fidelity.authorization import denial, enforce, release
from lab.fidelity.authorization_call import Call
from lab.fidelity.authorization_policy import Question, decide
from tests.deploy.policies import granted, policy, policy_files
from tests.enforced.estate import (
    DEV,
    KINDS,
    OWNER,
    OWNERS,
    PROD,
    REGION,
    Estate,
    alarm,
    arn,
    balancer,
    call,
    creating,
    dashboard,
    event,
    grouped,
    hook,
    keeping,
    made,
    marking,
    named,
    new_group,
    of_kind,
    owned,
    records,
    ringing,
    secret,
    tagging,
    upload,
)
from tests.world.provisioning import account
from tools.policies import CHALICE, filled_in

STOLEN = "stolen"
DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
FUNCTIONS = sorted(policy_files())


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """Made once: nothing here changes it."""
    with pytest.MonkeyPatch.context() as environment, account() as here:
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        yield made(here)


MEMBERSHIP = {"api_handler", "drain", "provision", "reconcile", "register"}
MAKERS = {"api_handler", "provision"}
NAMERS = {"provision", "reconcile"}
SWEEPERS = {"api_handler", "provision", "reconcile"}
SIGNERS = {"api_handler", "rotate"}
PROBERS = {"deep_probe", "probe", "widget"}
READERS = {*SIGNERS, *PROBERS}
ALARMS = {"provision", "reconcile"}
NO_INSTANCES: list[dict[str, str]] = []
TOPIC = "arn:aws:sns:eu-central-1:123456789012:ops"
SWAP = {"LoadBalancerPort": 8883, "SSLCertificateId": "arn:aws:iam::123456789012:server-certificate/theirs"}

SWAP_TLS = {"Certificates": [{"CertificateArn": SWAP["SSLCertificateId"]}]}

WHEN = ("AlarmActions", "OKActions", "InsufficientDataActions")
# What an alarm may do beside notifying.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
DEEDS = (
    *(f"arn:aws:automate:{REGION}:ec2:{deed}" for deed in ("terminate", "stop", "reboot", "recover")),
    "arn:aws:swf:eu-central-1:123456789012:action/actions/AWS_EC2.InstanceId.Terminate/1.0",
    "arn:aws:autoscaling:eu-central-1:123456789012:scalingPolicy:0:autoScalingGroupName/nodes:policyName/out",
    "arn:aws:lambda:eu-central-1:123456789012:function:sns:live",
    "arn:aws:ssm:eu-central-1:123456789012:opsitem:1",
)

OURS = of_kind("net", "prod")

# Who may do what to that which is the deployment's own: nobody else may, and nobody may to anything else.
OWN: list[tuple[Call, set[str]]] = [
    (balancer("DeleteLoadBalancer", "prod"), MAKERS),
    (balancer("RegisterInstancesWithLoadBalancer", "prod", Instances=NO_INSTANCES), MEMBERSHIP),
    (balancer("DeregisterInstancesFromLoadBalancer", "prod", Instances=NO_INSTANCES), MEMBERSHIP),
    *(
        (call("elbv2", operation, TargetGroupArn=OURS["target group"], Targets=[{"Id": "i-0"}]), MEMBERSHIP)
        for operation in ("RegisterTargets", "DeregisterTargets")
    ),
    (call("elbv2", "DeleteTargetGroup", TargetGroupArn=OURS["target group"]), SWEEPERS),
    (
        call(
            "elbv2",
            "AddTags",
            ResourceArns=[OURS["target group"]],
            Tags=owned(None, **{"emq-elb:pending": "x"}),
        ),
        SWEEPERS,
    ),
    (call("elbv2", "DeleteLoadBalancer", LoadBalancerArn=OURS["load balancer"]), MAKERS),
    (call("elbv2", "DeleteListener", ListenerArn=OURS["listener"]), MAKERS),
    (call("elbv2", "SetSubnets", LoadBalancerArn=OURS["load balancer"], Subnets=["subnet-0"]), MAKERS),
    (call("elbv2", "CreateLoadBalancer", Name="new", Type="network", Tags=owned(PROD)), MAKERS),
    *(
        (call("elbv2", "AddTags", ResourceArns=[of_kind("net", "theirs")[what]], Tags=owned(PROD)), who)
        for what, who in {
            "load balancer": {"api_handler"},
            "listener": MAKERS,
            "target group": MAKERS,
        }.items()
    ),
    (balancer("SetLoadBalancerListenerSSLCertificate", "prod", **SWAP), {*MAKERS, "rotate"}),
    (call("elbv2", "ModifyListener", ListenerArn=OURS["listener"], **SWAP_TLS), {*MAKERS, "rotate"}),
    (
        call(
            "elbv2",
            "AddTags",
            ResourceArns=[OURS["load balancer"]],
            Tags=owned(None, **{"emq-elb:rejected": "x"}),
        ),
        {*MAKERS, "rotate"},
    ),
    (creating(PROD), MAKERS),
    (tagging("prod", owned(None, team="iot")), MAKERS),
    (tagging("prod", owned(None, **{"emq-elb:pending": "x"})), {*MAKERS, "rotate"}),
    (tagging("theirs", owned(PROD)), {"api_handler"}),
    (upload(f"/emq-elb/{PROD}/{REGION}/prod/", PROD), {*MAKERS, "rotate"}),
    (call("iam", "DeleteServerCertificate", ServerCertificateName="prod"), {*SWEEPERS, "rotate"}),
    (new_group(PROD), MAKERS),
    (grouped("DeleteSecurityGroup", "prod"), SWEEPERS),
    (grouped("AuthorizeSecurityGroupIngress", "prod"), MAKERS),
    (marking("group:prod", "emq-elb:pending"), {"reconcile"}),
    (marking("instance:theirs", "emq-elb:cluster"), MAKERS),
    (marking("instance:prod", "emq-elb:draining"), {"drain"}),
    (secret(f"{PROD}/private-ca"), SIGNERS),
    (secret(f"{PROD}/private-ca-certificate"), READERS),
    (secret(f"{PROD}/mqtt"), READERS),
    (keeping(f"{PROD}/private-ca", PROD), SIGNERS),
    (keeping(f"{PROD}/private-ca-certificate", PROD), SIGNERS),
    (
        call(
            "secretsmanager", "PutSecretValue", SecretId=f"{PROD}/private-ca-certificate", SecretString="{}"
        ),
        SIGNERS,
    ),
    (call("secretsmanager", "DescribeSecret", SecretId=f"{PROD}/private-ca"), SIGNERS),
    (hook("CompleteLifecycleAction", "nodes"), {"drain", "reconcile"}),
    (hook("RecordLifecycleActionHeartbeat", "nodes"), {"reconcile"}),
    (call("lambda", "Invoke", FunctionName=f"{PROD}-provision"), {"api_handler"}),
    (call("lambda", "Invoke", FunctionName=f"{PROD}-rotate"), {"api_handler", "widget"}),
    (event("emq-elb"), {*MEMBERSHIP, "rotate"}),
    (alarm(f"{PROD}/demo/probe"), ALARMS),
    (ringing(f"{PROD}/demo/probe"), ALARMS),
    *((ringing(f"{PROD}/demo/probe", TOPIC, when=when), ALARMS) for when in WHEN),
    (ringing(f"{PROD}/demo/probe", TOPIC.replace("arn:aws:", "arn:aws-cn:")), ALARMS),
    (dashboard(f"{PROD}-{REGION}"), ALARMS),
    (keeping(f"{PROD}/acme-account", PROD), {"provision", "rotate"}),
    (secret(f"{PROD}/acme-account"), {*SIGNERS, "provision"}),
    (secret(f"{PROD}/acme-eab"), {*SIGNERS, "provision"}),
    (records("_acme-challenge.mqtt.example.com."), {"provision", "rotate"}),
]

OTHER_KINDS = tuple(kind for kind in KINDS if kind != "net")
"""Those that no function of ours may touch."""


def writes_about(kind: str, name: str) -> list[Call]:
    """What could be done to a load balancer that is not classic, and to what belongs to it.

    A target group that carries our owner tag is ours, whatever load balancer it stands behind.
    """
    there = of_kind(kind, name)
    group_arn = there.pop("target group")
    attributes = [{"Key": "deletion_protection.enabled", "Value": "false"}]
    on_group = [
        call("elbv2", "DeleteTargetGroup", TargetGroupArn=group_arn),
        *(
            call("elbv2", operation, TargetGroupArn=group_arn, Targets=[{"Id": "i-0"}])
            for operation in ("RegisterTargets", "DeregisterTargets")
        ),
        call("elbv2", "RemoveTags", ResourceArns=[group_arn], TagKeys=["team"]),
    ]
    return [
        *(call("elbv2", "RemoveTags", ResourceArns=[one], TagKeys=["team"]) for one in there.values()),
        call("elbv2", "DeleteLoadBalancer", LoadBalancerArn=there["load balancer"]),
        call(
            "elbv2",
            "ModifyLoadBalancerAttributes",
            LoadBalancerArn=there["load balancer"],
            Attributes=attributes,
        ),
        call("elbv2", "SetSubnets", LoadBalancerArn=there["load balancer"], Subnets=["subnet-0"]),
        call("elbv2", "DeleteListener", ListenerArn=there["listener"]),
        call("elbv2", "ModifyListener", ListenerArn=there["listener"], **SWAP_TLS),
        call("elbv2", "DeleteRule", RuleArn=there["rule"]),
        *(on_group if name != "prod" else ()),
    ]


FOREIGN: list[Call] = [
    *(
        call_
        for name in ("dev", "theirs")
        for call_ in (
            balancer("DeleteLoadBalancer", name),
            balancer("RegisterInstancesWithLoadBalancer", name, Instances=NO_INSTANCES),
            balancer("DeregisterInstancesFromLoadBalancer", name, Instances=NO_INSTANCES),
            balancer("SetLoadBalancerListenerSSLCertificate", name, **SWAP),
            balancer("DeleteLoadBalancerListeners", name, LoadBalancerPorts=[8883]),
            tagging(name, owned(None, team="iot")),
            tagging(name, owned(DEV)),
            call("iam", "DeleteServerCertificate", ServerCertificateName=name),
            grouped("DeleteSecurityGroup", name),
            grouped("AuthorizeSecurityGroupIngress", name),
            marking(f"group:{name}", OWNER),
            marking(f"group:{name}", "emq-elb:pending"),
        )
    ),
    call("iam", "DeleteServerCertificate", ServerCertificateName="untagged"),
    tagging("dev", owned(PROD)),
    tagging("prod", owned(DEV)),
    call("elb", "RemoveTags", LoadBalancerNames=["prod"], Tags=[{"Key": OWNER}]),
    creating(DEV),
    creating(None),
    upload(f"/emq-elb/{DEV}/{REGION}/dev/", PROD),
    upload(f"/emq-elb/{PROD}/{REGION}/prod/", None),
    upload("/", PROD),
    upload("/cloudfront/", PROD),
    new_group(DEV),
    new_group(None),
    marking("group:prod", OWNER),
    marking("instance:dev", "emq-elb:cluster"),
    marking("instance:theirs", "emq-elb:draining"),
    marking("instance:theirs", "Name"),
    marking("instance:theirs", "emq-elb:cluster", "Name"),
    # Whoever gives an instance an owner keeps it from the other stages.
    marking("instance:reserved", "emq-elb:cluster"),
    marking("instance:member", "emq-elb:draining"),
    secret(f"{DEV}/private-ca"),
    secret("team/private-ca"),
    secret("not-there"),
    keeping(f"{DEV}/private-ca", PROD),
    keeping(f"{PROD}/private-ca", DEV),
    hook("CompleteLifecycleAction", "theirs"),
    hook("RecordLifecycleActionHeartbeat", "theirs"),
    call("lambda", "Invoke", FunctionName=f"{DEV}-provision"),
    call("lambda", "Invoke", FunctionName="theirs"),
    event("theirs"),
    alarm(f"{DEV}/demo/probe"),
    alarm("theirs"),
    ringing("theirs"),
    *(ringing(f"{PROD}/demo/probe", deed, when=when) for deed in DEEDS for when in WHEN),
    ringing(f"{PROD}/demo/probe", TOPIC, DEEDS[0]),
    *(call_ for kind in OTHER_KINDS for name in OWNERS for call_ in writes_about(kind, name)),
    *(call_ for name in ("dev", "theirs") for call_ in writes_about("net", name)),
    *(
        call("elbv2", "CreateLoadBalancer", Name="new", Type=KINDS[kind], Tags=owned(PROD))
        for kind in OTHER_KINDS
    ),
    *(
        call("elbv2", "CreateLoadBalancer", Name="new", Type="network", **tags)
        for tags in ({"Tags": owned(DEV)}, {})
    ),
    # A target group is of no kind. The call that adopts one that nobody owns has to name whose it is to be.
    *(
        call("elbv2", "AddTags", ResourceArns=[one], Tags=owned(PROD))
        for one in of_kind("net", "dev").values()
    ),
    *(
        call("elbv2", "AddTags", ResourceArns=[one], Tags=owned(DEV))
        for name in OWNERS
        for one in of_kind("net", name).values()
    ),
    *(
        call("elbv2", "AddTags", ResourceArns=[one], Tags=owned(PROD))
        for kind in OTHER_KINDS
        for name in OWNERS
        for what, one in of_kind(kind, name).items()
        if what != "target group"
    ),
    dashboard(f"{DEV}-{REGION}"),
    records("mqtt.example.com."),
    records("_acme-challenge.mqtt.example.com.", "CNAME"),
    records("_acme-challenge.mqtt.example.com.", action="UPSERT"),
    # What nobody has a reason to do at all.
    call("ec2", "TerminateInstances", InstanceIds=["instance:prod"]),
    call("ec2", "StopInstances", InstanceIds=["instance:prod"]),
    call("ec2", "RunInstances", ImageId="ami-0", MinCount=1, MaxCount=1),
    call("iam", "CreateUser", UserName="me"),
    call("iam", "CreateAccessKey", UserName="me"),
    call("iam", "PutRolePolicy", RoleName="me", PolicyName="all", PolicyDocument="{}"),
    call("autoscaling", "SetDesiredCapacity", AutoScalingGroupName="nodes", DesiredCapacity=0),
    call("secretsmanager", "PutSecretValue", SecretId=f"{PROD}/private-ca", SecretString="{}"),
    call("secretsmanager", "DeleteSecret", SecretId=f"{PROD}/private-ca"),
    call("acm", "DeleteCertificate", CertificateArn="arn:aws:acm:eu-central-1:123456789012:certificate/x"),
    call("lambda", "UpdateFunctionConfiguration", FunctionName=f"{PROD}-provision"),
    call("route53", "DeleteHostedZone", Id="Z0"),
    call("logs", "DeleteLogGroup", logGroupName=f"/aws/lambda/{PROD}"),
]


def label(one: Call) -> str:
    """A call as the name of a test."""
    about = [str(value) for value in one.parameters.values() if isinstance(value, str) and len(value) < 40]
    return " ".join([one.operation, *about])


def holding(function: str) -> None:
    enforce(STOLEN, policy(policy_files()[function]))


@pytest.fixture(autouse=True)
def free() -> Iterator[None]:
    yield
    release(STOLEN)


@pytest.mark.parametrize(("one", "who"), OWN, ids=[label(one) for one, _ in OWN])
def test_these_functions_may_do_it_and_no_other(estate: Estate, one: Call, who: set[str]) -> None:
    able = set()
    for function in FUNCTIONS:
        holding(function)
        if denial(STOLEN, named(one, estate)) is None:
            able.add(function)
    assert able == who


@pytest.mark.parametrize("one", FOREIGN, ids=[label(one) for one in FOREIGN])
def test_no_function_may_do_it_on_the_wire(estate: Estate, one: Call) -> None:
    client = boto3.client(  # type: ignore[call-overload] # any service
        one.service, REGION, aws_access_key_id=STOLEN, aws_secret_access_key="made-up"
    )
    for function in FUNCTIONS:
        holding(function)
        with pytest.raises(ClientError) as caught:
            getattr(client, xform_name(one.operation))(**named(one, estate).parameters)
        assert caught.value.response["Error"]["Code"] in DENIALS, function


@pytest.mark.parametrize(
    ("one", "who"),
    [
        (records("mqtt.example.com.", "A", zone="Z1"), NAMERS),
        (records("example.com.", "AAAA", zone="Z1"), NAMERS),
        (records("mqtt.example.com.", "CNAME", "DELETE", zone="Z1"), NAMERS),
        (records("_emq-elb.mqtt.example.com.", zone="Z1"), NAMERS),
        (records("mqtt.example.com.", "A", "UPSERT", zone="Z1"), set()),
        (records("example.com.", "MX", zone="Z1"), set()),
        (records("mqtt.example.org.", "A", zone="Z1"), set()),
        (records("mqtt.example.com.", "A", zone="Z2"), set()),
    ],
    ids=lambda one: label(one) if isinstance(one, Call) else "",
)
def test_records_of_names_change_in_the_zones_and_by_the_names_of_the_settings(
    estate: Estate, one: Call, who: set[str]
) -> None:
    environment = {"OWNER": PROD, "DNS_ZONES": "Z1", "ALLOWED_DOMAINS": "example.com"}
    able = set()
    for function, file in policy_files().items():
        text = (CHALICE / file.partition("/")[2]).read_text()
        enforce(STOLEN, json.loads(filled_in(text, environment)))
        if denial(STOLEN, named(one, estate)) is None:
            able.add(function)
    assert able == who


UNTAGGED: tuple[str, ...] = ()
KEY = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:{PROD}/private-ca-a1B2c3"


@pytest.mark.parametrize(
    ("owner", "apart", "probers"),
    [
        # Made by us before its certificate stood apart: until `rotate` has done that, probes need it.
        ((PROD,), UNTAGGED, PROBERS),
        ((PROD,), (f"{PROD}/private-ca-certificate",), set()),
        (UNTAGGED, UNTAGGED, set()),
        ((DEV,), UNTAGGED, set()),
    ],
)
def test_no_probing_function_reads_the_private_cas_key_once_its_certificate_stands_apart(
    owner: tuple[str, ...], apart: tuple[str, ...], probers: set[str]
) -> None:
    tags = {"aws:resourcetag/emq-elb:owner": owner, "aws:resourcetag/emq-elb:certificate": apart}
    question = Question("secretsmanager:GetSecretValue", KEY, tags)
    able = {one for one in FUNCTIONS if decide(policy(policy_files()[one]), question).allowed}
    assert able == SIGNERS | probers


def test_no_function_can_take_the_mark_off_that_denies_the_key() -> None:
    for function in FUNCTIONS:
        assert "secretsmanager:UntagResource" not in granted(policy(policy_files()[function]))


CLASSIC_WRITES: dict[str, dict[str, Any]] = {
    "AddTags": {"Tags": owned(None, team="iot")},
    "ApplySecurityGroupsToLoadBalancer": {"SecurityGroups": ["sg-0"]},
    "AttachLoadBalancerToSubnets": {"Subnets": ["subnet-0"]},
    "ConfigureHealthCheck": {"HealthCheck": {}},
    "CreateLoadBalancerListeners": {"Listeners": []},
    "CreateLoadBalancerPolicy": {"PolicyName": "p", "PolicyTypeName": "SSLNegotiationPolicyType"},
    "DeleteLoadBalancer": {},
    "DeleteLoadBalancerListeners": {"LoadBalancerPorts": [8883]},
    "DeleteLoadBalancerPolicy": {"PolicyName": "p"},
    "DeregisterInstancesFromLoadBalancer": {"Instances": []},
    "DetachLoadBalancerFromSubnets": {"Subnets": ["subnet-0"]},
    "ModifyLoadBalancerAttributes": {"LoadBalancerAttributes": {}},
    "RegisterInstancesWithLoadBalancer": {"Instances": []},
    "RemoveTags": {"Tags": [{"Key": "team"}]},
    "SetLoadBalancerListenerSSLCertificate": SWAP,
    "SetLoadBalancerPoliciesForBackendServer": {"InstancePort": 1883, "PolicyNames": []},
    "SetLoadBalancerPoliciesOfListener": {"LoadBalancerPort": 8883, "PolicyNames": []},
}


def classic(operation: str, name: str) -> Call:
    """The write, about a classic load balancer of that name."""
    several = operation in {"AddTags", "RemoveTags"}
    named_ = {"LoadBalancerNames": [name]} if several else {"LoadBalancerName": name}
    return call("elb", operation, **named_, **CLASSIC_WRITES[operation])


# What is about network load balancers alone, by what carries the tag that decides.
NETWORK_WRITES = {
    "load balancer": {"CreateListener", "SetSecurityGroups", "SetSubnets"},
    "listener": {"DeleteListener", "ModifyListener", "ModifyListenerAttributes"},
    "target group": {
        "CreateTargetGroup",
        "DeleteTargetGroup",
        "DeregisterTargets",
        "ModifyTargetGroup",
        "ModifyTargetGroupAttributes",
        "RegisterTargets",
    },
}
OF_BOTH = {
    "AddTags",
    "CreateLoadBalancer",
    "DeleteLoadBalancer",
    "ModifyLoadBalancerAttributes",
    "RemoveTags",
}


def test_every_write_that_a_function_is_granted_is_among_these() -> None:
    asked = {action.partition(":")[2] for function in FUNCTIONS for action in writes(function)}
    assert asked == CLASSIC_WRITES.keys() | OF_BOTH | {*chain.from_iterable(NETWORK_WRITES.values())}


@pytest.mark.usefixtures("estate")
@pytest.mark.parametrize("operation", sorted(CLASSIC_WRITES))
def test_no_write_reaches_a_classic_load_balancer_of_another_stage_or_of_nobody(operation: str) -> None:
    able = set()
    for function in FUNCTIONS:
        holding(function)
        for name in ("dev", "theirs"):
            assert denial(STOLEN, classic(operation, name)) is not None, (function, name)
        if denial(STOLEN, classic(operation, "prod")) is None:
            able.add(function)
    assert able, "some function may, of our own"


# A condition on tags may be met by any of these; all that can be known of a call is in one of them.
CONTEXTS: dict[str, dict[str, tuple[str, ...]]] = {
    "ours": {f"aws:resourcetag/{OWNER}": (PROD,), "aws:tagkeys": ("team",)},
    "ours, a mark on it": {f"aws:resourcetag/{OWNER}": (PROD,), "aws:tagkeys": ("emq-elb:pending",)},
    "nobody's, to be ours": {f"aws:requesttag/{OWNER}": (PROD,), "aws:tagkeys": (OWNER,)},
    "made as ours": {
        f"aws:requesttag/{OWNER}": (PROD,),
        "aws:tagkeys": (OWNER,),
        "elasticloadbalancing:createaction": ("CreateLoadBalancer",),
    },
}


def writes(function: str) -> list[str]:
    """What a function may change of load balancers."""
    prefix = "elasticloadbalancing:"
    actions = granted(policy(policy_files()[function]))
    return sorted(
        one for one in actions if one.startswith(prefix) and not one.startswith(f"{prefix}Describe")
    )


def contexts(function: str, action: str, resource: str) -> set[str]:
    """The contexts in which a function may do it."""
    own = policy(policy_files()[function])
    return {
        name for name, context in CONTEXTS.items() if decide(own, Question(action, resource, context)).allowed
    }


@pytest.mark.parametrize(
    ("function", "action"), [(function, action) for function in FUNCTIONS for action in writes(function)]
)
def test_whatever_changes_a_load_balancer_of_ours_changes_no_application_or_gateway_one(
    function: str, action: str
) -> None:
    operation = action.partition(":")[2]
    about = (
        {*OURS}
        if operation in OF_BOTH
        else {what for what, operations in NETWORK_WRITES.items() if operation in operations}
    )
    resources = [arn("loadbalancer/prod"), *(OURS[what] for what in sorted(about - {"rule"}))]
    assert any(contexts(function, action, one) for one in resources), "one of ours, in some context"
    others = {
        one
        for kind in OTHER_KINDS
        for what, one in of_kind(kind, "prod").items()
        if what != "target group"  # it is of no kind
    }
    assert {one: contexts(function, action, one) for one in others} == {one: set() for one in others}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_changes_load_balancers_is_denied_the_other_kinds_by_name(function: str) -> None:
    """A function that changes classic ones alone is denied network ones too."""
    denying = {
        kind
        for kind in KINDS
        if decide(
            policy(policy_files()[function]),
            Question("elasticloadbalancing:DeleteLoadBalancer", of_kind(kind, "dev")["load balancer"]),
        ).statements
    }
    own = {action.partition(":")[2] for action in writes(function)}
    network = own & {*chain.from_iterable(NETWORK_WRITES.values())}
    assert denying == ({*OTHER_KINDS} if network else {*KINDS} if own else set())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_log_and_no_other(function: str) -> None:
    holding(function)
    own = PROD if function == "api_handler" else f"{PROD}-{function}"
    others = {PROD, DEV, *(f"{PROD}-{other}" for other in FUNCTIONS), "theirs"} - {own}
    writes: tuple[tuple[str, dict[str, str]], ...] = (
        ("CreateLogGroup", {}),
        ("CreateLogStream", {"logStreamName": "s"}),
        ("PutLogEvents", {"logStreamName": "s"}),
    )
    for operation, more in writes:
        group_name = f"/aws/lambda/{own}"
        assert denial(STOLEN, call("logs", operation, logGroupName=group_name, **more)) is None
        for other in others:
            assert denial(STOLEN, call("logs", operation, logGroupName=f"/aws/lambda/{other}", **more))
