"""Attributes of load balancers, listeners and target groups, as ELB's second API takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping


def pairs(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    """Return attributes as the API has them."""
    return [{"Key": key, "Value": value} for key, value in attributes.items()]
