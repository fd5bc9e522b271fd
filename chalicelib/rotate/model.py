"""A load balancer's certificates, the listeners that serve them, and what its issuer has to offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chalicelib.model.load_balancer import Certificate, LoadBalancerType, SecureListener, age
from chalicelib.model.report import ReviewWarning
from chalicelib.model.step import Step


@dataclass(frozen=True, kw_only=True)
class LoadBalancerCertificates:
    """One load balancer's certificates and the listeners, its own or another's, that serve them.

    `served` is what counts as the current one, None where there is none; `certificates` are those under its
    path in IAM, with as much as is known of each; `rejected` is the name of one that failed in TLS
    handshakes, and `barred` whether it must not be installed again yet. `foreign` are the ports of its own
    secure listeners that do not carry our owner tag: they are left alone.
    """

    name: str
    source: str
    listeners: tuple[SecureListener, ...]
    type: LoadBalancerType = "classic"
    foreign: tuple[int, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    served: Certificate | None = None
    hostname: str | None = None
    rejected: str | None = None
    barred: bool = False


def current(
    listeners: Iterable[SecureListener], certificates: Iterable[Certificate], rejected: str | None
) -> Certificate | None:
    """The certificate that counts as served: of those in use the last uploaded that did not fail."""
    used = {listener.certificate for listener in listeners}
    in_use = [one for one in certificates if one.arn in used]
    return max(in_use, key=lambda one: (one.name != rejected, age(one)), default=None)


RotationState = Literal["rotated", "kept", "pending", "rolled-back"]


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """One rotation, or that there was none to be made.

    `certificate` is the one that is served now. `verified` is whether it was seen at every address.
    `failing` is whether a person has to look at it.
    """

    name: str
    state: RotationState
    reason: str
    certificate: Certificate | None = None
    verified: bool = False
    warnings: tuple[ReviewWarning, ...] = ()
    steps: tuple[Step, ...] = ()
    failing: bool = False
