"""The table of refusals: complete by botocore's models, and right where the text decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.session import get_session

from chalicelib.aws.errors import of_code
from chalicelib.aws.refusals import (
    EVERYWHERE,
    FULL,
    GONE,
    NOT_YET,
    OWNED,
    REFUSALS,
    SLOW,
    THEIRS,
    WRONG,
    Meaning,
    Rows,
    meaning_of,
    parse_rows,
    passes,
)
from chalicelib.model import errors

MODELS = Path(__file__).parents[2] / "vendor" / "aws-models"


def shipped() -> Iterator[tuple[str, str]]:
    """Each service and operation that the app can call."""
    for path in sorted(MODELS.glob("*/*/service-2.json")):
        for operation in sorted(json.loads(path.read_bytes())["operations"]):
            yield path.parts[-3], operation


def documented(service: str, operation: str) -> Iterator[str]:
    """The codes that botocore's own model names for an operation, as they are on the wire."""
    for shape in get_session().get_service_model(service).operation_model(operation).error_shapes:
        yield shape.metadata.get("error", {}).get("code") or shape.name


def test_each_operation_that_the_app_can_call_has_its_rows_and_no_other_has() -> None:
    # Both of AWS's load balancing APIs have some of the same name.
    assert {*REFUSALS} == {operation for _, operation in shipped()}


def test_each_error_that_botocore_knows_of_an_operation_is_decided() -> None:
    """Fails when botocore learns a new one: read its page, and give it a row."""
    unknown = [
        f"{operation}: {code}"
        for service, operation in shipped()
        for code in documented(service, operation)
        if meaning_of(operation, code) is None
    ]
    assert unknown == []


@pytest.mark.parametrize("operation", [*REFUSALS, None])
def test_no_code_has_two_rows_of_one_operation(operation: str | None) -> None:
    rows = REFUSALS[operation] if operation else EVERYWHERE
    found = [row for text in rows.values() for row in parse_rows(text)]
    assert len(found) == len({*found})


def test_ec2_whose_model_names_no_errors_has_rows_from_its_documentation() -> None:
    silent = [operation for service, operation in shipped() if not [*documented(service, operation)]]
    written = {
        "AuthorizeSecurityGroupIngress": "InvalidPermission.Duplicate",
        "CreateSecurityGroup": "InvalidGroup.Duplicate",
        "CreateTags": "TagLimitExceeded",
        "DeleteSecurityGroup": "DependencyViolation",
        "DescribeInstances": "InvalidInstanceID.NotFound",
        "RevokeSecurityGroupIngress": "InvalidPermission.NotFound",
    }
    assert written.keys() <= {*silent}
    assert all(meaning_of(operation, code) for operation, code in written.items())


def rows() -> Iterator[tuple[str, str, str, Meaning]]:
    """Every row: operation, code, text, meaning."""
    tables: dict[str, Rows] = {**REFUSALS, "AnyOperation": EVERYWHERE}
    for operation, table in tables.items():
        for meaning, text in table.items():
            yield from ((operation, code, part, meaning) for code, part in parse_rows(text))


@pytest.mark.parametrize("operation", [*REFUSALS, "AnyOperation"])
def test_each_row_decides(operation: str) -> None:
    for of, code, part, meaning in rows():
        if of == operation:
            assert meaning_of(operation, code, f"before {part} after") is meaning
            assert type(of_code(operation, code, part)) is not errors.AwsError


SAME_ZONE = "ELB cannot be attached to multiple subnets in the same AZ."
NO_BUCKET = "Access Denied for bucket: logs. Please check S3bucket permission"
IN_USE = "You cannot delete policy [p] since it is enabled or referred by other enabled policy."
OVER = "No active Lifecycle Action found with instance ID i-1"
CHANGED = "[Tried to create resource record set [name='x.', type='TXT'] but it already exists]"
OUTSIDE = "[RRSet with DNS name x. is not permitted in zone y.]"


@pytest.mark.parametrize(
    ("operation", "code", "message", "meaning"),
    [
        ("AttachLoadBalancerToSubnets", "InvalidConfigurationRequest", SAME_ZONE, NOT_YET),
        ("AttachLoadBalancerToSubnets", "InvalidConfigurationRequest", "no gateway", WRONG),
        ("ModifyLoadBalancerAttributes", "InvalidConfigurationRequest", NO_BUCKET, WRONG),
        ("DeleteLoadBalancerPolicy", "InvalidConfigurationRequest", IN_USE, NOT_YET),
        ("DeleteLoadBalancerPolicy", "InvalidConfigurationRequest", "else", WRONG),
        ("CompleteLifecycleAction", "ValidationError", OVER, GONE),
        ("CompleteLifecycleAction", "ValidationError", "AutoScalingGroup name not found", WRONG),
        ("ChangeResourceRecordSets", "InvalidChangeBatch", CHANGED, NOT_YET),
        ("ChangeResourceRecordSets", "InvalidChangeBatch", OUTSIDE, WRONG),
        ("CreateSecret", "InvalidRequestException", "scheduled for deletion", THEIRS),
        ("GetSecretValue", "InvalidRequestException", "marked for deletion", GONE),
        ("CreateTags", "TagLimitExceeded", "", FULL),
        ("DeregisterInstances", "InvalidInstance", "", GONE),
        ("PutMetricAlarm", "InternalServiceFault", "", None),
        ("PutMetricAlarm", "InternalServiceError", "", SLOW),
        ("CreateTags", "LoadBalancerNotFound", "", None),
    ],
)
def test_operation_code_and_text_decide_together(
    operation: str, code: str, message: str, meaning: Meaning | None
) -> None:
    assert meaning_of(operation, code, message) is meaning


DENIED = errors.Denied("ConfigureHealthCheck", "AccessDenied", "no")


@pytest.mark.parametrize(
    ("error", "circumstances", "passing"),
    [
        (errors.NotYet("DeleteSecurityGroup", "DependencyViolation", ""), {}, True),
        (errors.Refused("CreateLoadBalancer", "InvalidSecurityGroup", ""), {"own_group": True}, True),
        (errors.Refused("CreateLoadBalancer", "InvalidSecurityGroup", ""), {}, False),
        (errors.Refused("CreateLoadBalancer", "InvalidSubnet", ""), {"own_group": True}, False),
        (DENIED, {"just_ours": True}, True),
        (DENIED, {}, False),
        (errors.Denied("RegisterInstances", "AccessDenied", ""), {"just_ours": True}, True),
        (errors.Denied("CreateLoadBalancer", "AccessDenied", ""), {"just_ours": True}, False),
        (errors.Denied("UploadServerCertificate", "AccessDenied", ""), {"just_ours": True}, False),
        (errors.Throttled("AddTags", "Throttling", ""), {"own_group": True, "just_ours": True}, False),
        (errors.QuotaReached("AddTags", "TooManyTags", ""), {"own_group": True, "just_ours": True}, False),
    ],
)
def test_what_passes_by_itself(error: errors.AwsError, circumstances: dict[str, bool], passing: bool) -> None:
    assert passes(error, **({"own_group": False, "just_ours": False} | circumstances)) is passing


def test_what_hangs_on_our_tag_are_operations_of_ours() -> None:
    assert REFUSALS.keys() >= OWNED
