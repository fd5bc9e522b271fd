"""A PUT whose certificate an ACME CA is to issue, as far as it comes without one: refused, or left for later.

With a CA: `tests/rotate/test_acme.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto.iam.models import iam_backends

from chalicelib.background import go_on
from chalicelib.model import errors
from chalicelib.model.names import PENDING_TAG
from chalicelib.model.pending import WAITING_FOR_CA, parse_pending
from chalicelib.model.report import Report
from lab.fidelity import iam as fidelity_iam
from tests.world.provisioning import WATCHED, Account, issued, pem
from tests.world.rotating import tags

HOST = "mqtt.example.com"


@pytest.fixture
def zoned(here: Account) -> Account:
    """An account with a zone and a contact; nobody answers where its CA should be."""
    boto3.client("route53").create_hosted_zone(Name="example.com", CallerReference="example.com")
    here.settings = replace(
        here.settings,
        acme_contact="ops@example.com",
        acme_account_secret=f"{here.settings.owner}/acme-account",
        acme_directory_url="https://127.0.0.1:1/dir",
    )
    return here


def body(here: Account, *domains: str, hostname: str | None = HOST, **more: Any) -> dict[str, Any]:
    given = {"domains": list(domains)} if domains else {}
    return {
        "subnets": here.subnets[:2],
        "certificate": {"issuer": "acme", **given},
        **({"hostname": hostname} if hostname else {}),
        **more,
    }


def refused(here: Account, asked: Mapping[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(errors.InvalidRequest) as caught:
        here.put(asked)
    assert here.calls.writes == []
    return [(fault.field, fault.message) for fault in caught.value.faults]


def test_everything_that_is_wrong_is_a_fault_before_anybody_is_asked(zoned: Account) -> None:
    zoned.settings = replace(zoned.settings, acme_contact=None)
    faults = refused(zoned, body(zoned, "*.example.com", HOST, "a.example.net", "10.0.0.1"))
    assert [field for field, _ in faults] == [
        "certificate.issuer",
        "certificate.domains[1]",
        "certificate.domains[2]",
        "certificate.domains[3]",
    ]


@pytest.mark.parametrize(
    ("domains", "hostname", "expected"),
    [
        ((), None, "the CA needs names"),
        (("a.example.com",), HOST, f'none of them covers "{HOST}"'),
        (("*.*.example.com",), None, "cannot be certified"),
        (("*",), None, "cannot be certified"),
        (tuple(f"a{number}.example.com" for number in range(101)), None, "at most 100"),
        ((HOST, HOST.upper()), None, "named twice"),
    ],
)
def test_names_that_no_ca_certifies_are_refused(
    zoned: Account, domains: tuple[str, ...], hostname: str | None, expected: str
) -> None:
    assert any(expected in message for _, message in refused(zoned, body(zoned, *domains, hostname=hostname)))


def test_a_dry_run_says_what_would_be(zoned: Account) -> None:
    report = zoned.put(body(zoned), dry_run=True)
    steps = [step.action for step in report.steps]
    assert (
        steps.index("NewOrder") < steps.index("UploadServerCertificate") < steps.index("CreateLoadBalancer")
    )
    (order,) = (step for step in report.steps if step.action == "NewOrder")
    assert order.fields == {"domains": [HOST]}
    assert zoned.calls.writes == []
    assert len(zoned.calls.reads) <= 9


def test_a_put_leaves_the_order_to_the_background_and_changes_nothing(zoned: Account) -> None:
    report = zoned.put(body(zoned, HOST, "b.example.com"))
    assert (report.state, zoned.calls.writes) == ("pending", [])
    assert report.carry_on["certificate"] == {"issuer": "acme", "domains": [HOST, "b.example.com"]}
    assert zoned.snapshot()["load balancers"] == {}


def served(here: Account) -> str:
    """Make a load balancer with a certificate of another source."""
    here.put(body(here) | {"certificate": {"pem": pem(issued(HOST))}})
    return here.served()


def test_one_that_is_there_says_that_it_waits_and_serves_what_it_did(zoned: Account) -> None:
    old = served(zoned)
    report = zoned.put(body(zoned))
    assert (report.state, zoned.calls.writes, zoned.served()) == ("pending", ["AddTags"], old)
    assert tags(zoned)[PENDING_TAG].endswith(WAITING_FOR_CA)
    assert tags(zoned)["emq-elb:certificate"] == "pem"


def payload(report: Report, asked: Mapping[str, Any]) -> dict[str, Any]:
    carried = {**asked, "certificate": report.carry_on["certificate"]}
    found: dict[str, Any] = json.loads(json.dumps({"name": "demo", **report.carry_on, "body": carried}))
    return found


def test_a_ca_that_cannot_be_reached_fails_the_background_and_changes_nothing(zoned: Account) -> None:
    old = served(zoned)
    report = zoned.put(body(zoned))
    with pytest.raises(errors.IssuerSilent, match="could not be asked"):
        go_on(payload(report, body(zoned)), zoned.invocation(890))
    assert zoned.served() == old


def test_a_ca_that_wants_to_be_left_alone_is_not_asked_again_before_its_time(zoned: Account) -> None:
    served(zoned)
    until = zoned.now().replace(microsecond=0) + timedelta(hours=3)
    report = zoned.put(body(zoned))
    pending = parse_pending(tags(zoned)[PENDING_TAG])
    assert pending is not None
    key, value = replace(pending, not_before=until).tag
    zoned.world.elb.add_tags(LoadBalancerNames=["demo"], Tags=[{"Key": key, "Value": value}])
    assert go_on(payload(report, body(zoned)), zoned.invocation(890)) == "limited"
    with pytest.raises(errors.IssuerLimited):
        zoned.put(body(zoned), dry_run=True)
    with pytest.raises(errors.IssuerLimited) as caught:
        zoned.put(body(zoned))
    assert caught.value.until == until
    assert zoned.secrets() == [], "not even the account's key was made"
    zoned.passed = timedelta(hours=3, seconds=1)
    assert zoned.put(body(zoned)).state == "pending"


@pytest.mark.parametrize("dry_run", [False, True])
def test_one_made_by_hand_is_adopted_first(zoned: Account, *, dry_run: bool) -> None:
    zoned.world.create("demo")
    with pytest.raises(errors.Conflict, match="adopt it with the certificate that it has"):
        zoned.put(body(zoned), adopt=True, dry_run=dry_run)
    assert zoned.calls.writes == []


def test_without_permission_to_see_the_zones_it_is_said(zoned: Account) -> None:
    WATCHED.refuse = lambda operation, _: "AccessDenied" if operation == "ListHostedZones" else None
    with pytest.raises(errors.Denied, match="ListHostedZones"):
        zoned.put(body(zoned))


def test_what_was_uploaded_and_never_served_is_used_and_not_ordered_again(zoned: Account) -> None:
    old = served(zoned)
    other = zoned.put(body(zoned) | {"certificate": {"pem": pem(issued(HOST, "other"))}})
    assert other.state == "ready"
    (name,) = (one["ServerCertificateName"] for one in zoned.certificates() if one["Arn"] == old)
    assert zoned.put(body(zoned)).state == "pending", "a former pem for the same names is none of the CA's"
    zoned.world.iam.tag_server_certificate(
        ServerCertificateName=name, Tags=[{"Key": "emq-elb:certificate", "Value": "acme"}]
    )
    assert zoned.put(body(zoned)).state == "ready"
    assert (zoned.served(), tags(zoned)["emq-elb:certificate"]) == (old, "acme")
    shown = zoned.get()
    assert shown["certificate"]["source"] == "acme"
    assert zoned.put(shown).steps == (), "what GET shows can be sent back"


def test_one_that_was_deleted_is_not_ordered_for_no_name_at_all(zoned: Account) -> None:
    """GET showed a certificate that is gone by now, and its names with it."""
    old = served(zoned)
    zoned.world.elb.add_tags(
        LoadBalancerNames=["demo"], Tags=[{"Key": "emq-elb:certificate", "Value": "acme"}]
    )
    iam_backends["123456789012"]["aws"].certificates.clear()
    assert zoned.served() == "Invalid-Certificate"
    faults = refused(zoned, body(zoned) | {"certificate": {"arn": old, "source": "acme"}})
    assert faults == [("certificate.arn", f"there is no certificate {old}")]


def test_where_iam_has_no_room_nothing_is_ordered(zoned: Account) -> None:
    served(zoned)
    fidelity_iam.set_quota("123456789012", 1)
    with pytest.raises(errors.QuotaReached, match="has 1 server certificates and may have 1"):
        zoned.put(body(zoned))
    assert zoned.calls.writes == []
