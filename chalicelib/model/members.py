"""Whose instances may join a load balancer, and the `emq-elb:members` tag that keeps it.

The tag has `profile=<name>` and `group=<name>` pairs between spaces; a `*` at the end of a name makes it a
prefix. AWS takes neither `%` nor `*` in a tag, so each character that it does not take is written as a colon
and two hexadecimal digits: `profile=emqx group=mqtt-:2A` admits the instances of the profile `emqx`, and
those of each group whose name begins with `mqtt-`. No name of a profile or of a group has a colon in it.
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

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

    A part that cannot be read admits nobody: a damaged tag admits fewer instances, never more.
    """
    if text is None:
        return None
    pairs = text.split(" ")
    return Members(
        instance_profiles=tuple(
            _read(one.removeprefix(_PROFILE)) for one in pairs if one.startswith(_PROFILE)
        ),
        auto_scaling_groups=tuple(_read(one.removeprefix(_GROUP)) for one in pairs if one.startswith(_GROUP)),
    )


def _written(name: str) -> str:
    return "".join(one if _AS_IT_IS.match(one) else f":{ord(one):02X}" for one in name)


def _read(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
