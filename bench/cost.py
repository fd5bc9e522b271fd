"""What a deployment costs in a month, and how long a user waits: from counted calls and measured CPU.

`monthly` and `waits` are pure. The calls are those of the budgets, which `tests/bench/test_cost.py` counts
again; the CPU is that of the last `make bench`; the sizes of logs are measured by the same test. What stands
in docs/deploy.md is `cost_table()` and `wait_table()`.

Prices are of us-east-1 without the free tier. AWS's pages show them to browsers only: the figures are those
that others quoted of these pages in 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median

from bench.results import read

MINUTES = 30 * 24 * 60
"""Of a month."""
MEMBERS = 3
"""Instances of each load balancer."""
ADDRESSES = 2
"""Of each load balancer, one a zone: the probe tries every one."""
CALL_SECONDS = 0.1
"""What one call to AWS takes there. Assumed: nothing here was run at AWS."""
ONE_CPU = 1769
"""MB at which a function has one CPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
MEMORY = {"probe": 512, "register": 512, "reconcile": 256, "deep_probe": 256}
DEEP_SECONDS = 310
"""The deep probe leaves sessions idle for the keepalive, 300 seconds by default, all at once."""
METRICS = 7
ALARMS, ALARM_METRICS_OF_ALL = 3, 11
"""Alarms of a load balancer, each of one metric; metrics that the deployment's own alarms look at."""
LOGGED = {"invocation": 700, "load balancer": 1200}
"""Bytes: of the two functions of a minute, Lambda's own lines included, and beyond that for each load
balancer, the metrics included, which are lines of the log."""
EVENT_SECONDS = 1.0
"""From a change to the event in the function, when it comes at all. Assumed: AWS promises nothing."""
PRICES: Mapping[str, tuple[float, str]] = {
    "request": (0.20e-6, "https://aws.amazon.com/lambda/pricing/"),
    "GB second": (0.0000166667, "https://aws.amazon.com/lambda/pricing/"),
    "metric": (0.30, "https://aws.amazon.com/cloudwatch/pricing/"),
    "alarm metric": (0.10, "https://aws.amazon.com/cloudwatch/pricing/"),
    "dashboard": (3.00, "https://aws.amazon.com/cloudwatch/pricing/"),
    "logged GB": (0.50, "https://aws.amazon.com/cloudwatch/pricing/"),
    "secret": (0.40, "https://aws.amazon.com/secrets-manager/pricing/"),
    "secret read": (0.05 / 10_000, "https://aws.amazon.com/secrets-manager/pricing/"),
}
BENCHMARKS = Path(__file__).parents[1] / "docs" / "benchmarks"


@dataclass(frozen=True)
class Cpu:
    """Seconds of CPU as `make bench` measured them: for each target probed, each load balancer looked at."""

    target: float
    load_balancer: float


CPU = Cpu(target=0.0022, load_balancer=0.0048)
"""Rounded up; a test holds it to the last benchmarks."""


def measured() -> Cpu:
    """Return what the last benchmarks say: what one more of a thousand costs."""
    return Cpu(
        _slope("probe", "ours: probe", "1 target", "1,000 targets"),
        _slope("reconcile", "ours: reconcile", "N = 1, M = 5", "N = 1,000, M = 5,000"),
    )


def _slope(job: str, contender: str, one: str, thousand: str) -> float:
    result = read(BENCHMARKS, job)
    rows = {row.case: row for row in result.rows if row.contender == contender} if result else {}
    few, many = (median([run["cpu"] for run in rows[case].runs]) for case in (one, thousand))
    return (many - few) / 999


def reconcile_calls(load_balancers: int) -> int:
    """Calls of a look without drift, at classic load balancers."""
    members = MEMBERS * load_balancers
    return ceil(load_balancers / 400) + ceil(load_balancers / 20) + ceil(members / 1000) + 1


def probe_calls(load_balancers: int) -> int:
    """Calls of a probe of classic load balancers of the private CA, whose certificate is read."""
    return ceil(load_balancers / 400) + ceil(load_balancers / 20) + 1 + 1


