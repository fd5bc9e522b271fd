"""Listeners that change while clients use them."""

from __future__ import annotations

import pytest

from lab.fidelity.knobs import KNOBS
from tests.world.kinds import CLASSIC, NETWORK, Kind, article
from tests.world.provisioning import Account

SECURE = {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883}
UNENCRYPTED = {**SECURE, "protocol": "TCP"}


def ports(here: Account) -> list[tuple[str, int]]:
    return [(one["protocol"], one["port"]) for one in here.get()["listeners"]]


@pytest.mark.parametrize(
    ("kind", "failed_listener_stays"), [(CLASSIC, False), (CLASSIC, True), (NETWORK, False)]
)
def test_a_plain_listener_serves_until_elb_knows_the_certificate_of_the_secure_one_in_its_place(
    here: Account, kind: Kind, failed_listener_stays: bool
) -> None:
    plain = {key: value for key, value in article(here, kind).items() if key != "certificate"}
    here.put({**plain, "listeners": [UNENCRYPTED]})
    KNOBS.certificate_propagation_seconds = 60
    KNOBS.failed_listener_stays = failed_listener_stays
    secure = {**plain, "listeners": [SECURE], "certificate": {"issuer": "private-ca"}}
    report = here.put(secure)
    assert report.state == "pending"
    assert not {"DeleteLoadBalancerListeners", "DeleteListener"} & {*here.calls.writes}
    assert ("TCP", 8883) in ports(here)
    assert here.carry_on(report, secure) is not None
    assert ports(here) == [("SSL" if kind is CLASSIC else "TLS", 8883)]
    here.put(secure)
    assert here.calls.writes == []
