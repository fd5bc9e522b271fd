"""What a dry run answers of what does not exist yet: no placeholder stands where an ARN or an id belongs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.api.views import report_json
from tests.world.provisioning import Account, issued, pem

HOST = "mqtt.example.com"
GIVEN: Mapping[str, Mapping[str, Any]] = {
    "acme": {"issuer": "acme"},
    "private-ca": {"issuer": "private-ca", "domains": [HOST]},
    "pem": {"pem": pem(issued(HOST))},
}


@pytest.fixture
def zoned(here: Account) -> Account:
    """An account in which an ACME CA could issue; nobody asks it in a dry run."""
    boto3.client("route53").create_hosted_zone(Name="example.com", CallerReference="example.com")
    here.settings = replace(here.settings, acme_contact="ops@example.com")
    return here


def arns(value: object, action: str = "") -> Iterator[object]:
    """Everything in an answer that stands where an ARN belongs."""
    match value:
        case Mapping():
            action = str(value.get("action", action))
            for key, one in value.items():
                names_it = key == "certificate" and action not in {"", "UploadServerCertificate"}
                if key == "arn" or (names_it and isinstance(one, str)):
                    yield one
                yield from arns(one, action)
        case list():
            for one in value:
                yield from arns(one, action)
        case _:
            pass


@pytest.mark.parametrize("source", GIVEN)
@pytest.mark.parametrize("before", ["nothing", "another certificate"])
def test_a_certificate_that_is_not_at_aws_yet_is_shown_without_an_arn(
    zoned: Account, source: str, before: str
) -> None:
    body = {"subnets": zoned.subnets[:2], "hostname": HOST, "certificate": dict(GIVEN[source])}
    if before == "another certificate":
        zoned.put({**body, "certificate": {"pem": pem(issued(HOST, "other"))}})
    answer: Any = report_json(zoned.put(body, dry_run=True))
    shown = answer["load_balancer"]["certificate"]
    assert (shown["source"], "arn" in shown) == (source, False)
    assert ("not_after" in shown) == ("domains" in shown) == (source != "acme")
    assert [one for one in arns(answer) if not str(one).startswith("arn:")] == []
    uploads = [one for one in answer["actions"] if one["action"] == "UploadServerCertificate"]
    assert ["certificate" in one for one in uploads] == [source != "acme"]


def test_one_that_is_at_aws_has_its_arn(zoned: Account) -> None:
    body = {"subnets": zoned.subnets[:2], "hostname": HOST, "certificate": {"pem": pem(issued(HOST))}}
    zoned.put(body)
    answer: Any = report_json(zoned.put(body, dry_run=True))
    assert answer["load_balancer"]["certificate"]["arn"] == zoned.served()
    assert answer["actions"] == []


def test_a_group_that_is_not_made_yet_is_what_it_will_let_in(zoned: Account) -> None:
    body = {"subnets": zoned.subnets[:2], "hostname": HOST, "certificate": {"pem": pem(issued(HOST))}}
    planned: Any = report_json(zoned.put(body, dry_run=True))["load_balancer"]
    assert "security_groups" not in planned
    zoned.put(body)
    assert planned["allow"] == zoned.get()["allow"]
