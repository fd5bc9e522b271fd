"""Corrections to moto's IAM server certificates."""

from __future__ import annotations


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
