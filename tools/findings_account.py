"""What keeps these credentials from deploying, asked of AWS; each finding says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.model.names import OWNER_TAG, PROBE_TAG, authority_certificate_secret
from chalicelib.model.probe_options import read_probe_tag
from chalicelib.settings import Settings, SettingsError, read_settings

# What a deployment calls first of each service.
ASKED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "apigateway": ("get_rest_apis", {"limit": 1}),
    "events": ("list_rules", {"Limit": 1}),
    "iam": ("list_roles", {"MaxItems": 1}),
    "lambda": ("list_functions", {"MaxItems": 1}),
}
# What it then makes, and the actions that this takes.
MADE: Mapping[str, tuple[str, ...]] = {
    "iam::{account}:role/{deployment}-api_handler": ("iam:CreateRole", "iam:PassRole", "iam:PutRolePolicy"),
    "lambda:{region}:{account}:function:{deployment}": (
        "lambda:AddPermission",
        "lambda:CreateFunction",
        "lambda:TagResource",
    ),
    "events:{region}:{account}:rule/{deployment}-register-event": ("events:PutRule", "events:PutTargets"),
    "apigateway:{region}::/restapis": ("apigateway:POST",),
}
ADVICE = "deploy as somebody who may do that"
ELB_ROLE = "AWSServiceRoleForElasticLoadBalancing"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who would deploy, and where to."""

    arn: str
    account: str
    region: str


def account_findings(open_session: Callable[[], Any], deployment: str, record: str | None) -> Iterator[str]:
    """Report what is in the way of `deployment`.

    `open_session` makes a boto3 session; `record` is what Chalice wrote down of the last deployment.
    """
    from botocore.exceptions import BotoCoreError

    try:
        session = open_session()
        region, credentials = session.region_name, session.get_credentials()
    except BotoCoreError as error:
        yield f"{error}: mend ~/.aws/config, or export AWS_PROFILE or a whole pair of keys"
        return
    if region is None:
        yield (
            "No region is set: export AWS_DEFAULT_REGION=eu-central-1, or whichever it is to be"
            " (AWS_REGION alone is not read)"
        )
        return
    if credentials is None:
        yield "There are no AWS credentials: type `aws configure`, or export AWS_ACCESS_KEY_ID and its secret"
        return
    identity, fault = asked(session, "sts", "get_caller_identity")
    if fault:  # this one needs no permission
        yield fault.replace(ADVICE, "take other credentials, or sign in again")
        return
    caller = Caller(arn=identity["Arn"], account=identity["Account"], region=region)
    denied = False
    for service, (method, arguments) in ASKED.items():
        _, fault = asked(session, service, method, **arguments)
        if fault:
            denied = True
            yield fault
    if not denied:
        yield from permission_findings(session, caller, deployment)
        yield from record_findings(session, caller, deployment, record)


def account_notes(open_session: Callable[[], Any]) -> Iterator[str]:
    """Say what the first load balancer of an account needs; nothing when IAM does not answer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        open_session().client("iam").get_role(RoleName=ELB_ROLE)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            yield (
                f"The account has no role {ELB_ROLE}. AWS makes it with the first load balancer, by"
                " the right iam:CreateServiceLinkedRole of the function that creates it; until then ELB"
                " asks EC2 with the rights of that function. Its policy grants both. If a policy of the"
                " organisation denies one, the first PUT is answered with 502: then an administrator has"
                " to type aws iam create-service-linked-role --aws-service-name"
                " elasticloadbalancing.amazonaws.com"
            )
    except (BotoCoreError, ResponseParserError):
        return


def upgrade_notes(open_session: Callable[[], Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Say what the policies of this version deny of what is deployed; nothing where AWS does not answer."""
    from botocore.exceptions import BotoCoreError

    try:
        settings = read_settings(environment)
        session = open_session()
    except (SettingsError, BotoCoreError):
        return
    yield from _private_ca_notes(session, settings)
    yield from _probe_notes(session, settings)


def _private_ca_notes(session: Any, settings: Settings) -> Iterator[str]:
    secret, owner = settings.private_ca_secret, settings.owner
    there, _ = asked(session, "secretsmanager", "describe_secret", SecretId=secret)
    apart, _ = asked(
        session, "secretsmanager", "describe_secret", SecretId=authority_certificate_secret(secret)
    )
    if there and not apart and _tags(there.get("Tags", [])).get(OWNER_TAG) != owner:
        yield (
            f"The secret {secret} holds a private CA and has no tag {OWNER_TAG}={owner}: the probing"
            " functions may not read it any more, and its certificate has no secret of its own yet, so that"
            " probes of load balancers with that CA fail until rotate has run. Type aws secretsmanager"
            f" tag-resource --secret-id {secret} --tags Key={OWNER_TAG},Value={owner} before you deploy"
        )


