"""Certificates of a real ACME server under faults: the CA's, Route 53's, the process's own, and company."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from chalicelib.model import errors
from lab.fidelity.knobs import KNOBS
from tests.world.acme_front import Answer, Asked, as_it_is, nothing, problem
from tests.world.certificates import Issued
from tests.world.issuing import Authority, make_due, rotate_now, settled
from tests.world.provisioning import WATCHED, Account, granted, issued
from tests.world.rotating import HOST, Front, bundle, names, rotate, served


def failing(here: Account, demo: Front) -> errors.Unserved:
    """A run that fails for this load balancer, and leaves it and its records as they were."""
    with pytest.raises(errors.Unserved) as caught:
        rotate(here, demo)
    return caught.value


def at(path: str, answer: Answer) -> Callable[[Asked], Answer | None]:
    """Answer so wherever a path begins with this."""
    return lambda asked: answer if asked.path.startswith(path) else None


GONE = Answer(hang_up=True)
HTML = Answer(200, b"<html>It works!</html>", {"Content-Type": "text/html", "Replay-Nonce": "bm9uY2U"})
A_LIST = Answer(200, b"[]", {"Content-Type": "application/json", "Replay-Nonce": "bm9uY2U"})
BROKEN = problem(500, "serverInternal", Replay_Nonce="bm9uY2U")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/dir", GONE),
        ("/dir", HTML),
        ("/dir", A_LIST),
        ("/nonce-plz", GONE),
        ("/sign-me-up", BROKEN),
        ("/order-plz", GONE),
        ("/order-plz", A_LIST),
        ("/authZ", HTML),
        ("/authZ", A_LIST),
        ("/chalZ", GONE),
        ("/chalZ", BROKEN),
        ("/my-order", HTML),
        ("/finalize-order", GONE),
        ("/finalize-order", BROKEN),
        ("/certZ", GONE),
        ("/certZ", HTML),
        ("/certZ", A_LIST),
    ],
)
def test_a_ca_that_answers_wrongly_changes_nothing_and_the_next_run_ends_it(
    here: Account, ca: Authority, demo: Front, path: str, answer: Answer
) -> None:
    old = make_due(here, demo.port)
    ca.front.refuse = at(path, answer)
    error = failing(here, demo)
    assert isinstance(error.failures[0][1], errors.IssuerError), error
    assert (served(here, demo.port), names(here), ca.records()) == (old, [old.rpartition("/")[2]], {})
    ca.front.refuse = nothing
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    settled(here, ca, demo, old)


def test_a_ca_is_not_asked_for_what_iam_has_no_room_for(here: Account, ca: Authority, demo: Front) -> None:
    old = make_due(here, demo.port)
    for number in range(19):
        here.world.upload(f"strangers-{number}")
    error = failing(here, demo)
    assert isinstance(error.failures[0][1], errors.QuotaReached), error
    assert (ca.orders, served(here, demo.port), ca.records()) == (0, old, {})


def test_a_record_that_the_ca_does_not_see_is_refused_by_it_and_taken_away(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make_due(here, demo.port)
    KNOBS.dns_shows = lambda name, values: ca.acme.show(name, ["wrong"] if values else [])
    error = failing(here, demo)
    assert "unauthorized" in str(error)
    assert HOST in str(error)
    assert (served(here, demo.port), ca.records(), len(names(here))) == (old, {}, 1)
    KNOBS.dns_shows = ca.show
    rotate(here, demo)
    settled(here, ca, demo, old)


@pytest.mark.parametrize(
    "answer",
    [
        problem(429, "rateLimited", Retry_After="7200", Replay_Nonce="bm9uY2U"),
        Answer(429, b"slow down", {"Retry-After": "7200"}),
        problem(503, "serverInternal", Retry_After="7200", Replay_Nonce="bm9uY2U"),
    ],
    ids=["a problem", "a text", "overloaded"],
)
def test_a_ca_that_wants_to_be_left_alone_is_asked_once_and_says_until_when(
    here: Account, ca: Authority, demo: Front, answer: Answer
) -> None:
    old = make_due(here, demo.port)
    ca.front.refuse = at("/order-plz", answer)
    error = failing(here, demo)
    limited = error.failures[0][1]
    assert isinstance(limited, errors.IssuerLimited)
    assert timedelta(minutes=115) < limited.until - here.now() <= timedelta(hours=2)
    assert (ca.orders, served(here, demo.port), ca.records()) == (1, old, {})
    ca.front.refuse = nothing
    asked = len(ca.front.asked)
    assert "takes no order before" in str(failing(here, demo))
    assert ca.front.times("/order-plz") == 1, "until then it is not even asked"
    # Reads need no account: the directory, and from pebble 2.6 on when to renew.
    assert [one.path for one in ca.front.asked[asked:] if one.method != "GET"] == []
    here.passed = timedelta(hours=2)
    rotate(here, demo)
    settled(here, ca, demo, old)


@pytest.mark.parametrize("until", ["Fri, 31 Dec 9999 23:59:59 GMT", "999999999"])
def test_no_limit_is_believed_beyond_the_moment_when_it_is_urgent(
    here: Account, ca: Authority, demo: Front, until: str
) -> None:
    old = make_due(here, demo.port)
    ca.front.refuse = at("/order-plz", Answer(429, b"slow down", {"Retry-After": until}))
    limited = failing(here, demo).failures[0][1]
    assert isinstance(limited, errors.IssuerLimited)
    assert limited.until - here.now() <= timedelta(days=7)
    failing(here, demo)
    assert ca.orders == 1
    here.passed = timedelta(days=5, hours=1)
    assert isinstance(failing(here, demo).failures[0][1], errors.IssuerLimited)
    assert ca.orders == 2, "half-way from when it was due to its end it is asked all the same"
    ca.front.refuse = nothing
    rotate(here, demo)
    settled(here, ca, demo, old)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/authZ", "pending"), ("/my-order", "processing")],
)
def test_a_ca_that_is_slow_is_waited_for_until_the_deadline_and_no_longer(
    here: Account, ca: Authority, demo: Front, path: str, status: str
) -> None:
    old = make_due(here, demo.port)

    def never(asked: Asked, answer: Answer) -> Answer:
        if not asked.path.startswith(path) or answer.status != 200:
            return answer
        body = json.loads(answer.body)
        body["status"] = status
        body.pop("certificate", None)
        return Answer(answer.status, json.dumps(body).encode(), answer.headers)

    ca.front.change = never
    within = 300
    with pytest.raises(errors.Unserved) as caught:
        rotate(here, demo, within)
    assert isinstance(caught.value.failures[0][1], errors.IssuerSilent)
    assert here.passed <= timedelta(seconds=within)
    assert (served(here, demo.port), ca.records(), len(names(here))) == (old, {}, 1)
    ca.front.change = as_it_is
    rotate(here, demo)
    settled(here, ca, demo, old)


def test_a_ca_that_takes_its_time_is_waited_for(here: Account, ca: Authority, demo: Front) -> None:
    old = make_due(here, demo.port)
    asked: list[str] = []

    def later(one: Asked, answer: Answer) -> Answer:
        if one.path.startswith("/authZ") and answer.status == 200 and asked.count(one.path) < 6:
            asked.append(one.path)
            body = json.loads(answer.body)
            if body["status"] == "valid":
                return Answer(200, json.dumps(body | {"status": "pending"}).encode(), answer.headers)
        return answer

    ca.front.change = later
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert asked
    settled(here, ca, demo, old)


def certificate_text(one: Issued) -> bytes:
    return (one.certificate_pem + one.chain_pem).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (certificate_text(issued(HOST)), "key"),
        (certificate_text(issued("other.example.com")), "key"),
        (certificate_text(bundle(-1)), "expired"),
        (b"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n", "certificate.issuer"),
    ],
    ids=["another key", "another key and names", "expired", "no certificate in it"],
)
def test_a_certificate_that_is_not_what_was_ordered_is_refused_before_it_is_uploaded(
    here: Account, ca: Authority, demo: Front, text: bytes, expected: str
) -> None:
    old = make_due(here, demo.port)

    def another(asked: Asked, answer: Answer) -> Answer:
        wrong = asked.path.startswith("/certZ") and answer.status == 200
        return Answer(200, text, answer.headers) if wrong else answer

    ca.front.change = another
    error = failing(here, demo)
    assert expected in str(error)
    assert "UploadServerCertificate" not in here.calls.made
    assert (served(here, demo.port), ca.records(), len(names(here))) == (old, {}, 1)
    ca.front.change = as_it_is
    rotate(here, demo)
    settled(here, ca, demo, old)


REFUSALS = [
    ("ListHostedZones", "Throttling", errors.Throttled),
    ("ListHostedZones", "AccessDenied", errors.Denied),
    ("ListResourceRecordSets", "Throttling", errors.Throttled),
    ("ListResourceRecordSets", "AccessDenied", errors.Denied),
    ("ChangeResourceRecordSets", "Throttling", errors.Throttled),
    ("ChangeResourceRecordSets", "AccessDenied", errors.Denied),
    ("ChangeResourceRecordSets", "PriorRequestNotComplete", errors.NotYet),
    ("GetChange", "Throttling", errors.Throttled),
    ("GetChange", "AccessDenied", errors.Denied),
    ("GetSecretValue", "AccessDeniedException", errors.Denied),
    ("CreateSecret", "AccessDeniedException", errors.Denied),
    ("UploadServerCertificate", "LimitExceeded", errors.QuotaReached),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: " ".join(one[:2]))
def test_a_call_of_aws_that_is_refused_leaves_no_record_and_the_next_run_ends_it(
    here: Account, ca: Authority, demo: Front, refusal: tuple[str, str, type[Exception]]
) -> None:
    operation, code, kind = refusal
    old = make_due(here, demo.port)
    WATCHED.refuse = lambda called, _: code if called == operation else None
    error = failing(here, demo)
    assert kind in [type(one) for _, one in error.failures], error
    assert served(here, demo.port) == old
    WATCHED.refuse = granted
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    settled(here, ca, demo, old)


def test_records_that_cannot_be_taken_away_at_once_are_taken_away_later(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make_due(here, demo.port)
    changes = 0

    def second(called: str, _: Mapping[str, str]) -> str | None:
        nonlocal changes
        changes += called == "ChangeResourceRecordSets"
        return "AccessDenied" if changes > 1 and called == "ChangeResourceRecordSets" else None

    WATCHED.refuse = second
    try:
        rotate(here, demo)
    except errors.Unserved as error:
        assert "ChangeResourceRecordSets" in str(error)  # noqa: PT017 - it may be an error, or a warning
    WATCHED.refuse = granted
    assert ca.records() != {}
    here.passed = timedelta(hours=2)
    rotate_now(here, demo)
    assert ca.records() == {}
    assert served(here, demo.port) != old


def test_a_zone_that_is_busy_for_a_moment_is_asked_again(here: Account, ca: Authority, demo: Front) -> None:
    """botocore asks again, in its own time and not in the one that is slept here."""
    old = make_due(here, demo.port)
    KNOBS.now = time.monotonic
    KNOBS.dns_busy_seconds = 0.5
    ca.put_record("busy.example.com", '"x"')
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert ca.records().keys() == {"busy.example.com."}
    assert served(here, demo.port) != old


def test_a_change_that_does_not_spread_in_time_is_left_to_the_next_run(
    here: Account, ca: Authority, demo: Front
) -> None:
    old = make_due(here, demo.port)
    KNOBS.dns_propagation_seconds = 3600
    with pytest.raises(errors.Unserved):
        rotate(here, demo)
    assert (served(here, demo.port), ca.front.times("/chalZ"), ca.records()) == (old, 0, {})
    KNOBS.dns_propagation_seconds = 0
    rotate(here, demo)
    settled(here, ca, demo, old)
