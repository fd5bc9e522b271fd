"""What of EC2 is corrected beside its network: when an instance was launched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

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
