"""What a month costs: the calls are counted, alarms and logs are ours, the page shows what is computed."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from bench import cost
from chalicelib import telemetry
from chalicelib.monitor.plan import FUNCTIONS, desired
from chalicelib.observe import ours_with_listeners
from chalicelib.probe.metrics import PHASE_TIMES, metrics
from chalicelib.probe.plan import Outcome, judge_outcomes
from chalicelib.probe.report import log_verdict
from chalicelib.probe.story import probe_all
from chalicelib.register import story as register
from tests.world.facts import NOW
from tests.world.provisioning import OWNER, Account, issued, pem
from tests.world.rotating import PRIVATE, body

DEPLOY = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
LAMBDAS_OWN = 330
"""Bytes of START, END and REPORT."""


@pytest.fixture
def two(here: Account) -> Account:
    """Two load balancers, one of the private CA, without members."""
    here.put(body(here, 8883, PRIVATE))
    here.put(body(here, 8883, {"pem": pem(issued())}), "other")
    return here


def nowhere(host: str) -> tuple[str, ...]:
    raise OSError(host)


def test_the_calls_are_those_that_are_made(two: Account) -> None:
    with two.counted() as calls:
        register.reconcile(two.invocation())
    assert len(calls.made) == cost.reconcile_calls(2)
    with two.counted() as calls:
        probe_all(two.invocation(50), resolve=nowhere)
    assert len(calls.made) == cost.probe_calls(2)


def test_the_alarms_are_those_that_are_made(two: Account) -> None:
    balancers = ours_with_listeners(two.invocation())
    made = desired(OWNER, balancers, api="api", renew_before=timedelta(days=30), topic=None)
    assert len(made) == cost.ALARMS * 2 + 2
    # One for roll-backs, and the other for every function and the API.
    assert 1 + len(FUNCTIONS) + 1 == cost.ALARM_METRICS_OF_ALL


def test_so_many_bytes_are_logged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = StringIO()
    monkeypatch.setattr(telemetry.logger().registered_handler, "stream", log)
    times = dict.fromkeys(PHASE_TIMES, 12.34)
    verdict = judge_outcomes("demo", [Outcome(address="192.0.2.1", port=8883, times_ms=times)])
    telemetry.emit("demo", RegisteredInstances=3)
    telemetry.emit("demo", **metrics(verdict, NOW))
    log_verdict(verdict)
    each = len(capsys.readouterr().out) + len(log.getvalue())
    log.truncate(0)
    assert each <= cost.LOGGED["load balancer"] <= 2 * each
    telemetry.canonical("probe", **telemetry.counted(["ok"], "ok", "degraded", "failed", "untried"))
    run = len(log.getvalue().strip("\0")) + LAMBDAS_OWN
    assert run <= cost.LOGGED["invocation"] <= 2 * run


@pytest.mark.parametrize("of", [one.name for one in fields(cost.Cpu)])
def test_the_cpu_is_about_what_was_measured(of: str) -> None:
    assert 1 / 2 < getattr(cost.measured(), of) / getattr(cost.CPU, of) < 2


def test_more_of_anything_costs_more() -> None:
    cpu = cost.CPU
    one, many = cost.monthly(1), cost.monthly(100)
    assert all(many[name] >= one[name] for name in one)
    assert many["metrics"] == pytest.approx(100 * one["metrics"])
    slow = cost.monthly(100, cost.Cpu(10 * cpu.target, cpu.load_balancer))
    assert slow["functions"] > many["functions"]


@pytest.mark.parametrize("table", [cost.cost_table(), cost.wait_table()], ids=["cost", "wait"])
def test_the_page_shows_what_is_computed(table: str) -> None:
    assert table in DEPLOY, table


def test_the_page_says_what_a_million_foreign_events_cost() -> None:
    assert f"A million of them cost {cost.foreign_events(1_000_000):.2f}" in DEPLOY


@pytest.mark.parametrize("name", cost.PRICES)
def test_each_price_has_its_page(name: str) -> None:
    price, page = cost.PRICES[name]
    assert price > 0
    assert page in DEPLOY
