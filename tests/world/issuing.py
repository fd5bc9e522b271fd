"""An account with a public hosted zone, whose load balancers get certificates of a real ACME server.

with account() as here, authority(acme, here) as ca, front(here) as wire:
    make(here, wire.port, acme_for(HOST))
    ca.records(), ca.orders
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests.adapters

from chalicelib.rotate.model import Rotation
from chalicelib.rotate.story import rotate_one
from lab.certificates.acme import Acme
from lab.fidelity.knobs import KNOBS
from tests.lab import load_balancing
from tests.world.acme_front import Front as AcmeFront
from tests.world.acme_front import front as acme_front
from tests.world.provisioning import WATCHED, Account, Calls, Killed, granted
from tests.world.rotating import Front, bundle, make, names, served, tag, tags

ZONE = "example.com"
A_MOMENT = 0.05


@dataclass
class Authority:
    """The CA as the account uses it: its front, the hosted zone, and every value that resolvers ever saw."""

    here: Account
    acme: Acme
    front: AcmeFront
    zone: str = ""
    seen: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def show(self, name: str, values: tuple[str, ...]) -> None:
        """Let resolvers see what Route 53 has spread."""
        self.seen.append((name, values))
        self.acme.show(name, values)

    def records(self, zone: str | None = None) -> dict[str, list[str]]:
        """The TXT values that there are in a zone, by name."""
        return {
            one["Name"]: [record["Value"] for record in one["ResourceRecords"]] for one in self._texts(zone)
        }

    def lifetimes(self, zone: str | None = None) -> dict[str, int]:
        """The seconds that resolvers may keep them, by name."""
        return {one["Name"]: one["TTL"] for one in self._texts(zone)}

    def _texts(self, zone: str | None) -> list[Any]:
        client = load_balancing.client("route53")
        listed = client.list_resource_record_sets(HostedZoneId=zone or self.zone)["ResourceRecordSets"]
        return [one for one in listed if one["Type"] == "TXT"]

    def add_zone(self, name: str, *, private: bool = False) -> str:
        """Make a hosted zone."""
        config = {"HostedZoneConfig": {"PrivateZone": True}} if private else {}
        client: Any = load_balancing.client("route53")
        made = client.create_hosted_zone(Name=name, CallerReference=f"{name} {private}", **config)
        return str(made["HostedZone"]["Id"]).rpartition("/")[2]

    def put_record(self, name: str, *values: str, zone: str | None = None, ttl: int = 300) -> None:
        """Make a TXT record set of a stranger's."""
        record: Any = {
            "Name": name,
            "Type": "TXT",
            "TTL": ttl,
            "ResourceRecords": [{"Value": value} for value in values],
        }
        load_balancing.client("route53").change_resource_record_sets(
            HostedZoneId=zone or self.zone,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
        )

    @property
    def shown(self) -> list[tuple[str, tuple[str, ...]]]:
        """What resolvers ever saw, without the times at which there was nothing."""
        return [(name, values) for name, values in self.seen if values]

    @property
    def orders(self) -> int:
        """How many certificates were ordered; nonces that are refused make it more."""
        return self.front.times("/order-plz")


@contextmanager
def authority(acme: Acme, here: Account) -> Iterator[Authority]:
    """Let the account use the CA: a zone, settings, and resolvers that see what Route 53 has spread.

    The CA works by the machine's clock, so that it gets a moment of that whenever a story sleeps.
    """
    sleep = here.sleep

    def sleep_here_too(seconds: float) -> None:
        time.sleep(min(seconds, A_MOMENT))
        sleep(seconds)

    here.sleep = sleep_here_too  # type: ignore[method-assign] # its clock
    with acme_front(acme) as before:
        made = Authority(here, acme, before)
        made.zone = made.add_zone(ZONE)
        KNOBS.dns_shows = made.show
        here.settings = replace(
            here.settings,
            acme_directory_url=before.directory,
            acme_contact="ops@example.com",
            acme_account_secret=f"{here.settings.owner}/acme-account",
            acme_ca_bundle=str(acme.trust),
        )
        yield made


def acme_for(*domains: str) -> dict[str, Any]:
    """A PUT's certificate of the ACME CA."""
    return {"issuer": "acme", **({"domains": list(domains)} if domains else {})}


def make_due(
    here: Account, port: int = 8883, name: str = "demo", days: float = 20, *, type_: str = "classic"
) -> str:
    """A load balancer of the ACME CA whose certificate, by somebody else, is due; return its ARN."""
    one = bundle(days)
    given = {"certificate": one.certificate_pem, "private_key": one.private_key_pem, "chain": one.chain_pem}
    served = make(here, port, {"pem": given}, name, here.passed, type_=type_)
    tag(here, "certificate", "acme", name)
    return served


def rotate_now(here: Account, wire: Front, name: str = "demo", within: float = 300) -> Rotation:
    """Replace the certificate now, counted."""
    with here.counted(here.calls.kill_after):
        return rotate_one(name, here.invocation(within), wire.wire)


@dataclass
class Death:
    """A process that dies after so many calls to AWS and to the CA, in the order of the answers.

    What was asked is done, nobody learns of the answer, and nothing can be asked any more: a `finally` that
    would clean up cannot.
    """

    after: int | None = None
    made: list[str] = field(default_factory=list)
    died: bool = False

    def alive(self) -> None:
        """Raise where the dead would ask."""
        if self.died:
            raise Killed

    def answered(self, what: str) -> None:
        """Count one more."""
        self.made.append(what)
        if len(self.made) == self.after:
            self.died = True
            raise Killed


@contextmanager
def dying(
    monkeypatch: pytest.MonkeyPatch, after: int | None, counts: Callable[[str], bool] = lambda _: True
) -> Iterator[Death]:
    """Die after so many of the calls that count; without a number only count them."""
    death = Death(after)
    send = requests.adapters.HTTPAdapter.send

    def asked(_operation: str, _parameters: Mapping[str, str]) -> str | None:
        death.alive()
        return None

    def sent(self: Any, request: Any, *arguments: Any, **parameters: Any) -> Any:
        death.alive()
        response = send(self, request, *arguments, **parameters)
        what = f"{request.method} {request.path_url}"
        if counts(what):
            try:
                death.answered(what)
            except Killed:
                response.close()  # the kernel closes the sockets of a dead process
                raise
        return response

    def answered(calls: Calls, name: str) -> None:
        calls.made.append(name)
        if counts(name):
            death.answered(name)

    with monkeypatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", sent)
        patch.setattr(Calls, "answered", answered)
        WATCHED.refuse = asked
        try:
            yield death
        finally:
            WATCHED.refuse = granted


def account_keys(here: Account) -> list[str]:
    """The account keys that are kept, PEM."""
    client = load_balancing.client("secretsmanager")
    kept = [
        json.loads(client.get_secret_value(SecretId=one["Name"])["SecretString"]) for one in here.secrets()
    ]
    return [one["private_key"] for one in kept if "certificate" not in one]


def settled(here: Account, ca: Authority, demo: Front, old: str) -> None:
    """Hold what every good run ends in: another certificate is served, two are there, no record is."""
    assert served(here, demo.port) != old
    assert len(names(here)) == 2, "the one that is served, and the one before it"
    assert "emq-elb:pending" not in tags(here)
    assert ca.records() == {}
