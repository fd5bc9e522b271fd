"""`make conform`, `make conform-sweep`, `make conform-app`: ask AWS, or the corrected moto."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import conformance.rules  # noqa: F401 - fills RULES
from conformance import app, guard, record
from conformance.account import Account, Budget, Place, Run, age
from conformance.rule import RULES, Rule
from conformance.run import Result, clean, run
from conformance.sweep import Waiting, sweep, things

REPORTS = Path(__file__).parents[1] / ".conform"
IMAGES = "al2023-ami-2023.*-x86_64"
OLD = timedelta(hours=2)
"""Nobody's run takes so long: what is older was left by one that was killed."""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parsed = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parsed.add_argument("command", nargs="?", default="rules", choices=["rules", "sweep", "app", "table"])
    parsed.add_argument("--profile", help="the AWS profile; without it the corrected moto is asked")
    parsed.add_argument("--region", help="the region; with a profile it must be named")
    parsed.add_argument("--only", default="", help="rules or topics, with commas between them")
    parsed.add_argument("--dollars", type=float, default=2.0, help="what the run may cost")
    parsed.add_argument("--minutes", type=float, default=60.0, help="what the run may take")
    parsed.add_argument(
        "--beside", action="store_true", help="although the account holds load balancers of ours"
    )
    parsed.add_argument("--run", default="", help="sweep: the run whose things go, however old it is")
    parsed.add_argument("--yes", action="store_true", help="do not ask before anything is made")
    return parsed


def main(arguments: Sequence[str], ask: Callable[[str], str] = input) -> int:
    """Return the exit status: 0 when all is as we believe, 1 when not, 64 for a wrong command line."""
    asked = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    rules = picked(asked.only)
    if asked.profile and not asked.region:
        print("With PROFILE, name the region too: make conform PROFILE=… REGION=…", file=sys.stderr)
        return 64
    if not rules:
        print(f"No rule and no topic is named {asked.only}", file=sys.stderr)
        return 64
    if asked.command == "table":
        record.PAGE.write_text(record.page(record.PAGE.read_text(), record.table(record.read())))
        return 0
    if asked.command == "app" and not asked.profile:
        from conformance.app_lab import lab_site

        with lab_site(partial(print, "  ", flush=True)) as site:
            return 0 if app.run_steps(app.Use(site, partial(print, flush=True), pause=0.2)) else 1
    try:
        with ExitStack() as stack:
            return _at(stack, asked, rules, ask)
    except (ClientError, BotoCoreError) as error:
        print(f"AWS cannot be asked: {error}", file=sys.stderr)
        return 1


def _at(stack: ExitStack, asked: argparse.Namespace, rules: Sequence[Rule], ask: Callable[[str], str]) -> int:
    """Open the account, and do there what was asked for."""
    if asked.profile:
        from boto3.session import Session

        session: Any = Session(profile_name=asked.profile, region_name=asked.region)
        place = Place(asked.region, on_aws=True, image=_image)
    else:
        from conformance.emulated import PLACE, emulated

        session, place = stack.enter_context(emulated()), PLACE
    budget = Budget(asked.dollars, asked.minutes)
    aws = Account(session, place, Run.begin(datetime.now(UTC)), budget)
    if asked.command == "sweep":
        return sweep_up(aws, asked.run)
    if asked.command == "app":
        return use_app(aws, asked.profile, ask=None if asked.yes else ask, beside=asked.beside)
    if place.on_aws and not allowed(aws, rules, beside=asked.beside, ask=None if asked.yes else ask):
        return 1
    return ask_all(aws, rules)


def picked(only: str) -> list[Rule]:
    """Return the rules that are named, by themselves or by their topic; all without a name."""
    names = {name.strip() for name in only.split(",") if name.strip()}
    return [rule for rule in RULES.values() if not names or names & {rule.name, rule.topic}]


