"""The lab as the place where the program is used: the same steps, without AWS and without a deployment.

`make rehearse` deploys to the lab; here the program answers behind `chalice local`, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.credentials import Credentials

from lab.aws import REGION
from lab.lab import Lab, open_lab
from lab.nodes import brokers

MINUTE = 5.0


@dataclass
class LabSite:
    """A lab that runs."""

    lab: Lab
    region: str = REGION
    credentials: Any = Credentials("you", "lab")  # noqa: RUF009 - made up, and the same for all
    settled: float = 10 * MINUTE

    def client(self, service: str) -> Any:
        """Return a client for the lab's AWS."""
        return self.lab.aws.client(service)

    def deploy(self) -> str:
        """Return the URL of the program that runs already."""
        return self.lab.api_url

    def run_brokers(self) -> Sequence[str]:
        """Return the lab's nodes."""
        return [node.instance_id for node in self.lab.nodes]

    def subnets(self) -> Sequence[str]:
        """Return the subnets of the lab's nodes."""
        return list(self.lab.vpc.subnets.values())

    def stop(self, instance: str) -> None:
        """Stop a node with its broker."""
        brokers.stop(self.lab.cluster, self.lab.cluster.nodes[instance])

    def remove(self) -> None:
        """Leave it to the lab, which ends with everything in it."""


@contextmanager
def lab_site(say: Callable[[str], None]) -> Iterator[LabSite]:
    """Start a lab, and end it with the block."""
    with open_lab(minute=MINUTE, say=say) as lab:
        yield LabSite(lab)
