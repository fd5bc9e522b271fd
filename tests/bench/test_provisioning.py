"""What the tools are asked, as a shell script takes it; and what a rotation's replay takes for due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bench.programs.rotate_replays import Issuer
from bench.provisioning import Asked
from chalicelib.x509.pem import Authority

ASKED = Asked(
    name="demo",
    vpc="vpc-1",
    subnets=("subnet-1", "subnet-2"),
    instances=("i-1", "i-2"),
    certificate="/tmp/certificate.pem",  # noqa: S108 - a name, nothing is there
    private_key="/tmp/key.pem",  # noqa: S108
    chain="/tmp/chain.pem",  # noqa: S108
    policy="ELBSecurityPolicy-TLS-1-2-2017-01",
    health_check={"Target": "TCP:1883"},
    attributes={"ConnectionSettings": {"IdleTimeout": 450}},
    body={"subnets": ["subnet-1"]},
)


def test_a_script_finds_words_and_json_in_its_environment_and_no_body() -> None:
    environment = ASKED.environment()
    assert environment["NAME"] == "demo"
    assert environment["SUBNETS"] == "subnet-1 subnet-2"
    assert json.loads(environment["ATTRIBUTES"]) == ASKED.attributes
    assert "BODY" not in environment


@pytest.mark.parametrize(("days_left", "due"), [(10, True), (29, True), (31, False), (80, False)])
def test_a_replay_renews_what_ends_within_its_days(days_left: int, due: bool) -> None:
    issuer = Issuer(timedelta(days=30), Authority("", ""))
    assert issuer.due(datetime.now(UTC) + timedelta(days=days_left)) is due
