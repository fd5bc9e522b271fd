"""Every rule says what it rests on, and the page that lists them says the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import conformance.rules
from conformance import record
from conformance.account import Need, closure
from conformance.beyond import BEYOND
from conformance.rule import RULES, Rule

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_names_its_fact_its_page_and_what_stands_on_it(rule: Rule) -> None:
    assert len(rule.fact) > 20
    assert rule.fact.endswith(".")
    assert rule.pages
    assert rule.code
    assert [path for path in (*rule.corrections, *rule.code) if not (ROOT / path).exists()] == []
    assert 0 < rule.minutes <= 10


def test_there_is_a_rule_for_each_topic() -> None:
    assert [*dict.fromkeys(rule.topic for rule in RULES.values())] == [*conformance.rules.TOPICS]


def test_no_rule_sleeps() -> None:
    """Whoever waits for a condition asks the account to, which looks at the run's clock and budget."""
    for path in (ROOT / "conformance" / "rules").glob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"time", "sleep"}, path.name


def test_a_need_comes_after_what_it_stands_on() -> None:
    def make(_: object) -> None:
        raise AssertionError

    ground = Need("ground", make)
    wall = Need("wall", make, of=(ground,))
    assert [one.name for one in closure([Need("roof", make, of=(wall, ground)), wall])] == [
        "ground",
        "wall",
        "roof",
    ]


def test_the_page_lists_all_facts_as_the_rules_say_them() -> None:
    text = record.PAGE.read_text()
    assert text == record.page(text, record.table(record.read())), "python -m conformance table"


def test_aws_has_confirmed_only_rules_that_there_are() -> None:
    for name, seen in record.read().items():
        assert name in RULES
        for one in seen:
            assert one.keys() == {"date", "region", "verdict", "said"}


def test_what_no_run_asks_about_has_a_reason() -> None:
    assert all(fact.endswith(".") and why.endswith(".") for fact, why in BEYOND)
