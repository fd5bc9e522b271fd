"""Carry a plan out: one action, one AWS call, each told as it is done. Every story ends here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chalicelib.adapters import ec2, elb_calls, iam, vpcs
from chalicelib.adapters.issuers import private_ca
from chalicelib.core import actions as do
from chalicelib.core import errors
from chalicelib.core.facts import Chosen
from chalicelib.core.names import CERTIFICATE_TAG, CLUSTER_TAG, OWNER_TAG, certificate_path
from chalicelib.core.outcome import ReviewWarning
from chalicelib.core.passing import makes_ours
from chalicelib.core.step import Step
from chalicelib.core.telling import step
from chalicelib.invocation import Invocation


@dataclass
class Progress:
    """What one story has done so far, through all its tries: the one value here that grows.

    `bound` holds the ids and ARNs that AWS gave for names in the plan; `became_ours` is whether our owner tag
    was put on something.
    """

    steps: list[Step] = field(default_factory=list)
    warnings: list[ReviewWarning] = field(default_factory=list)
    bound: dict[str, str] = field(default_factory=dict)
    dns_name: str | None = None
    became_ours: bool = False


def apply(
    name: str,
    plan: Iterable[do.Action],
    progress: Progress,
    invocation: Invocation,
    chosen: Chosen | None = None,
) -> None:
    """Make the calls in their order; the first that fails ends it, and what was done stays in `progress`."""
    for action in plan:
        resolved = do.bind(action, progress.bound)
        _perform(name, resolved, progress, invocation, chosen)
        progress.became_ours = progress.became_ours or makes_ours(resolved)
        told = step(resolved)
        progress.steps.append(told)
        invocation.told(name, told)


def _perform(  # noqa: C901, PLR0912 - one case an action
    name: str, action: do.Action, progress: Progress, invocation: Invocation, chosen: Chosen | None
) -> None:
    clients, owner = invocation.clients, invocation.settings.owner
    match action:
        case do.CreateSecurityGroup(group=group, vpc=vpc):
            progress.bound[group] = vpcs.create_group(
                clients.ec2, name=group, vpc=vpc, owner=owner, load_balancer=name
            )
        case do.AuthorizeSecurityGroupIngress(group=group, rules=rules):
            vpcs.authorize(clients.ec2, group, rules)
        case do.RevokeSecurityGroupIngress(group=group, rules=rules):
            vpcs.revoke(clients.ec2, group, rules)
        case do.DeleteSecurityGroup(group=group):
            vpcs.delete_group(clients.ec2, group)
        case do.CreateTags(instances=instances, cluster=cluster):
            ec2.tag(clients.ec2, instances, CLUSTER_TAG, cluster)
        case do.CreateSecret(secret=secret):
            if chosen is None or chosen.authority is None:
                raise ValueError("the plan keeps a private CA that nobody made")
            kept = private_ca.store_authority(clients.secrets, secret, chosen.authority, owner)
            if kept != chosen.authority:
                # Another PUT was first: what this one issued has a signer that nobody keeps.
                raise errors.Duplicate("CreateSecret", "ResourceExistsException", "it was made just now")
        case do.UploadServerCertificate(certificate=certificate):
            if chosen is None or chosen.bundle is None:
                raise ValueError("the plan uploads a certificate that nobody has")
            progress.bound[certificate] = iam.upload_certificate(
                clients.iam,
                chosen.bundle,
                name=certificate,
                path=certificate_path(owner, clients.region, name),
                tags={OWNER_TAG: owner, CERTIFICATE_TAG: chosen.source},
            )
        case do.DeleteServerCertificate(certificate=certificate):
            iam.delete_certificate(clients.iam, certificate)
        case do.CreateLoadBalancer(load_balancer=wanted):
            progress.dns_name = elb_calls.create(clients.elb, wanted)
        case do.RegisterInstances():
            _register(name, action, progress, invocation)
        case _:
            elb_calls.perform(clients.elb, name, action)


def _register(name: str, action: do.RegisterInstances, progress: Progress, invocation: Invocation) -> None:
    """One call for all; where AWS refuses it because of one bad id, one call each, so that others get in."""
    try:
        elb_calls.perform(invocation.clients.elb, name, action)
    except errors.InvalidInstance as error:
        if len(action.instances) == 1:
            message = f"AWS does not register {action.instances[0]}: {error.message}"
            progress.warnings.append(ReviewWarning("instance-refused", message))
            return
        for instance in action.instances:
            _register(name, replace(action, instances=(instance,)), progress, invocation)
