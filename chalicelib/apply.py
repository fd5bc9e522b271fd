"""Carry a plan out: one action, one AWS call, each told as it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chalicelib.aws import ec2, elb_calls, iam
from chalicelib.aws import vpc as vpcs
from chalicelib.aws.registration import MembershipAction, NotTaken, register_or_deregister
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca
from chalicelib.model import actions as do
from chalicelib.model import errors
from chalicelib.model.actions import makes_ours, to_step
from chalicelib.model.names import CERTIFICATE_TAG, CLUSTER_TAG, OWNER_TAG, certificate_path
from chalicelib.model.report import ReviewWarning
from chalicelib.model.step import Step
from chalicelib.x509.pem import KeyMaterial


@dataclass
class Progress:
    """What one story has done so far, through all its tries: the one value here that grows.

    `bound` holds the ids and ARNs that AWS gave for names in the plan; `became_ours` is whether our owner tag
    was put on something; `not_taken` are instances that AWS would not register or deregister: no later plan
    tries it again. `looked` is whether AWS has been read before, in this run or in one that it carries on.
    """

    steps: list[Step] = field(default_factory=list)
    warnings: list[ReviewWarning] = field(default_factory=list)
    bound: dict[str, str] = field(default_factory=dict)
    dns_name: str | None = None
    became_ours: bool = False
    looked: bool = False
    not_taken: set[str] = field(default_factory=set)


def apply(
    name: str,
    plan: Iterable[do.Action],
    progress: Progress,
    invocation: Invocation,
    material: KeyMaterial | None = None,
) -> None:
    """Make the calls in their order; the first that fails ends it, and what was done stays in `progress`.

    `material` holds the keys of the certificate and the private CA that the plan names.
    """
    material = material or KeyMaterial()
    for action in plan:
        for done in _done(name, do.bind(action, progress.bound), progress, invocation, material):
            progress.became_ours = progress.became_ours or makes_ours(done)
            told = to_step(done)
            progress.steps.append(told)
            invocation.told(name, told)


def _done(
    name: str, action: do.Action, progress: Progress, invocation: Invocation, material: KeyMaterial
) -> Iterator[do.Action]:
    """Carry the action out and yield it; one about instances as the calls that AWS took of it."""
    if isinstance(action, do.RegisterInstances | do.DeregisterInstances):
        yield from _members(name, action, progress, invocation)
    else:
        _perform(name, action, progress, invocation, material)
        yield action


def _perform(  # noqa: C901, PLR0912 - one case an action
    name: str, action: do.Action, progress: Progress, invocation: Invocation, material: KeyMaterial
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
            if material.authority is None:
                raise ValueError("the plan keeps a private CA that nobody made")
            kept = private_ca.store_authority(clients.secrets, secret, material.authority, owner)
            if kept != material.authority:
                # Another PUT was first: what this one issued has a signer that nobody keeps.
                raise errors.Duplicate("CreateSecret", "ResourceExistsException", "it was made just now")
        case do.UploadServerCertificate(certificate=certificate):
            if material.bundle is None:
                raise ValueError("the plan uploads a certificate that nobody has")
            progress.bound[certificate] = iam.upload_certificate(
                clients.iam,
                material.bundle,
                name=certificate,
                path=certificate_path(owner, clients.region, name),
                tags={OWNER_TAG: owner, CERTIFICATE_TAG: material.source},
            )
        case do.DeleteServerCertificate(certificate=certificate):
            iam.delete_certificate(clients.iam, certificate)
        case do.CreateLoadBalancer(load_balancer=wanted):
            progress.dns_name = elb_calls.create(clients.elb, wanted)
        case _:
            elb_calls.perform(clients.elb, name, action)


def _members(
    name: str, action: MembershipAction, progress: Progress, invocation: Invocation
) -> Iterator[MembershipAction]:
    """The calls that AWS took; whom it did not take keeps nobody else out, and is told as a warning."""
    for outcome in register_or_deregister(invocation.clients, name, action):
        if not isinstance(outcome, NotTaken):
            yield outcome
            continue
        progress.not_taken.add(outcome.instance)
        registering = isinstance(action, do.RegisterInstances)
        if outcome.error or registering:
            verb = "register" if registering else "deregister"
            message = f"AWS does not {verb} {outcome.instance}: {outcome.reason}"
            progress.warnings.append(ReviewWarning("instance-refused", message))
