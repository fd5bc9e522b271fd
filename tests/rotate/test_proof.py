"""What handshakes say of a certificate that was just installed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.model.load_balancer import Certificate, Leaf
from chalicelib.rotate.proof import (
    FAILING_LOOKS,
    INTERRUPTED_FOR,
    EndpointAddress,
    Handshakes,
    TimedHandshakes,
    finding,
    judge_proof,
    server_name,
)
from chalicelib.tls.handshake import Handshake, HandshakeCause, Served

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
NAME = "mqtt.example.com"


def leaf(serial: str, digest: str = "d") -> Leaf:
    return Leaf(not_before=NOW - DAY, not_after=NOW + DAY, domains=(NAME,), serial=serial, digest=digest)


NEW = Certificate(arn="new", not_after=NOW + DAY, leaf=leaf("02"))
HERE = EndpointAddress("demo", 8883, "192.0.2.1", NAME)
THERE = EndpointAddress("demo", 8883, "192.0.2.2", NAME)


def shaken(serial: str | None, cause: HandshakeCause | None = None, digest: str = "d") -> Handshake:
    served = Served(leaf=leaf(serial, digest)) if serial else None
    return Handshake(address="192.0.2.1", port=8883, cause=cause, served=served)


OLD, PROVEN = shaken("01"), shaken("02")
CLOSED, REFUSED = shaken(None, "tls-closed"), shaken(None, "tcp-refused")
BEFORE: Handshakes = {HERE: OLD, THERE: OLD}
STRANGE: Handshakes = {
    HERE: shaken("01", "tls-untrusted", "old"),
    THERE: shaken("01", "tls-untrusted", "old"),
}
UNTRUSTED, FLAWED = shaken("02", "tls-untrusted"), shaken("02", "tls-invalid")
SECONDS = int(INTERRUPTED_FOR.total_seconds())


def looked(*seen: Handshakes) -> list[TimedHandshakes]:
    """A look a second, the last one now."""
    begin = NOW - timedelta(seconds=len(seen) - 1)
    return [TimedHandshakes(begin + timedelta(seconds=number), one) for number, one in enumerate(seen)]


def seen_before(cause: HandshakeCause | None) -> Handshakes:
    """The old certificate at one of the addresses, refused for that."""
    return {THERE: shaken("01", cause, "old")}


@pytest.mark.parametrize(
    ("seen", "before", "found"),
    [
        (PROVEN, BEFORE, "proven"),
        (UNTRUSTED, STRANGE, "proven"),  # as installed: devices may know the root
        (UNTRUSTED, {}, "proven"),
        (UNTRUSTED, {THERE: CLOSED}, "proven"),
        (UNTRUSTED, {replace(THERE, port=1): shaken("01", digest="old")}, "proven"),
        (UNTRUSTED, {THERE: PROVEN}, "proven"),  # it was there already
        # Trust that was there is lost; a name or a date is judged only where the issuer was known.
        (UNTRUSTED, seen_before(None), "failing"),
        (UNTRUSTED, seen_before("tls-name"), "failing"),
        (UNTRUSTED, seen_before("tls-expired"), "failing"),
        (UNTRUSTED, seen_before("tls-not-yet-valid"), "failing"),
        (UNTRUSTED, seen_before("tls-invalid"), "proven"),
        (UNTRUSTED, {**STRANGE, THERE: shaken("01", digest="old")}, "failing"),
        (shaken("02", "tls-untrusted", "another chain"), STRANGE, "failing"),
        # Whatever it is, if it is not the issuer, every client refuses it.
        (shaken("02", "tls-invalid"), BEFORE, "failing"),
        (shaken("02", "tls-invalid"), STRANGE, "failing"),
        (shaken("02", "tls-invalid"), seen_before("tls-invalid"), "failing"),
        (shaken("02", "tls-invalid"), {}, "failing"),
        (shaken("02", "tls-name"), BEFORE, "failing"),
        (shaken("02", "tls-expired"), BEFORE, "failing"),
        (OLD, BEFORE, "waiting"),
        (shaken("01", "tls-expired"), BEFORE, "waiting"),
        (shaken("03"), BEFORE, "waiting"),
        # The same leaf as before, its chain not the new one yet; or another authority's of that number.
        (shaken("02", "tls-untrusted", "no chain"), {THERE: shaken("02", digest="no chain")}, "waiting"),
        (shaken("02", digest="no chain"), {THERE: shaken("02", digest="no chain")}, "waiting"),
        (shaken("02"), {THERE: shaken("02")}, "proven"),
        (CLOSED, BEFORE, "interrupted"),
        (shaken(None, "tls-cipher"), BEFORE, "failing"),
        (shaken(None, "tls-protocol"), BEFORE, "failing"),
        (shaken(None, "tls-garbage"), BEFORE, "interrupted"),
        (shaken(None, "tls-timeout"), {}, "interrupted"),
        (CLOSED, {THERE: CLOSED}, "unreachable"),  # it was so before
        (CLOSED, {replace(THERE, port=1): CLOSED}, "interrupted"),
        (REFUSED, BEFORE, "unreachable"),
        (shaken(None, "tcp-timeout"), BEFORE, "unreachable"),
    ],
)
def test_what_one_handshake_says(seen: Handshake, before: Handshakes, found: str) -> None:
    assert finding(seen, HERE, NEW, before, NOW) == found


def test_as_installed_is_not_enough_for_another_name_or_another_time() -> None:
    elsewhere = replace(HERE, server_name="other.example.com")
    assert finding(UNTRUSTED, elsewhere, NEW, STRANGE, NOW) == "failing"
    assert finding(UNTRUSTED, HERE, NEW, STRANGE, NOW + 2 * DAY) == "failing"


def test_a_failure_says_what_the_library_said_and_that_trust_was_lost() -> None:
    refused = replace(UNTRUSTED, detail="unable to get local issuer certificate")
    proof = judge_proof(looked(*[{HERE: refused}] * FAILING_LOOKS), NEW, seen_before(None), NOW, last=False)
    assert proof is not None
    assert proof.detail == (
        "192.0.2.1:8883: tls-untrusted unable to get local issuer certificate, and the issuer of the"
        " certificate before it was trusted"
    )
    flawed = replace(shaken("02", "tls-invalid"), detail="unsuitable certificate purpose")
    proof = judge_proof(looked(*[{HERE: flawed}] * FAILING_LOOKS), NEW, STRANGE, NOW, last=False)
    assert proof is not None
    assert proof.detail == "192.0.2.1:8883: tls-invalid unsuitable certificate purpose"


@pytest.mark.parametrize(
    ("looks", "before", "last", "verdict"),
    [
        ([{HERE: PROVEN, THERE: PROVEN}], BEFORE, False, "proven"),
        ([{HERE: PROVEN, THERE: OLD}], BEFORE, False, None),
        ([{HERE: PROVEN, THERE: OLD}], BEFORE, True, "waiting"),
        ([{HERE: PROVEN, THERE: REFUSED}], BEFORE, False, None),
        ([{HERE: PROVEN, THERE: REFUSED}], BEFORE, True, "proven"),
        ([{HERE: REFUSED}], {HERE: REFUSED}, False, "unreachable"),
        ([{HERE: REFUSED}], BEFORE, False, None),
        ([{HERE: REFUSED}], BEFORE, True, "unreachable"),
        ([{}], {}, False, "unreachable"),
        ([{HERE: FLAWED}] * (FAILING_LOOKS - 1), BEFORE, False, None),
        ([{HERE: FLAWED}] * FAILING_LOOKS, BEFORE, False, "failed"),
        ([{HERE: FLAWED}] * 2, BEFORE, True, "failed"),
        ([{HERE: FLAWED}], BEFORE, True, "waiting"),
        ([*[{HERE: FLAWED}] * (FAILING_LOOKS - 1), {HERE: PROVEN}], BEFORE, False, "proven"),
        ([*[{HERE: FLAWED}] * 2, {HERE: OLD}, {HERE: FLAWED}], BEFORE, False, None),
        ([{HERE: PROVEN, THERE: FLAWED}] * FAILING_LOOKS, BEFORE, False, "failed"),
        # What the network may do for a while counts only when it goes on: a look a second here.
        ([{HERE: CLOSED}] * SECONDS, BEFORE, False, None),
        ([{HERE: CLOSED}] * SECONDS, BEFORE, True, "waiting"),
        ([{HERE: CLOSED}] * (SECONDS + 1), BEFORE, False, "failed"),
        ([{HERE: PROVEN, THERE: CLOSED}] * SECONDS, BEFORE, False, None),
        ([{HERE: PROVEN, THERE: CLOSED}] * (SECONDS + 1), BEFORE, False, "failed"),
        ([*[{HERE: PROVEN, THERE: CLOSED}] * SECONDS, {HERE: PROVEN}], BEFORE, False, "proven"),
        ([*[{HERE: CLOSED}] * SECONDS, {HERE: PROVEN}, {HERE: CLOSED}], BEFORE, False, None),
        ([*[{HERE: CLOSED}] * SECONDS, {HERE: REFUSED}, {HERE: CLOSED}], BEFORE, True, "waiting"),
    ],
)
def test_what_looks_say_together(
    looks: list[Handshakes], before: Handshakes, last: bool, verdict: str | None
) -> None:
    proof = judge_proof(looked(*looks), NEW, before, NOW, last=last)
    assert (proof.verdict if proof else None) == verdict


def test_only_what_was_seen_at_every_address_is_complete() -> None:
    everywhere = judge_proof(looked({HERE: PROVEN, THERE: PROVEN}), NEW, BEFORE, NOW, last=False)
    somewhere = judge_proof(looked({HERE: PROVEN, THERE: REFUSED}), NEW, BEFORE, NOW, last=True)
    assert everywhere is not None
    assert everywhere.complete
    assert somewhere is not None
    assert not somewhere.complete


@pytest.mark.parametrize(
    ("hostname", "domains", "name"),
    [
        ("a.example.com", (NAME,), "a.example.com"),
        (None, ("*.example.com", NAME), NAME),
        (None, ("*.elb.example.com", "192.0.2.1"), "lb.elb.example.com"),
        (None, ("*.example.com",), "emq-elb.example.com"),
        (None, (), "lb.elb.example.com"),
        (None, ("192.0.2.1",), "192.0.2.1"),
    ],
)
def test_the_name_to_ask_for_is_one_that_clients_use(
    hostname: str | None, domains: tuple[str, ...], name: str
) -> None:
    assert server_name(hostname, domains, "lb.elb.example.com") == name
