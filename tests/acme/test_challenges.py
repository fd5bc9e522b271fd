"""Records that a CA is to be shown, without a CA: what becomes of them when Route 53 or the process fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib.acme.challenges import Places, places, records_shown, sweep_challenges
from chalicelib.acme.records import Challenge
from chalicelib.apply import Progress
from chalicelib.invocation import Invocation
from chalicelib.model.errors import Denied, IssuerSilent
from lab.fidelity.knobs import KNOBS
from tests.world.provisioning import WATCHED, Account

DOMAIN = "mqtt.example.com"
CHALLENGE = Challenge(DOMAIN, "A" * 43)


def zone(name: str) -> str:
    made = boto3.client("route53").create_hosted_zone(Name=name, CallerReference=name)
    return made["HostedZone"]["Id"].rpartition("/")[2]


def texts(id_: str) -> list[str]:
    listed: Any = boto3.client("route53").list_resource_record_sets(HostedZoneId=id_)["ResourceRecordSets"]
    return [one["Name"] for one in listed if one["Type"] == "TXT"]


def refuse_once(operation: str, code: str) -> list[str]:
    """Have the next call of that operation refused; the list that is returned then has its name."""
    refused: list[str] = []

    def once(asked: str, _: Mapping[str, str]) -> str | None:
        if asked != operation or refused:
            return None
        refused.append(asked)
        return code

    WATCHED.refuse = once
    return refused


def at_work(here: Account) -> tuple[Places, Invocation]:
    here.settings = replace(here.settings, acme_contact="ops@example.com")
    invocation = here.invocation(300)
    return places([DOMAIN], invocation), invocation


def shown(
    challenges: Sequence[Challenge], where: Places, invocation: Invocation, until: datetime | None = None
) -> AbstractContextManager[None]:
    return records_shown(
        "demo", challenges, where, Progress(), invocation, until=until or invocation.deadline
    )


def test_records_that_are_there_already_have_spread_before_the_ca_is_asked(here: Account) -> None:
    """A call whose answer was lost is made again by botocore: what it was to change is there by then."""
    zone("example.com")
    where, work = at_work(here)
    moment = here.now()
    still = replace(work, now=lambda: moment)
    with here.counted(), shown([CHALLENGE], where, still):
        written = here.calls.made.count("ChangeResourceRecordSets")
        with shown([CHALLENGE], where, still):
            assert here.calls.made.count("ChangeResourceRecordSets") == written + 1
            assert here.calls.made.count("GetChange") == 2


def test_what_the_ca_left_no_time_for_is_taken_away_in_the_time_that_is_kept_for_it(here: Account) -> None:
    id_ = zone("example.com")
    where, work = at_work(here)
    with shown([CHALLENGE], where, work, here.now()):
        assert texts(id_) != []
        refused = refuse_once("ChangeResourceRecordSets", "InvalidChangeBatch")
    assert (refused, texts(id_)) == (["ChangeResourceRecordSets"], [])


def test_records_that_have_not_spread_by_then_are_taken_away_and_the_ca_is_not_asked(here: Account) -> None:
    id_ = zone("example.com")
    where, work = at_work(here)
    KNOBS.dns_propagation_seconds = 3600
    until = here.now() + timedelta(seconds=60)
    with pytest.raises(IssuerSilent, match="did not spread"), shown([CHALLENGE], where, work, until):
        pytest.fail("the CA would look too early")
    assert here.now() < until
    assert texts(id_) == []


def test_only_the_zones_of_these_names_are_read(here: Account) -> None:
    for name in ("example.com", "example.net", "example.org", "_acme-challenge.mqtt.example.org"):
        zone(name)
    with here.counted() as calls:
        assert sweep_challenges({"mqtt.example.com", "*.example.com", "a.example"}, here.invocation()) == []
    assert calls.made == ["ListHostedZones", "ListResourceRecordSets"]
    with here.counted() as calls:
        assert sweep_challenges(None, here.invocation()) == []
    assert calls.made == ["ListHostedZones"] + ["ListResourceRecordSets"] * 4


def test_a_challenge_that_is_delegated_on_its_own_is_shown_there(here: Account) -> None:
    """As many delegate no more than `_acme-challenge.<name>` (https://www.rfc-editor.org/rfc/rfc8555#section-8.4)."""
    parent, own = zone("example.com"), zone("_acme-challenge.mqtt.example.com")
    work = at_work(here)[1]
    one = replace(CHALLENGE, domain="mqtt.example.com")
    with shown([one], places([one.domain], work), work):
        assert texts(parent) == []
        assert texts(own) != []
    assert texts(own) == []


def test_a_zone_that_cannot_be_swept_does_not_keep_the_others_from_it(here: Account) -> None:
    zones = {name: zone(name) for name in ("example.com", "example.net")}
    work = at_work(here)[1]
    both = [replace(CHALLENGE, domain=f"mqtt.{name}") for name in zones]
    where = places([one.domain for one in both], work)
    with shown(both, where, work):
        WATCHED.refuse = lambda asked, _: "AccessDenied" if asked == "ChangeResourceRecordSets" else None
    assert all(texts(id_) for id_ in zones.values())
    here.passed += timedelta(hours=2)
    refuse_once("ListResourceRecordSets", "AccessDenied")
    ((failed, error),) = sweep_challenges(None, here.invocation())
    assert isinstance(error, Denied)
    assert [name for name, id_ in zones.items() if texts(id_)] == [failed]
