"""Ask the rules one after another, within the budget, and delete what they made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError

from conformance.account import Account, BudgetSpentError, closure
from conformance.answer import DiffersError, told
from conformance.rule import Rule
from conformance.sweep import Waiting, sweep

CLEANING_MINUTES = 4.0
"""How long AWS holds on to interfaces of load balancers and to instances, as a rule."""

SWEEP_SECONDS = 600.0
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


def estimate(rules: Sequence[Rule]) -> tuple[float, float]:
    """Return the dollars and the minutes that the rules take, cleaning up included."""
    needs = closure(need for rule in rules for need in rule.needs)
    dollars = sum(one.dollars for one in needs) + sum(rule.dollars for rule in rules)
    minutes = sum(one.minutes for one in needs) + sum(rule.minutes for rule in rules)
    return dollars, minutes + CLEANING_MINUTES


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
        said = f"{error.operation_name}: {': '.join(told(error))}"
        return Result(rule, "failed", said, aws.place.clock() - began)
    except Exception as error:  # noqa: BLE001 - a rule that cannot read an answer must not end the run
        return Result(rule, "failed", f"{type(error).__name__}: {error}", aws.place.clock() - began)
    verdict: Verdict = "answered" if rule.question else "held"
    return Result(rule, verdict, said or "", aws.place.clock() - began)


def run(rules: Sequence[Rule], aws: Account, say: Callable[[str], None], results: list[Result]) -> list[str]:
    """Ask all rules, then delete everything of this run; return what is left.

    The results are added to the list as they come, so that Ctrl-C loses none. It also ends in a sweep.
    """
    try:
        for rule in ordered(rules):
            result = ask(rule, aws)
            results.append(result)
            say(line(result))
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
