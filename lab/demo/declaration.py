"""What the lab's user declares first: the article's load balancer, in front of the lab's nodes."""

from __future__ import annotations

from ruamel.yaml import YAML

from lab.aws import REGION
from lab.lab import Lab

NAME = "demo"
FILE = "demo.yaml"
"""The file that declares it, in the lab's directory."""


def declaration(lab: Lab) -> dict[str, object]:
    """Return the body of a PUT that puts a load balancer before the lab's nodes.

    The certificate names the load balancer's addresses too: its DNS name resolves nowhere here, and
    `mosquitto_pub` verifies the name that it connects to. The health check is as quick as AWS allows.
    """
    return {
        "subnets": list(lab.vpc.subnets.values()),
        "instances": [node.instance_id for node in lab.nodes],
        "certificate": {
            "issuer": "private-ca",
            "domains": [f"*.{REGION}.elb.amazonaws.com", *lab.addresses(NAME).values()],
        },
        "health_check": {
            "target": "TCP:1883",
            "interval": 5,
            "timeout": 2,
            "unhealthy_threshold": 2,
            "healthy_threshold": 2,
        },
    }


def write_declaration(lab: Lab) -> None:
    """Write the declaration into a file, as `emq-elb` reads it."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({"name": NAME, **declaration(lab)}, lab.directory / FILE)
