"""What is to change in a hosted zone so that a name leads to a load balancer, or no longer does.

A record of ours has a TXT record beside it, which is changed in the same batch and says whose it is:

    mqtt.example.com           A    alias to the load balancer; of several, by weights, with its name
    _emq-elb.mqtt.example.com  TXT  "owner=<owner> load-balancer=<name>", one value for each load balancer

    at the name                         in the TXT record   what follows
    ----------------------------------  ------------------  -------------------------------------------------
    nothing                             nobody, or us       both are made
    as it is to be                      us                  nothing
    leads here, in another form         us                  exchanged in one batch
    leads to a former one of its name   us                  exchanged in one batch
    leads here, in whatever form        nobody              an obstacle; with `adopt` exchanged
    leads elsewhere, of any type        nobody, or us       an obstacle: it is not ours, or no longer
    weighted, another one of ours       that one            ours comes beside it; without a weight an obstacle
    simple, another one of ours         that one            an obstacle: that one needs a weight first
    anything                            another deployment  an obstacle

Nothing is overwritten: what a batch deletes, it deletes as it was read, and Route 53 refuses the whole batch
where that is no longer so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from chalicelib.dns.records import text_record_set, text_value
from chalicelib.model.route53 import Alias, Change, RecordSet, Zone, dns_name

TTL_SECONDS = 60
"""How long resolvers keep an alias of a load balancer.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias-common.html
"""
ADDRESS_TYPES = ("A", "AAAA", "CNAME")
"""The types of record sets that lead a client somewhere."""

_LABEL = "_emq-elb."
_CLAIM = re.compile(r'"owner=([^ "]+) load-balancer=([^ "]+)"')


@dataclass(frozen=True, order=True)
class Claim:
    """One value of the TXT record: a load balancer of a deployment whose record the name has."""

    owner: str
    load_balancer: str

    @property
    def value(self) -> str:
        """It, as the record has it."""
        return text_value(f"owner={self.owner} load-balancer={self.load_balancer}")


@dataclass(frozen=True, kw_only=True)
class KeptName:
    """Where a name is to lead: by a record of its own, or with a weight by one of several.

    `target` is the load balancer's DNS name in AWS's own zone; with `dual_stack` it has IPv6 addresses too.
    """

    claim: Claim
    target: Alias
    weight: int | None = None
    dual_stack: bool = False

    def records(self, hostname: str) -> tuple[RecordSet, ...]:
        """The record sets that there are to be."""
        one = RecordSet(
            hostname,
            ttl=None,
            type="A",
            alias=self.target,
            set_identifier=None if self.weight is None else self.claim.load_balancer,
            weight=self.weight,
        )
        return (one, replace(one, type="AAAA")) if self.dual_stack else (one,)


@dataclass(frozen=True)
class NameInZone:
    """A name in a hosted zone: its record sets, and those of the name of its TXT record."""

    zone: Zone
    hostname: str
    records: tuple[RecordSet, ...] = ()
    beside: tuple[RecordSet, ...] = ()

    @property
    def text(self) -> RecordSet | None:
        """The TXT record that says whose the name is."""
        return next((one for one in self.beside if one.type == "TXT"), None)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Whose it is; what nobody here wrote is not among them."""
        found = (_CLAIM.fullmatch(value) for value in (self.text.values if self.text else ()))
        return tuple(Claim(one[1], one[2]) for one in found if one)

    @property
    def leading(self) -> tuple[RecordSet, ...]:
        """The record sets that lead a client somewhere."""
        return tuple(one for one in self.records if one.type in ADDRESS_TYPES)


@dataclass(frozen=True)
class Obstacle:
    """What is in the way at a name; `adoptable`: it leads to the load balancer already."""

    reason: str
    adoptable: bool = False


def owner_record_name(hostname: str) -> str:
    """Return the name of the TXT record that says whose the record of a hostname is."""
    return f"{_LABEL}{hostname.lower()}"


def hostname_of(record: str) -> str | None:
    """Return the hostname that a TXT record of that name is about; None for any other name."""
    return record.removeprefix(_LABEL) if record.startswith(_LABEL) else None


