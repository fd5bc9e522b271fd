"""IAM: how a policy's resources and conditions are matched, and how late IAM sees a tag."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from conformance.account import Account
from conformance.answer import code_and_message, same
from conformance.needs import BALANCER, new_role
from conformance.rule import question, rule

NO_SIMULATION = "moto has no SimulateCustomPolicy; lab/fidelity/authorization_policy.py decides in the lab"


def decided(aws: Account, statement: dict[str, Any], action: str, resource: str, **context: str) -> str:
    """Return what IAM decides of one action on one resource under a policy with one statement."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    answer = aws.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps(policy)],
        ActionNames=[action],
        ResourceArns=[resource],
        ContextEntries=entries,
    )
    decision: str = answer["EvaluationResults"][0]["EvalDecision"]
    return decision


@rule(code="tools/policies.py", corrects="authorization_policy", left_out=NO_SIMULATION)
def a_star_crosses_slashes(aws: Account) -> None:
    """IAM's * crosses /: loadbalancer/* also matches loadbalancer/app/…, and classic and v2 share actions.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    stem = f"arn:aws:elasticloadbalancing:{aws.place.region}:123456789012:loadbalancer"
    statement: dict[str, Any] = {"Action": "elasticloadbalancing:DeleteLoadBalancer", "Resource": f"{stem}/*"}
    for name in ("classic", "app/web/0123456789abcdef", "net/web/0123456789abcdef"):
        seen = decided(aws, statement, statement["Action"], f"{stem}/{name}")
        same(seen, "allowed", f"loadbalancer/{name}")


@rule(code="tools/policies.py", corrects="authorization_policy", left_out=NO_SIMULATION)
def alarm_actions_are_a_condition(aws: Account) -> None:
    """cloudwatch:AlarmActions is the condition key for the actions of PutMetricAlarm.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
    """
    arn = f"arn:aws:cloudwatch:{aws.place.region}:123456789012:alarm:one"
    statement: dict[str, Any] = {
        "Action": "cloudwatch:PutMetricAlarm",
        "Resource": "*",
        "Condition": {"ForAllValues:ArnLike": {"cloudwatch:AlarmActions": "arn:aws:sns:*:*:*"}},
    }
    for target, wanted in (
        (f"arn:aws:sns:{aws.place.region}:123456789012:topic", "allowed"),
        (f"arn:aws:automate:{aws.place.region}:ec2:terminate", "implicitDeny"),
    ):
        context = {"cloudwatch:AlarmActions": target}
        same(decided(aws, statement, statement["Action"], arn, **context), wanted, target)


@question(BALANCER, code="aws/refusals", corrects="authorization", minutes=2)
def how_late_iam_sees_a_tag(aws: Account) -> str:
    """A tag's effect on IAM's conditions lags behind the tag.

    https://github.com/kubernetes/kops/pull/12680
    """
    iam, elb, name = aws.client("iam"), aws.client("elb"), aws.need(BALANCER)
    account = aws.client("sts").get_caller_identity()
    partition = account["Arn"].split(":")[1]
    arn = new_role(aws, {"AWS": f"arn:{partition}:iam::{account['Account']}:root"})
    statement = {
        "Effect": "Allow",
        "Action": "elasticloadbalancing:AddTags",
        "Resource": "*",
        "Condition": {"StringEquals": {"elasticloadbalancing:ResourceTag/conform": "seen"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    aws.once_allowed(
        iam.put_role_policy,
        ["NoSuchEntity"],
        60,
        RoleName=arn.rpartition("/")[2],
        PolicyName="conform",
        PolicyDocument=json.dumps(policy),
    )

    def assumed() -> Any:
        try:
            return aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="conform")["Credentials"]
        except ClientError as error:  # a new role cannot be assumed for some seconds
            if code_and_message(error)[0] != "AccessDenied":
                raise
            return None

    keys = aws.until(assumed, 120, "the role can be assumed")
    as_role = aws.session.client(
        "elb",
        region_name=aws.place.region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    aws.defer(elb.remove_tags, LoadBalancerNames=[name], Tags=[{"Key": "conform"}])
    elb.add_tags(LoadBalancerNames=[name], Tags=[{"Key": "conform", "Value": "seen"}])
    tags = [{"Key": "conform", "Value": "seen"}]
    seconds = aws.once_allowed(as_role.add_tags, ["AccessDenied"], 180, LoadBalancerNames=[name], Tags=tags)
    return f"{seconds:.0f} s, the role's own delay included"
