"""What each call asks of IAM: which actions, on which ARNs, with which condition keys.

Actions, resources and keys: the Service Authorization Reference of each service, linked from
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
Only what a policy of this project may rest on is supplied; what is not here is absent, and an absent key
holds no condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from lab.fidelity import authorization_reference as reference
from lab.fidelity import elb_service_role
from lab.fidelity.authorization_call import Call, tags_in
from lab.fidelity.authorization_policy import Question, several
from lab.fidelity.elb_state import region_of
from lab.fidelity.server_certificate import ServerCertificate


def questions(call: Call) -> Iterator[Question]:
    """Everything that IAM is asked before the call is answered.

    A call that is not known here is about `*`, which no statement with an ARN allows.
    """
    parameters, about = ABOUT.get(call.service, (frozenset(), None))
    takes = reference.resource_types(call.action) - {reference.NO_RESOURCE}
    if about is None or not takes or not parameters & call.parameters.keys():
        yield Question(call.action, "*")
    else:
        yield from about(call)


def _load_balancers(call: Call) -> Iterator[Question]:
    region, asked = region_of(call.account, call.region), call.parameters
    given = tags_in(asked.get("Tags", []))
    for name in asked.get("LoadBalancerNames") or [asked.get("LoadBalancerName", "")]:
        arn = call.arn(f"loadbalancer/{name}")
        there = region.load_balancers.get(name)
        tags = there.tags if there else None
        yield call.about("loadbalancer", arn, resource_tags=tags, request_tags=given)
        if call.operation == "CreateLoadBalancer" and given:
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/tagging-resources-during-creation.html
            yield call.about(
                "loadbalancer",
                arn,
                action="elasticloadbalancing:AddTags",
                request_tags=given,
                more={"elasticloadbalancing:CreateAction": ("CreateLoadBalancer",)},
            )
    if call.operation == "CreateLoadBalancer" and not elb_service_role.exists(call.account, call.region):
        # EC2 first: who had the right to make the role and not these was denied, and got no role.
        # https://github.com/terraform-aws-modules/terraform-aws-eks/issues/900
        yield from (Question(action, "*") for action in elb_service_role.ASKED_OF_EC2)
        role = f"role{elb_service_role.PATH}{elb_service_role.NAME}"
        yield call.about(
            "role",
            call.arn(role, service="iam", region=""),
            action="iam:CreateServiceLinkedRole",
            more={"iam:AWSServiceName": (elb_service_role.SERVICE,)},
        )


# The kind of load balancer in an ARN, by what CreateLoadBalancer of 2015-12-01 calls its type.
_KINDS = {"application": "app", "network": "net", "gateway": "gwy"}
_BY_ARN = (
    "LoadBalancerArn",
    "ListenerArn",
    "RuleArn",
    "TargetGroupArn",
    "LoadBalancerArns",
    "ListenerArns",
    "RuleArns",
    "TargetGroupArns",
    "ResourceArns",
)


def _load_balancers_v2(call: Call) -> Iterator[Question]:
    """Application, network and gateway load balancers, with what belongs to them: the same actions' names.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
    """
    asked, given = call.parameters, tags_in(call.parameters.get("Tags", []))
    if call.operation == "CreateLoadBalancer":
        kind = f"loadbalancer/{_KINDS[asked.get('Type') or 'application']}/"
        new = call.arn(f"{kind}{asked['Name']}/*")
        yield call.about(kind, new, request_tags=given)
        yield from _tagged_as_created(call, kind, new)
        return
    if call.operation == "CreateTargetGroup":
        new = call.arn(f"targetgroup/{asked['Name']}/*")
        yield call.about("targetgroup", new, request_tags=given)
        yield from _tagged_as_created(call, "targetgroup", new)
        return
    if call.operation == "CreateListener":
        new = asked["LoadBalancerArn"].replace(":loadbalancer/", ":listener/") + "/*"
        sort = new.rpartition(":")[2].split("/")[1]
        yield from _tagged_as_created(call, f"listener/{sort}", new)
    kept = elbv2_backends[call.account][call.region].tagging_service
    for arn in (one for name in _BY_ARN for one in several(asked.get(name, ()))):
        # loadbalancer/net/… is of the type loadbalancer/net/, listener/net/… of listener/net
        kind, sort = [*arn.rpartition(":")[2].split("/"), ""][:2]
        resource_type = {"targetgroup": kind, "loadbalancer": f"{kind}/{sort}/"}.get(kind, f"{kind}/{sort}")
        tags = kept.get_tag_dict_for_resource(arn)
        yield call.about(
            resource_type,
            arn,
            resource_tags=tags,
            request_tags=given,
            tag_keys=asked.get("TagKeys"),
        )


def _tagged_as_created(call: Call, kind: str, new: str) -> Iterator[Question]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/tagging-resources-during-creation.html"""
    if given := tags_in(call.parameters.get("Tags", [])):
        yield call.about(
            kind,
            new,
            action="elasticloadbalancing:AddTags",
            request_tags=given,
            more={"elasticloadbalancing:CreateAction": (call.operation,)},
        )


