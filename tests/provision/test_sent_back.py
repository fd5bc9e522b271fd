"""Whatever tags and listeners somebody leaves on a load balancer of ours: what GET shows, PUT takes, and it
changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.api.requests import read_put
from chalicelib.api.views import view_json
from chalicelib.certificates.chosen import Existing
from chalicelib.model.errors import InvalidRequest
from chalicelib.model.load_balancer import (
    Certificate,
    CustomPolicy,
    Listener,
    LoadBalancer,
    Member,
    PredefinedPolicy,
    SslPolicy,
    State,
)
from chalicelib.model.names import DNS_TAG, MEMBERS_TAG, OWNER_TAG
from chalicelib.model.report import View
from chalicelib.model.user_tags import TAGS_MAX
from chalicelib.provision.declaration import GivenArn
from chalicelib.provision.desired import desire
from chalicelib.provision.facts import Names
from chalicelib.provision.hostname import hostname_faults, plan_records
from chalicelib.provision.plan import plan
from tests.world.facts import ARN, DECLARATION, NOW, OWNER, facts, instance
from tests.world.network import network_body
from tests.world.provisioning import Account
from tests.world.strategies import clusters

IDS = {"subnet-a": "subnet-0123456a", "subnet-b": "subnet-0123456b"}
GROUP, NODE = "sg-01234567", "i-01234567"
TLS = DECLARATION.ssl_policy
# AWS takes no space at either end of a tag, and none of these signs but _ . : / = + - @.
PARTS = [
    *("profile=", "profile=emqx", "profile=:2A", "profile=:20", "profile=:65mqx", "group=", "group=a:2A"),
    *("group=:00", "group=é", "zone=", "zone=z", *(f"zone=Z{number}" for number in range(7)), "weight=999"),
    *("weight=7", "weight=8", "qos=", "qos=9", "qos=2", "enabled=maybe", "enabled=true", "protocol=5"),
    *("ca_secret_id=::", "ca_secret_id=é", "secret:", "secret:a", "private-ca", "acme", "pem", "external"),
    *("x", "=", "-a.b-", "mqtt.example.com", "é", "localhost", "1", "", ""),
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKB",
]
texts = st.lists(st.sampled_from(PARTS), max_size=9).map(lambda parts: " ".join(parts).strip()[:255])
keys = st.text("aZé9 _.:/=+-@", min_size=1, max_size=128).map(str.strip).filter(bool)
OURS = ("hostname", "certificate", "members", "probe", "dns", "rejected")
our_tags = st.fixed_dictionaries(
    {}, optional={**{f"emq-elb:{key}": texts for key in OURS}, "emq-elb:cluster": clusters}
)
UNKNOWN = CustomPolicy(frozenset({"TLSv1.4"}), frozenset({"AES128-SHA256"}))
policies: st.SearchStrategy[SslPolicy | None] = st.sampled_from(
    [
        None,
        TLS,
        PredefinedPolicy("ELBSecurityPolicy-2016-08"),
        PredefinedPolicy("ELBSecurityPolicy-Of-2031-01"),
        PredefinedPolicy("ELBSecurityPolicy-ö"),
        CustomPolicy(frozenset({"TLSv1.2"}), frozenset({"AES128-SHA256"}), server_defined_order=False),
        CustomPolicy(frozenset(), frozenset({"AES128-SHA256"})),
        UNKNOWN,
    ]
)


def made(tags: Mapping[str, str], *negotiated: SslPolicy | None) -> LoadBalancer:
    """A classic one of ours with these tags, with a secure listener for each of the policies."""
    wanted = desire(replace(DECLARATION, security_groups=(GROUP,)), facts(), OWNER).load_balancer
    assert wanted is not None
    secure = tuple(
        Listener(8883 + n, "SSL", 1883, "TCP", ARN, policy, frozenset({f"by-hand-{n}"} if policy else ()))
        for n, policy in enumerate(negotiated)
    )
    return replace(
        wanted,
        subnets=frozenset(IDS.values()),
        listeners=(*secure, Listener(18083, "HTTP", 18083, "HTTP")),
        policies={f"by-hand-{n}": policy for n, policy in enumerate(negotiated) if policy},
        tags={**tags, OWNER_TAG: OWNER},
        instances=frozenset({NODE}),
    )


def shown(there: LoadBalancer) -> dict[str, object]:
    certificate = Certificate(arn=ARN, not_after=NOW)
    members = (Member(NODE, "InService"),)
    view = View(load_balancer=there, group=None, certificate=certificate, members=members, now=NOW)
    body: dict[str, object] = json.loads(json.dumps(view_json(view)))
    return body


def assert_changes_nothing(there: LoadBalancer) -> None:
    declaration, faults = read_put("demo", shown(there))
    assert faults == ()
    given_arn = declaration.certificate
    chosen = None
    if isinstance(given_arn, GivenArn):
        chosen = Existing(
            certificate=Certificate(arn=ARN, not_after=NOW), source=given_arn.source or "external"
        )
    found = facts(
        actual=State(name="demo", load_balancer=there, cluster=frozenset({NODE})),
        instances={NODE: instance(NODE, cluster=there.cluster)},
        subnets={IDS[key]: replace(one, id=IDS[key]) for key, one in facts().subnets.items()},
        chosen=chosen,
        names=Names() if DNS_TAG in there.tags else None,
    )
    assert [*hostname_faults(declaration, found)] == []
    records = plan_records(declaration, found, OWNER, adopt=False)
    assert (records.conflict, records.changes) == (None, {})
    desired = desire(declaration, found, OWNER)
    # Whoever may join is `register`'s to say.
    wanted = desired.load_balancer
    assert wanted is not None
    desired = replace(desired, load_balancer=replace(wanted, instances=there.instances))
    assert plan(desired, found.actual) == ()


@given(our_tags, st.lists(policies, max_size=3))
@example({MEMBERS_TAG: "profile="}, [TLS])
@example({DNS_TAG: "zone=z"}, [TLS])
@example({"emq-elb:hostname": "mqtt.example.com", DNS_TAG: "zone=Z1"}, [TLS])
@example({}, [None])
@example({}, [TLS, None])
@example({}, [None, TLS])
def test_what_get_shows_is_taken_and_changes_nothing(
    tags: Mapping[str, str], negotiated: Sequence[SslPolicy | None]
) -> None:
    assert_changes_nothing(made(tags, *negotiated))


@given(st.dictionaries(keys, texts, max_size=49))
@example({f"tag-{number:02}": "x" for number in range(49)})
@example({"key": PARTS[-1]})
def test_so_it_is_with_tags_of_users(tags: Mapping[str, str]) -> None:
    users = {key: value for key, value in tags.items() if not key.lower().startswith(("aws:", "emq-elb:"))}
    there = made(users, TLS)
    assert_changes_nothing(there)
    body = shown(there)
    assert isinstance(body["tags"], dict)
    assert len(body["tags"]) <= TAGS_MAX
    assert (body["tags"] == users) == ("unmanaged" not in body), "what is not shown is said"
    assert PARTS[-1] not in json.dumps(body)


@pytest.mark.parametrize(
    ("tags", "negotiated", "says"),
    [
        ({MEMBERS_TAG: "profile="}, [TLS], "the tag emq-elb:members has a part that cannot be read"),
        ({DNS_TAG: "zone=z"}, [TLS], "the tag emq-elb:dns has a part that cannot be read"),
        ({DNS_TAG: "zone=Z1"}, [TLS], "the tag emq-elb:dns keeps no record, since there is no hostname"),
        ({"emq-elb:hostname": "-"}, [TLS], "the tag emq-elb:hostname is no name of a host"),
        ({"emq-elb:probe": "qos=9"}, [TLS], "the tag emq-elb:probe has a part that cannot be read"),
        ({"emq-elb:certificate": "x"}, [TLS], "the tag emq-elb:certificate says no source of a certificate"),
        ({"note": PARTS[-1]}, [TLS], 'the tag "note" has what a body may not have in a tag'),
        ({str(n): "" for n in range(43)}, [TLS], "a body may have 41 tags, and there are 2 more"),
        ({}, [None], "the listener on port 8883 has no SSL policy"),
        ({}, [TLS, None], "the listener on port 8884 has no SSL policy"),
        ({}, [UNKNOWN], "the listener on port 8883 has a policy that a body cannot say, by-hand-0"),
    ],
)
def test_what_it_cannot_say_stands_in_unmanaged(
    tags: Mapping[str, str], negotiated: Sequence[SslPolicy | None], says: str
) -> None:
    assert shown(made(tags, *negotiated))["unmanaged"] == [says]


@pytest.mark.parametrize("policy", [None, UNKNOWN])
def test_a_policy_that_is_declared_comes_in_its_place(policy: SslPolicy | None) -> None:
    there = made({}, policy)
    body = shown(there)
    assert body["ssl_policy"] is None
    declaration, _ = read_put("demo", {key: value for key, value in body.items() if key != "ssl_policy"})
    wanted = desire(declaration, facts(actual=State(name="demo", load_balancer=there)), OWNER).load_balancer
    assert wanted is not None
    assert {one.ssl_policy for one in wanted.listeners if one.secure} == {TLS}


def test_a_new_listener_gets_the_default_where_none_is_declared() -> None:
    there = made({}, None)
    new = {"protocol": "SSL", "port": 8885, "instance_protocol": "TCP", "instance_port": 1883}
    body = shown(there)
    assert isinstance(body["listeners"], list)
    declaration, _ = read_put("demo", {**body, "listeners": [*body["listeners"], new]})
    wanted = desire(declaration, facts(actual=State(name="demo", load_balancer=there)), OWNER).load_balancer
    assert wanted is not None
    assert {one.port: one.ssl_policy for one in wanted.listeners if one.secure} == {8883: None, 8885: TLS}


@pytest.mark.parametrize(("interval", "timeout"), [(10, 10), (300, 120)])
def test_so_it_is_with_a_health_check_that_only_a_network_one_may_have(
    here: Account, interval: int, timeout: int
) -> None:
    body = network_body(here, health_check={"interval": interval, "timeout": timeout})
    here.put(body)
    assert here.put(here.get(), dry_run=True).steps == ()
    with pytest.raises(InvalidRequest, match=r"health_check\.timeout"):
        here.put({**body, "type": "classic"}, "other", dry_run=True)
