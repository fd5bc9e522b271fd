"""What of EC2 is corrected beside its network: when an instance was launched, and Spot requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import World

pytestmark = pytest.mark.usefixtures("aws")

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_instance_that_is_started_again_was_launched_anew() -> None:
    world = World()
    (id_,) = world.launch()
    backend: Any = ec2_backends[DEFAULT_ACCOUNT_ID][world.region]
    backend.get_instance(id_).launch_time = LONG_AGO.replace(tzinfo=None)

    def launched() -> object:
        (reservation,) = world.ec2.describe_instances(InstanceIds=[id_])["Reservations"]
        return reservation["Instances"][0]["LaunchTime"]

    world.ec2.start_instances(InstanceIds=[id_])
    assert launched() == LONG_AGO, "it was running"
    world.ec2.stop_instances(InstanceIds=[id_])
    assert launched() == LONG_AGO
    world.ec2.start_instances(InstanceIds=[id_])
    assert launched() != LONG_AGO


def test_a_spot_instance_has_a_request_whose_status_says_that_ec2_takes_it_back() -> None:
    world = World()
    world.launch()
    one, other = world.launch(2, InstanceMarketOptions={"MarketType": "spot"})

    def requests(**filters: list[str]) -> dict[str, str]:
        asked = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        found = world.ec2.describe_spot_instance_requests(Filters=asked)["SpotInstanceRequests"]
        return {request["InstanceId"]: request["Status"]["Code"] for request in found}

    assert requests() == {one: "fulfilled", other: "fulfilled"}
    KNOBS.spot_status = {other: "marked-for-termination"}.get
    assert requests(instance_id=[one, other], status_code=["marked-for-termination", "marked-for-stop"]) == {
        other: "marked-for-termination"
    }
    assert requests(instance_id=[one]) == {one: "fulfilled"}