_EC2_TYPES = {"i": "instance", "sg": "security-group", "vpc": "vpc", "subnet": "subnet"}


def _ec2(call: Call) -> Iterator[Question]:
    asked, backend = call.parameters, ec2_backends[call.account][call.region]

    def existing(id_: str, **more: Any) -> Question:
        kind = _EC2_TYPES.get(id_.partition("-")[0], "")
        tags = {str(key): str(value) for key, value in backend.tags.get(id_, {}).items()}
        return call.about(kind, call.arn(f"{kind}/{id_}"), resource_tags=tags, **more)

    if call.operation in {"CreateTags", "DeleteTags"}:
        given = tags_in(asked.get("Tags", []))
        for id_ in asked["Resources"]:
            yield existing(id_, request_tags=given)
    elif call.operation == "CreateSecurityGroup":
        given = {
            key: value
            for specification in asked.get("TagSpecifications", [])
            for key, value in tags_in(specification.get("Tags", [])).items()
        }
        new = call.arn("security-group/*")
        yield call.about("security-group", new, request_tags=given)
        yield existing(asked["VpcId"])
        if given:
            # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
            yield call.about(
                "security-group",
                new,
                action="ec2:CreateTags",
                request_tags=given,
                more={"ec2:CreateAction": (call.operation,)},
            )
    else:
        for id_ in asked.get("InstanceIds") or [asked.get("GroupId", "")]:
            yield existing(id_)


def _server_certificates(call: Call) -> Iterator[Question]:
    """A name that IAM does not know could be under any path, so that a path allows nothing.

    So was AWS's word to https://github.com/cloud-gov/terraform-provision/pull/1716.
    """
    name, path = call.parameters["ServerCertificateName"], "/"
    given, carried = tags_in(call.parameters.get("Tags", [])), dict[str, str]()
    certificates = iam_backends[call.account][call.partition].certificates.values()
    kept = next((one for one in certificates if one.cert_name == name), None)
    if call.operation == "UploadServerCertificate":
        path = call.parameters.get("Path") or path
    elif isinstance(kept, ServerCertificate):
        path, carried = kept.path, tags_in(kept.tags.values())
    arn = call.arn(f"server-certificate{path}{name}", region="")
    yield call.about("server-certificate", arn, resource_tags=carried, request_tags=given)
    if call.operation == "UploadServerCertificate" and given:
        yield call.about("server-certificate", arn, action="iam:TagServerCertificate", request_tags=given)


def _secrets(call: Call) -> Iterator[Question]:
    """The ARN that is stored, with its six characters; without a secret the one that its name makes.

    As measured in https://github.com/ministackorg/ministack/pull/1737.
    """
    given = tags_in(call.parameters.get("Tags", []))
    if call.operation == "CreateSecret":
        arn = call.arn(f"secret:{call.parameters['Name']}")
        yield call.about("Secret", arn, request_tags=given)
        if given:
            yield call.about("Secret", arn, action="secretsmanager:TagResource", request_tags=given)
        return
    asked = call.parameters["SecretId"]
    there = secretsmanager_backends[call.account][call.region].secrets.get(asked)
    arn = there.arn if there else asked if asked.startswith("arn:") else call.arn(f"secret:{asked}")
    carried = tags_in(there.tags or []) if there else None
    yield call.about("Secret", arn, resource_tags=carried, request_tags=given)