def allowed(aws: Account, rules: Sequence[Rule], *, beside: bool, ask: Callable[[str], str] | None) -> bool:
    """Say whether the run may begin; whoever is to pay for it has the last word."""
    if not guard.is_aws(aws.client):
        print("The profile leads to an endpoint that is not AWS's: its answers would confirm nothing.")
        return False
    found = [] if beside else [*guard.deployments(aws.client)]
    if found:
        print("This account holds load balancers of ours. Take another one, or say BESIDE=yes:")
        print("\n".join(f"   {one}" for one in found))
        return False
    account = aws.client("sts").get_caller_identity()["Account"]
    print(guard.plan(account, aws.place.region, rules, aws.budget, things(aws.client)))
    return ask is None or guard.agreed(ask)


def ask_all(aws: Account, rules: Sequence[Rule]) -> int:
    """Ask all rules, clean up, and write what AWS answered."""
    results: list[Result] = []
    left: list[str] = []
    interrupted = False
    try:
        left = run(rules, aws, partial(print, flush=True), results)
    except KeyboardInterrupt:
        interrupted = True
        left = [str(one) for one in things(aws.client) if one.run == aws.run.name]
        print(f"\nInterrupted. If anything is left: make conform-sweep RUN_NAME={aws.run.name}")
    now = datetime.now(UTC)
    where = f"AWS, {aws.place.region}" if aws.place.on_aws else "the corrected moto (AWS was not asked)"
    REPORTS.mkdir(exist_ok=True)
    path = REPORTS / f"{aws.run.name}.md"
    path.write_text(record.report(results, where, left, now))
    if aws.place.on_aws:
        record.write(record.updated(record.read(), results, aws.place.region, now))
        print(f"The answers are in {record.VERIFIED}")
    print(summary(results, left))
    print(f"The report is {path}")
    wrong = left or interrupted or any(one.verdict in {"differs", "failed"} for one in results)
    return 1 if wrong else 0


def summary(results: Sequence[Result], left: Sequence[str]) -> str:
    """Return the last lines: what differs and what stands on it, how many of each, what is still there."""
    verdicts = [one.verdict for one in results]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in dict.fromkeys(verdicts))
    differing = [line for one in results if one.verdict == "differs" for line in record.entry(one)]
    return "\n".join(
        [*differing, f"{len(results)} rules: {counts}.", *[f"Still there: {one}" for one in left]]
    )


def use_app(aws: Account, profile: str, *, ask: Callable[[str], str] | None, beside: bool) -> int:
    """Deploy the program to the account, use it, remove it, and sweep what is left."""
    from conformance.app_aws import aws_site

    if not allowed(aws, [], beside=beside, ask=None):
        return 1
    print(APP)
    if ask is not None and not guard.agreed(ask):
        return 1
    held = False
    try:
        with aws_site(aws, profile) as site:
            held = app.run_steps(app.Use(site, partial(print, flush=True), pause=5.0))
    except KeyboardInterrupt:
        print(f"\nInterrupted. If anything is left: make conform-sweep RUN_NAME={aws.run.name}")
    finally:
        left = clean(aws, partial(print, flush=True))
        print("\n".join(f"Still there: {one}" for one in left) or "Nothing is left.")
    return 0 if held and not left else 1


APP = """It deploys the program as a stage of its own (functions, roles, rules, an API), makes a VPC with two
t3.micro instances that run mosquitto, and the article's load balancer in front of them. It takes about half
an hour and costs about $0.10. Everything is removed at its end."""


def sweep_up(aws: Account, run: str) -> int:
    """Delete what old runs left, or one run of any age."""
    now = datetime.now(UTC)

    def mine(name: str) -> bool:
        return name == run if run else age(name, now) > OLD

    place = aws.place
    waiting = Waiting(place.clock, place.sleep, place.pause, min(900.0, place.longest))
    left = sweep(aws.client, mine, waiting, partial(print, flush=True))
    print("\n".join(f"Still there: {one}" for one in left) or "Nothing is left.")
    return 1 if left else 0


def _image(ec2: Any) -> str:
    """Return Amazon's latest Linux, which listens on SSH's port."""
    found = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": [IMAGES]}])["Images"]
    newest: str = max(found, key=lambda one: one["CreationDate"])["ImageId"]
    return newest


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
