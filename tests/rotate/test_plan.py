"""Every row of the table in `rotate/plan.py`, and the edges of its clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.acme.renewal_window import Window
from chalicelib.model.load_balancer import INVALID_CERTIFICATE, Certificate, Leaf, SecureListener
from chalicelib.rotate.model import LoadBalancerCertificates, current
from chalicelib.rotate.plan import (
    Decision,
    Install,
    Keep,
    Renew,
    RollBack,
    RotationFacts,
    Wait,
    decide_rotation,
    is_due,
    retire,
)
from chalicelib.x509.facts import AuthorityFacts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = 30 * DAY
CA = AuthorityFacts("ca", NOW + 3000 * DAY)
OTHER_CA = AuthorityFacts("other", NOW + 3000 * DAY)
ENDING_CA = AuthorityFacts("ca", NOW + 10 * DAY)


def certificate(
    name: str,
    *,
    left: float = 60,
    life: float = 90,
    uploaded: float = 30,
    domains: tuple[str, ...] = ("mqtt.example.com",),
    issuer_key: str | None = "ca",
) -> Certificate:
    """A certificate with so many days left of its life, uploaded so many days ago."""
    return Certificate(
        arn=f"arn:aws:iam::123456789012:server-certificate/emq-elb/o/r/demo/{name}",
        not_after=NOW + left * DAY,
        leaf=Leaf(
            not_before=NOW + (left - life) * DAY,
            not_after=NOW + left * DAY,
            domains=domains,
            serial=name,
            issuer_key=issuer_key,
        ),
        name=name,
        path="/emq-elb/o/r/demo/",
        uploaded=NOW - uploaded * DAY,
    )


def saying(one: Certificate, **what: Any) -> Certificate:
    """The same, but it says something else of itself."""
    assert one.leaf is not None
    return replace(one, leaf=replace(one.leaf, **what))


OLD = certificate("old")
DUE = certificate("due", left=20, uploaded=70)
GONE = certificate("gone", left=-1, uploaded=91)
NEW = certificate("new", left=89, uploaded=0)


def holding(
    source: str,
    served: Certificate | None,
    *others: Certificate,
    places: tuple[str, ...] | None = None,
    hostname: str | None = None,
    rejected: str | None = None,
    barred: bool = True,
) -> LoadBalancerCertificates:
    """Two listeners that serve it; `places` are what they serve when that differs."""
    arns = places if places is not None else (served.arn if served else INVALID_CERTIFICATE,) * 2
    return LoadBalancerCertificates(
        name="demo",
        source=source,
        listeners=tuple(SecureListener("demo", 8883 + number, arn) for number, arn in enumerate(arns)),
        certificates=(*((served,) if served else ()), *others),
        served=served,
        hostname=hostname,
        rejected=rejected,
        barred=rejected is not None and barred,
    )


def outcome(decision: Decision) -> str:
    """The decision in a word or two."""
    match decision:
        case Keep(code=code):
            return f"keep {code}" if code else "keep"
        case Renew(domains=domains):
            return f"renew {' '.join(domains)}".strip()
        case Install(certificate=found):
            return f"install {found.name}"
        case RollBack(certificate=found):
            return f"back to {found.name}"
        case Wait(until=until):
            return f"wait until {until:%d}"


def decide(
    found: LoadBalancerCertificates,
    now: datetime,
    before: timedelta,
    *,
    offered: Certificate | None = None,
    authority: AuthorityFacts | None = None,
    window: Window | None = None,
    limited: datetime | None = None,
    asked: bool = False,
    trusted: bool = False,
    awaited: str | None = None,
) -> Decision:
    """Decide on these facts."""
    return decide_rotation(
        RotationFacts(
            balancer=found,
            now=now,
            renew_before=before,
            offered=offered,
            authority=authority,
            window=window,
            limited=limited,
            asked=asked,
            trusted=trusted,
            awaited=awaited,
        )
    )


@pytest.mark.parametrize(
    ("found", "authority", "wanted"),
    [
        (holding("private-ca", OLD, places=()), CA, "keep"),
        (holding("pem", OLD), None, "keep"),
        (holding("", OLD), None, "keep"),
        (holding("pem", DUE), None, "keep expires-soon"),
        (holding("external", GONE), None, "keep expired"),
        (holding("external", None), None, "keep expired"),
        (holding("private-ca", OLD), CA, "keep"),
        (holding("acme", OLD), None, "keep"),
        (holding("private-ca", OLD), None, "keep private-ca-missing"),
        (holding("private-ca", OLD), OTHER_CA, "keep"),
        (holding("private-ca", NEW, DUE, places=(NEW.arn, DUE.arn)), CA, "install new"),
        (holding("private-ca", NEW, places=(NEW.arn, INVALID_CERTIFICATE)), CA, "install new"),
        (holding("private-ca", DUE), CA, "renew mqtt.example.com"),
        (holding("acme", DUE), None, "renew mqtt.example.com"),
        (holding("private-ca", GONE), CA, "renew mqtt.example.com"),
        (holding("private-ca", None), CA, "renew"),
        (holding("private-ca", None, hostname="a.example.com"), CA, "renew a.example.com"),
        (holding("private-ca", None, OLD), CA, "install old"),
        (holding("private-ca", None, OLD), OTHER_CA, "renew mqtt.example.com"),
        (holding("private-ca", OLD, hostname="a.example.com"), CA, "renew a.example.com mqtt.example.com"),
        (holding("private-ca", OLD, hostname="MQTT.example.com"), CA, "keep"),
        (holding("private-ca", DUE, NEW), CA, "install new"),
        (holding("private-ca", DUE, NEW), None, "install new"),
        (holding("private-ca", DUE, saying(NEW, issuer_key="other")), CA, "renew mqtt.example.com"),
        (holding("private-ca", DUE, saying(NEW, issuer_key=None)), CA, "renew mqtt.example.com"),
        (holding("private-ca", DUE, saying(NEW, domains=("b.example.com",))), CA, "renew mqtt.example.com"),
        (holding("private-ca", DUE, NEW, rejected="new"), CA, "renew mqtt.example.com"),
        (holding("private-ca", DUE, certificate("x", left=25, uploaded=0)), CA, "renew mqtt.example.com"),
        (holding("private-ca", DUE, certificate("before", uploaded=71)), CA, "renew mqtt.example.com"),
        (holding("acme", DUE, replace(NEW, source="acme")), None, "install new"),
        (holding("acme", DUE, NEW), None, "renew mqtt.example.com"),
        (holding("acme", DUE, replace(NEW, source="pem")), None, "renew mqtt.example.com"),
        (holding("private-ca", DUE), None, "keep private-ca-missing"),
        (holding("private-ca", DUE), OTHER_CA, "keep private-ca-changed"),
        (holding("private-ca", saying(DUE, issuer_key=None)), CA, "keep private-ca-changed"),
        (holding("private-ca", replace(DUE, leaf=None)), CA, "keep"),
        (holding("private-ca", DUE), ENDING_CA, "keep private-ca-ends"),
        (holding("private-ca", GONE), OTHER_CA, "keep private-ca-changed"),
        (holding("private-ca", NEW, OLD, rejected="new"), CA, "back to old"),
        (holding("private-ca", NEW, rejected="new"), CA, "keep rejected"),
    ],
)
def test_what_is_decided_by_an_issuers_certificate(
    found: LoadBalancerCertificates, authority: AuthorityFacts | None, wanted: str
) -> None:
    assert outcome(decide(found, NOW, BEFORE, authority=authority)) == wanted


@pytest.mark.parametrize(
    ("found", "offered", "wanted"),
    [
        (holding("secret:mqtt", OLD), OLD, "keep"),
        (holding("secret:mqtt", DUE), DUE, "keep expires-soon"),
        (holding("secret:mqtt", GONE), GONE, "keep expired"),
        (holding("secret:mqtt", NEW, rejected="new"), NEW, "keep rejected"),
        (holding("secret:mqtt", OLD, places=(OLD.arn, INVALID_CERTIFICATE)), OLD, "install old"),
        (holding("secret:mqtt", OLD), NEW, "renew"),
        (holding("secret:mqtt", OLD, NEW), NEW, "install new"),
        (holding("secret:mqtt", None), NEW, "renew"),
        (holding("secret:mqtt", OLD, rejected="new"), NEW, "keep rejected"),
        (holding("secret:mqtt", OLD, rejected="new", barred=False), NEW, "renew"),
        (holding("secret:mqtt", OLD, NEW, rejected="new", barred=False), NEW, "install new"),
        (holding("secret:mqtt", NEW, OLD, rejected="new"), NEW, "back to old"),
        (holding("secret:mqtt", OLD), DUE, "keep secret-older"),
        (holding("secret:mqtt", GONE), certificate("x", left=5), "renew"),
    ],
)
def test_what_is_decided_by_what_a_secret_holds(
    found: LoadBalancerCertificates, offered: Certificate, wanted: str
) -> None:
    assert outcome(decide(found, NOW, BEFORE, offered=offered)) == wanted


def test_a_secret_has_to_be_read_first() -> None:
    with pytest.raises(ValueError, match="has to be read"):
        decide(holding("secret:mqtt", OLD), NOW, BEFORE)


def test_what_is_asked_for_is_renewed_before_it_is_due() -> None:
    asked = decide(holding("private-ca", OLD), NOW, BEFORE, authority=CA, asked=True)
    assert asked == Renew(reason="a request asks for it", domains=("mqtt.example.com",))


def test_a_changed_ca_renews_when_devices_trust_it() -> None:
    found = holding("private-ca", DUE)
    assert outcome(decide(found, NOW, BEFORE, authority=OTHER_CA, trusted=True)) == "renew mqtt.example.com"


def window(start: float, end: float) -> Window:
    """From so many days from now to so many."""
    return Window(NOW + start * DAY, NOW + end * DAY)


@pytest.mark.parametrize(
    ("served", "suggested", "wanted"),
    [
        (OLD, None, "keep"),
        (OLD, window(-2, -1), "renew mqtt.example.com"),
        (OLD, window(0, 0.4), "renew mqtt.example.com"),
        (OLD, window(5, 6), "keep"),
        (DUE, None, "renew mqtt.example.com"),
        (DUE, window(5, 6), "keep"),
        (DUE, window(-2, -1), "renew mqtt.example.com"),
        # Whatever it suggests, there is time left to try again: half of the 30 days.
        (certificate("late", left=15), window(5, 6), "renew mqtt.example.com"),
        (certificate("not-yet", left=15.1), window(5, 6), "keep"),
        (GONE, window(5, 6), "renew mqtt.example.com"),
    ],
)
def test_when_a_ca_suggests_to_renew_that_counts(
    served: Certificate, suggested: Window | None, wanted: str
) -> None:
    assert outcome(decide(holding("acme", served), NOW, BEFORE, window=suggested)) == wanted


@pytest.mark.parametrize(
    ("found", "limited", "wanted"),
    [
        (holding("acme", DUE), NOW + DAY, "wait until 23"),
        (holding("acme", DUE), NOW, "renew mqtt.example.com"),
        (holding("acme", GONE), NOW + DAY, "renew mqtt.example.com"),
        (holding("acme", None), NOW + DAY, "renew"),
        # Not beyond the moment when it becomes urgent: half of the 30 days.
        (holding("acme", DUE), NOW + 6 * DAY, "wait until 27"),
        (holding("acme", certificate("late", left=15.5)), NOW + 6 * DAY, "wait until 23"),
        (holding("acme", certificate("late", left=15)), NOW + DAY, "renew mqtt.example.com"),
        (holding("acme", certificate("short", left=2, life=6)), NOW + DAY, "wait until 23"),
        (holding("acme", certificate("short", left=1, life=6)), NOW + DAY, "renew mqtt.example.com"),
        (holding("acme", OLD), NOW + DAY, "keep"),
        (holding("acme", DUE, replace(NEW, source="acme")), NOW + DAY, "install new"),
    ],
)
def test_a_ca_that_wants_to_be_left_alone_is(
    found: LoadBalancerCertificates, limited: datetime, wanted: str
) -> None:
    assert outcome(decide(found, NOW, BEFORE, limited=limited)) == wanted


@pytest.mark.parametrize(
    ("uploaded", "wanted"),
    [
        (saying(NEW, issuer_key="other"), "install new"),
        (saying(NEW, issuer_key="other", domains=("b.example.com",)), "keep private-ca-changed"),
        (certificate("new", uploaded=71, issuer_key="other"), "keep private-ca-changed"),
    ],
)
def test_what_an_earlier_run_began_to_install_needs_nobodys_word_again(
    uploaded: Certificate, wanted: str
) -> None:
    found = holding("private-ca", DUE, uploaded)
    assert outcome(decide(found, NOW, BEFORE, authority=OTHER_CA, awaited="new")) == wanted
    assert outcome(decide(found, NOW, BEFORE, authority=OTHER_CA)) == "keep private-ca-changed"


@pytest.mark.parametrize(("life", "days"), [(90, 30), (398, 30), (100, 30), (47, 47 / 3), (6, 2), (3, 1)])
def test_the_time_to_renew_is_never_more_than_a_third_of_the_life(life: float, days: float) -> None:
    moment = timedelta(seconds=1)
    served = certificate("one", left=days, life=life)
    found = holding("acme", served)
    assert is_due(found, NOW, BEFORE)
    assert not is_due(found, NOW - moment, BEFORE)


@pytest.mark.parametrize(("life", "days"), [(2, 1), (1.5, 1), (1, 2 / 3)])
def test_a_life_of_less_than_three_days_is_renewed_two_looks_before_its_end(life: float, days: float) -> None:
    found = holding("acme", certificate("one", left=days, life=life))
    assert is_due(found, NOW, BEFORE)
    assert not is_due(found, NOW - timedelta(seconds=1), BEFORE)


@given(
    life=st.integers(2, 400),
    left=st.integers(-100, 400),
    before=st.integers(1, 365),
    step=st.integers(0, 200),
)
def test_what_is_due_once_stays_due(life: int, left: int, before: int, step: int) -> None:
    found = holding("acme", certificate("one", left=min(left, life), life=life))
    if is_due(found, NOW, before * DAY):
        assert is_due(found, NOW + step * DAY, before * DAY)


@given(life=st.integers(3, 400), before=st.integers(1, 365))
def test_a_new_certificate_is_never_due_at_once(life: int, before: int) -> None:
    found = holding("acme", certificate("one", left=life, life=life))
    assert is_due(found, NOW, before * DAY) is None


def test_the_last_uploaded_in_use_that_did_not_fail_counts_as_served() -> None:
    places = [SecureListener("demo", port, one.arn) for port, one in ((1, OLD), (2, DUE), (3, NEW))]
    assert current(places, [OLD, DUE, NEW], None) == NEW
    assert current(places, [OLD, DUE, NEW], "new") == OLD
    assert current(places[2:], [OLD, DUE, NEW], "new") == NEW
    assert current([], [OLD], None) is None


SECOND = certificate("second", uploaded=40)
THIRD = certificate("third", uploaded=50)
JUST_NOW = certificate("just-now", left=90, uploaded=0.01)


@pytest.mark.parametrize(
    ("there", "in_use", "keep", "rejected", "gone"),
    [
        ((OLD,), [OLD], 1, None, []),
        ((OLD, SECOND), [OLD], 1, None, []),
        ((OLD, SECOND), [OLD], 0, None, ["second"]),
        ((OLD, SECOND, THIRD), [OLD], 1, None, ["third"]),
        ((OLD, SECOND, THIRD), [OLD], 2, None, []),
        ((OLD, SECOND, THIRD), [OLD, THIRD], 1, None, []),
        ((OLD, SECOND, GONE), [OLD], 2, None, ["gone"]),
        ((OLD, JUST_NOW), [OLD], 0, None, []),
        ((OLD, JUST_NOW), [OLD], 0, "just-now", ["just-now"]),
        ((OLD, certificate("lost", uploaded=1)), [OLD], 0, None, ["lost"]),
        ((OLD, certificate("lost", uploaded=1), SECOND), [OLD], 1, None, ["second"]),
    ],
)
def test_what_is_superseded_goes_but_for_what_is_kept(
    there: tuple[Certificate, ...],
    in_use: list[Certificate],
    keep: int,
    rejected: str | None,
    gone: list[str],
) -> None:
    arns = [one.arn for one in in_use]
    planned = retire(there, OLD, arns, NOW, keep=keep, rejected=rejected)
    assert [one.certificate.name for one in planned] == gone
