"""What the lab's user declares first: the article's load balancer, in front of the lab's nodes."""

from __future__ import annotations

from collections.abc import Mapping

from ruamel.yaml import YAML

from lab.aws import REGION
from lab.lab import Lab

NAME = "demo"
FILE = "demo.yaml"
"""The file that declares it, in the lab's directory."""
HEALTH_CHECK = {
    "target": "TCP:1883",
    "interval": 5,
    "timeout": 2,
    "unhealthy_threshold": 2,
    "healthy_threshold": 2,
}
"""As quick as AWS allows."""


def declaration(lab: Lab) -> dict[str, object]:
    """Return the body of a PUT that puts a load balancer before the lab's nodes.

    The certificate names the load balancer's addresses too: its DNS name resolves nowhere here, and
    `mosquitto_pub` verifies the name that it connects to.
    """
    return {
        "subnets": list(lab.vpc.subnets.values()),
        "instances": [node.instance_id for node in lab.nodes],
        "certificate": {
            "issuer": "private-ca",
            "domains": [f"*.{REGION}.elb.amazonaws.com", *lab.addresses(NAME).values()],
        },
        "health_check": HEALTH_CHECK,
    }


def write_declaration(lab: Lab) -> None:
    """Write the declaration into `FILE`."""
    write_yaml(lab, FILE, {"name": NAME, **declaration(lab)})


def write_yaml(lab: Lab, file: str, declared: Mapping[str, object]) -> None:
    """Write a declaration into a file of the lab's directory, as `emq-elb` reads it."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(dict(declared), lab.directory / file)
