"""The load balancers' data plane: follows AWS's API and makes HAProxy do what it says, within a second.

One step is: observe all load balancers, change what differs, let go of what has drained, note what the health
checks say. The checks' results go back to AWS's API by `KNOBS.instance_health`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lab.elb import balancer as running
from lab.elb.balancer import Balancer, RefusedError
from lab.elb.haproxy import Endpoint, LoadBalancer, Member, Slot, slots
from lab.elb.observation import Observed, Zones, observe
from lab.fidelity.knobs import FAILED_CHECKS, IN_SERVICE, REGISTERING, Health
from lab.machine.addresses import LOAD_BALANCER_HOSTS, Network
from lab.machine.processes import Processes

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient

FEWEST_SLOTS = 4
SELDOM = 2.0


@dataclass
class Served:
    """A load balancer that has its HAProxy; `pems` are fingerprints by listener port."""

    born: str
    dns_name: str
    balancer: Balancer
    pems: dict[int, str]


@dataclass
class DataPlane:
    """What runs, and where; `step` is called by one thread at a time."""

    elb: ElasticLoadBalancingClient
    ec2: EC2Client
    processes: Processes
    directory: Path
    network: Network
    certificate: Callable[[str], str | None]
    """Certificate, chain and key for an ARN."""
    endpoints: Callable[[str], Mapping[int, Endpoint]]
    """Where the ports of an instance really are."""
    clock: Callable[[], float] = time.monotonic
    second: float = 1.0
    """How long a second of a health check's interval takes: shorter where the lab's clock is quick."""
    served: dict[str, Served] = field(default_factory=dict)
    health: dict[tuple[str, str], Health] = field(default_factory=dict)
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    zones: Zones = field(default_factory=lambda: Zones({}, {}))

    @property
    def hosts(self) -> Path:
        """A JSON file with the addresses of each load balancer by its DNS name, as a resolver answers."""
        return self.directory / "hosts.json"

    def addresses_of(self, name: str) -> dict[str, str]:
        """Return a load balancer's addresses by zone."""
        return {zone: address for (owner, zone), address in self.addresses.items() if owner == name}

    def addresses_by_dns_name(self, dns_name: str) -> list[str]:
        """Return the addresses of the load balancer that has this DNS name, none when nobody has it."""
        for name, served in list(self.served.items()):
            if served.dns_name.lower() == dns_name.lower():
                return sorted(self.addresses_of(name).values())
        return []

    def instance_health(self, name: str, instance_id: str) -> Health:
        """Return an instance's health behind a load balancer; one not looked at yet is registering."""
        return self.health.get((name, instance_id), REGISTERING)

    def step(self) -> None:
        """Follow AWS once. What fails for one load balancer does not stop the others: see `faults`."""
        seen = {one.name: one for one in observe(self.elb, self.ec2, self.zones)}
        for name, served in list(self.served.items()):
            if name not in seen or seen[name].born != served.born:
                self._end(name)
        for one in seen.values():
            try:
                self._follow(one)
            except (OSError, RefusedError, TimeoutError) as error:
                self.faults.append(f"{one.name}: {error}")
        hosts = {
            served.dns_name.lower(): self.addresses_by_dns_name(served.dns_name)
            for served in self.served.values()
        }
        text = json.dumps(hosts, indent=2, sort_keys=True)
        if not self.hosts.exists() or self.hosts.read_text() != text:
            draft = self.hosts.with_suffix(".draft")
            draft.write_text(text)
            draft.replace(self.hosts)

    def watch(self) -> None:
        """Follow the health checks and what drains, without a look at AWS."""
        for name, served in self.served.items():
            try:
                running.settle(served.balancer, self.clock())
                self._check(name, served.balancer)
            except (OSError, RefusedError, TimeoutError) as error:
                self.faults.append(f"{name}: {error}")

    def _follow(self, one: Observed) -> None:
        pems = {
            port: pem for port, arn in one.certificates.items() if (pem := self.certificate(arn)) is not None
        }
        served = self.served.get(one.name)
        wanted = self._wanted(one, served, pems)
        prints = {port: sha256(pem.encode()).hexdigest() for port, pem in pems.items()}
        if served is None:
            directory = self.directory / f"{one.name}-{sha256(one.born.encode()).hexdigest()[:8]}"
            balancer = running.start(self.processes, directory, wanted, pems)
            served = self.served[one.name] = Served(one.born, one.dns_name, balancer, prints)
        elif wanted != served.balancer.load_balancer:
            running.change(served.balancer, wanted, pems)
            served.pems.update(prints)
        for port, pem in pems.items():
            if served.pems.get(port) != prints[port]:
                running.install(served.balancer, port, pem)
                served.pems[port] = prints[port]
        self._members(one, served.balancer)
        running.settle(served.balancer, self.clock())
        self._check(one.name, served.balancer)

    def _wanted(self, one: Observed, served: Served | None, pems: Mapping[int, str]) -> LoadBalancer:
        """A listener whose certificate is gone (`Invalid-Certificate`) serves what it had."""
        had = served.pems if served else {}
        before = served.balancer.load_balancer.slots_per_zone if served else FEWEST_SLOTS
        occupied = list(one.instances.values())
        if served:
            occupied += [slot.zone for slot in served.balancer.draining]
        return LoadBalancer(
            name=one.name,
            zones=tuple((zone, self.address(one.name, zone)) for zone in one.zones),
            listeners=tuple(
                listener
                for listener in one.listeners
                if listener.ssl is None or listener.port in pems or listener.port in had
            ),
            health_check=replace(one.health_check, second=self.second),
            idle_timeout=one.idle_timeout,
            cross_zone=one.cross_zone,
            draining_seconds=one.draining_seconds,
            slots_per_zone=enough(before, max((occupied.count(zone) for zone in one.zones), default=0)),
        )

    def address(self, name: str, zone: str) -> str:
        """Return a load balancer's address in a zone, kept from the first question until it is deleted.

        It may be asked for before there is such a load balancer, for a certificate's names for instance.
        """
        taken = set(self.addresses.values())
        free = (self.network.host(number) for number in LOAD_BALANCER_HOSTS)
        if (name, zone) not in self.addresses:
            self.addresses[name, zone] = next(address for address in free if address not in taken)
        return self.addresses[name, zone]

    def _members(self, one: Observed, balancer: Balancer) -> None:
        going, coming = moves(balancer, one.instances)
        for slot in going:
            running.drain(balancer, slot, self.clock() + one.draining_seconds)
        for slot, instance_id in coming.items():
            member = Member(instance_id, slot.zone, self.endpoints(instance_id))
            running.register(balancer, slot, member)

    def _check(self, name: str, balancer: Balancer) -> None:
        found = {
            (name, balancer.members[slot].instance_id): verdict(check)
            for slot, check in running.checks(balancer).items()
            if slot not in balancer.draining
        }
        kept = {key: health for key, health in self.health.items() if key[0] != name}
        self.health = kept | found

    def _end(self, name: str) -> None:
        served = self.served.pop(name)
        if served.balancer.process is not None:
            self.processes.end(served.balancer.process)
        self.addresses = {key: address for key, address in self.addresses.items() if key[0] != name}
        self.health = {key: health for key, health in self.health.items() if key[0] != name}


