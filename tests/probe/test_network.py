"""The probe and the deep probe of network load balancers: found by AWS's other API, used in the same way."""

from __future__ import annotations

import ssl
from collections import Counter
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from chalicelib.model.errors import Conflict, Denied, NotFound, Throttled, Unserved
from chalicelib.observe import ours_with_listeners
from chalicelib.probe.deep import complain_of_deep, deep_probe_all, deep_probe_one
from chalicelib.probe.story import complain, find, probe_all, probe_one
from chalicelib.rotate.events import Expiring
from chalicelib.rotate.report import report_expiring
from lab.fidelity.knobs import KNOBS
from tests.probe.test_deep import Cluster, results
from tests.probe.test_story import create, listener, resolve
from tests.world.certificates import authority, leaf
from tests.world.emitted import emitted
from tests.world.mqtt_broker import broker
from tests.world.network import create_network, elbv2, set_attribute
from tests.world.provisioning import WATCHED, Account, just_before
from tests.world.servers import over_tls, serving, tls_context


def test_both_kinds_are_probed_in_one_run(here: Account, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(broker()) as server:
        create(here, "classic", listener(server.port))
        create_network(here, "well", (server.port, 1883), (18083, 18083))
        create_network(here, "ill", (1, 1883))
        create_network(here, "pages", (80, 18083))
        create_network(here, "left-out", (server.port, 1883), probe="enabled=false")
        create_network(here, "theirs", (server.port, 1883), owner="somebody")
        verdicts = probe_all(here.invocation(), resolve=resolve)
    assert {one.load_balancer: one.grade for one in verdicts} == {
        "classic": "ok",
        "well": "ok",
        "ill": "failed",
    }
    records = {record["LoadBalancer"]: record["ProbeSuccess"] for record in emitted(capsys.readouterr().out)}
    assert records == {"classic": 1, "well": 1, "ill": 0}


def test_its_tls_listener_is_looked_at_as_a_device_does(here: Account, tmp_path: Path) -> None:
    root = authority("Company CA")
    served = leaf("own.example.com", signed_by=root)
    arn = here.world.upload()
    newest = tls_context(served, tmp_path, maximum=ssl.TLSVersion.TLSv1_3)
    with serving(over_tls(newest, broker())) as server:
        create_network(here, "demo", (server.port, 1883), certificate=arn, hostname="own.example.com")
        verdict = probe_one("demo", here.invocation(), resolve=resolve)
    (outcome,) = verdict.outcomes
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.tls_version) == ("tls-untrusted", "TLSv1.3")


def calls_of_a_probe(networks: int, balancers: int = 0) -> int:
    """The budget, given how many load balancers of each kind there are; without secrets."""
    listings = 2 + ceil(balancers / 20) + ceil(networks / 20)
    return listings + (1 + networks if networks else 0)


@pytest.mark.parametrize(("networks", "balancers"), [(0, 3), (1, 0), (3, 2), (21, 1)])
def test_calls_are_those_of_the_listings_and_one_for_each_network_one(
    here: Account, networks: int, balancers: int
) -> None:
    with serving(broker()) as server:
        for number in range(balancers):
            create(here, f"classic-{number}", listener(server.port))
        for number in range(networks):
            create_network(here, f"network-{number}", (server.port, 1883))
        with here.counted() as calls:
            verdicts = probe_all(here.invocation(), resolve=resolve)
    assert len(verdicts) == networks + balancers
    assert len(calls.made) == calls_of_a_probe(networks, balancers)


def test_more_than_aws_answers_at_once_are_read_bit_by_bit(here: Account) -> None:
    KNOBS.network_load_balancers_quota = 100
    for number in range(49):
        create_network(here, f"lb-{number}", (1883, 1883))
    began = here.passed
    with here.counted() as calls:
        found = ours_with_listeners(here.invocation())
    assert len(found) == 49
    assert Counter(calls.made)["DescribeListeners"] == 49
    # Eight at a time: four times at once, then one time each second.
    assert here.passed - began == timedelta(seconds=3)


@pytest.mark.parametrize("name", ["theirs", "nobody", "no/name"])
def test_what_is_not_ours_is_not_found(here: Account, name: str) -> None:
    create_network(here, "theirs", (1883, 1883), owner="somebody")
    with pytest.raises(NotFound):
        find(name, here.invocation())


def test_one_is_found_in_six_calls_and_a_classic_one_in_two(here: Account) -> None:
    create_network(here, "network", (1883, 1883))
    create(here, "classic", listener(1883))
    for name, calls_made in (("network", 5), ("classic", 2)):
        with here.counted() as calls:
            assert find(name, here.invocation()).name == name
        assert len(calls.made) == calls_made


