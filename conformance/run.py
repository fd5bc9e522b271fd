"""Ask the rules one after another, within the budget, and delete what they made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from conformance.account import Account, BudgetSpentError, Need, closure
from conformance.answer import DiffersError, code_and_message
from conformance.rule import Rule
from conformance.sweep import Waiting, sweep

CLEANING_MINUTES = 4.0
"""How long AWS holds on to interfaces of load balancers and to instances, as a rule."""

SWEEP_SECONDS = 600.0
LANES = {
    **dict.fromkeys(("autoscaling", "events", "functions", "apigateway"), 1),
    **dict.fromkeys(("elb_instances", "elb_deletion", "cloudwatch"), 2),
    **dict.fromkeys(("elbv2_balancers", "elbv2_listeners"), 3),
    "elbv2_targets": 4,
}
"""The lane of a topic, 0 for those that are not named: each takes about as long as the others."""

Verdict = Literal["held", "differs", "answered", "failed", "left out"]


@dataclass(frozen=True)
class Result:
    """What AWS said to one rule: its answer, or why there is none."""

    rule: Rule
    verdict: Verdict
    said: str
    seconds: float = 0.0


def ordered(rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules as they are asked: first those that cost nothing, then by what they share."""

    def cost(rule: Rule) -> tuple[float, tuple[str, ...]]:
        needs = closure(rule.needs)
        return round(sum(one.dollars for one in needs), 4), tuple(one.name for one in needs)

    return sorted(rules, key=cost)


def lanes(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Return the rules in lanes, which AWS is asked side by side: most of a run is waiting."""
    found: dict[int, list[Rule]] = {}
    for rule in ordered(rules):
        found.setdefault(LANES.get(rule.topic, 0), []).append(rule)
    return [*found.values()]


def estimate(rules: Sequence[Rule]) -> tuple[float, float]:
    """Return the dollars and the minutes that the rules take, cleaning up included."""
    dollars = sum(rule.dollars for rule in rules) + sum(one.dollars for one in made(rules))
    longest = 0.0
    for lane in lanes(rules):
        needs = closure(need for rule in lane for need in rule.needs)
        minutes = sum(one.minutes for one in needs) + sum(rule.minutes for rule in lane)
        longest = max(longest, minutes)
    return dollars, longest + CLEANING_MINUTES


def made(rules: Sequence[Rule]) -> list[Need[Any]]:
    """Return what is made for the rules: what lanes do not share as often as there are lanes that need it."""
    needs = [closure(need for rule in lane for need in rule.needs) for lane in lanes(rules)]
    common = {one.name: one for lane in needs for one in lane if one.common}
    return [*common.values(), *(one for lane in needs for one in lane if not one.common)]


def ask(rule: Rule, aws: Account) -> Result:
    """Ask one rule; whatever it deferred is done when this returns or raises."""
    if rule.left_out and not aws.place.on_aws:
        return Result(rule, "left out", f"not on moto: {rule.left_out}")
    if rule.minutes > aws.minutes_left():
        return Result(rule, "left out", f"{aws.budget.minutes:.0f} minutes are spent")
    began = aws.place.clock()
    try:
        with aws.asking(rule.needs):
            said = rule.ask(aws)
    except BudgetSpentError as spent:
        return Result(rule, "left out", str(spent))
    except DiffersError as otherwise:
        return Result(rule, "differs", str(otherwise), aws.place.clock() - began)
    except ClientError as error:
        said = f"{error.operation_name}: {': '.join(code_and_message(error))}"
        return Result(rule, "failed", said, aws.place.clock() - began)
    except Exception as error:  # noqa: BLE001 - a rule that cannot read an answer must not end the run
        return Result(rule, "failed", f"{type(error).__name__}: {error}", aws.place.clock() - began)
    verdict: Verdict = "answered" if rule.question else "held"
    return Result(rule, verdict, said or "", aws.place.clock() - began)


def run(rules: Sequence[Rule], aws: Account, say: Callable[[str], None], results: list[Result]) -> list[str]:
    """Ask all rules, then delete everything of this run; return what is left.

    The results are added to the list as they come, so that Ctrl-C loses none. It also ends in a sweep.
    """
    in_lanes = lanes(rules) if aws.place.on_aws else [ordered(rules)]

    def walk(lane: Sequence[Rule], account: Account) -> None:
        for rule in lane:
            if aws.common.stop.is_set():
                return
            result = ask(rule, account)
            results.append(result)
            say(line(result))

    try:
        with ThreadPoolExecutor(max(len(in_lanes), 1)) as pool:
            walking = [pool.submit(walk, lane, aws.lane()) for lane in in_lanes]
            try:
                for one in as_completed(walking):
                    one.result()
            except BaseException:
                aws.common.stop.set()  # the other lanes end at their next look
                raise
    finally:
        left = clean(aws, say)
    return left


def clean(aws: Account, say: Callable[[str], None]) -> list[str]:
    """Delete everything that carries this run's tag; return what is left."""
    waiting = Waiting(
        aws.place.clock, aws.place.sleep, aws.place.pause, min(SWEEP_SECONDS, aws.place.longest)
    )
    return sweep(aws.client, lambda run: run == aws.run.name, waiting, say)


def line(result: Result) -> str:
    """Return one result as one line."""
    sign = {"held": "✓", "differs": "✗", "answered": "?", "failed": "!", "left out": "-"}[result.verdict]
    said = f": {result.said}" if result.said else ""
    return f" {sign} {result.rule.name} ({result.seconds:.1f} s){said}"
