"""From a declaration and what there is to what is to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from chalicelib.certificates.chosen import ToUpload
from chalicelib.model.load_balancer import Listener, LoadBalancer
from chalicelib.model.members import Members
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    CLUSTER_TAG,
    HOSTNAME_TAG,
    MEMBERS_TAG,
    OWNER_TAG,
    PENDING_TAG,
    PROBE_TAG,
    REJECTED_TAG,
)
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.model.vpc import Rule
from chalicelib.provision.declaration import Allow, Declaration
from chalicelib.provision.desired import desire
from chalicelib.provision.plan import plan
from chalicelib.x509.pem import Bundle
from tests.world.facts import ARN, DECLARATION, EXTERNAL, NOW, OWNER, facts, instance, there
from tests.world.strategies import declarations


def wanted(declaration: Declaration = DECLARATION, **found: Any) -> LoadBalancer:
    made = desire(declaration, facts(**found), OWNER).load_balancer
    assert made is not None
    return made


def test_only_secure_listeners_have_a_certificate_and_a_policy() -> None:
    assert [(one.port, one.certificate, one.ssl_policy) for one in wanted().listeners] == [
        (8883, ARN, DECLARATION.ssl_policy),
        (18083, None, None),
    ]


def test_listeners_are_in_the_order_of_their_ports() -> None:
    backwards = replace(DECLARATION, listeners=DECLARATION.listeners[::-1])
    assert wanted(backwards).listeners == wanted().listeners


@pytest.mark.parametrize(("keepalive", "idle_timeout"), [(300, 450), (2400, 3600), (0.5, 1)])
def test_the_idle_timeout_is_one_and_a_half_times_the_keepalive(keepalive: float, idle_timeout: int) -> None:
    assert wanted(replace(DECLARATION, keepalive=keepalive)).idle_timeout == idle_timeout


def test_the_proxy_protocol_is_for_instance_ports_of_tcp_listeners_only() -> None:
    listeners = (
        *DECLARATION.listeners,
        Listener(1883, "TCP", 1883, "TCP"),
        Listener(8884, "SSL", 8883, "SSL"),
    )
    assert wanted(replace(DECLARATION, listeners=listeners)).proxy_protocol_ports == frozenset()
    proxying = replace(DECLARATION, listeners=listeners, proxy_protocol=True)
    assert wanted(proxying).proxy_protocol_ports == {1883, 8883}


def test_a_group_is_made_unless_groups_are_named() -> None:
    state = desire(replace(DECLARATION, allow=Allow(("10.0.0.0/8",), ("10.1.0.0/16",))), facts(), OWNER)
    assert state.group is not None
    assert state.group.rules == {
        Rule("tcp", 8883, 8883, "10.0.0.0/8"),
        Rule("tcp", 18083, 18083, "10.1.0.0/16"),
    }
    assert state.load_balancer is not None
    assert state.load_balancer.security_groups == {"demo-elb"}
    named = desire(replace(DECLARATION, security_groups=("sg-1",)), facts(), OWNER)
    assert named.group is None
    assert named.load_balancer is not None
    assert named.load_balancer.security_groups == {"sg-1"}


def test_a_group_that_is_there_is_named_by_its_id() -> None:
    state = desire(DECLARATION, there(), OWNER)
    assert state.load_balancer is not None
    assert state.load_balancer.security_groups == {"sg-own"}


@pytest.mark.parametrize(
    ("declared", "before", "after"),
    [
        ({}, {}, {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external"}),
        (
            {"tags": {"team": "iot"}, "hostname": "a.example.com", "probe": ProbeOptions(qos=2)},
            {},
            {
                OWNER_TAG: OWNER,
                CERTIFICATE_TAG: "external",
                "team": "iot",
                HOSTNAME_TAG: "a.example.com",
                PROBE_TAG: "qos=2",
            },
        ),
        # What the body does not name is left alone, unless the body would set it.
        (
            {},
            {"team": "iot", HOSTNAME_TAG: "x", PROBE_TAG: "qos=2", PENDING_TAG: "x", REJECTED_TAG: "bad"},
            {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external", "team": "iot", REJECTED_TAG: "bad"},
        ),
        (
            {"tags": {"team": "new"}},
            {"team": "old"},
            {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external", "team": "new"},
        ),
        (
            {"members": Members((), ("mqtt", "emqx"))},
            {},
            {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external", MEMBERS_TAG: "group=mqtt group=emqx"},
        ),
        # Another spelling of the same stays.
        (
            {"members": Members(("a*",))},
            {MEMBERS_TAG: "profile=a%2A"},
            {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external", MEMBERS_TAG: "profile=a%2A"},
        ),
        (
            {},
            {MEMBERS_TAG: "profile=gone"},
            {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external"},
        ),
    ],
)
def test_tags_follow_from_the_body_and_others_stay(
    declared: dict[str, Any], before: dict[str, str], after: dict[str, str]
) -> None:
    found = there(tags=before)
    state = desire(replace(DECLARATION, **{"members": None, **declared}), found, OWNER)
    assert state.load_balancer is not None
    assert state.load_balancer.tags == {CLUSTER_TAG: "demo", **after}


OURS = {OWNER_TAG: OWNER, CERTIFICATE_TAG: "external"}


@pytest.mark.parametrize(
    ("declared", "before", "after"),
    [
        # One that is new, or becomes ours, says which cluster it serves.
        (None, None, "demo"),
        ("mqtt", None, "mqtt"),
        (None, {}, "demo"),
        (None, {CLUSTER_TAG: "mqtt"}, "demo"),
        ("mqtt", {CLUSTER_TAG: "mqtt"}, "mqtt"),
        # One of ours that serves the cluster already stays as it is.
        (None, OURS, None),
        ("demo", OURS, None),
        (None, {**OURS, CLUSTER_TAG: ""}, ""),
        (None, {**OURS, CLUSTER_TAG: "demo"}, "demo"),
        ("mqtt", {**OURS, CLUSTER_TAG: "mqtt"}, "mqtt"),
        # What is declared, or omitted, decides.
        ("mqtt", OURS, "mqtt"),
        (None, {**OURS, CLUSTER_TAG: "mqtt"}, "demo"),
        ("blue", {**OURS, CLUSTER_TAG: "mqtt"}, "blue"),
    ],
)
def test_the_clusters_tag_is_written_where_it_says_something_new(
    declared: str | None, before: dict[str, str] | None, after: str | None
) -> None:
    found = facts() if before is None else there(tags=before)
    state = desire(replace(DECLARATION, cluster=declared), found, OWNER)
    assert state.load_balancer is not None
    assert state.load_balancer.tags.get(CLUSTER_TAG) == after
    assert state.load_balancer.cluster == (declared or "demo")


def test_whoever_is_named_or_tagged_is_of_the_cluster_and_registered_when_fit() -> None:
    found = {
        "i-1": instance("i-1", cluster=None),
        "i-2": instance("i-2"),
        "i-3": instance("i-3", state="stopped"),
    }
    actual = replace(facts().actual, cluster=frozenset({"i-2", "i-3"}))
    state = desire(replace(DECLARATION, instances=("i-1",)), facts(instances=found, actual=actual), OWNER)
    assert state.cluster == {"i-1", "i-2", "i-3"}
    assert state.load_balancer is not None
    assert state.load_balancer.instances == {"i-1", "i-2"}
    assert state.reasons["i-3"] == "stopped"


def test_the_list_adds_and_never_takes_a_member_away() -> None:
    made = there(instances=frozenset({"i-1", "i-2"}))
    state = desire(replace(DECLARATION, instances=()), made, OWNER)
    assert state.load_balancer is not None
    assert state.load_balancer.instances == {"i-1", "i-2"}


def test_adopting_tags_whoever_is_registered_and_still_there() -> None:
    made = there(tags={}, instances=frozenset({"i-1", "i-2", "i-gone"}))
    untagged = {
        "i-1": instance("i-1", cluster=None),
        "i-2": instance("i-2", cluster=None, state="terminated"),
    }
    made = replace(made, instances=untagged, actual=replace(made.actual, cluster=frozenset()))
    state = desire(replace(DECLARATION, instances=()), made, OWNER)
    assert state.cluster == {"i-1"}
    ours = desire(replace(DECLARATION, instances=()), there(instances=frozenset({"i-1"})), OWNER)
    assert ours.cluster == {"i-1", "i-2"}


def test_a_certificate_that_is_to_be_uploaded_is_named_where_its_arn_will_be() -> None:
    to_be = replace(EXTERNAL.certificate, arn="new")
    chosen = ToUpload(certificate=to_be, source="pem", bundle=Bundle("c", "k"))
    state = desire(DECLARATION, facts(chosen=chosen), OWNER)
    assert state.certificates == {"new"}
    assert state.load_balancer is not None
    assert {one.certificate for one in state.load_balancer.listeners} == {"new", None}


def test_subnets_that_nobody_read_are_the_load_balancers_own() -> None:
    state = desire(DECLARATION, replace(there(), subnets={}), OWNER)
    assert state.load_balancer is not None
    assert state.load_balancer.vpc == "vpc-1"
    assert state.load_balancer.zones == {"a", "b"}


def test_what_is_new_is_made_now() -> None:
    assert wanted().created == NOW


@given(declarations())
def test_whatever_is_declared_and_there_needs_no_change(declaration: Declaration) -> None:
    # What policies a load balancer has is the plan's business, not the declaration's.
    declaration = replace(declaration, proxy_protocol=False)
    found = facts(
        subnets={},
        instances={id_: instance(id_, cluster=declaration.name) for id_ in declaration.instances},
        chosen=EXTERNAL if declaration.certificate else None,
    )
    before = desire(declaration, found, OWNER)
    made = replace(
        found,
        actual=replace(before, group=before.group and replace(before.group, id="sg-own", owner=OWNER)),
    )
    assert made.actual.load_balancer is not None
    if before.group:
        made = replace(
            made,
            actual=replace(
                made.actual,
                load_balancer=replace(made.actual.load_balancer, security_groups=frozenset({"sg-own"})),
            ),
        )
    again = desire(declaration, made, OWNER)
    assert plan(again, made.actual) == ()
