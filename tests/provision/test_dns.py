"""`dns` in a PUT: the hostname's record in Route 53 is made, changed, adopted and withdrawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.model.errors import Conflict, Denied, InvalidRequest, Throttled
from chalicelib.model.report import Report
from lab.fidelity.knobs import KNOBS
from tests.world.dns import HOST, TEXT, alias, change, put_through, records, values, zone
from tests.world.network import network_body
from tests.world.provisioning import OWNER, WATCHED, Account, Killed, account, granted, just_before

OTHER = "other.example.com"
CHANGE = "ChangeResourceRecordSets"


def claim(name: str = "demo", owner: str = OWNER) -> str:
    return f'"owner={owner} load-balancer={name}"'


OURS = [f"{TEXT} TXT {claim()}", f"{HOST} A demo"]
ADDRESS = [f"{HOST} A 192.0.2.1"]


@pytest.fixture
def zone_id(here: Account) -> str:
    return zone(here)


@pytest.fixture
def body(here: Account, zone_id: str) -> dict[str, Any]:
    assert here.settings.dns_zones == (zone_id,)
    return {**here.article, "hostname": HOST, "dns": True}


def codes(report: Report) -> set[str]:
    return {warning.code for warning in report.warnings if warning.code.startswith("dns-")}


@pytest.mark.parametrize("type_", ["classic", "network"])
def test_the_api_handler_leaves_the_record_to_the_background(here: Account, zone_id: str, type_: str) -> None:
    plain = network_body(here) if type_ == "network" else here.article
    body = {**plain, "hostname": HOST, "dns": True}
    report = here.put(body)
    assert report.state == "pending"
    assert "ChangeResourceRecordSets" not in here.calls.writes
    assert records(zone_id) == []
    assert here.get()["state"] == "pending"
    assert report.view is not None
    assert "pending" in str(report.view.load_balancer.tags)
    assert here.carry_on(report, body) is not None
    assert here.calls.writes == ["ChangeResourceRecordSets", "RemoveTags"]
    assert records(zone_id) == OURS
    shown = here.get()
    assert shown["state"] == "ready"
    assert shown["dns"] == {"zone_ids": [zone_id], "answers": [shown["dns_name"].lower()]}
    for again in (body, shown):
        assert (here.put(again).state, here.calls.writes) == ("ready", [])


def test_the_calls_are_few(here: Account, body: dict[str, Any]) -> None:
    zone(here, "example.org")
    plain = {key: value for key, value in body.items() if key not in {"dns", "hostname"}}
    here.put({**plain, "hostname": HOST})
    here.put({**plain, "hostname": HOST})
    reads = len(here.calls.reads)
    report = here.put(body)
    assert here.calls.writes == ["AddTags"]
    assert here.carry_on(report, body) is not None
    assert here.calls.writes == ["ChangeResourceRecordSets", "RemoveTags"]
    assert "GetChange" in here.calls.made
    here.put(body)
    again = here.calls.reads
    assert again.count("GetHostedZone") == 2
    assert again.count("ListResourceRecordSets") == 2
    assert len(again) <= reads + 4
    here.get()
    assert here.calls.made.count("ListResourceRecordSets") == 1
    assert "GetHostedZone" not in here.calls.made


def test_without_dns_route_53_is_not_asked(here: Account) -> None:
    zone(here)
    body = {**here.article, "hostname": HOST}
    for ask in (lambda: here.put(body), here.get, lambda: here.put(body)):
        ask()
        assert not {"GetHostedZone", "ListResourceRecordSets"} & {*here.calls.made}


def test_the_background_waits_until_the_record_has_spread(here: Account, body: dict[str, Any]) -> None:
    KNOBS.dns_propagation_seconds = 40
    report = here.put(body)
    before = here.passed
    assert here.carry_on(report, body) is not None
    assert (here.passed - before).total_seconds() >= 40


def test_a_dry_run_shows_the_change_and_makes_none(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    report = here.put(body, dry_run=True)
    (step,) = (step for step in report.steps if step.action == "ChangeResourceRecordSets")
    assert step.fields == {"zone": zone_id, "records": [TEXT, HOST]}
    assert here.calls.writes == []


def test_no_zone_is_set(here: Account) -> None:
    with pytest.raises(Conflict, match="DNS_ZONES"):
        here.put({**here.article, "hostname": HOST, "dns": True})
    assert here.calls.writes == []


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no hostname": ({"hostname": None}, "dns", "hostname"),
    "another name": ({"hostname": "mqtt.example.org"}, "hostname", "in none of the public zones"),
    "an IP": ({"hostname": "192.0.2.1"}, "hostname", "192.0.2.1"),
    "a wildcard": ({"hostname": "*.example.com"}, "hostname", "no DNS name"),
    "internal": ({"scheme": "internal"}, "hostname", "private zones"),
    "another zone": ({"dns": {"zone_ids": ["ZOTHER"]}}, "dns.zone_ids[0]", "none of this deployment's zones"),
    "no zone id": ({"dns": {"zone_ids": ["example.com"]}}, "dns.zone_ids[0]", "no such id"),
    "named twice": ({"dns": {"zone_ids": ["Z1", "Z1"]}}, "dns.zone_ids[1]", "twice"),
    "a weight": ({"dns": {"weight": 256}}, "dns.weight", "255"),
    "a text": ({"dns": "yes"}, "dns", "true or false"),
    "an unknown field": ({"dns": {"ttl": 60}}, "dns.ttl", ""),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_is_a_fault_of_its_field(here: Account, body: dict[str, Any], case: str) -> None:
    changed, field, words = FAULTS[case]
    wrong = {key: value for key, value in {**body, **changed}.items() if value is not None}
    with pytest.raises(InvalidRequest) as caught:
        here.put(wrong)
    found = {fault.field: fault.message for fault in caught.value.faults}
    assert field in found, found
    assert words in found[field]
    assert here.calls.writes == []


def test_the_record_in_a_zone_that_is_gone_stays_as_it_is_until_it_is_asked_for_no_longer(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    put_through(here, {**body, "dns": {"zone_ids": [zone_id]}})
    for one in ("A", "TXT"):
        change(zone_id, "DELETE", one, *([TEXT] if one == "TXT" else []), **shown(zone_id, one))
    boto3.client("route53").delete_hosted_zone(Id=zone_id)
    assert "answers" not in here.get()["dns"]
    report = here.put(here.get())
    assert (report.state, here.calls.writes, codes(report)) == ("ready", [], {"dns-zone-unknown"})
    assert here.get()["dns"]["zone_ids"] == [zone_id]
    with pytest.raises(InvalidRequest, match="there is no hosted zone"):
        here.put({**here.get(), "hostname": OTHER})
    without = {key: value for key, value in body.items() if key != "dns"}
    report = here.put(without)
    assert (report.state, codes(report)) == ("ready", {"dns-zone-unknown"})
    assert "dns" not in here.get()


def shown(zone_id: str, type_: str) -> dict[str, Any]:
    """The rest of the record set of that type that the name, or its TXT record, has."""
    listed = boto3.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    (one,) = (one for one in listed if one["Type"] == type_ and one["Name"] in {f"{HOST}.", f"{TEXT}."})
    return {key: value for key, value in one.items() if key not in {"Name", "Type"}}


def elsewhere(kind: str) -> Callable[[Account, str], None]:
    """What somebody has made of the name."""
    made: dict[str, Callable[[Account, str], None]] = {
        "address": lambda _, id_: change(id_, "CREATE", "A", **values("192.0.2.1")),
        "IPv6 address": lambda _, id_: change(id_, "CREATE", "AAAA", **values("2001:db8::1")),
        "CNAME": lambda _, id_: change(id_, "CREATE", "CNAME", **values("elsewhere.example.org")),
        "alias": lambda here, id_: change(id_, "CREATE", "A", **alias(here, "theirs")),
        "weighted": lambda here, id_: change(
            id_, "CREATE", "A", **alias(here, "theirs", SetIdentifier="theirs", Weight=1)
        ),
        "delegated": lambda _, id_: change(id_, "CREATE", "NS", **values("ns.example.org")),
        "another deployment": lambda _, id_: change(
            id_, "CREATE", "TXT", TEXT, **values(claim(owner="emq-elb-dev"))
        ),
        "a text of somebody's": lambda _, id_: change(id_, "CREATE", "TXT", TEXT, **values('"hello"')),
    }
    return made[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "address",
        "IPv6 address",
        "CNAME",
        "alias",
        "weighted",
        "delegated",
        "another deployment",
        "a text of somebody's",
    ],
)
@pytest.mark.parametrize("adopt", [False, True])
def test_what_somebody_made_of_the_name_is_a_conflict_before_anything_is_made(
    here: Account, zone_id: str, body: dict[str, Any], kind: str, adopt: bool
) -> None:
    here.world.create("theirs")
    elsewhere(kind)(here, zone_id)
    there = records(zone_id)
    for dns in (True, {"weight": 10}):
        with pytest.raises(Conflict, match=HOST):
            here.put({**body, "dns": dns}, adopt=adopt)
        assert here.calls.writes == []
    assert records(zone_id) == there


def test_other_records_of_the_name_are_in_nobodys_way(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    change(zone_id, "CREATE", "MX", **values("10 mail.example.com"))
    change(zone_id, "CREATE", "A", "*.example.com", **values("192.0.2.1"))
    put_through(here, body)
    assert records(zone_id) == [*OURS, f"{HOST} MX 10 mail.example.com"]


def test_a_name_at_the_apex(here: Account, body: dict[str, Any]) -> None:
    id_ = zone(here, HOST)
    put_through(here, body)
    assert set(OURS) < set(records(id_))
    assert here.get()["dns"]["zone_ids"] == [id_]


@pytest.mark.parametrize("kind", ["CNAME", "alias", "weighted"])
def test_a_record_that_leads_here_already_is_adopted(
    here: Account, zone_id: str, body: dict[str, Any], kind: str
) -> None:
    plain = {**body, "dns": False}
    here.put(plain)
    made = {
        "CNAME": lambda: change(zone_id, "CREATE", "CNAME", **values(here.get()["dns_name"])),
        "alias": lambda: change(zone_id, "CREATE", "A", **alias(here)),
        "weighted": lambda: change(zone_id, "CREATE", "A", **alias(here, SetIdentifier="mine", Weight=1)),
    }
    made[kind]()
    with pytest.raises(Conflict, match=r"adopt=true"):
        here.put(body)
    assert here.calls.writes == []
    put_through(here, body, adopt=True)
    assert records(zone_id) == OURS
    assert (here.put(body).state, here.calls.writes) == ("ready", [])


def test_an_internal_one_has_its_record_in_the_private_zone(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    vpc = here.world.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    private = zone(here, vpc=vpc)
    put_through(here, {**body, "scheme": "internal"})
    assert (records(private), records(zone_id)) == (OURS, [])
    report = here.put({**body, "hostname": OTHER, "cluster": "demo"}, name="public")
    here.carry_on(report, {**body, "hostname": OTHER, "cluster": "demo"}, name="public")
    assert codes(report) == {"dns-hidden"}
    assert f"{OTHER} A public" in records(zone_id, OTHER)


def test_two_zones_of_one_name_are_named(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    second = zone(here)
    with pytest.raises(InvalidRequest, match="zone_ids"):
        here.put(body)
    both = {**body, "dns": {"zone_ids": [second, zone_id]}}
    put_through(here, both)
    assert records(zone_id) == records(second) == OURS
    assert {*here.get()["dns"]["zone_ids"]} == {second, zone_id}
    put_through(here, {**body, "dns": {"zone_ids": [second]}})
    assert (records(zone_id), records(second)) == ([], OURS)


def weighted(here: Account, body: dict[str, Any], name: str, weight: int | None) -> Report:
    dns: Any = True if weight is None else {"weight": weight}
    return put_through(here, {**body, "dns": dns, "cluster": "demo"}, name=name)


def test_several_share_the_name_by_weights(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    weighted(here, body, "demo", None)
    with pytest.raises(Conflict, match=r"set `dns\.weight` there first"):
        weighted(here, body, "blue", 10)
    weighted(here, body, "demo", 200)
    weighted(here, body, "blue", 10)
    both = f"{TEXT} TXT {claim()} {claim('blue')}"
    assert records(zone_id) == [both, f"{HOST} A blue blue=10", f"{HOST} A demo demo=200"]
    assert len(here.get()["dns"]["answers"]) == 2
    with pytest.raises(Conflict, match="is shared by weights with blue"):
        weighted(here, body, "demo", None)
    assert codes(weighted(here, body, "demo", 0)) == {"dns-weight-zero"}
    assert f"{HOST} A demo demo=0" in records(zone_id)
    put_through(here, {**body, "dns": False, "cluster": "demo"}, name="demo")
    weighted(here, body, "blue", None)
    assert records(zone_id) == [f"{TEXT} TXT {claim('blue')}", f"{HOST} A blue"]


def test_a_lost_record_is_made_again(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    put_through(here, body)
    change(zone_id, "DELETE", "A", **shown(zone_id, "A"))
    put_through(here, body)
    assert records(zone_id) == OURS
    change(zone_id, "DELETE", "TXT", TEXT, **shown(zone_id, "TXT"))
    put_through(here, body)
    assert records(zone_id) == OURS


def test_a_record_that_somebody_pointed_elsewhere_stays(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    put_through(here, body)
    change(zone_id, "DELETE", "A", **shown(zone_id, "A"))
    change(zone_id, "CREATE", "A", **values("192.0.2.1"))
    report = here.put(here.get())
    assert (report.state, here.calls.writes, codes(report)) == ("ready", [], {"dns-elsewhere"})
    assert here.get()["dns"]["answers"] == ["192.0.2.1"]
    assert any("192.0.2.1" in sentence for sentence in here.get()["unmanaged"])
    with pytest.raises(Conflict, match=r"192\.0\.2\.1"):
        here.put({**body, "dns": {"weight": 1}})
    put_through(here, {**body, "dns": False})
    assert records(zone_id) == ADDRESS


def test_what_a_former_load_balancer_of_the_name_left_is_exchanged(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    put_through(here, body)
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    # AWS gives it another DNS name, and an internal one yet another.
    put_through(here, body)
    assert records(zone_id) == OURS
    assert here.get()["dns"]["answers"] == [here.get()["dns_name"].lower()]


def test_another_name_takes_the_place_of_the_first_in_one_batch(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    put_through(here, body)
    renamed = {**body, "hostname": OTHER}
    report = here.put(renamed)
    assert records(zone_id) == OURS
    assert here.carry_on(report, renamed) is not None
    assert here.calls.writes.count("ChangeResourceRecordSets") == 1
    assert records(zone_id) == []
    assert f"{OTHER} A demo" in records(zone_id, OTHER)


@pytest.mark.parametrize("gone", ["dns", "hostname"])
def test_a_record_that_is_asked_for_no_longer_goes(
    here: Account, zone_id: str, body: dict[str, Any], gone: str
) -> None:
    put_through(here, body)
    left = {**body, "dns": False}
    if gone == "hostname":
        del left["hostname"]
    put_through(here, left)
    assert records(zone_id) == []
    assert "dns" not in here.get()
    assert (here.put(left).state, here.calls.writes) == ("ready", [])


def test_a_zone_that_the_deployment_lost_keeps_its_record(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    put_through(here, body)
    here.settings = replace(here.settings, dns_zones=())
    with pytest.raises(Conflict, match="DNS_ZONES"):
        here.put(body)
    report = here.put(here.get())
    assert (report.state, here.calls.writes, codes(report)) == ("ready", [], {"dns-zone-unknown"})
    report = here.put({**body, "dns": False})
    assert codes(report) == {"dns-zone-unknown"}
    assert records(zone_id) == OURS


SCENARIOS: dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any] | None, dict[str, Any]]]] = {
    "made": lambda body: (None, body),
    "added": lambda body: ({**body, "dns": False}, body),
    "by weight": lambda body: (body, {**body, "dns": {"weight": 10}}),
    "renamed": lambda body: (body, {**body, "hostname": OTHER}),
    "withdrawn": lambda body: (body, {**body, "dns": False}),
}


def ended(case: str, kill: int | None = None) -> tuple[int, Any]:
    """The writes of a scenario, and how it ends; killed after so many of them, and asked for again."""
    with account() as here:
        id_ = zone(here)
        before, after = SCENARIOS[case]({**here.article, "hostname": HOST, "dns": True})
        if before:
            put_through(here, before)
        writes = 0
        try:
            here.calls.kill_after = kill
            report = here.put(after)
            writes = len(here.calls.writes)
            here.calls.kill_after = kill and kill - writes
            here.carry_on(report, after)
            writes += len(here.calls.writes)
        except Killed:
            here.calls.kill_after = None
            put_through(here, after)
        assert (here.put(after).state, here.calls.writes) == ("ready", [])
        state = json.loads(json.dumps(here.snapshot()).replace(id_, "Z"))
        return writes, (state, records(id_), records(id_, OTHER))


@pytest.mark.parametrize("case", SCENARIOS)
def test_killed_after_any_call_the_same_request_ends_in_the_same_state(case: str) -> None:
    writes, end = ended(case)
    for kill in range(1, writes + 1):
        assert ended(case, kill)[1] == end, kill


def test_somebody_quicker_is_a_reason_to_look_again(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    report = here.put(body)
    just_before("ChangeResourceRecordSets", lambda: change(zone_id, "CREATE", "A", **values("192.0.2.1")))
    carried = here.carry_on(report, body)
    assert carried is not None
    assert (carried.state, codes(carried)) == ("ready", {"dns-elsewhere"})
    assert records(zone_id) == ADDRESS


@pytest.mark.parametrize("code", ["PriorRequestNotComplete", "Throttling", "InvalidChangeBatch"])
def test_a_refusal_that_passes_is_tried_again(
    here: Account, zone_id: str, body: dict[str, Any], code: str
) -> None:
    report, refusals = here.put(body), [code]
    WATCHED.refuse = lambda name, _: refusals.pop() if name == CHANGE and refusals else None
    if code == "Throttling":
        with pytest.raises(Throttled):
            here.carry_on(report, body)
    assert here.carry_on(report, body) is not None
    assert records(zone_id) == OURS


def test_a_denied_change_leaves_it_pending(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    report = here.put(body)
    WATCHED.refuse = lambda name, _: "AccessDenied" if name == CHANGE else None
    with pytest.raises(Denied, match=CHANGE):
        here.carry_on(report, body)
    WATCHED.refuse = granted
    assert here.get()["state"] == "pending"
    put_through(here, body)
    assert records(zone_id) == OURS
    assert here.get()["state"] == "ready"


def test_a_zone_that_goes_in_between_ends_the_background(
    here: Account, zone_id: str, body: dict[str, Any]
) -> None:
    report = here.put(body)
    boto3.client("route53").delete_hosted_zone(Id=zone_id)
    with pytest.raises(InvalidRequest, match="there is no hosted zone"):
        here.carry_on(report, body)


def test_a_classic_and_a_network_one_share_a_name(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    weighted(here, body, "demo", 10)
    network = {**body, "type": "network", "cluster": "demo", "dns": {"weight": 1}}
    put_through(here, network, name="blue")
    assert records(zone_id) == [
        f"{TEXT} TXT {claim()} {claim('blue')}",
        f"{HOST} A blue blue=1",
        f"{HOST} A demo demo=10",
    ]
    assert (here.put(network, name="blue").state, here.calls.writes) == ("ready", [])


def test_two_that_join_a_name_at_once_both_have_it(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    blue = {**body, "dns": {"weight": 1}, "cluster": "demo"}
    demo = {**blue, "dns": {"weight": 10}}
    waiting = here.put(blue, name="blue")
    report = here.put(demo)
    just_before(CHANGE, lambda: here.carry_on(waiting, blue, name="blue"))
    assert here.carry_on(report, demo) is not None
    assert records(zone_id) == [
        f"{TEXT} TXT {claim('blue')} {claim()}",
        f"{HOST} A blue blue=1",
        f"{HOST} A demo demo=10",
    ]


def test_the_name_is_the_first_deployments(here: Account, zone_id: str, body: dict[str, Any]) -> None:
    put_through(here, body)
    other = here.owned_by("emq-elb-dev")
    with pytest.raises(Conflict, match=f"belongs to the deployment {OWNER}"):
        other.put({**body, "instances": []}, name="theirs", adopt=True)
    assert records(zone_id) == OURS