def plan_name(
    wanted: KeptName, found: NameInZone, *, adopt: bool = False, region: str = ""
) -> tuple[Change, ...] | Obstacle:
    """Return the changes, in one batch, after which the name leads to the load balancer; none where it does.

    `adopt` takes over what leads there already and is nobody's. By `region`, the load balancer's,
    records of ours that lead to a former one of its name are known.
    """
    former = _former(wanted.claim, found, region, wanted.target.name) if region else ()
    planned = _plan_rest(wanted, _without(found, former), adopt=adopt)
    return planned if isinstance(planned, Obstacle) else (*(Change(one, None) for one in former), *planned)


def _plan_rest(wanted: KeptName, found: NameInZone, *, adopt: bool) -> tuple[Change, ...] | Obstacle:
    if reason := _not_ours(wanted.claim.owner, found):
        return Obstacle(reason)
    ours = wanted.claim in found.claims
    beside = _of_others(found, wanted.claim)
    rest = [one for one in found.leading if one not in beside]
    here = dns_name(wanted.target.name)
    if reason := _elsewhere(wanted, found, [one for one in rest if not leads_to(one, here)]):
        return Obstacle(reason)
    if beside and wanted.weight is None:
        others = _names(one for one in found.claims if one != wanted.claim)
        return Obstacle(
            f"{found.hostname} is shared by weights with {others}: set `dns.weight` here too, or take `dns`"
            f" off {others} first"
        )
    if rest and not (ours or adopt):
        return Obstacle(
            f"{described(rest[0])} leads here already, and no TXT record {owner_record_name(found.hostname)}"
            " says that it is this deployment's: PUT with ?adopt=true takes it over",
            adoptable=True,
        )
    changes = _exchanged(rest, wanted.records(found.hostname))
    return (*changes, *_text_changed(found, [*found.claims, wanted.claim]))


def withdraw(claim: Claim, found: NameInZone, targets: Collection[str]) -> tuple[Change, ...]:
    """Return the changes after which the name has no record of this load balancer.

    What leads to none of `targets` (DNS names) was pointed elsewhere by somebody, and stays; so does
    everything where the TXT record does not name the load balancer.
    """
    if claim not in found.claims or _not_ours(claim.owner, found):
        return ()
    here = {dns_name(one) for one in targets}
    beside = _of_others(found, claim)
    gone = [one for one in found.leading if one not in beside and any(leads_to(one, to) for to in here)]
    left = [one for one in found.claims if one != claim]
    return (*(Change(one, None) for one in gone if not one.routing), *_text_changed(found, left))


def withdraw_former(claim: Claim, found: NameInZone, region: str) -> tuple[Change, ...]:
    """Return the changes after which the name has no record of a load balancer that is gone.

    A record that leads elsewhere than to that load balancer's DNS name belongs to others, and stays.
    """
    if claim not in found.claims or _not_ours(claim.owner, found):
        return ()
    former = _former(claim, found, region)
    rest = _without(found, former)
    if any(one.weight is None or one.set_identifier == claim.load_balancer for one in rest.leading):
        return ()
    left = [one for one in found.claims if one != claim]
    return (*(Change(one, None) for one in former), *_text_changed(found, left))


def leads_to(record: RecordSet, name: str) -> bool:
    """Whether a record set leads to that DNS name and nowhere else, by rules that are ours to write."""
    return record.leads_to == (dns_name(name),) and record.routing is None


def leads_to_former(record: RecordSet, load_balancer: str, region: str, name: str | None = None) -> bool:
    """Whether a record set leads to a former load balancer of that name, whose DNS name leads nowhere now.

    `name` is the DNS name of the load balancer that there is. AWS gives another one to each that is made:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/using-domain-names-with-elb.html
    """
    own = record.set_identifier in {None, load_balancer} and record.routing is None and record.alias
    if not own or (name is not None and leads_to(record, name)):
        return False
    first = rf"(internal-)?{re.escape(load_balancer.lower())}-[0-9a-f]+"
    form = re.compile(rf"{first}\.({region}\.elb|elb\.{region})\.amazonaws\.[a-z.]+")
    return all(form.fullmatch(target) for target in record.leads_to)


def strays(load_balancer: str, name: str, records: Iterable[RecordSet]) -> RecordSet | None:
    """Return the record set that leads elsewhere though the load balancer of that DNS name keeps the name.

    Those by weights under another name are those of other load balancers.
    """
    own = [
        one
        for one in records
        if one.type in ADDRESS_TYPES and (one.weight is None or one.set_identifier == load_balancer)
    ]
    return next((one for one in own if not leads_to(one, name)), None)


