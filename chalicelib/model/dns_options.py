"""Where the record of a load balancer's name is kept, and the `emq-elb:dns` tag that holds it.

The tag has `zone=<id>` for each hosted zone, and `weight=<n>` where the record is one of several:
`zone=Z08A zone=Z09B weight=10`.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.model.syntax import HOSTED_ZONE_PATTERN, matches

ZONES_MAX = 5
"""As many ids of hosted zones, and a weight, fit into a tag."""
WEIGHT_MAX = 255
"""https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html"""

_ZONE, _WEIGHT = "zone=", "weight="


@dataclass(frozen=True)
class DnsOptions:
    """The hosted zones in which `hostname` has its record, and the record's weight among several.

    Without zones, as a body may declare it, they follow from the name and the scheme.
    """

    zone_ids: tuple[str, ...] = ()
    weight: int | None = None


def dns_tag(options: DnsOptions | None) -> str | None:
    """Return the tag's text; None where no record is kept."""
    if options is None:
        return None
    weight = [] if options.weight is None else [f"{_WEIGHT}{options.weight}"]
    return " ".join([*(f"{_ZONE}{id_}" for id_ in options.zone_ids), *weight])


def read_dns_tag(text: str | None) -> DnsOptions | None:
    """Return what the tag says; None without a zone that can be read.

    The tag can be edited by hand: a weight that cannot be read counts as none, and so does a zone beyond
    `ZONES_MAX`.
    """
    pairs = (text or "").split(" ")
    known = [one.removeprefix(_ZONE) for one in pairs if _is_zone(one)]
    weights = [int(one.removeprefix(_WEIGHT)) for one in pairs if _is_weight(one)]
    zones = tuple(dict.fromkeys(known))[:ZONES_MAX]
    return DnsOptions(zones, next(iter(weights), None)) if zones else None


def dns_unread(text: str) -> bool:
    """Return whether the tag has a part that cannot be read."""
    pairs = text.split(" ")
    zones = {one for one in pairs if _is_zone(one)}
    return len(zones) > ZONES_MAX or not all(_is_zone(one) or _is_weight(one) for one in pairs)


def _is_zone(part: str) -> bool:
    return part.startswith(_ZONE) and matches(HOSTED_ZONE_PATTERN, part.removeprefix(_ZONE))


def _is_weight(part: str) -> bool:
    text = part.removeprefix(_WEIGHT)
    return (
        part.startswith(_WEIGHT)
        and text.isascii()
        and text.isdigit()
        and len(text) <= 3
        and int(text) <= WEIGHT_MAX
    )
