"""Which hosted zone a name is in."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.model.route53 import Zone


def zones_of(name: str, zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """Return the zones with the longest name that `name` is in: none, one, or several of one name."""
    wanted = name.lower()
    fitting = [zone for zone in zones if wanted == zone.name or wanted.endswith(f".{zone.name}")]
    longest = max((len(zone.name) for zone in fitting), default=0)
    return tuple(zone for zone in fitting if len(zone.name) == longest)