def described(record: RecordSet) -> str:
    """Return what a record set is, for a message."""
    kind = f"alias {record.type}" if record.alias else record.type
    routing = record.routing or ("weighted" if record.weight is not None else "")
    several = f", {routing}, {record.set_identifier or 'without a set identifier'}" if routing else ""
    return f"the record {record.name} ({kind}{several}) to {', '.join(record.leads_to) or 'nothing'}"


def _former(claim: Claim, found: NameInZone, region: str, name: str | None = None) -> tuple[RecordSet, ...]:
    """The record sets of ours that lead to a former load balancer of that name."""
    if claim not in found.claims:
        return ()
    return tuple(one for one in found.leading if leads_to_former(one, claim.load_balancer, region, name))


def _without(found: NameInZone, gone: Collection[RecordSet]) -> NameInZone:
    return replace(found, records=tuple(one for one in found.records if one not in gone))


def _not_ours(owner: str, found: NameInZone) -> str | None:
    """Why nothing at the name may be changed, whatever it leads to."""
    marked = owner_record_name(found.hostname)
    if any(one.type == "CNAME" or (one.type == "TXT" and one.set_identifier) for one in found.beside):
        return f"{marked} is no simple TXT record, so that nobody can say whose {found.hostname} is"
    for value in found.text.values if found.text else ():
        said = _CLAIM.fullmatch(value)
        if said is None:
            return f"the TXT record {marked} says {value}, which is none of ours: delete that value first"
        if said[1] != owner:
            return (
                f"{found.hostname} belongs to the deployment {said[1]} (its load balancer {said[2]}), as"
                f" the TXT record {marked} says: take `dns` off there first"
            )
    if found.hostname != found.zone.name and any(one.type == "NS" for one in found.records):
        return (
            f"{found.zone.name} delegates {found.hostname} to another zone: name that one in the setting"
            " DNS_ZONES"
        )
    return None


def _of_others(found: NameInZone, claim: Claim) -> tuple[RecordSet, ...]:
    """The weighted record sets of other load balancers of ours."""
    names = {one.load_balancer for one in found.claims if one != claim}
    return tuple(one for one in found.leading if one.weight is not None and one.set_identifier in names)


def _elsewhere(wanted: KeptName, found: NameInZone, strange: Sequence[RecordSet]) -> str | None:
    """Why the record sets that do not lead to the load balancer are in its way."""
    if not strange:
        return None
    others = [one for one in found.claims if one != wanted.claim]
    simple = strange[0].alias and strange[0].set_identifier is None
    if others and simple and wanted.claim not in found.claims:
        return (
            f"{described(strange[0])} is the only one of {_names(others)}: set `dns.weight` there first, so"
            " that several can share the name"
        )
    return (
        f"{described(strange[0])} does not lead to this load balancer, and somebody else made it so: delete"
        " it, or make it a CNAME or an alias to the load balancer's DNS name and PUT with ?adopt=true"
    )


def _names(claims: Iterable[Claim]) -> str:
    return " and ".join(one.load_balancer for one in claims)


def _exchanged(there: Sequence[RecordSet], wanted: Sequence[RecordSet]) -> list[Change]:
    """Keep the record sets that are as wanted; delete the others, and create the wanted ones."""
    kept = {_form(one) for one in there} & {_form(one) for one in wanted}
    gone = [one for one in there if _form(one) not in kept]
    come = [one for one in wanted if _form(one) not in kept]
    return [*(Change(one, None) for one in gone), *(Change(None, one) for one in come)]


def _form(record: RecordSet) -> tuple[object, ...]:
    """What makes two record sets of a name the same: how a target's name is written does not."""
    target = record.alias
    return (
        record.type,
        record.set_identifier,
        record.weight,
        record.health_check,
        target and (target.zone, target.evaluated, dns_name(target.name)),
    )


def _text_changed(found: NameInZone, claims: Iterable[Claim]) -> tuple[Change, ...]:
    name, there = owner_record_name(found.hostname), found.text
    after = text_record_set(name, there, [one.value for one in claims])
    return () if there == after else (Change(there, after),)