def verdict(check: running.Check) -> Health:
    """Say a check's result in AWS's words.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
    """
    if check.up:
        return IN_SERVICE
    return FAILED_CHECKS if check.failed else REGISTERING


def moves(balancer: Balancer, instances: Mapping[str, str]) -> tuple[list[Slot], dict[Slot, str]]:
    """Return the slots whose instance must go, and the empty slots that instances must come to.

    `instances` are zones by instance id; one in a zone that is not enabled comes to no slot.
    """
    present = {
        member.instance_id: slot for slot, member in balancer.members.items() if slot not in balancer.draining
    }
    going = [slot for instance_id, slot in present.items() if instance_id not in instances]
    empty = [slot for slot in slots(balancer.load_balancer) if slot not in balancer.members]
    coming: dict[Slot, str] = {}
    for instance_id, zone in sorted(instances.items()):
        slot = next((slot for slot in empty if slot.zone == zone and slot not in coming), None)
        if instance_id not in present and slot is not None:
            coming[slot] = instance_id
    return going, coming


def enough(slots_per_zone: int, instances: int) -> int:
    """Return how many slots a zone needs: doubled as often as it takes, since each time costs a reload."""
    while slots_per_zone < instances:
        slots_per_zone *= 2
    return slots_per_zone


def follow(
    data_plane: DataPlane,
    stop: threading.Event,
    changed: Callable[[], bool] = lambda: True,
    pause: float = 0.25,
) -> None:
    """Step until `stop` is set; an AWS that does not answer for a moment is asked again.

    Where nothing `changed` at AWS it is asked only every `SELDOM` seconds: an idle lab is to take little.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    looked = float("-inf")
    while not stop.is_set():
        try:
            if changed() or time.monotonic() - looked >= SELDOM:
                looked = time.monotonic()
                data_plane.step()
            else:
                data_plane.watch()
        except (BotoCoreError, ClientError) as error:
            looked = float("-inf")
            data_plane.faults.append(str(error))
        stop.wait(pause)
