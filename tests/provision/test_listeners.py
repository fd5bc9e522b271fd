"""Listeners that change while clients use them."""

from __future__ import annotations

import pytest

from lab.fidelity.knobs import KNOBS
from tests.world.provisioning import Account

SECURE = {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883}
UNENCRYPTED = {**SECURE, "protocol": "TCP"}


def ports(here: Account) -> list[tuple[str, int]]:
    listeners = here.snapshot()["load balancers"]["demo"]["listeners"]
    return [(one["Protocol"], one["LoadBalancerPort"]) for one in listeners]


@pytest.mark.parametrize("failed_listener_stays", [False, True])
def test_a_plain_listener_serves_until_elb_knows_the_certificate_of_the_secure_one_in_its_place(
    here: Account, failed_listener_stays: bool
) -> None:
    plain = {key: value for key, value in here.article.items() if key != "certificate"}
    here.put({**plain, "listeners": [UNENCRYPTED]})
    KNOBS.certificate_propagation_seconds = 60
    KNOBS.failed_listener_stays = failed_listener_stays
    secure = {**plain, "listeners": [SECURE], "certificate": {"issuer": "private-ca"}}
    report = here.put(secure)
    assert report.state == "pending"
    assert ("TCP", 8883) in ports(here)
    assert "DeleteLoadBalancerListeners" not in here.calls.writes
    assert here.carry_on(report, secure) is not None
    assert ports(here) == [("SSL", 8883)]
    here.put(secure)
    assert here.calls.writes == []
