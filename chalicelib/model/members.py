"""Whose instances may join a load balancer, and the `emq-elb:members` tag that keeps it.

The tag has `profile=<name>` and `group=<name>` pairs between spaces; a `*` at the end of a name makes it a
prefix. AWS takes neither `%` nor `*` in a tag, so each character that it does not take is written as a colon
and two hexadecimal digits: `profile=emqx group=mqtt-:2A` admits the instances of the profile `emqx`, and
those of each group whose name begins with `mqtt-`. No name of a profile or of a group has a colon in it.
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.model.syntax import profile_fault, scaling_group_fault

_PROFILE, _GROUP = "profile=", "group="
# What AWS takes in a tag, without the space between pairs and the colon that begins an escape.
_AS_IT_IS = re.compile(r"[A-Za-z0-9_./=+@-]")
_ESCAPED = re.compile(r"[:%]([0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Members:
    """Names of instance profiles and of Auto Scaling groups; a `*` at the end of one makes it a prefix."""

    instance_profiles: tuple[str, ...] = ()
    auto_scaling_groups: tuple[str, ...] = ()

    def admits(self, profile: str | None, group: str | None) -> bool:
        """Return whether an instance of that profile, in that group, may join; None: it is in none."""
        return _names(self.instance_profiles, profile) or _names(self.auto_scaling_groups, group)


def _names(names: tuple[str, ...], one: str | None) -> bool:
    return one is not None and any(
        one.startswith(name.removesuffix("*")) if name.endswith("*") else one == name for name in names
    )


def members_tag(members: Members | None) -> str | None:
    """Return the tag's text; None without any name, so that the cluster's tag alone decides."""
    if members is None:
        return None
    pairs = [_PROFILE + _written(name) for name in members.instance_profiles]
    return " ".join(pairs + [_GROUP + _written(name) for name in members.auto_scaling_groups])


@lru_cache(maxsize=1024)
def read_members_tag(text: str | None) -> Members | None:
    """Return the names that the tag admits; None without a tag.

    A part that is no name, or a `*` alone, admits nobody: a damaged tag admits fewer instances, never more.
    """
    if text is None:
        return None
    parts = [one for one in _parts(text) if one]
    return Members(
        instance_profiles=tuple(dict.fromkeys(name for kind, name in parts if kind == _PROFILE)),
        auto_scaling_groups=tuple(dict.fromkeys(name for kind, name in parts if kind == _GROUP)),
    )


def members_unread(text: str) -> bool:
    """Return whether the tag has a part that cannot be read."""
    return not all(_parts(text))


def _parts(text: str) -> Iterator[tuple[str, str] | None]:
    """Each part's kind and name; None for one that is no name."""
    for part in text.split(" "):
        kind = next((one for one in (_PROFILE, _GROUP) if part.startswith(one)), None)
        name = _read(part.removeprefix(kind)) if kind else ""
        fault = profile_fault if kind == _PROFILE else scaling_group_fault
        yield (kind, name) if kind and fault(name) is None else None


def _written(name: str) -> str:
    return "".join(one if _AS_IT_IS.match(one) else f":{ord(one):02X}" for one in name)


def _read(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
