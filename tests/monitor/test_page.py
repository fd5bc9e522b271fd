"""The status table: everything escaped, nothing from elsewhere, and a word beside every colour."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.monitor.page import Row, answer_page, table, verdict_page
from chalicelib.probe.plan import Failure, Outcome, judge_outcomes

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-test-widget"


def row(name: str = "demo", **known: object) -> Row:
    default: dict[str, object] = {
        "state": "ready",
        "healthy": 2,
        "cluster": name,
        "registered": 2,
        "days_left": 80.0,
        "succeeded": True,
        "probed": NOW - timedelta(minutes=1),
    }
    return Row(name=name, **{**default, **known})  # type: ignore[arg-type] # the fields of a row


class Read(HTMLParser):
    """Tags with their attributes, and the text of each cell."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.calls: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "cwdb-action" in self.open:
            self.calls.append(data)
        elif "style" not in self.open:
            self.words += f"{data} "


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "demo ready 2 of 2 80 days ok 1 min ago"),
        ({"cluster": "mqtt"}, "demo of mqtt ready 2 of 2"),
        ({"state": "pending"}, "pending"),
        ({"healthy": None}, "? of 2"),
        ({"healthy": 0}, "0 of 2"),
        ({"days_left": None}, "unknown"),
        ({"days_left": -1.0}, "expired"),
        ({"succeeded": False}, "failed 1 min ago"),
        ({"succeeded": None, "probed": None}, "never seen"),
    ],
)
def test_a_row_says_in_words_what_its_colours_say(known: dict[str, Any], words: str) -> None:
    read = Read(table([row(**known)], widget_arn=ARN, now=NOW))
    assert words in " ".join(read.words.split())


def test_without_a_load_balancer_the_table_says_so() -> None:
    assert "no load balancer" in table([], widget_arn=ARN, now=NOW)


def test_buttons_ask_first_and_call_the_widget() -> None:
    read = Read(table([row()], widget_arn=ARN, now=NOW))
    actions = [attributes for tag, attributes in read.tags if tag == "cwdb-action"]
    assert [(one["endpoint"], one["confirmation"]) for one in actions] == [
        (ARN, "Probe demo now?"),
        (ARN, "Rotate demo now?"),
    ]
    assert [json.loads(call) for call in read.calls] == [
        {"action": "probe", "name": "demo"},
        {"action": "rotate", "name": "demo"},
    ]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1))
def test_nothing_that_is_shown_becomes_markup(text: str) -> None:
    plain = [tag for tag, _ in Read(table([row()], widget_arn=ARN, now=NOW)).tags]
    shown = Read(table([row(text, state=text)], widget_arn=ARN, now=NOW))
    assert [tag for tag, _ in shown.tags] == plain
    assert json.loads(shown.calls[0])["name"] == text
    verdict = judge_outcomes(
        text, [Outcome(port=1, address=text, failure=Failure("connack", f"connack-refused:{text}"))]
    )
    assert [tag for tag, _ in Read(verdict_page(verdict)).tags].count("tr") == 2
    assert [tag for tag, _ in Read(answer_page(text)).tags] == ["p"]


def test_a_probe_is_shown_by_address_with_phase_cause_and_times() -> None:
    seen = [
        Outcome(port=8883, address="192.0.2.1", times_ms={"tcp": 1.25, "tls": 5}),
        Outcome(port=8883, address="192.0.2.2", failure=Failure("tls", "tls-expired")),
        Outcome(port=1883, address="192.0.2.3", failure=Failure("connack", "connack-refused", "<b>no</b>")),
    ]
    words = " ".join(Read(verdict_page(judge_outcomes("demo", seen))).words.split())
    assert "demo failed" in words
    assert "192.0.2.3 1883 connack: connack-refused <b>no</b>" in words, "a broker's words are text"
    assert "192.0.2.1 8883 ok tcp 1.2, tls 5.0" in words
    assert "192.0.2.2 8883 tls: tls-expired" in words


def test_the_page_takes_nothing_from_elsewhere() -> None:
    pages = table([row()], widget_arn=ARN, now=NOW) + verdict_page(
        judge_outcomes("demo", [Outcome(port=8883)])
    )
    tags = Read(pages).tags
    assert not {tag for tag, _ in tags} & {"script", "img", "link", "iframe", "object", "form"}
    assert not any(name in {"src", "href", "style"} or name.startswith("on") for _, at in tags for name in at)
    assert "url(" not in pages
    assert "@import" not in pages