def _groups(call: Call) -> Iterator[Question]:
    name = call.parameters["AutoScalingGroupName"]
    there = autoscaling_backends[call.account][call.region].autoscaling_groups.get(name)
    arn = there.arn if there else call.arn(f"autoScalingGroup:*:autoScalingGroupName/{name}")
    yield call.about("autoScalingGroup", arn, resource_tags=tags_in(there.tags) if there else None)


def _cloudwatch(call: Call) -> Iterator[Question]:
    asked = call.parameters
    if "Dashboard" in call.operation:
        for name in asked.get("DashboardNames") or [asked["DashboardName"]]:
            yield call.about("dashboard", call.arn(f"dashboard/{name}", region=""))
    else:
        # Of whichever state: "These actions can be initiated when the alarm changes to any state, including
        # ALARM, OK, or INSUFFICIENT_DATA." So says the page of the key.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-alarm-actions.html
        does = tuple(
            action
            for state in ("AlarmActions", "OKActions", "InsufficientDataActions")
            for action in asked.get(state, ())
        )
        for name in asked.get("AlarmNames") or [asked.get("AlarmName", "*")]:
            yield call.about("alarm", call.arn(f"alarm:{name}"), more={"cloudwatch:AlarmActions": does})


def _events(call: Call) -> Iterator[Question]:
    for entry in call.parameters["Entries"]:
        bus = entry.get("EventBusName", "default").rpartition("/")[2]
        keys = {"events:source": (entry["Source"],), "events:detail-type": (entry["DetailType"],)}
        yield call.about("event-bus", call.arn(f"event-bus/{bus}"), more=keys)


def _functions(call: Call) -> Iterator[Question]:
    name = call.parameters["FunctionName"]
    arn = name if name.startswith("arn:") else call.arn(f"function:{name}")
    yield call.about("function", arn)


def _acm(call: Call) -> Iterator[Question]:
    yield call.about("certificate", call.parameters["CertificateArn"])


def _logs(call: Call) -> Iterator[Question]:
    group = f"log-group:{call.parameters['logGroupName']}"
    if stream := call.parameters.get("logStreamName"):
        yield call.about("log-stream", call.arn(f"{group}:log-stream:{stream}"))
    else:
        yield call.about("log-group", call.arn(group))


def _route53(call: Call) -> Iterator[Question]:
    """What a change of records is about, as conditions may ask for it.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
    """
    kind = "change" if call.operation == "GetChange" else "hostedzone"
    id_ = call.parameters.get("HostedZoneId", call.parameters.get("Id", "")).rpartition("/")[2]
    changes = call.parameters.get("ChangeBatch", {}).get("Changes", [])
    records = [change["ResourceRecordSet"] for change in changes]
    keys = {
        "NormalizedRecordNames": (record["Name"].rstrip(".").lower() for record in records),
        "RecordTypes": (record["Type"] for record in records),
        "Actions": (change["Action"] for change in changes),
    }
    yield call.about(
        kind,
        f"arn:{call.partition}:route53:::{kind}/{id_}",
        more={f"route53:ChangeResourceRecordSets{key}": tuple(values) for key, values in keys.items()},
    )


# The parameters by which a service's calls name what they are about, and what is then asked.
ABOUT: Mapping[str, tuple[frozenset[str], Callable[[Call], Iterator[Question]]]] = {
    "acm": (frozenset({"CertificateArn"}), _acm),
    "autoscaling": (frozenset({"AutoScalingGroupName"}), _groups),
    "cloudwatch": (
        frozenset({"AlarmName", "AlarmNames", "AlarmNamePrefix", "DashboardName", "DashboardNames"}),
        _cloudwatch,
    ),
    "ec2": (frozenset({"GroupId", "GroupName", "InstanceIds", "Resources"}), _ec2),
    "elb": (frozenset({"LoadBalancerName", "LoadBalancerNames"}), _load_balancers),
    "elbv2": (frozenset({"Name", *_BY_ARN}), _load_balancers_v2),
    "events": (frozenset({"Entries"}), _events),
    "iam": (frozenset({"ServerCertificateName"}), _server_certificates),
    "lambda": (frozenset({"FunctionName"}), _functions),
    "logs": (frozenset({"logGroupName"}), _logs),
    "route53": (frozenset({"HostedZoneId", "Id"}), _route53),
    "secretsmanager": (frozenset({"Name", "SecretId"}), _secrets),
}