def test_one_that_carries_no_mqtt_is_a_conflict(here: Account) -> None:
    create_network(here, "pages", (80, 18083))
    with pytest.raises(Conflict, match="TLS"):
        find("pages", here.invocation())


REFUSED = [
    ("DescribeListeners", "AccessDenied", Denied),
    ("DescribeListeners", "Throttling", Throttled),
    ("DescribeTargetGroups", "AccessDenied", Denied),
]


@pytest.mark.parametrize(("operation", "code", "kind"), REFUSED)
def test_what_aws_does_not_show_has_no_datum_fails_the_function_and_keeps_nobody_else_from_it(
    here: Account, operation: str, code: str, kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, Exception]] = []
    with serving(broker()) as server:
        create(here, "classic", listener(server.port))
        create_network(here, "network", (server.port, 1883))
        WATCHED.refuse = lambda name, _: code if name == operation else None
        verdicts = probe_all(here.invocation(), resolve=resolve, unread=lambda *found: seen.append(found))
    assert [(one.load_balancer, one.grade) for one in verdicts] == [("classic", "ok")]
    assert [record["LoadBalancer"] for record in emitted(capsys.readouterr().out)] == ["classic"]
    assert [(name, type(error)) for name, error in seen] == [("network", kind)]
    with pytest.raises(Unserved) as raised:
        complain(verdicts, seen)
    assert [name for name, _ in raised.value.failures] == ["network"]
    with pytest.raises(Unserved):
        complain_of_deep((), seen)
    with pytest.raises(kind):
        probe_all(here.invocation(), resolve=resolve)


@pytest.mark.parametrize(
    ("silent", "left"), [("elbv2", "classic"), ("elb", "network")], ids=["the second", "the first"]
)
def test_where_one_of_the_two_apis_does_not_answer_the_other_kind_is_probed(
    here: Account, silent: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.aws import elb, elbv2

    def refused(*_: object) -> Any:
        raise Throttled("DescribeLoadBalancers", "Throttling", "slow down")

    module, name = (elbv2, "describe_second_kind") if silent == "elbv2" else (elb, "describe_all")
    seen: list[tuple[str, Exception]] = []
    with serving(broker()) as server:
        create(here, "classic", listener(server.port))
        create_network(here, "network", (server.port, 1883))
        monkeypatch.setattr(module, name, refused)
        verdicts = probe_all(here.invocation(), resolve=resolve, unread=lambda *found: seen.append(found))
    assert [(one.load_balancer, one.grade) for one in verdicts] == [(left, "ok")]
    (place,) = [place for place, _ in seen]
    assert place == f"{'network' if silent == 'elbv2' else 'classic'} load balancers"


def test_one_that_vanishes_meanwhile_is_left_out(here: Account) -> None:
    arn = create_network(here, "gone", (1883, 1883))
    create_network(here, "stays", (1883, 1883))
    just_before("DescribeListeners", lambda: elbv2().delete_load_balancer(LoadBalancerArn=arn))
    assert [one.name for one in ours_with_listeners(here.invocation())] == ["stays"]


def test_the_deep_probe_looks_at_a_network_one_too(here: Account) -> None:
    with serving(Cluster().talk) as server:
        arn = create_network(here, "demo", (server.port, 1883))
        own = elbv2().describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]
        set_attribute("listener", own, "tcp.idle_timeout.seconds", "60")
        (verdict,) = deep_probe_all(here.invocation(within=21.5), resolve=resolve)
    assert results(verdict.findings)["delivery"] == "passed"
    (idle,) = [one for one in verdict.findings if one.check == "idle"]
    assert (idle.result, "the idle timeout is 60 s" in idle.note) == ("untested", True)


def test_the_deep_probe_holds_a_tls_listener_to_its_policy_and_its_350_seconds(
    here: Account, tmp_path: Path
) -> None:
    served = leaf("own.example.com", signed_by=authority("Company CA"))
    with serving(over_tls(tls_context(served, tmp_path), Cluster().talk)) as server:
        create_network(here, "demo", (server.port, 1883), certificate=here.world.upload())
        verdict = deep_probe_one("demo", here.invocation(within=21.5), resolve=resolve)
    obsolete = [one.note for one in verdict.findings if one.check == "obsolete-tls"]
    assert len(obsolete) == 2
    assert all("forbids" in note or "cannot be spoken" in note for note in obsolete)


def test_acms_warning_is_about_network_ones_too(here: Account, capsys: pytest.CaptureFixture[str]) -> None:
    arn = here.world.upload()
    create_network(here, "demo", (8883, 1883), certificate=arn)
    assert report_expiring(Expiring(arns=frozenset({arn}), days=31), here.invocation()) == ("demo",)
    (record,) = emitted(capsys.readouterr().out)
    assert record["CertificateDaysToExpiry"] == 31
