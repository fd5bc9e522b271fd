"""What became of one load balancer's certificate, as it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chalicelib.model.load_balancer import Certificate
from chalicelib.model.report import ReviewWarning
from chalicelib.model.step import Step


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """One rotation, or that there was none to be made.

    `certificate` is the one that is served now. `verified` is whether it was seen at every address.
    `failing` is whether a person has to look at it.
    """

    name: str
    state: Literal["rotated", "kept", "pending", "rolled-back"]
    reason: str
    certificate: Certificate | None = None
    verified: bool = False
    warnings: tuple[ReviewWarning, ...] = ()
    steps: tuple[Step, ...] = ()
    failing: bool = False
