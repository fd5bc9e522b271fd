"""Carry a plan out: make the one call of each action, and log it when AWS has answered.

Nothing else in `chalicelib/` calls what changes something at AWS, but for events, logs and invocations of our
own functions. Each call is its service's adapter's, in `aws/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field

from chalicelib.aws import autoscaling, cloudwatch, ec2, iam, load_balancers, route53, secrets
from chalicelib.aws import vpc as vpcs
from chalicelib.aws.registration import MembershipAction, NotTaken, register_or_deregister
from chalicelib.invocation import Invocation
from chalicelib.issuers import private_ca
from chalicelib.model import actions as do
from chalicelib.model.actions import makes_ours, tidies_up, to_step
from chalicelib.model.errors import AwsError, Duplicate, Refused
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    OWNER_TAG,
    authority_certificate_secret,
    certificate_path,
)
from chalicelib.model.report import ReviewWarning
from chalicelib.model.step import Step
from chalicelib.x509.pem import KeyMaterial


@dataclass
class Progress:
    """What one run of a story has done so far, through all its tries: the one value here that grows.

    `done` holds each step with its load balancer, `failures` and `refused` each error with its place.
    `refused` are writes that AWS refuses and another try would not mend; the work goes on without them.
    `bound` holds the ids and ARNs that AWS gave for names in the plan, and for a hosted zone the id of the
    last change in it. `not_taken` are instances that AWS did not register or deregister, `left_behind`
    actions that only tidy up and that AWS refused: no later plan tries them again. `became_ours`: our owner
    tag was put on something. `looked`: AWS has been read before, in this run or in one that it carries on.
    `wrote`: a call that changes something was tried.
    """

    done: list[tuple[str, Step]] = field(default_factory=list)
    warnings: list[ReviewWarning] = field(default_factory=list)
    failures: list[tuple[str, AwsError]] = field(default_factory=list)
    refused: list[tuple[str, AwsError]] = field(default_factory=list)
    bound: dict[str, str] = field(default_factory=dict)
    not_taken: list[NotTaken] = field(default_factory=list)
    left_behind: list[do.Action] = field(default_factory=list)
    dns_name: str | None = None
    became_ours: bool = False
    looked: bool = False
    wrote: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was done, without the load balancers' names."""
        return tuple(step for _, step in self.done)


def apply(
    name: str,
    plan: Iterable[do.Action],
    progress: Progress,
    invocation: Invocation,
    material: KeyMaterial | None = None,
    *,
    registered: Set[str] = frozenset(),
) -> None:
    """Make the calls in their order; the first that fails ends it, and what was done stays in `progress`.

    One that only tidies up ends nothing.

    `name` is the load balancer's, or another place for the log. `material` holds the keys that the plan names
    and does not hold. `registered` are the instances that serve now: a listener stays where it is, with
    `Refused`, when AWS does not take one of them into the target group that it is to forward to.
    """
    material = material or KeyMaterial()
    for action in plan:
        progress.wrote = True
        bound = do.bind(action, progress.bound)
        _refuse_to_lose(bound, registered, progress.not_taken)
        try:
            for done in _done(name, bound, progress, invocation, material):
                progress.became_ours = progress.became_ours or makes_ours(done)
                note(name, done, progress, invocation)
        except AwsError as error:
            if not tidies_up(action):
                raise
            progress.left_behind.append(action)
            progress.warnings.append(ReviewWarning("left-behind", f"a later change tries it again: {error}"))


def _refuse_to_lose(action: do.Action, registered: Set[str], not_taken: Iterable[NotTaken]) -> None:
    if not isinstance(action, do.ModifyListener) or action.target_group_arn is None:
        return
    for one in not_taken:
        if one.error and one.target_group == action.target_group_arn and one.instance in registered:
            raise Refused(
                one.error.operation,
                one.error.code,
                f"port {action.port} stays as it is: AWS does not register {one.instance}, which serves it,"
                f" in the target group for instance port {action.instance_port}: {one.reason}",
            )


def note(name: str, action: do.Action | do.NewOrder, progress: Progress, invocation: Invocation) -> None:
    """Keep and log an action that was done."""
    step = to_step(action)
    progress.done.append((name, step))
    invocation.log(name, step)


