"""What is asked again, when and how often, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from emq_elb.answers import Answer
from emq_elb.asking import Asking
from emq_elb.faults import Failed
from emq_elb.transport import Lost

URL = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/api/load-balancers/demo?dry_run=true"
GOOD = Answer(200, {}, b"{}")
PROBLEM = {"content-type": "application/problem+json"}
BROKEN = Answer(502, {}, b'{"message": "Internal server error"}')
LATE = Answer(504, {}, b'{"message": "Endpoint request timed out"}')


def throttled(after: str | None = "5") -> Answer:
    headers = PROBLEM | ({} if after is None else {"retry-after": after})
    return Answer(503, headers, json.dumps({"type": "/problems/throttled"}).encode())


@dataclass
class Scripted:
    """Answers in turn, and keeps what was asked, said and slept."""

    answers: Sequence[Answer | Exception]
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def send(self, method: str, _url: str, _body: bytes | None) -> Answer:
        self.asked.append(method)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, method: str) -> Answer:
        return Asking(self.send, self.said.append, self.slept.append).ask(method, URL)


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize("lost", [Lost("closed"), LATE, BROKEN])
def test_a_request_whose_answer_was_lost_is_sent_again_and_that_is_said(
    method: str, lost: Answer | Exception
) -> None:
    script = Scripted([lost, GOOD])
    answer = script.ask(method)
    assert (answer.status, answer.sent_again) == (200, True)
    (said,) = script.said
    assert said.startswith(f"The answer to {method} /api/load-balancers/demo was lost")
    assert said.endswith("sending it again.")


def test_a_post_whose_answer_was_lost_is_not_sent_again() -> None:
    script = Scripted([Lost("closed"), GOOD])
    with pytest.raises(Failed, match="lost") as error:
        script.ask("POST")
    assert script.asked == ["POST"]
    assert "not sent again" in error.value.remedy


def test_sending_again_has_an_end() -> None:
    script = Scripted([Lost("closed")])
    with pytest.raises(Failed, match="sent 3 times"):
        script.ask("PUT")
    assert len(script.asked) == 3


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE", "POST"])
def test_a_throttled_request_is_sent_again_after_the_time_that_the_answer_names(method: str) -> None:
    script = Scripted([throttled("7"), throttled("9"), GOOD])
    assert script.ask(method).status == 200
    assert script.slept == [7, 9]
    assert "in 7 s" in script.said[0]


@pytest.mark.parametrize(("after", "pause"), [(None, 5.0), ("soon", 5.0), ("0", 1.0), ("-3", 1.0)])
def test_a_throttled_answer_without_a_good_time_is_waited_for_all_the_same(
    after: str | None, pause: float
) -> None:
    script = Scripted([throttled(after), GOOD])
    script.ask("GET")
    assert script.slept == [pause]


@pytest.mark.parametrize("after", ["50", "100000", "nan", "inf"])
def test_a_request_that_stays_throttled_is_given_up(after: str) -> None:
    script = Scripted([throttled(after)])
    assert script.ask("GET").status == 503
    assert sum(script.slept) <= 120


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500])
def test_any_other_error_is_the_answer(status: int) -> None:
    script = Scripted([Answer(status, PROBLEM | {"retry-after": "1"}, b"{}")])
    assert script.ask("PUT").status == status
    assert len(script.asked) == 1


def test_a_problem_of_the_app_is_no_lost_answer() -> None:
    script = Scripted([Answer(502, PROBLEM, b'{"type": "/problems/denied"}')])
    assert script.ask("PUT").status == 502
    assert len(script.asked) == 1