def seconds(function: str, calls: int, cpu: float) -> float:
    """How long a warm function runs: its calls one after another, and its CPU by its share of one."""
    return calls * CALL_SECONDS + cpu * max(1, ONE_CPU / MEMORY[function])


def monthly(load_balancers: int, cpu: Cpu = CPU) -> Mapping[str, float]:
    """Dollars a month by what is charged, for so many classic load balancers with a private CA."""
    price = {name: one for name, (one, _) in PRICES.items()}
    gb_seconds = MINUTES * sum(
        MEMORY[name] / 1024 * seconds(name, calls, used)
        for name, calls, used in (
            ("reconcile", reconcile_calls(load_balancers), cpu.load_balancer * load_balancers),
            ("probe", probe_calls(load_balancers), cpu.target * ADDRESSES * load_balancers),
        )
    )
    logged = MINUTES * (2 * LOGGED["invocation"] + LOGGED["load balancer"] * load_balancers)
    deep = MINUTES / 60 * DEEP_SECONDS * MEMORY["deep_probe"] / 1024
    return {
        "requests to Lambda": (2 * MINUTES + MINUTES / 60 + 60) * price["request"],
        "functions": gb_seconds * price["GB second"],
        "`deep_probe`": deep * price["GB second"],
        "metrics": METRICS * load_balancers * price["metric"],
        "alarms": (ALARMS * load_balancers + ALARM_METRICS_OF_ALL) * price["alarm metric"],
        "dashboard": price["dashboard"],
        "logs": logged / 1e9 * price["logged GB"],
        "private CA": 2 * price["secret"] + MINUTES * price["secret read"],
    }


def foreign_events(events: int) -> float:
    """Dollars for so many state changes of instances that carry no tag of ours: one read each, no wait."""
    used = seconds("register", 1, 0) * MEMORY["register"] / 1024
    return events * (PRICES["request"][0] + used * PRICES["GB second"][0])


def waits(*, settle: int = 5, interval: int = 30, threshold: int = 2) -> Mapping[str, tuple[float, str]]:
    """The longest that a user waits, in seconds, and of what it consists."""
    checks = interval * threshold
    look = settle + 1 + 6 * CALL_SECONDS
    return {
        "an instance is `running`, until it is in service": (
            EVENT_SECONDS + look + checks,
            (
                f"the event {EVENT_SECONDS:g} s, `SETTLE_SECONDS` and the rest of a second, six calls,"
                f" {threshold} health checks of {interval} s"
            ),
        ),
        "the same, where the event was lost": (60 + look + checks, "`reconcile` looks each minute"),
        "devices cannot connect, until the alarm `probe` rings": (
            60 + 10 + 3 * 60,
            "the next probe, its time-out, three minutes of which each is bad",
        ),
        "no instance is in service, until the alarm `nodes` rings": (
            checks + 4 * 60,
            "the health checks, CloudWatch's minute, three minutes of which each is bad",
        ),
        "one broker of several is frozen, until the alarm `probe` rings": (
            2 * 3600,
            "two deep probes; with a health check that asks EMQX, it is out of service before",
        ),
    }


def cost_table() -> str:
    """Return the table of docs/deploy.md."""
    columns = [monthly(count) for count in (1, 10, 100)]
    lines = ["| load balancers | 1 | 10 | 100 |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {' | '.join(f'{one[name]:.2f}' for one in columns)} |" for name in columns[0]]
    together = " | ".join(f"**{sum(one.values()):.2f}**" for one in columns)
    return "\n".join([*lines, f"| **together** | {together} |"])


def wait_table() -> str:
    """Return the table of docs/deploy.md."""
    lines = ["| from, to | at most | of what |", "|---|---:|---|"]
    return "\n".join(
        [*lines, *(f"| {what} | {most:.0f} s | {why} |" for what, (most, why) in waits().items())]
    )
