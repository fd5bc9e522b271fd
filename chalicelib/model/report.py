"""The report of a PUT or a DELETE, and the load balancer as GET shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from chalicelib.model.errors import AwsError
    from chalicelib.model.load_balancer import Certificate, LoadBalancer, Member
    from chalicelib.model.route53 import RecordSet
    from chalicelib.model.step import Step
    from chalicelib.model.vpc import SecurityGroup


@dataclass(frozen=True, order=True)
class ReviewWarning:
    """One line of the review: a code from `docs/api.md` and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a PUT or a DELETE did, or with `dry_run` would do.

    `created`: this request made the load balancer. `view` is the load balancer as GET shows it, None when it
    does not exist (any more). `carry_on` is what the background needs to finish a `pending` report: JSON
    values, without a key. `unfinished` is the error for which AWS has no room; everything else was done.
    """

    name: str
    state: Literal["ready", "pending"]
    steps: tuple[Step, ...]
    warnings: tuple[ReviewWarning, ...] = ()
    view: View | None = None
    created: bool = False
    carry_on: Mapping[str, object] = field(default_factory=dict)
    unfinished: AwsError | None = None

    @property
    def changed(self) -> bool:
        """Whether anything at AWS was, or would be, changed."""
        return bool(self.steps)

    def complain(self) -> None:
        """Raise `unfinished`, after everything else that follows from the report is done."""
        if self.unfinished:
            raise self.unfinished


@dataclass(frozen=True, kw_only=True)
class View:
    """One load balancer as GET shows it.

    `records` are the record sets of its hostname in the hosted zones of its `emq-elb:dns` tag; None without
    that tag, or where they cannot be read. `same_name` is whether one of the other kind has its name
    and both are ours.
    """

    load_balancer: LoadBalancer
    group: SecurityGroup | None
    certificate: Certificate | None
    members: tuple[Member, ...]
    now: datetime
    records: tuple[RecordSet, ...] | None = None
    same_name: bool = False
