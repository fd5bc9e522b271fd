"""How rules are asked: in order, within the budget, each cleaning up after itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from botocore.exceptions import ClientError

from conformance import record
from conformance.account import Account, Budget, BudgetSpentError, Need, Run, age
from conformance.answer import DiffersError, outcome, refused
from conformance.emulated import PLACE, emulated
from conformance.needs import VPC, new_group, once_known
from conformance.rule import Ask, Rule
from conformance.run import Result, ask, estimate, ordered, run
from conformance.sweep import things

NOW = datetime(2026, 11, 28, 21, 53, 8, tzinfo=UTC)
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"


@pytest.fixture
def session() -> Iterator[Any]:
    """The corrected moto, as the rules see it."""
    with emulated() as one:
        yield one


@pytest.fixture
def aws(session: Any) -> Account:
    """An account with a run."""
    return Account(session, PLACE, Run.begin(NOW), Budget(1, 60))


def made_of(*needs: Need[Any], **changes: Any) -> Callable[[Ask], Rule]:
    """Make a rule that nobody keeps."""

    def make(ask: Ask) -> Rule:
        rule = Rule(ask.__name__, ask, "A fact.", (), "tests", needs, 0.1, 0.0, False, (), (), "")
        return replace(rule, **changes)

    return make


def test_what_aws_answers_is_the_verdict(aws: Account) -> None:
    def says(_: Account) -> str:
        return "so"

    def differs(_: Account) -> None:
        raise DiffersError("otherwise")

    def refuses(aws: Account) -> None:
        aws.client("elb").describe_load_balancers(LoadBalancerNames=["none"])

    def breaks(_: Account) -> None:
        raise KeyError("field")

    verdicts = [ask(made_of()(one), aws) for one in (says, differs, refuses, breaks)]
    assert [(one.verdict, one.said) for one in verdicts[:2]] == [("held", "so"), ("differs", "otherwise")]
    assert [one.verdict for one in verdicts[2:]] == ["failed", "failed"]
    assert "DescribeLoadBalancers: LoadBalancerNotFound" in verdicts[2].said
    assert ask(made_of(question=True)(says), aws).verdict == "answered"
    assert ask(made_of(left_out="no events")(says), aws).said == "not on moto: no events"


def test_what_a_rule_deferred_is_done_however_it_ends(aws: Account) -> None:
    made: list[str] = []

    def breaks(aws: Account) -> None:
        made.append(new_group(aws, aws.need(VPC).id, aws.name("sg")))
        aws.defer(aws.client("ec2").delete_security_group, GroupId=made[0])
        raise DiffersError("otherwise")

    ask(made_of(VPC)(breaks), aws)
    assert refused(aws.client("ec2").describe_security_groups, "InvalidGroup.NotFound", GroupIds=made)


def test_a_rule_uses_only_what_it_says_that_it_needs(aws: Account) -> None:
    def takes(aws: Account) -> None:
        aws.need(VPC)

    result = ask(made_of()(takes), aws)
    assert (result.verdict, "does not say that it needs: vpc" in result.said) == ("failed", True)


def test_what_could_not_be_made_is_not_tried_again(aws: Account) -> None:
    tries: list[int] = []

    def make(_: Account) -> None:
        tries.append(1)
        raise DiffersError("no room")

    def says(_: Account) -> str:
        return "so"

    broken = Need("broken", make)
    verdicts = [ask(made_of(broken)(says), aws) for _ in range(3)]
    assert {(one.verdict, one.said) for one in verdicts} == {
        ("failed", "MissingNeedError: no broken: no room")
    }
    assert tries == [1]


def test_a_call_about_what_was_just_made_waits_until_ec2_knows_it(aws: Account) -> None:
    codes = iter(["InvalidVpcID.NotFound", "InvalidVpcID.NotFound", "UnauthorizedOperation"])

    def call(*, known: bool) -> str:
        code = next(codes)
        if known and code == "UnauthorizedOperation":
            return "made"
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "CreateSubnet")

    assert once_known(aws, call, known=True) == "made"
    codes = iter(["UnauthorizedOperation"])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        once_known(aws, call, known=False)


def test_money_ends_a_run(session: Any) -> None:
    aws = Account(session, PLACE, Run.begin(NOW), Budget(0.05, 60))
    dear, cheap = Need("dear", lambda _: "made", dollars=0.06), Need("cheap", lambda _: "made", dollars=0.01)

    def says(_: Account) -> str:
        return "so"

    assert ask(made_of(dear)(says), aws).said == "$0.05 are spent"
    assert ask(made_of(cheap)(says), aws).verdict == "held"
    with pytest.raises(BudgetSpentError):
        aws.spend(0.05)


def test_time_ends_a_run_and_each_wait_in_it(session: Any) -> None:
    now = [0.0]
    place = replace(PLACE, clock=lambda: now[0], longest=1e9, sleep=lambda _: now.append(now.pop() + 60))
    aws = Account(session, place, Run.begin(NOW), Budget(1, 30))

    def waits(aws: Account) -> None:
        aws.until(lambda: None, 7200, "never")

    assert ask(made_of(minutes=31)(waits), aws).said == "30 minutes are spent"
    assert ask(made_of(minutes=5)(waits), aws).said == "30 minutes are spent", "no answer of AWS's"
    assert now[0] <= 31 * 60


def test_what_costs_nothing_is_asked_first_and_a_need_counts_once() -> None:
    def says(_: Account) -> str:
        return "so"

    dear = Need("dear", lambda _: "made", dollars=0.5, minutes=2)
    rules = [made_of(dear, name="b")(says), made_of(dear, name="c")(says), made_of(name="a")(says)]
    assert [one.name for one in ordered(rules)] == ["a", "b", "c"]
    dollars, minutes = estimate(rules)
    assert (dollars, round(minutes - estimate([])[1], 2)) == (0.5, 2.3)


def test_ctrl_c_ends_in_a_sweep_and_keeps_what_was_answered(aws: Account) -> None:
    def says(aws: Account) -> str:
        return aws.need(VPC).id

    def interrupted(_: Account) -> None:
        raise KeyboardInterrupt

    rules = [made_of(VPC, name="a")(says), made_of(VPC, name="b")(interrupted), made_of(VPC, name="c")(says)]
    results: list[Result] = []
    with pytest.raises(KeyboardInterrupt):
        run(rules, aws, lambda _: None, results)
    assert [one.rule.name for one in results] == ["a"]
    assert things(aws.client) == []


def test_lanes_are_asked_side_by_side_and_share_what_is_common(session: Any) -> None:
    aws = Account(session, replace(PLACE, on_aws=True), Run.begin(NOW), Budget(1, 60))
    both, common, own = Barrier(2, timeout=60), list[str](), list[str]()

    def meets(aws: Account) -> None:
        both.wait()
        aws.need(shared)
        aws.need(alone)

    shared = Need("shared", lambda _: common.append("made"), common=True)
    alone = Need("alone", lambda _: own.append("made"))
    rules = [made_of(shared, alone, name=topic, topic=topic, minutes=5)(meets) for topic in ("ec2", "events")]
    results: list[Result] = []
    assert run(rules, aws, lambda _: None, results) == []
    assert [one.verdict for one in results] == ["held", "held"]
    assert (common, own) == (["made"], ["made", "made"])
    assert estimate(rules)[1] - estimate([])[1] < 6


def test_an_interrupted_lane_ends_the_others(session: Any) -> None:
    aws = Account(session, replace(PLACE, on_aws=True, longest=1e9), Run.begin(NOW), Budget(1, 60))
    waiting = Event()

    def waits(aws: Account) -> None:
        aws.until(waiting.set, 3600, "never")

    def interrupted(_: Account) -> None:
        waiting.wait(60)
        raise KeyboardInterrupt

    rules = [made_of(name="a", topic="ec2")(waits), made_of(name="b", topic="events")(interrupted)]
    results: list[Result] = []
    with pytest.raises(KeyboardInterrupt):
        run(rules, aws, lambda _: None, results)
    assert [one.said for one in results] == ["interrupted"]


def test_a_run_says_by_its_name_when_it_began() -> None:
    assert age(Run.begin(NOW).name, NOW + timedelta(hours=3)) == timedelta(hours=3)
    assert age("somebody's", NOW) == timedelta.max
    assert len(f"conform-{Run.begin(NOW).name}-abc123") <= 32


def test_keys_stay_out_of_what_is_reported(aws: Account) -> None:
    call = aws.client("iam").upload_server_certificate
    said = outcome(call, ServerCertificateName="bad name " + KEY, CertificateBody="x", PrivateKey=KEY)
    assert "refused" in said
    assert "MIIE" not in said


def results() -> list[Result]:
    def says(_: Account) -> str:
        return ""

    rule = made_of(name="one", pages=("https://page",), corrections=("lab/fidelity/x.py",), code=("app.py",))(
        says
    )
    return [
        Result(rule, "differs", "arn:aws:iam::999999999999:role/x"),
        Result(replace(rule, name="two"), "held", ""),
        Result(replace(rule, name="three"), "left out", "no time"),
    ]


def test_a_report_names_the_fact_the_correction_and_the_code() -> None:
    text = record.report(results(), "AWS, eu-west-1", ["VPC vpc-1: in use"], NOW)
    for part in ("`one`", "A fact.", "https://page", "lab/fidelity/x.py", "app.py", "VPC vpc-1: in use"):
        assert part in text
    assert "999999999999" not in text


def test_the_latest_answer_of_each_region_is_kept() -> None:
    first = record.updated({}, results(), "eu-west-1", NOW)
    again = record.updated(first, results()[:1], "eu-west-1", NOW + timedelta(days=1))
    both = record.updated(again, results(), "us-east-1", NOW)
    assert {name: [(one["region"], one["date"]) for one in seen] for name, seen in both.items()} == {
        "one": [("eu-west-1", "2026-11-29"), ("us-east-1", "2026-11-28")],
        "two": [("eu-west-1", "2026-11-28"), ("us-east-1", "2026-11-28")],
    }
