"""Tags of classic load balancers.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lab.fidelity.elb_state import (
    Answer,
    LoadBalancer,
    Region,
    Request,
    existing,
    invalid,
    refusal,
    required,
)

QUOTA = 50
LONGEST_KEY = 127
LONGEST_VALUE = 255
TEXT = re.compile(r"[\w .:/=+\-@]*")
MOST_DESCRIBED = 20


def asked_tags(request: Request, had: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a load balancer has after the request, or refuse.

    The guide's quota of 50 holds, though the API's text says 10.
    """
    tags = [(tag.get("Key", ""), tag.get("Value", "")) for tag in request.get("Tags", [])]
    for key, value in tags:
        if not 1 <= len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise invalid(f"Tag key or value too long, or no key: {key}")
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys that begin with aws: are reserved")
        if not (TEXT.fullmatch(key) and TEXT.fullmatch(value)):
            raise invalid(f"Tag {key} holds characters that are not allowed")
    keys = [key for key, _ in tags]
    if len(set(keys)) < len(keys):
        raise refusal("DuplicateTagKeys", "Tag key was specified more than once")
    together = {**had, **dict(tags)}
    if len(together) > QUOTA:
        raise refusal("TooManyTags", f"A load balancer has at most {QUOTA} tags")
    return together


def add_tags(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AddTags.html"""
    load_balancer = _only_one(region, request)
    required(request, "Tags")
    load_balancer.tags = asked_tags(request, load_balancer.tags)
    return {}


def remove_tags(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RemoveTags.html"""
    load_balancer = _only_one(region, request)
    gone = {tag.get("Key") for tag in required(request, "Tags")}
    load_balancer.tags = {key: value for key, value in load_balancer.tags.items() if key not in gone}
    return {}


def _only_one(region: Region, request: Request) -> LoadBalancer:
    names = required(request, "LoadBalancerNames")
    if len(names) > 1:
        raise invalid("Only one load balancer can be specified")
    return existing(region, names[0])


def describe_tags(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeTags.html"""
    names = required(request, "LoadBalancerNames")
    if len(names) > MOST_DESCRIBED:
        raise invalid(f"Up to {MOST_DESCRIBED} load balancers can be described at a time, not {len(names)}")
    return {
        "TagDescriptions": [
            {
                "LoadBalancerName": name,
                "Tags": [{"Key": k, "Value": v} for k, v in existing(region, name).tags.items()],
            }
            for name in names
        ]
    }
