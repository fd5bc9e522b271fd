"""Route 53 answers as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from lab.fidelity.knobs import KNOBS
from lab.fidelity.route53_changes import order, record_set, texts
from tests.lab.load_balancing import Clock, refusal
from tests.lab.record_sets import change, refused

pytestmark = pytest.mark.usefixtures("aws", "clock")

NAME = "_acme-challenge.example.com."


@pytest.fixture
def route53() -> Any:
    return boto3.client(
        "route53", config=Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    )


@pytest.fixture
def clock() -> Clock:
    KNOBS.now = clock = Clock()
    return clock


@pytest.fixture
def shown() -> dict[str, tuple[str, ...]]:
    """What resolvers see."""
    seen: dict[str, tuple[str, ...]] = {}
    KNOBS.dns_shows = seen.__setitem__
    return seen


def zone(route53: Any, name: str = "example.com", *, private: bool = False) -> str:
    parameters: dict[str, Any] = {"HostedZoneConfig": {"PrivateZone": True}} if private else {}
    made = route53.create_hosted_zone(Name=name, CallerReference=name, **parameters)
    return str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")


def text(*values: str, name: str = NAME, ttl: int = 60) -> dict[str, Any]:
    records = [{"Value": value} for value in values]
    return {"Name": name, "Type": "TXT", "TTL": ttl, "ResourceRecords": records}


def status(route53: Any, info: Any) -> str:
    return str(route53.get_change(Id=info["Id"])["ChangeInfo"]["Status"])


def records(route53: Any, zone_id: str) -> dict[tuple[str, str], list[str]]:
    listed = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return {
        (one["Name"], one["Type"]): [record["Value"] for record in one["ResourceRecords"]]
        for one in listed
        if one["Type"] not in {"NS", "SOA"}
    }


def test_a_change_is_pending_until_it_has_spread(
    route53: Any, clock: Clock, shown: dict[str, tuple[str, ...]]
) -> None:
    here = zone(route53)
    KNOBS.dns_propagation_seconds = 30
    info = change(route53, here, ("CREATE", text('"first"')))
    assert (info["Status"], status(route53, info), shown) == ("PENDING", "PENDING", {})
    assert records(route53, here) == {(NAME, "TXT"): ['"first"']}, "the API shows pending ones too"
    clock.pass_seconds(29)
    assert (status(route53, info), shown) == ("PENDING", {})
    clock.pass_seconds(1)
    assert (status(route53, info), shown) == ("INSYNC", {NAME: ("first",)})


def test_without_a_delay_it_has_spread_when_it_is_asked_about(route53: Any) -> None:
    info = change(route53, zone(route53), ("CREATE", text('"first"')))
    assert (info["Status"], status(route53, info)) == ("PENDING", "INSYNC")


def test_making_and_deleting_a_zone_are_changes_too(route53: Any) -> None:
    made = route53.create_hosted_zone(Name="example.com", CallerReference="1")
    assert status(route53, made["ChangeInfo"]) == "INSYNC"
    gone = route53.delete_hosted_zone(Id=made["HostedZone"]["Id"])
    assert status(route53, gone["ChangeInfo"]) == "INSYNC"


def test_an_unknown_change_is_not_there(route53: Any) -> None:
    assert refusal(route53.get_change, Id="C2682N5HXP0BZ4") == ("NoSuchChange", 404)


def test_resolvers_see_every_value_and_then_none(route53: Any, shown: dict[str, tuple[str, ...]]) -> None:
    here = zone(route53)
    change(route53, here, ("UPSERT", text('"first"')))
    info = change(route53, here, ("UPSERT", text('"first"', '"second"')))
    status(route53, info)
    assert shown == {NAME: ("first", "second")}
    status(route53, change(route53, here, ("DELETE", text('"second"', '"first"'))))
    assert (shown, records(route53, here)) == ({NAME: ()}, {})


def test_only_the_closest_public_zone_answers(route53: Any, shown: dict[str, tuple[str, ...]]) -> None:
    outer, inner = zone(route53, "com"), zone(route53, "example.com")
    private = zone(route53, "_acme-challenge.example.com", private=True)
    for number, one in enumerate((outer, private)):
        status(route53, change(route53, one, ("CREATE", text(f'"{number}"'))))
    assert shown == {}
    status(route53, change(route53, inner, ("CREATE", text('"inner"'))))
    assert shown == {NAME: ("inner",)}


@pytest.mark.parametrize(
    ("change_", "expected"),
    [
        (("CREATE", text('"other"')), f"Tried to create resource record set [name='{NAME}', type='TXT']"),
        (("CREATE", text('"there"', name=NAME.upper())), "but it already exists"),
        (("DELETE", text('"other"')), "but the values provided do not match the current values"),
        (("DELETE", text('"there"', ttl=61)), "but the values provided do not match the current values"),
        (("DELETE", text('"there"', '"other"')), "values provided do not match"),
        (("DELETE", text('"there"', name="none.example.com")), "but it was not found"),
        (("UPSERT", text("bare")), "Value should be enclosed in quotation marks"),
        (("UPSERT", text('"half')), "Value should be enclosed in quotation marks"),
        (("UPSERT", text(f'"{"x" * 256}"')), "CharacterStringTooLong"),
        (("UPSERT", text('"x"', '"x"')), "Duplicate Resource Record: '\"x\"'"),
        (("UPSERT", text('"x"', name="badexample.com")), "is not permitted in zone example.com."),
        (("CREATE", text(*(f'"{n}"' for n in range(1001)), name="x.example.com")), "Number of records"),
        (("UPSERT", text(*(f'"{n}"' for n in range(501)))), "Number of records limit of 1000"),
        (("UPSERT", text(*(f'"{n}{"x" * 200}"' for n in range(99)))), "Number of characters limit"),
    ],
)
def test_what_is_wrong_with_a_batch_is_said_and_none_of_it_is_made(
    route53: Any, change_: tuple[str, dict[str, Any]], expected: str
) -> None:
    here = zone(route53)
    change(route53, here, ("CREATE", text('"there"')))
    code, message = refused(route53, here, ("CREATE", text('"fine"', name="fine.example.com")), change_)
    assert code == "InvalidChangeBatch"
    assert expected in message
    assert records(route53, here) == {(NAME, "TXT"): ['"there"']}


def test_every_fault_of_a_batch_is_in_the_refusal(route53: Any) -> None:
    here = zone(route53)
    gone = [("DELETE", text('"x"', name=f"{label}.example.com")) for label in "ab"]
    _, message = refused(route53, here, *gone)
    assert message.startswith("[")
    assert ("'a.example.com.'" in message, "'b.example.com.'" in message) == (True, True)


@pytest.mark.parametrize(
    "record", [text(), {"Name": NAME, "Type": "TXT", "ResourceRecords": [{"Value": '"x"'}]}]
)
def test_a_record_set_without_values_or_ttl_is_malformed(route53: Any, record: dict[str, Any]) -> None:
    assert refused(route53, zone(route53), ("UPSERT", record))[0] == "InvalidInput"


def test_changes_of_a_batch_are_made_one_after_the_other(route53: Any) -> None:
    here = zone(route53)
    change(route53, here, ("CREATE", text('"first"')))
    change(route53, here, ("DELETE", text('"first"')), ("CREATE", text('"second"')))
    assert records(route53, here) == {(NAME, "TXT"): ['"second"']}
    twice = ("DELETE", text('"second"'))
    assert refused(route53, here, twice, twice)[0] == "InvalidChangeBatch"


def test_a_zone_is_busy_with_a_change_for_a_while(route53: Any, clock: Clock) -> None:
    here, other = zone(route53), zone(route53, "example.org")
    KNOBS.dns_busy_seconds = 2
    change(route53, here, ("CREATE", text('"first"')))
    assert refused(route53, here, ("UPSERT", text('"second"')))[0] == "PriorRequestNotComplete"
    change(route53, other, ("CREATE", text('"first"', name="x.example.org")))
    clock.pass_seconds(2)
    change(route53, here, ("UPSERT", text('"second"')))


def test_more_than_so_many_requests_a_second_are_throttled(route53: Any, clock: Clock) -> None:
    KNOBS.dns_requests_a_second = 5
    for _ in range(5):
        route53.list_hosted_zones()
        clock.pass_seconds(0.1)
    assert refusal(route53.list_hosted_zones) == ("Throttling", 400)
    clock.pass_seconds(0.5)
    route53.list_hosted_zones()


def make_many(route53: Any) -> list[str]:
    return [zone(route53, f"{number}.example.com") for number in range(103)]


def test_zones_are_listed_a_hundred_at_a_time_by_the_id_of_the_next(route53: Any) -> None:
    many = make_many(route53)
    first = route53.list_hosted_zones()
    assert (len(first["HostedZones"]), first["IsTruncated"]) == (100, True)
    second = route53.list_hosted_zones(Marker=first["NextMarker"])
    assert second["HostedZones"][0]["Id"] == f"/hostedzone/{first['NextMarker']}"
    listed = [one["Id"].rpartition("/")[2] for one in first["HostedZones"] + second["HostedZones"]]
    assert (sorted(listed), second["IsTruncated"]) == (sorted(many), False)
    assert len(route53.list_hosted_zones(MaxItems="7")["HostedZones"]) == 7
    assert refusal(route53.list_hosted_zones, Marker="none") == ("InvalidInput", 400)


def test_zones_by_name_begin_at_the_name_which_need_not_be_there(route53: Any) -> None:
    make_many(route53)
    page = route53.list_hosted_zones_by_name(DNSName="98x.example.com", MaxItems="1")
    assert [one["Name"] for one in page["HostedZones"]] == ["99.example.com."]
    assert page["IsTruncated"] is False
    page = route53.list_hosted_zones_by_name(MaxItems="2")
    after = route53.list_hosted_zones_by_name(
        DNSName=page["NextDNSName"], HostedZoneId=page["NextHostedZoneId"], MaxItems="1"
    )
    names = [one["Name"] for one in page["HostedZones"] + after["HostedZones"]]
    assert names == sorted(names, key=order)


def test_records_are_listed_from_a_name_and_type_on(route53: Any) -> None:
    here = zone(route53)
    made = [f"{label}.example.com." for label in ("b", "a.b", "c")]
    change(route53, here, *(("CREATE", text('"x"', name=name)) for name in made))
    page = route53.list_resource_record_sets(
        HostedZoneId=here, StartRecordName="B.example.com", StartRecordType="TXT", MaxItems="2"
    )
    assert [one["Name"] for one in page["ResourceRecordSets"]] == ["b.example.com.", "a.b.example.com."]
    assert (page["NextRecordName"], page["NextRecordType"]) == ("c.example.com.", "TXT")
    alone = {"HostedZoneId": here, "StartRecordType": "TXT"}
    assert refusal(route53.list_resource_record_sets, **alone) == ("InvalidInput", 400)


def test_records_are_listed_three_hundred_at_a_time(route53: Any) -> None:
    here = zone(route53)
    change(route53, here, *(("CREATE", text('"x"', name=f"{n}.example.com")) for n in range(301)))
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=here)
    assert [len(page["ResourceRecordSets"]) for page in pages] == [300, 3]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ('"one"', "one"),
        ('"one" "two"', "onetwo"),
        (r'"a \"quoted\" \\ word"', r'a "quoted" \ word'),
        (r'"\344"', "ä"),
        ('""', ""),
    ],
)
def test_resolvers_see_a_value_without_its_quotation_marks(value: str, seen: str) -> None:
    assert texts(record_set(text(value))) == (seen,)


@given(st.text(st.characters(codec="ascii", exclude_characters='"\\'), max_size=255))
def test_what_is_quoted_is_seen_as_it_was(plain: str) -> None:
    assert texts(record_set(text(f'"{plain}"'))) == (plain,)