def _done(
    name: str, action: do.Action, progress: Progress, invocation: Invocation, material: KeyMaterial
) -> Iterator[do.Action]:
    """Carry the action out and yield it; one about instances as the calls that AWS took of it."""
    if isinstance(action, MembershipAction):
        yield from _members(name, action, progress, invocation)
    else:
        yield _perform(name, action, progress, invocation, material)


def _perform(  # noqa: C901, PLR0912 - one case an action
    name: str, action: do.Action, progress: Progress, invocation: Invocation, material: KeyMaterial
) -> do.Action:
    """Make the call and return it: for a secret that is there already it is another one."""
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
        case do.CreateTags(resources=resources, tag=(key, value)):
            ec2.tag(clients.ec2, resources, key, value)
        case do.DeleteTags(resources=resources, key=key):
            ec2.untag(clients.ec2, resources, key)
        case do.CreateSecret():
            return _secret(action, invocation, material)
        case do.PutSecretValue():
            raise ValueError("only CreateSecret leads to it")
        case do.TagResource(secret=secret, tag=(key, value)):
            # The policies ask for the owner's tag in every request that tags a secret.
            secrets.tag_secret(clients.secrets, secret, {OWNER_TAG: owner, key: value})
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
        case do.CompleteLifecycleAction():
            autoscaling.proceed(clients.autoscaling, action.group, action.hook, action.instance, action.token)
        case do.RecordLifecycleActionHeartbeat():
            autoscaling.heartbeat(clients.autoscaling, action.group, action.hook, action.instance)
        case do.PutMetricAlarm(alarm=alarm):
            cloudwatch.put_alarm(clients.cloudwatch, alarm)
        case do.DeleteAlarms(alarms=alarms):
            cloudwatch.delete_alarms(clients.cloudwatch, alarms)
        case do.PutDashboard(dashboard=dashboard, body=body):
            cloudwatch.put_dashboard(clients.cloudwatch, dashboard, body)
        case do.DeleteDashboards(dashboard=dashboard):
            cloudwatch.delete_dashboard(clients.cloudwatch, dashboard)
        case do.ChangeResourceRecordSets(zone=zone, changes=changes):
            progress.bound[zone] = route53.change_record_sets(clients.route53, zone, changes)
        case do.CreateLoadBalancer() | do.CreateTargetGroup() | do.CreateListener():
            made = load_balancers.create_at_aws(clients, action)
            progress.dns_name = made.dns_name or progress.dns_name
            progress.bound |= made.arns
        case _:
            load_balancers.perform(clients, name, action)
    return action


def _secret(
    action: do.CreateSecret, invocation: Invocation, material: KeyMaterial
) -> do.CreateSecret | do.PutSecretValue:
    """Keep a secret, and return the call that AWS took.

    The certificate of a private CA replaces what is in its secret: nobody but us writes that one.
    """
    client, name, authority = invocation.clients.secrets, action.secret, material.authority
    apart = name == authority_certificate_secret(invocation.settings.private_ca_secret)
    made = private_ca.certificate_as_secret if apart else private_ca.as_secret
    new = made(authority) if authority else material.secret
    if new is None:
        raise ValueError("the plan keeps a secret that nobody made")
    tags = {OWNER_TAG: invocation.settings.owner}
    try:
        secrets.create_secret(client, name, new.value, tags=tags, description=new.description)
    except Duplicate:
        if not apart:
            raise
        secrets.replace_secret(client, name, new.value)
        return do.PutSecretValue(reason=action.reason, secret=name)
    return action


def _members(
    name: str, action: MembershipAction, progress: Progress, invocation: Invocation
) -> Iterator[MembershipAction]:
    """Yield the calls that AWS took; an instance that AWS did not take keeps no other one out."""
    for outcome in register_or_deregister(invocation.clients, name, action):
        if not isinstance(outcome, NotTaken):
            yield outcome
            continue
        progress.not_taken.append(outcome)
        registering = isinstance(action, do.RegisterInstances | do.RegisterTargets)
        if outcome.error or registering:
            verb = "register" if registering else "deregister"
            message = f"AWS does not {verb} {outcome.instance}: {outcome.reason}"
            progress.warnings.append(ReviewWarning("instance-refused", message))
