"""The load balancers' data plane: follows AWS's API and makes HAProxy do what it says, within a second.

One step is: observe all load balancers, change what differs, let go of what has drained, note what the health
checks say. The checks' results go back to AWS's API by `KNOBS.instance_health` and `KNOBS.target_health`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lab.elb import balancer as running
from lab.elb import classic, network
from lab.elb.balancer import Balancer, Check, RefusedError
from lab.elb.haproxy import Endpoint, LoadBalancer, Member, Slot, slots
from lab.elb.observation import Observed, Zones
from lab.fidelity.knobs import KNOBS, Health
from lab.machine.addresses import LOAD_BALANCER_HOSTS, Network
from lab.machine.processes import Processes

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

FEWEST_SLOTS = 4
SELDOM = 2.0


@dataclass
class Served:
    """A load balancer that has its HAProxy; `pems` are fingerprints by listener port."""

    born: str
    dns_name: str
    zonal: bool
    balancer: Balancer
    pems: dict[int, str]
    tails: dict[Slot, float] = field(default_factory=dict)
    """When members that are going, and still take new connections, were first seen to go."""


@dataclass
class DataPlane:
    """What runs, and where; `step` is called by one thread at a time."""

    elb: ElasticLoadBalancingClient
    elbv2: ElasticLoadBalancingv2Client
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
    checks: dict[tuple[str, str], Check] = field(default_factory=dict)
    """What the checks said last, by what a member is registered with and the member's name."""
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    zones: Zones = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no zone known."""
        self.zones = Zones(self.ec2)

    @property
    def hosts(self) -> Path:
        """A JSON file with the addresses of each load balancer by its DNS name, as a resolver answers."""
        return self.directory / "hosts.json"

    def addresses_of(self, key: str) -> dict[str, str]:
        """Return a load balancer's addresses by zone."""
        return {zone: address for (owner, zone), address in self.addresses.items() if owner == key}

    def addresses_by_dns_name(self, dns_name: str) -> list[str]:
        """Return the addresses to which a load balancer's DNS name leads, none when nobody has that name."""
        for key, served in list(self.served.items()):
            if served.dns_name.lower() == dns_name.lower():
                addresses = self.addresses_of(key)
                well = {zone for zone in addresses if not served.zonal or self._well(served.balancer, zone)}
                return sorted(addresses[zone] for zone in well or addresses)
        return []

    def _well(self, balancer: Balancer, zone: str) -> bool:
        """Return whether every pool has a member whose checks pass, and that this zone's address reaches.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#zonal-health
        """
        members = list(balancer.members.items())

        def passes(owner: str, name: str) -> bool:
            check = self.checks.get((owner, name))
            return check is not None and check.up

        return all(
            any(
                slot.pool == pool.name
                and (pool.cross_zone or slot.zone == zone)
                and passes(pool.owner, member.name)
                for slot, member in members
            )
            for pool in balancer.load_balancer.pools
        )

    def instance_health(self, name: str, instance_id: str) -> Health:
        """Return an instance's health behind a classic load balancer."""
        return classic.health(self.checks.get((name, instance_id)))

    def target_health(self, group: str, target_id: str, port: int) -> tuple[str, str, str] | None:
        """Return the state of a target group's target, its reason and description; None: it is healthy."""
        return network.health(self.checks.get((group, network.target(target_id, port))))

    def step(self) -> None:
        """Follow AWS once. What fails for one load balancer does not stop the others: see `faults`."""
        found = (
            *classic.observe(self.elb, self.zones, self.endpoints, self.second),
            *network.observe(self.elbv2, self.zones, self.endpoints, self.second),
        )
        seen = {one.key: one for one in found}
        for key, served in list(self.served.items()):
            if key not in seen or seen[key].born != served.born:
                self._end(key)
        for one in seen.values():
            try:
                self._follow(one)
            except (OSError, RefusedError, TimeoutError) as error:
                self.faults.append(f"{one.key}: {error}")
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
        for key, served in self.served.items():
            try:
                running.settle(served.balancer, self.clock())
                self._check(served.balancer)
            except (OSError, RefusedError, TimeoutError) as error:
                self.faults.append(f"{key}: {error}")

    def _follow(self, one: Observed) -> None:
        pems = {
            port: pem for port, arn in one.certificates.items() if (pem := self.certificate(arn)) is not None
        }
        served = self.served.get(one.key)
        wanted = self._wanted(one, served, pems)
        prints = {port: sha256(pem.encode()).hexdigest() for port, pem in pems.items()}
        if served is None:
            directory = self.directory / f"{one.key}-{sha256(one.born.encode()).hexdigest()[:8]}"
            balancer = running.start(self.processes, directory, wanted, pems)
            served = self.served[one.key] = Served(one.born, one.dns_name, one.zonal, balancer, prints)
        elif wanted != served.balancer.load_balancer:
            running.change(served.balancer, wanted, pems)
            served.pems.update(prints)
        for port, pem in pems.items():
            if served.pems.get(port) != prints[port]:
                running.install(served.balancer, port, pem)
                served.pems[port] = prints[port]
        self._members(one, served)
        running.settle(served.balancer, self.clock())
        self._check(served.balancer)

    def _wanted(self, one: Observed, served: Served | None, pems: Mapping[int, str]) -> LoadBalancer:
        """A listener whose certificate is gone (`Invalid-Certificate`) serves what it had."""
        had = served.pems if served else {}
        before = served.balancer.load_balancer.slots_per_zone if served else FEWEST_SLOTS
        asked = one.load_balancer
        occupied = Counter(
            (pool, member.zone) for pool in one.members for member in one.members[pool].values()
        )
        if served:
            occupied += Counter((slot.pool, slot.zone) for slot in (*served.balancer.draining, *served.tails))
        return replace(
            asked,
            zones=tuple((zone, self.address(one.key, zone)) for zone, _ in asked.zones),
            listeners=tuple(
                listener
                for listener in asked.listeners
                if not listener.tls or listener.port in pems or listener.port in had
            ),
            slots_per_zone=enough(before, max(occupied.values(), default=0)),
        )

    def address(self, key: str, zone: str) -> str:
        """Return a load balancer's address in a zone, kept from the first question until it is deleted.

        It may be asked for before there is such a load balancer, for a certificate's names for instance.
        """
        taken = set(self.addresses.values())
        free = (self.network.host(number) for number in LOAD_BALANCER_HOSTS)
        if (key, zone) not in self.addresses:
            self.addresses[key, zone] = next(address for address in free if address not in taken)
        return self.addresses[key, zone]

    def _members(self, one: Observed, served: Served) -> None:
        balancer, now = served.balancer, self.clock()
        tails = {}
        for pool in balancer.load_balancer.pools:
            going, coming = moves(balancer, pool.name, one.members.get(pool.name, {}))
            for slot in going:
                since = served.tails.get(slot, now)
                if one.zonal and now - since < KNOBS.target_tail_seconds:
                    tails[slot] = since
                else:
                    cut_at = since + pool.draining_seconds if pool.cut else float("inf")
                    running.drain(balancer, slot, cut_at)
            for slot, member in coming.items():
                running.register(balancer, slot, member)
        served.tails = tails

    def _check(self, balancer: Balancer) -> None:
        owners = {pool.name: pool.owner for pool in balancer.load_balancer.pools}
        found = {
            (owners[slot.pool], balancer.members[slot].name): check
            for slot, check in running.checks(balancer).items()
            if slot not in balancer.draining
        }
        self.checks = self._without(owners.values()) | found

    def _without(self, owners: Iterable[str]) -> dict[tuple[str, str], Check]:
        gone = set(owners)
        return {key: check for key, check in self.checks.items() if key[0] not in gone}

    def _end(self, key: str) -> None:
        served = self.served.pop(key)
        if served.balancer.process is not None:
            self.processes.end(served.balancer.process)
        self.addresses = {owner: address for owner, address in self.addresses.items() if owner[0] != key}
        self.checks = self._without(pool.owner for pool in served.balancer.load_balancer.pools)


def moves(
    balancer: Balancer, pool: str, members: Mapping[str, Member]
) -> tuple[list[Slot], dict[Slot, Member]]:
    """Return the slots of a pool whose member must go, and the empty slots that members must come to.

    `members` are those that are to serve, by name; one in a zone that is not enabled comes to no slot.
    """
    present = {
        member.name: slot
        for slot, member in balancer.members.items()
        if slot.pool == pool and slot not in balancer.draining
    }
    going = [slot for name, slot in present.items() if name not in members]
    empty = [
        slot for slot in slots(balancer.load_balancer) if slot.pool == pool and slot not in balancer.members
    ]
    coming: dict[Slot, Member] = {}
    for name, member in sorted(members.items()):
        slot = next((slot for slot in empty if slot.zone == member.zone and slot not in coming), None)
        if name not in present and slot is not None:
            coming[slot] = member
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
