"""What bounds a deployment: a body beyond it is 400 on its field, before anything is looked up for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.certificates.chosen import Existing
from chalicelib.model.bounds import Bounds
from chalicelib.model.errors import InvalidRequest
from chalicelib.model.load_balancer import Leaf, Listener
from chalicelib.provision.bounds import faults_beyond, objections_beyond
from chalicelib.provision.declaration import (
    CertificateSource,
    Declaration,
    GivenArn,
    GivenIssuer,
    GivenSecret,
)
from chalicelib.x509.pem import GivenPem
from tests.world.facts import ARN, DECLARATION, EXTERNAL, NOW, facts, there
from tests.world.provisioning import Account

OURS = Bounds(domains=frozenset({"example.com"}))
MQTT = Bounds(instance_ports=frozenset({1883}))
SSH = (Listener(8883, "SSL", 1883, "TCP"), Listener(2222, "TCP", 22, "TCP"))


def fields(declaration: Declaration, bounds: Bounds, *, adopt: bool = False) -> list[str]:
    return [fault.field for fault in faults_beyond(declaration, bounds, adopt=adopt)]


def certified(*domains: str) -> Existing:
    """A certificate of AWS's that is for these names."""
    leaf = Leaf(not_before=NOW, not_after=NOW + timedelta(days=60), domains=domains, serial="01")
    return Existing(certificate=replace(EXTERNAL.certificate, leaf=leaf), source="external")


@pytest.mark.parametrize(
    ("changed", "bounds", "adopt", "beyond"),
    [
        ({}, Bounds(), True, []),
        ({}, MQTT, False, ["listeners[1].instance_port"]),
        ({"listeners": SSH}, MQTT, False, ["listeners[1].instance_port"]),
        ({"listeners": SSH[:1]}, MQTT, False, []),
        ({"hostname": "mqtt.example.com"}, OURS, False, []),
        ({"hostname": "bank.example.org"}, OURS, False, ["hostname"]),
        (
            {"certificate": GivenIssuer("acme", ("a.example.com", "bank.example.org", "*.example.com"))},
            OURS,
            False,
            ["certificate.domains[1]"],
        ),
        # The private CA's default, the load balancers of the region by AWS's names, is nobody's name.
        ({"certificate": GivenIssuer("private-ca")}, OURS, False, []),
        ({}, Bounds(adoption=False), False, []),
        ({}, Bounds(adoption=False), True, ["adopt"]),
    ],
)
def test_what_the_body_shows_is_known_before_anything_is_looked_up(
    changed: dict[str, object], bounds: Bounds, adopt: bool, beyond: list[str]
) -> None:
    assert fields(replace(DECLARATION, **changed), bounds, adopt=adopt) == beyond  # type: ignore[arg-type]


def test_a_load_balancer_is_in_an_allowed_vpc() -> None:
    elsewhere = Bounds(vpcs=frozenset({"vpc-2"}))
    for found in (facts(), replace(there(), subnets={})):
        faults = [*objections_beyond(DECLARATION, found, elsewhere)]
        assert [fault.field for fault in faults] == ["subnets[0]", "subnets[1]"]
        assert "vpc-1" in faults[0].message
        assert "ALLOWED_VPCS" in faults[0].message
        assert [*objections_beyond(DECLARATION, found, Bounds(vpcs=frozenset({"vpc-1"})))] == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (GivenArn(ARN), "certificate.arn"),
        (GivenSecret("emq-elb-prod/mqtt"), "certificate.secret_id"),
        (GivenPem(certificate="", private_key=""), "certificate.pem.certificate"),
    ],
)
def test_no_certificate_from_elsewhere_stands_in_for_another_name(
    given: CertificateSource, field: str
) -> None:
    declared = replace(DECLARATION, certificate=given)
    chosen = certified("mqtt.example.com", "bank.example.org")
    (fault,) = objections_beyond(declared, facts(chosen=chosen), OURS)
    assert fault.field == field
    assert "bank.example.org" in fault.message
    assert [*objections_beyond(declared, facts(chosen=certified("mqtt.example.com")), OURS)] == []


def test_a_certificate_that_is_served_stays() -> None:
    found = replace(there(), chosen=certified("bank.example.org"))
    assert [*objections_beyond(DECLARATION, found, OURS)] == []


def test_a_put_is_answered_with_every_bound_at_once_and_changes_nothing(here: Account) -> None:
    here.settings = replace(
        here.settings,
        bounds=Bounds(
            instance_ports=frozenset({1883}),
            vpcs=frozenset({"vpc-00000000"}),
            domains=frozenset({"example.com"}),
            adoption=False,
        ),
    )
    body = {**here.article, "hostname": "bank.example.org"}
    with pytest.raises(InvalidRequest) as caught:
        here.put(body, adopt=True)
    assert {fault.field for fault in caught.value.faults} == {
        "adopt",
        "listeners[1].instance_port",
        "hostname",
        "subnets[0]",
        "subnets[1]",
    }
    assert here.calls.writes == []
