"""What of AWS's behaviour a test or the lab may set: delays, faults and who reports instance health."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Health:
    """One instance behind a load balancer, as `DescribeInstanceHealth` returns it.

    `reason_code` is `ELB` (the load balancer's fault), `Instance` (the instance's) or `N/A`.
    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
    """

    state: Literal["InService", "OutOfService", "Unknown"]
    reason_code: Literal["ELB", "Instance", "N/A"] = "N/A"
    description: str = "N/A"


IN_SERVICE = Health("InService")
REGISTERING = Health("OutOfService", "ELB", "Instance registration is still in progress.")
FAILED_CHECKS = Health(
    "OutOfService",
    "Instance",
    "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
)


@dataclass
class Knobs:
    """The settings of the corrected AWS; every default is AWS on a good day, without delay."""

    certificate_propagation_seconds: float = 0.0
    """How long a new IAM server certificate is unknown to ELB (`CertificateNotFound`)."""

    certificate_hold_seconds: float = 0.0
    """How long `DeleteServerCertificate` still says `DeleteConflict` after the last listener let go."""

    interface_linger_seconds: float = 0.0
    """How long a deleted load balancer's network interfaces stay, and `DeleteSecurityGroup` says
    `DependencyViolation` for them."""

    failed_listener_stays: bool = False
    """Whether a `CreateLoadBalancerListeners` that fails with `CertificateNotFound` leaves the listener
    behind all the same, reading `Invalid-Certificate`: the retry then says `DuplicateListener`, as seen at
    AWS (hashicorp/terraform#4880)."""

    load_balancers_quota: int = 20
    """Load balancers a region: https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html"""

    network_load_balancers_quota: int = 50
    """Network load balancers a region:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html"""

    load_balancer_provisioning_seconds: float = 0.0
    """How long a new network load balancer is `provisioning` before it is `active`: minutes at AWS."""

    target_registration_seconds: float = 0.0
    """How long a target that was registered is `initial` before its health counts: minutes at AWS."""

    target_deregistration_seconds: float = 0.0
    """How long a target that was deregistered is `draining` at least, whatever the delay: minutes at AWS."""

    target_tail_seconds: float = 0.0
    """How long new connections still reach a target that was deregistered, whatever the delay: minutes at
    AWS. The lab's data plane holds to it."""

    target_group_hold_seconds: float = 0.0
    """How long `DeleteTargetGroup` still says `ResourceInUse` after the last listener let go."""

    target_health: Callable[[str, str, int], tuple[str, str, str] | None] | None = None
    """Who knows a target's health, given the group's ARN, the target's id and its port: state, reason and
    description in AWS's terms (`unhealthy`, `Target.Timeout`, …). None means `healthy`."""

    policies_quota: int = 100
    """Policies a load balancer, then `TooManyPolicies`. AWS has such a limit but does not document it."""

    dns_propagation_seconds: float = 0.0
    """How long a change of Route 53 is `PENDING`, and resolvers do not see it."""

    dns_busy_seconds: float = 0.0
    """How long a hosted zone refuses a further change with `PriorRequestNotComplete`."""

    dns_requests_a_second: int | None = None
    """How many requests Route 53 takes of the account in a second, then `Throttling`; AWS takes five. None,
    without limit, because the clock of most tests stands still between two calls."""

    dns_shows: Callable[[str, tuple[str, ...]], None] | None = None
    """Who shows resolvers a public name's TXT values, none when they are gone, once they have spread."""

    addresses_of: Callable[[str], Sequence[str]] | None = None
    """Who knows the IPv4 addresses of a load balancer, given its DNS name: the lab's data plane. None, or
    nothing known: made-up addresses."""

    regions: Sequence[str] | None = None
    """The regions that the account can use; None: all that moto knows, some forty. Whoever asks all of them
    makes a client for each."""

    now: Callable[[], float] = time.monotonic
    """The clock behind every delay above and behind connection draining, in seconds."""

    connections_drained: Callable[[str, str], bool] | None = None
    """Whether a draining instance has no connection left, given the load balancer's name and the instance's
    id: draining then ends before its time-out. None means that connections stay until then."""

    instance_health: Callable[[str, str], Health | None] | None = None
    """Who knows an instance's health, given the load balancer's name and the instance's id: the lab's
    HAProxy. Asked only about a running instance in an enabled zone; None means that it does not know,
    and then such an instance is in service."""

    spot_status: Callable[[str], str | None] | None = None
    """Who knows the status code of a Spot instance's request, given the instance's id, as
    `marked-for-termination`; None means `fulfilled`."""

    invoke: Callable[[str, Any, str], tuple[Any, str | None]] | None = None
    """Who runs Lambda's functions, given a function's name, its event and the invocation's type; it returns
    what the function returned and None, or what it failed with and `Unhandled`. An `Event` is not waited for,
    and what is returned for it counts for nothing. None leaves it to moto."""


KNOBS = Knobs()


def reset_knobs() -> None:
    """Put every knob back to its default."""
    default = Knobs()
    for field in fields(Knobs):
        setattr(KNOBS, field.name, getattr(default, field.name))
