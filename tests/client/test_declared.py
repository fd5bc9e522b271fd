"""GET's answer as a file."""

from __future__ import annotations

from typing import Any

import pytest

from emq_elb.declared import declaration

ARN = "arn:aws:iam::123456789012:server-certificate/x"


@pytest.mark.parametrize(
    ("shown", "declared"),
    [
        ({"arn": ARN, "source": "private-ca", "domains": ["a"]}, {"issuer": "private-ca", "domains": ["a"]}),
        (
            {"arn": ARN, "source": "acme", "domains": ["a"], "days_left": 3},
            {"issuer": "acme", "domains": ["a"]},
        ),
        ({"arn": ARN, "source": "private-ca"}, {"arn": ARN}),
        ({"arn": ARN, "source": "secret:own/mqtt-tls"}, {"secret_id": "own/mqtt-tls"}),
        ({"arn": ARN, "source": "pem", "domains": ["a"]}, {"arn": ARN}),
        ({"arn": ARN, "source": "external"}, {"arn": ARN}),
        ({"arn": ARN}, {"arn": ARN}),
    ],
)
def test_a_certificate_is_declared_by_where_it_comes_from(shown: dict[str, Any], declared: object) -> None:
    assert declaration({"name": "demo", "certificate": shown})["certificate"] == declared


def test_what_says_how_things_are_is_left_out() -> None:
    shown = {
        "dns_name": "demo.example.com",
        "name": "demo",
        "state": "ready",
        "unmanaged": ["a sentence"],
        "keepalive": 300,
        "instances": [{"id": "i-1", "state": "InService"}, {"id": "i-2", "state": "Draining"}],
        "dns": {"zone_ids": ["Z1"], "weight": 3, "answers": ["192.0.2.1"]},
    }
    assert declaration(shown) == {
        "name": "demo",
        "keepalive": 300,
        "instances": ["i-1"],
        "dns": {"zone_ids": ["Z1"], "weight": 3},
    }
