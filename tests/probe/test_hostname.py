"""The hostname whose record we keep: the probe resolves it, and finds where it leads elsewhere."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from chalicelib.probe.deep import deep_probe_one
from chalicelib.probe.plan import Verdict
from chalicelib.probe.story import probe_all, probe_one
from tests.probe.test_deep import Cluster
from tests.probe.test_story import create, listener
from tests.world.emitted import emitted
from tests.world.mqtt_broker import broker
from tests.world.network import create_network
from tests.world.provisioning import WATCHED, Account
from tests.world.servers import ADDRESS, serving

NAME = "mqtt.example.com"
KEPT = {"hostname": NAME, "dns": "zone=Z0123456789"}
WEIGHED = {**KEPT, "dns": "zone=Z0123456789 weight=10"}
OTHER = "127.83.4.9"

Answers = Mapping[str, tuple[str, ...] | OSError]


def resolving(**answers: tuple[str, ...] | OSError) -> Callable[[str], tuple[str, ...]]:
    """Resolve the hostname as `name` says, and each load balancer by its own name; all others are here."""

    def resolve(host: str) -> tuple[str, ...]:
        key = "name" if host == NAME else next((one for one in answers if host.startswith(one)), "")
        answer = answers.get(key, (ADDRESS,))
        if isinstance(answer, OSError):
            raise answer
        return answer

    return resolve


def cause(verdict: Verdict) -> str | None:
    return verdict.failure.cause if verdict.failure else None


GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
BUSY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

CASES: dict[str, tuple[dict[str, str], tuple[str, ...] | OSError, str, str | None]] = {
    "it leads here": (KEPT, (ADDRESS,), "ok", None),
    "here among others": (KEPT, (OTHER, ADDRESS), "ok", None),
    "elsewhere": (KEPT, (OTHER,), "failed", "dns-elsewhere"),
    "it does not exist": (KEPT, GONE, "failed", "dns-elsewhere"),
    "by a weight, and it does not exist": (WEIGHED, GONE, "failed", "dns-elsewhere"),
    "by a weight, elsewhere": (WEIGHED, (OTHER,), "failed", "dns-elsewhere"),
    "a resolver that is busy": (KEPT, BUSY, "ok", None),
    "somebody else points it": ({"hostname": NAME}, (OTHER,), "ok", None),
    "while something still waits": ({**KEPT, "pending": "2026-01-01T00:00:00Z dns"}, GONE, "ok", None),
}


@pytest.mark.parametrize(("tags", "answer", "grade", "found"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", ["classic", "network"])
def test_devices_that_ask_for_the_name_have_to_get_here(  # noqa: PLR0917 - two tables
    here: Account,
    kind: str,
    tags: dict[str, str],
    answer: tuple[str, ...] | OSError,
    grade: str,
    found: str | None,
) -> None:
    with serving(broker()) as server:
        if kind == "classic":
            create(here, "demo", listener(server.port), **tags)
        else:
            create_network(here, "demo", (server.port, 1883), **tags)
        (verdict,) = probe_all(here.invocation(), resolve=resolving(name=answer))
        again = probe_one("demo", here.invocation(), resolve=resolving(name=answer))
    assert (verdict.grade, cause(verdict)) == (again.grade, cause(again)) == (grade, found)


def test_what_is_found_says_both_addresses_and_rings(
    here: Account, capsys: pytest.CaptureFixture[str], logged: Callable[[], list[Any]]
) -> None:
    with serving(broker()) as server:
        create(here, "demo", listener(server.port), **KEPT)
        probe_all(here.invocation(), resolve=resolving(name=(OTHER,)))
    (metrics,) = emitted(capsys.readouterr().out)
    assert metrics["ProbeSuccess"] == 0
    (failed,) = next(one for one in logged() if one["message"] == "probe")["failed"]
    assert (failed["phase"], failed["cause"], failed["address"]) == ("dns", "dns-elsewhere", None)
    assert all(text in failed["detail"] for text in (NAME, OTHER, ADDRESS))


@pytest.mark.parametrize("also", ["", "enabled=false"])
def test_by_weights_another_of_ours_may_answer(here: Account, also: str) -> None:
    """Also one that is not probed itself, and one of the other kind."""
    more = {"probe": also} if also else {}
    answers = resolving(name=(OTHER,), other=(OTHER,))
    with serving(broker()) as server:
        create(here, "demo", listener(server.port), **WEIGHED)
        create_network(here, "other", (server.port, 1883), **{**WEIGHED, **more})
        by_name = {one.load_balancer: one for one in probe_all(here.invocation(), resolve=answers)}
        with here.counted() as calls:
            again = probe_one("demo", here.invocation(), resolve=answers)
    assert (cause(by_name["demo"]), cause(again)) == (None, None)
    # Itself in two calls, and who else shares the name in a listing of each kind with their tags.
    assert Counter(calls.made) == {"DescribeLoadBalancers": 3, "DescribeTags": 3}


def test_one_that_aws_does_not_show_may_be_where_the_name_leads(here: Account) -> None:
    unread: list[str] = []
    with serving(broker()) as server:
        create(here, "demo", listener(server.port), **WEIGHED)
        create_network(here, "other", (server.port, 1883), **WEIGHED)
        WATCHED.refuse = lambda name, _: "Throttling" if name == "DescribeListeners" else None
        (verdict,) = probe_all(
            here.invocation(),
            resolve=resolving(name=(OTHER,), other=(OTHER,)),
            unread=lambda name, _: unread.append(name),
        )
    assert (verdict.grade, unread) == ("ok", ["other"])


def test_a_resolver_that_says_nothing_about_the_name_delays_nobody_and_accuses_nobody(here: Account) -> None:
    here.settings = replace(here.settings, probe_timeout=timedelta(seconds=1))
    over = Event()

    def resolve(host: str) -> tuple[str, ...]:
        if host == NAME:
            over.wait(30)
        return (ADDRESS,)

    with serving(broker()) as server:
        create(here, "demo", listener(server.port), **KEPT)
        (verdict,) = probe_all(here.invocation(), resolve=resolve)
    assert not over.is_set()
    over.set()
    assert verdict.grade == "ok"


def test_the_deep_probe_leaves_the_name_to_the_probe(here: Account) -> None:
    with serving(Cluster().talk) as server:
        create(here, "demo", listener(server.port), **KEPT)
        here.world.elb.modify_load_balancer_attributes(
            LoadBalancerName="demo", LoadBalancerAttributes={"ConnectionSettings": {"IdleTimeout": 3}}
        )
        verdict = deep_probe_one("demo", here.invocation(within=890), resolve=resolving(name=(OTHER,)))
    assert verdict.result == "passed"
