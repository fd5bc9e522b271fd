"""A request until it is answered: what AWS has no time for is asked again, and so is what was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from emq_elb.answers import Answer
from emq_elb.faults import Failed
from emq_elb.transport import Lost, Send

AGAIN = 2
"""How often a request is sent again whose answer was lost."""
RETRY_AFTER_SECONDS = 5.0
THROTTLED_SECONDS = 120.0
"""How long a request that is throttled (503) is tried in all."""


@dataclass
class Asking:
    """Sends requests; `say` announces what a person should know meanwhile."""

    send: Send
    say: Callable[[str], None]
    sleep: Callable[[float], None]

    def ask(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Return the answer.

        PUT, GET and DELETE may be sent twice, and are when an answer is lost; POST is not: it would rotate or
        probe a second time. 503 is asked again after `Retry-After`. Anything else is the answer.
        """
        what = f"{method} {urlsplit(url).path}"
        lost, waited = 0, 0.0
        while True:
            try:
                answer = _of_the_app(self.send(method, url, body))
            except Lost as error:
                lost += 1
                if method == "POST" or lost > AGAIN:
                    raise _never_answered(what, lost, str(error), method) from None
                self.say(f"The answer to {what} was lost ({error}); sending it again.")
                self.sleep(float(lost))
                continue
            pause = _retry_after(answer)
            if pause is None or waited + pause > THROTTLED_SECONDS:
                return replace(answer, sent_again=lost > 0)
            self.say(f"AWS asks for fewer calls; sending {what} again in {pause:.0f} s.")
            self.sleep(pause)
            waited += pause


def _of_the_app(answer: Answer) -> Answer:
    """Raise Lost when API Gateway answers that the function ended without an answer, or too late."""
    if answer.status in {502, 504} and answer.problem is None:
        raise Lost(f"API Gateway answers {answer.status}")
    return answer


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds before a throttled request is to be sent again; None for any other answer."""
    if answer.status != 503:
        return None
    try:
        return max(1.0, float(answer.headers.get("retry-after", "")))
    except ValueError:
        return RETRY_AFTER_SECONDS


def _never_answered(what: str, times: int, why: str, method: str) -> Failed:
    sent = "once" if times == 1 else f"{times} times"
    if method == "POST":
        return Failed(
            f"the answer to {what} was lost: {why}",
            "it may have been done all the same, so it was not sent again: look with `emq-elb get`",
        )
    return Failed(f"{what} was sent {sent}, and no answer came: {why}", "look into the log of the API")
