"""Corrections to moto's Auto Scaling lifecycle hooks."""

from __future__ import annotations


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