def _probe_notes(session: Any, settings: Settings) -> Iterator[str]:
    keys = settings.private_ca_secret, settings.acme_account_secret, settings.acme_eab_secret
    denied = {*filter(None, keys)}
    listed, _ = asked(session, "elb", "describe_load_balancers")
    names = [one["LoadBalancerName"] for one in (listed or {}).get("LoadBalancerDescriptions", [])]
    for start in range(0, len(names), 20):
        answer, _ = asked(session, "elb", "describe_tags", LoadBalancerNames=names[start : start + 20])
        for one in (answer or {}).get("TagDescriptions", []):
            tags = _tags(one["Tags"])
            probe = read_probe_tag(tags.get(PROBE_TAG))
            wanted = denied & {probe.ca_secret_id, probe.credentials_secret_id}
            if tags.get(OWNER_TAG) == settings.owner and wanted:
                yield (
                    f"The probe of {one['LoadBalancerName']} names the secret {min(wanted)}, which the"
                    " probing functions may not read: take it out of `probe` (its CA is trusted as it is)"
                )


def _tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def asked(session: Any, service: str, method: str, **arguments: Any) -> tuple[Any, str | None]:
    """What AWS answers, and why it does not."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return getattr(session.client(service), method)(**arguments), None
    except ClientError as error:
        refusal = error.response["Error"]
        said = f"{service} says {refusal['Code']} to {error.operation_name} ({refusal.get('Message', '')})"
        return None, f"{said}: {ADVICE}"
    except (BotoCoreError, ResponseParserError) as error:  # the latter: a proxy's page in AWS's place
        return None, f"{service} could not be asked ({error}): look at the region, and at the way to AWS"


def permission_findings(session: Any, caller: Caller, deployment: str) -> Iterator[str]:
    """Report what IAM says the caller may not do; nothing when the caller may not ask.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    source = _policy_source(session, caller)
    if source is None:
        return
    partition = caller.arn.split(":")[1]
    denied = []
    for template, actions in MADE.items():
        resource = template.format(account=caller.account, region=caller.region, deployment=deployment)
        answer, fault = asked(
            session,
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=source,
            ActionNames=list(actions),
            ResourceArns=[f"arn:{partition}:{resource}"],
        )
        if fault:
            return
        denied += [one["EvalActionName"] for one in answer["EvaluationResults"] if _is_denied(one)]
    if denied:
        yield f"{source} may not {', '.join(denied)}, as IAM says: {ADVICE}"


def _policy_source(session: Any, caller: Caller) -> str | None:
    """Whose policies IAM is to look at: a role's, for its session; root has none."""
    kind, _, name = caller.arn.rpartition(":")[2].partition("/")
    match kind:
        case "user":
            return caller.arn
        case "assumed-role":
            role, _ = asked(session, "iam", "get_role", RoleName=name.partition("/")[0])
            return str(role["Role"]["Arn"]) if role else None
        case _:
            return None


def _is_denied(evaluated: Mapping[str, Any]) -> bool:
    """A condition whose value is known only when something is made leaves it open."""
    parts = (evaluated, *evaluated.get("ResourceSpecificResults", ()))
    return evaluated["EvalDecision"] != "allowed" and not any(
        one.get("MissingContextValues") for one in parts
    )


def record_findings(session: Any, caller: Caller, deployment: str, record: str | None) -> Iterator[str]:
    """Report a deployment that Chalice has no record of: it would make a second API.

    Chalice finds functions by name, and an API by its own record alone.
    """
    if record is None:
        there, _ = asked(session, "lambda", "get_function_configuration", FunctionName=deployment)
        if there:
            yield (
                f"{deployment} is there already, and .chalice/deployed/ has no record of it: copy that folder"
                " from where it was deployed, or Chalice makes a second API, with another URL. After a first"
                " deployment that stopped half way there is no record: deploy again"
            )
        return
    try:
        places = {tuple(arn.split(":")[3:5]) for arn in _functions(record)}
    except (ValueError, LookupError, TypeError):
        yield f"The record of {deployment} in .chalice/deployed/ cannot be read: take it from your copy"
        return
    if places and (caller.region, caller.account) not in places:
        region, account = min(places)
        yield (
            f".chalice/deployed/ records {deployment} in {region} of account {account}, and this is"
            f" {caller.region} of {caller.account}: go there, or take another stage for here"
        )


def _functions(record: str) -> Iterator[str]:
    for resource in json.loads(record)["resources"]:
        if resource["resource_type"] == "lambda_function":
            yield resource["lambda_arn"]
