"""Hosted zones of Route 53, their record sets, and changes of them."""

from __future__ import annotations

from dataclasses import dataclass

DUALSTACK = "dualstack."
"""What the console puts before a load balancer's DNS name, to have its IPv6 addresses too."""


@dataclass(frozen=True)
class Zone:
    """A hosted zone; `name` without the trailing dot. A private one answers in its VPCs alone."""

    id: str
    name: str
    private: bool = False
    vpcs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Alias:
    """Where an alias record leads: a DNS name, in the hosted zone that AWS keeps it in."""

    zone: str
    name: str
    evaluated: bool = True


@dataclass(frozen=True)
class RecordSet:
    """A record set, by default a TXT one: `values` as Route 53 has them, TXT in quotation marks.

    `ttl` is seconds, None of an alias. One with a `set_identifier` is one of several for its name and type,
    each with a `weight`, or by another `routing`, of which the name alone is known here.
    """

    name: str
    values: tuple[str, ...] = ()
    ttl: int | None = 60
    type: str = "TXT"
    alias: Alias | None = None
    set_identifier: str | None = None
    weight: int | None = None
    routing: str | None = None
    health_check: str | None = None

    @property
    def leads_to(self) -> tuple[str, ...]:
        """The names or addresses to which it leads, names in small letters without a dot at the end."""
        return (dns_name(self.alias.name),) if self.alias else tuple(dns_name(one) for one in self.values)


@dataclass(frozen=True)
class Change:
    """One record set as it was found, and as it is to be; None where there is none."""

    before: RecordSet | None
    after: RecordSet | None


def dns_name(name: str) -> str:
    """Return a name as it is compared: small letters, no dot at the end, not asking for IPv6 as well."""
    return name.lower().removesuffix(".").removeprefix(DUALSTACK)
