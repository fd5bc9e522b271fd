"""The end of a PUT that AWS refuses for good: delete what was made, or say in the answer what exists.

A load balancer that was made stays, half made as it is: its `pending` tag says so, clients may use it, and
the same request, once corrected, does the rest. Where none was made, nothing else needs the certificate and
the security group that were made for it: they are deleted at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.apply import Progress
from chalicelib.aws.refusals import field_of
from chalicelib.certificates.chosen import Existing, ToOrder
from chalicelib.invocation import Invocation
from chalicelib.model import actions as do
from chalicelib.model.ciphers import near_policies, unknown_policy
from chalicelib.model.errors import AwsError, Denied, QuotaReached, Refused, Theirs
from chalicelib.model.load_balancer import PredefinedPolicy
from chalicelib.model.names import ACME
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.delete import Leftover, settled
from chalicelib.provision.facts import Facts
from chalicelib.provision.report import exists

_REASON = "its load balancer could not be made"


def given_up(
    error: AwsError, declaration: Declaration, facts: Facts, progress: Progress, invocation: Invocation
) -> AwsError:
    """Return the error, with a sentence about what this request did before it."""
    name = facts.actual.name
    near = _near(error, declaration)
    if exists(facts, progress):
        what = _left_half_made(name, progress)
    elif isinstance(error, (Denied, QuotaReached, Refused, Theirs)):
        what = _taken_away(name, facts, progress, invocation)
    else:
        what = ""
    said = f"{error.message}{near}{what}"
    return type(error)(error.operation, error.code, said) if said != error.message else error


def _near(error: AwsError, declaration: Declaration) -> str:
    """Name the policies that may have been meant by one that AWS does not have."""
    policy = declaration.ssl_policy
    if (
        isinstance(policy, PredefinedPolicy)
        and unknown_policy(policy.name)
        and field_of(error) == "ssl_policy"
    ):
        return f": the names most like it are {', '.join(near_policies(policy.name, declaration.type))}"
    return ""


def _left_half_made(name: str, progress: Progress) -> str:
    done = ", ".join(dict.fromkeys(step.action for step in progress.steps))
    if progress.dns_name is not None:
        return f". {name} was made and is pending: fix this and send the request again, or delete {name}"
    return f". Done before that: {done}. Fix this and send the request again" if done else ""


def _taken_away(name: str, facts: Facts, progress: Progress, invocation: Invocation) -> str:
    """Delete what this run made; `sweep` deletes later what AWS does not let go of yet."""
    made = [*_made(facts, progress)]
    left = 0
    for leftover in made:
        try:
            left += not settled(name, leftover, progress, invocation)
        except AwsError:
            left += 1
    if not made:
        return ""
    gone = "will be deleted within two hours" if left else "was deleted again"
    return f". {name} was not made, and what was made for it {gone}"


def _made(facts: Facts, progress: Progress) -> Iterator[Leftover]:
    """The certificate and the group of this run, but no ordered certificate: a CA limits orders."""
    ordered = isinstance(facts.chosen, Existing | ToOrder) and facts.chosen.source == ACME
    for step in progress.steps:
        match step.action, step.fields:
            case "UploadServerCertificate", {"certificate": str(certificate)}:
                if not ordered:
                    yield do.DeleteServerCertificate(reason=_REASON, certificate=certificate)
            case "CreateSecurityGroup", {"group": str(group)} if group in progress.bound:
                yield do.DeleteSecurityGroup(reason=_REASON, group=progress.bound[group])
            case _:
                pass
