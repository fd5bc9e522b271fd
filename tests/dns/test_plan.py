"""What is to change at a name: decided row by row, and held against what Route 53 makes of the changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.dns.plan import (
    Claim,
    KeptName,
    NameInZone,
    Obstacle,
    described,
    hostname_of,
    leads_to,
    owner_record_name,
    plan_name,
    strays,
    withdraw,
    withdraw_former,
)
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone

HOST = "mqtt.example.com"
ZONE = Zone("Z1", "example.com")
HERE = Alias("ZELB", "demo-1.eu-central-1.elb.amazonaws.com")
THERE = Alias("ZELB", "other-2.eu-central-1.elb.amazonaws.com")
MINE, OTHER = Claim("emq-elb-prod", "demo"), Claim("emq-elb-prod", "other")
FOREIGN = Claim("emq-elb-dev", "demo")
WANTED = KeptName(claim=MINE, target=HERE)
WEIGHTED = replace(WANTED, weight=10)


def alias(to: Alias = HERE, type_: str = "A", **more: object) -> RecordSet:
    return replace(RecordSet(HOST, ttl=None, type=type_, alias=to), **more)  # type: ignore[arg-type] # fields


def weighted(to: Alias = HERE, of: str = "demo", weight: int = 10) -> RecordSet:
    return alias(to, set_identifier=of, weight=weight)


def plain(type_: str, *values: str, **more: object) -> RecordSet:
    return replace(RecordSet(HOST, values, 300, type_), **more)  # type: ignore[arg-type] # fields


def text(*claims: Claim) -> RecordSet:
    return RecordSet(owner_record_name(HOST), tuple(one.value for one in claims))


def at(*records: RecordSet, of: Sequence[Claim] = ()) -> NameInZone:
    return NameInZone(ZONE, HOST, records, (text(*of),) if of else ())


CNAME = plain("CNAME", HERE.name + ".")
MARKED = Change(None, text(MINE))

CHANGED: dict[str, tuple[KeptName, NameInZone, tuple[Change, ...]]] = {
    "no record": (WANTED, at(), (Change(None, alias()), MARKED)),
    "no record, by weight": (WEIGHTED, at(), (Change(None, weighted()), MARKED)),
    "other records of the name": (
        WANTED,
        at(plain("MX", "10 mail.example.com"), plain("TXT", '"v=spf1"')),
        (Change(None, alias()), MARKED),
    ),
    "ours already": (WANTED, at(alias(), of=[MINE]), ()),
    "ours by weight already": (WEIGHTED, at(weighted(), of=[MINE]), ()),
    "ours as the console writes it": (
        WANTED,
        at(alias(replace(HERE, name=f"dualstack.{HERE.name.upper()}.")), of=[MINE]),
        (),
    ),
    "ours lost": (WANTED, at(of=[MINE]), (Change(None, alias()),)),
    "simple to weighted": (
        WEIGHTED,
        at(alias(), of=[MINE]),
        (Change(alias(), None), Change(None, weighted())),
    ),
    "weighted to simple": (
        WANTED,
        at(weighted(), of=[MINE]),
        (Change(weighted(), None), Change(None, alias())),
    ),
    "another weight": (
        replace(WANTED, weight=0),
        at(weighted(), weighted(THERE, "other"), of=[MINE, OTHER]),
        (Change(weighted(), None), Change(None, weighted(weight=0))),
    ),
    "health no longer evaluated": (
        WANTED,
        at(alias(replace(HERE, evaluated=False)), of=[MINE]),
        (Change(alias(replace(HERE, evaluated=False)), None), Change(None, alias())),
    ),
    "beside another one of ours": (
        WEIGHTED,
        at(weighted(THERE, "other", 90), of=[OTHER]),
        (Change(None, weighted()), Change(text(OTHER), text(OTHER, MINE))),
    ),
    "another one of ours, lost": (
        WANTED,
        at(of=[OTHER]),
        (Change(None, alias()), Change(text(OTHER), text(OTHER, MINE))),
    ),
    "a CNAME here, of ours": (
        WANTED,
        at(CNAME, of=[MINE]),
        (Change(CNAME, None), Change(None, alias())),
    ),
    "IPv6 where there is none": (
        WANTED,
        at(alias(), alias(type_="AAAA"), of=[MINE]),
        (Change(alias(type_="AAAA"), None),),
    ),
    "dualstack": (
        replace(WANTED, dual_stack=True),
        at(alias(), of=[MINE]),
        (Change(None, alias(type_="AAAA")),),
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_is_ours_or_nobodys_becomes_as_it_is_to_be(case: str) -> None:
    wanted, found, changes = CHANGED[case]
    assert plan_name(wanted, found) == changes


ADOPTED: dict[str, tuple[KeptName, tuple[RecordSet, ...]]] = {
    "a CNAME": (WANTED, (CNAME,)),
    "a CNAME, by weight": (WEIGHTED, (CNAME,)),
    "an alias as it is to be": (WANTED, (alias(),)),
    "the console's": (
        WANTED,
        (alias(replace(HERE, name=f"dualstack.{HERE.name}.", evaluated=False)), alias(type_="AAAA")),
    ),
    "a weighted one by hand": (WEIGHTED, (weighted(of="by-hand", weight=1),)),
    "one with a health check": (WANTED, (alias(health_check="abc"),)),
}


@pytest.mark.parametrize("case", ADOPTED)
def test_what_leads_here_already_is_taken_over_when_that_is_asked_for(case: str) -> None:
    wanted, records = ADOPTED[case]
    found = plan_name(wanted, at(*records))
    assert isinstance(found, Obstacle)
    assert found.adoptable
    assert "?adopt=true" in found.reason
    taken = plan_name(wanted, at(*records), adopt=True)
    assert not isinstance(taken, Obstacle)
    assert (
        after(at(*records), taken).leading == tuple(wanted.records(HOST)) or case == "an alias as it is to be"
    )
    assert after(at(*records), taken).claims == (MINE,)


OBSTACLES: dict[str, tuple[KeptName, NameInZone, str]] = {
    "addresses": (WANTED, at(plain("A", "192.0.2.1")), "(A) to 192.0.2.1 does not lead to this"),
    "IPv6 addresses": (WANTED, at(plain("AAAA", "2001:db8::1")), "(AAAA) to 2001:db8::1"),
    "IPv6 addresses beside ours": (WANTED, at(alias(), plain("AAAA", "2001:db8::1"), of=[MINE]), "(AAAA)"),
    "a CNAME elsewhere": (WANTED, at(plain("CNAME", "elsewhere.example.org.")), "elsewhere.example.org"),
    "an alias elsewhere": (WANTED, at(alias(THERE)), "other-2"),
    "ours, pointed elsewhere": (WANTED, at(alias(THERE), of=[MINE]), "other-2"),
    "ours by weight, pointed elsewhere": (
        WEIGHTED,
        at(weighted(THERE), of=[MINE]),
        "(alias A, weighted, demo)",
    ),
    "a weight beside a simple record of somebody's": (WEIGHTED, at(plain("A", "192.0.2.1")), "192.0.2.1"),
    "weighted ones of others": (WEIGHTED, at(weighted(THERE, "theirs")), "weighted, theirs"),
    "weighted ones of others beside ours": (
        WEIGHTED,
        at(weighted(), weighted(THERE, "theirs"), of=[MINE]),
        "weighted, theirs",
    ),
    "latency": (
        WEIGHTED,
        at(alias(set_identifier="fra", routing="latency")),
        "(alias A, latency, fra)",
    ),
    "shared by weights, without one": (
        WANTED,
        at(weighted(THERE, "other"), of=[OTHER]),
        "`dns.weight` here too",
    ),
    "shared by weights, no longer one": (
        WANTED,
        at(weighted(), weighted(THERE, "other"), of=[MINE, OTHER]),
        "take `dns` off other",
    ),
    "the simple one of another one of ours": (
        WEIGHTED,
        at(alias(THERE), of=[OTHER]),
        "the only one of other: set `dns.weight` there first",
    ),
    "another deployment": (WANTED, at(of=[FOREIGN]), "belongs to the deployment emq-elb-dev"),
    "another deployment, leading here": (WANTED, at(alias(), of=[FOREIGN]), "emq-elb-dev"),
    "another deployment beside ours": (WEIGHTED, at(weighted(), of=[MINE, FOREIGN]), "emq-elb-dev"),
    "a TXT record of who knows whom": (
        WANTED,
        NameInZone(ZONE, HOST, (), (RecordSet(owner_record_name(HOST), ('"heritage=external-dns"',)),)),
        'says "heritage=external-dns"',
    ),
    "a TXT record by weights": (
        WANTED,
        NameInZone(ZONE, HOST, (), (replace(text(MINE), set_identifier="a", weight=1),)),
        "is no simple TXT record",
    ),
    "a CNAME in the place of the TXT record": (
        WANTED,
        NameInZone(ZONE, HOST, (), (RecordSet(owner_record_name(HOST), ("x.example.com",), 60, "CNAME"),)),
        "is no simple TXT record",
    ),
    "delegated": (WANTED, at(plain("NS", "ns.example.org.")), "delegates mqtt.example.com"),
}


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize("case", OBSTACLES)
def test_what_is_somebody_elses_is_left_alone_and_named(case: str, adopt: bool) -> None:
    wanted, found, words = OBSTACLES[case]
    planned = plan_name(wanted, found, adopt=adopt)
    assert isinstance(planned, Obstacle)
    assert words in planned.reason
    assert not planned.adoptable


def test_the_name_servers_of_a_zone_do_not_delegate_its_own_name() -> None:
    apex = NameInZone(ZONE, "example.com", (RecordSet("example.com", ("ns.example.org.",), 300, "NS"),))
    assert not isinstance(plan_name(WANTED, apex), Obstacle)


WITHDRAWN: dict[str, tuple[NameInZone, tuple[Change, ...]]] = {
    "ours": (at(alias(), of=[MINE]), (Change(alias(), None), Change(text(MINE), None))),
    "by weight": (
        at(weighted(), weighted(THERE, "other"), of=[OTHER, MINE]),
        (Change(weighted(), None), Change(text(OTHER, MINE), text(OTHER))),
    ),
    "lost already": (at(of=[MINE]), (Change(text(MINE), None),)),
    "pointed elsewhere": (at(alias(THERE), of=[MINE]), (Change(text(MINE), None),)),
    "nobody's": (at(alias()), ()),
    "another one's": (at(alias(), of=[OTHER]), ()),
    "another deployment's": (at(alias(), of=[FOREIGN]), ()),
    "another deployment's beside ours": (at(alias(), of=[MINE, FOREIGN]), ()),
    "by another routing": (
        at(alias(set_identifier="fra", routing="latency"), of=[MINE]),
        (Change(text(MINE), None),),
    ),
}


@pytest.mark.parametrize("case", WITHDRAWN)
def test_what_is_withdrawn_is_ours_alone(case: str) -> None:
    found, changes = WITHDRAWN[case]
    assert withdraw(MINE, found, [HERE.name]) == changes


def test_a_record_strays_when_it_leads_elsewhere_under_our_name() -> None:
    assert strays("demo", HERE.name, [alias(), plain("MX", "10 mail")]) is None
    assert strays("demo", HERE.name, [weighted(), weighted(THERE, "other")]) is None
    assert strays("demo", HERE.name, [weighted(THERE)]) == weighted(THERE)
    assert strays("demo", HERE.name, [plain("A", "192.0.2.1")]) == plain("A", "192.0.2.1")
    assert not leads_to(plain("CNAME"), HERE.name)
    assert described(plain("CNAME")).endswith("to nothing")


def test_a_txt_record_says_of_which_name_it_is() -> None:
    assert hostname_of(owner_record_name("MQTT.example.com")) == "mqtt.example.com"
    assert hostname_of("mqtt.example.com") is None


def after(found: NameInZone, changes: Sequence[Change]) -> NameInZone:
    """The name after the changes, if Route 53 takes them."""
    there = [*found.records, *found.beside]
    for change in changes:
        if change.before:
            there.remove(change.before)
    there += [change.after for change in changes if change.after]
    for type_ in {one.type for one in there}:
        same = [one for one in there if one.type == type_ and one.name == HOST]
        assert len({(one.set_identifier, one.weight is None) for one in same}) == len(same)
        assert len(same) < 2 or all(one.set_identifier for one in same)
        assert not (type_ == "CNAME" and same and [one for one in there if one.name == HOST] != same)
    return NameInZone(
        ZONE,
        HOST,
        tuple(one for one in there if one.name == HOST),
        tuple(one for one in there if one.name != HOST),
    )


LEADING = (
    alias(),
    alias(replace(HERE, evaluated=False)),
    alias(THERE),
    weighted(),
    weighted(weight=0),
    weighted(THERE, "other"),
    weighted(THERE, "theirs"),
    plain("A", "192.0.2.1"),
    alias(set_identifier="fra", routing="latency"),
    CNAME,
    plain("CNAME", "elsewhere.example.org"),
    None,
)


@st.composite
def names(draw: st.DrawFn) -> NameInZone:
    first = draw(st.sampled_from(LEADING))
    records = [first] if first else []
    if first and first.weight is not None:
        others = [one for one in LEADING if one and one.weight is not None]
        more = draw(st.lists(st.sampled_from(others), unique_by=lambda one: one.set_identifier))
        records += [one for one in more if one.set_identifier != first.set_identifier]
    if not first or first.type != "CNAME":
        records += draw(st.sampled_from(([], [alias(type_="AAAA")], [plain("AAAA", "2001:db8::1")])))
    claims = draw(st.lists(st.sampled_from((MINE, OTHER, FOREIGN)), unique=True))
    return at(*records, of=claims)


wishes = st.builds(
    KeptName,
    claim=st.just(MINE),
    target=st.just(HERE),
    weight=st.none() | st.integers(0, 255),
    dual_stack=st.booleans(),
)


@given(wishes, names(), st.booleans())
def test_a_plan_leads_the_name_here_and_touches_nothing_that_leads_elsewhere(
    wanted: KeptName, found: NameInZone, adopt: bool
) -> None:
    planned = plan_name(wanted, found, adopt=adopt)
    if isinstance(planned, Obstacle):
        return
    end = after(found, planned)
    assert plan_name(wanted, end) == ()
    assert MINE in end.claims
    gone = [change.before for change in planned if change.before and change.before.name == HOST]
    assert all(leads_to(one, HERE.name) for one in gone)
    strangers = [one for one in found.leading if not leads_to(one, HERE.name)]
    assert [one for one in end.leading if not leads_to(one, HERE.name)] == strangers
    assert strangers == [] or wanted.weight is not None


@given(wishes, names())
def test_what_is_withdrawn_is_gone_and_nothing_else(wanted: KeptName, found: NameInZone) -> None:
    planned = plan_name(wanted, found)
    there = found if isinstance(planned, Obstacle) else after(found, planned)
    left = after(there, withdraw(MINE, there, [HERE.name]))
    assert MINE not in left.claims or FOREIGN in left.claims
    assert [one for one in there.leading if one not in left.leading and not leads_to(one, HERE.name)] == []
    assert withdraw(MINE, left, [HERE.name]) == ()


REGION = "eu-central-1"
FORMER = Alias("ZELB", "Demo-123.eu-central-1.elb.amazonaws.com.")
NETWORK = Alias("ZNLB", "demo-0a1b2c3d4e5f6071.elb.eu-central-1.amazonaws.com")
INTERNAL = Alias("ZELB", "dualstack.internal-demo-9.eu-central-1.elb.amazonaws.com")
CHINA = Alias("ZELB", "demo-9.eu-central-1.elb.amazonaws.com.cn")


@pytest.mark.parametrize("target", [FORMER, NETWORK, INTERNAL, CHINA], ids=lambda target: target.name)
def test_a_record_that_leads_to_a_former_one_of_the_name_is_exchanged_in_one_batch(target: Alias) -> None:
    dead = alias(target)
    planned = plan_name(WANTED, at(dead, of=[MINE]), region=REGION)
    assert planned == (Change(dead, None), Change(None, alias()))
    assert isinstance(plan_name(WANTED, at(dead), region=REGION), Obstacle)
    assert isinstance(plan_name(WANTED, at(dead, of=[MINE])), Obstacle)
    assert withdraw_former(MINE, at(dead, of=[MINE]), REGION) == (
        Change(dead, None),
        Change(text(MINE), None),
    )
    assert withdraw_former(MINE, at(dead, of=[OTHER]), REGION) == ()


OTHERS = {
    "another region": alias(Alias("ZELB", "demo-123.eu-west-1.elb.amazonaws.com")),
    "another name": alias(Alias("ZELB", "demo-2-123.eu-central-1.elb.amazonaws.com")),
    "no load balancer": alias(Alias("ZELB", "demo-123.eu-central-1.example.com")),
    "a CNAME": plain("CNAME", FORMER.name),
    "by latency": alias(FORMER, set_identifier="demo", routing="latency"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_may_lead_elsewhere_is_no_former_one(kind: str) -> None:
    found = at(OTHERS[kind], of=[MINE])
    assert isinstance(plan_name(WANTED, found, region=REGION), Obstacle)
    assert withdraw_former(MINE, found, REGION) == ()


def test_a_former_one_by_weight_goes_and_others_keep_the_name() -> None:
    dead, other = weighted(FORMER), weighted(THERE, "other")
    planned = withdraw_former(MINE, at(dead, other, of=[MINE, OTHER]), REGION)
    assert planned == (Change(dead, None), Change(text(MINE, OTHER), text(OTHER)))
    assert withdraw_former(MINE, at(of=[MINE]), REGION) == (Change(text(MINE), None),)
