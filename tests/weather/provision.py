"""The stories of PUT and DELETE: create, change, adopt, delete, and what goes on in the background."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from chalicelib import background
from chalicelib.aws.refusals import OWNED, Meaning
from chalicelib.model.errors import (
    Absent,
    AwsError,
    Conflict,
    EmqElbError,
    InvalidInstance,
    NotFound,
    NotYet,
    Refused,
)
from lab.fidelity.knobs import KNOBS
from tests.provision import test_crash as classic
from tests.provision import test_network_crash as network
from tests.weather.refusals import Refusal, operation_of
from tests.weather.stories import Failures, Scene, Story, configured, listed
from tests.world.provisioning import OWNER, READS, WATCHED, Account, issued, pem

Body = dict[str, Any]
BACKGROUND = 90
"""Seconds in place of Lambda's 900, in which it would look a hundred times for what does not come."""
LATE = 30
"""Seconds that AWS needs, longer than a request may take."""


class Pending(Exception):
    """The answer is 202: the background goes on."""


def _world(scene: Scene) -> None:
    """A neighbour of ours, and a stranger's load balancer."""
    create = scene.here.world.create
    create("neighbour", Subnets=scene.here.subnets[:1], Tags=[{"Key": "emq-elb:owner", "Value": OWNER}])
    create("theirs", Subnets=scene.here.subnets[:1])
    scene.its, scene.others = [], []
    WATCHED.invoked = scene.more["invoked"] = []


def _arranging(prepare: Callable[[Account], Body]) -> Callable[[Scene], None]:
    def arrange(scene: Scene) -> None:
        _world(scene)
        scene.more["body"] = prepare(scene.here)

    return arrange


def _putting(*, adopt: bool = False) -> Callable[[Scene], Failures]:
    def put(scene: Scene) -> Failures:
        here, body = scene.here, scene.more["body"]
        try:
            report = here.put(body, adopt=adopt)
            background.after_put("demo", body, report, here.invocation())
        except EmqElbError as error:
            return (error,)
        return (Pending(),) if report.state == "pending" else ()

    return put


def _delete(scene: Scene) -> Failures:
    try:
        report = scene.here.delete(force=True)
        background.after_delete("demo", report, scene.here.invocation())
    except EmqElbError as error:
        return (error,)
    return (Pending(),) if report.state == "pending" else ()


def _background(scene: Scene) -> Failures:
    """What waits to be done; what fails is tried again by Lambda."""
    failures: list[Exception] = []
    waiting, scene.more["invoked"][:] = [*scene.more["invoked"]], []
    for payload in waiting:
        try:
            background.go_on(payload, scene.here.invocation(BACKGROUND))
        except EmqElbError as error:
            failures.append(error)
            scene.more["invoked"].append(payload)
    return tuple(failures)


def _then(act: Callable[[Scene], Failures]) -> Callable[[Scene], Failures]:
    """What waits, and the same request once more."""
    return lambda scene: (*_background(scene), *act(scene), *_background(scene))


def _own_group(here: Account) -> Body:
    return {**classic.nothing_there(here), "certificate": {"pem": pem(issued())}}


def _made(prepare: Callable[[Account], Body]) -> Callable[[Scene], None]:
    """Something that is there, and is to be deleted."""

    def arrange(scene: Scene) -> None:
        _world(scene)
        scene.here.put(prepare(scene.here))

    return arrange


def _deleted_slowly(scene: Scene) -> None:
    """The background is to delete what AWS held on to."""
    _made(_own_group)(scene)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = LATE
    assert [*map(type, _delete(scene))] == [Pending]
    scene.here.sleep(LATE)


def _made_slowly(scene: Scene) -> None:
    """The background is to go on with a load balancer whose certificate ELB did not see yet."""
    _world(scene)
    KNOBS.certificate_propagation_seconds = LATE
    scene.more["body"] = _own_group(scene.here)
    assert [*map(type, PUT(scene))] == [Pending]
    scene.here.sleep(LATE)


def _seen_late(scene: Scene) -> None:
    """A request for a load balancer whose certificate ELB sees later than a request can wait."""
    _world(scene)
    KNOBS.certificate_propagation_seconds = LATE
    scene.more["body"] = _own_group(scene.here)


def _held_on_to(scene: Scene) -> None:
    """A request to delete what AWS holds on to for longer than a request can wait."""
    _made(_own_group)(scene)
    KNOBS.certificate_hold_seconds = KNOBS.interface_linger_seconds = LATE


def _left(act: Callable[[Scene], Failures]) -> Callable[[Scene], Failures]:
    """A request that is answered with 202, as it is to be."""

    def leave(scene: Scene) -> Failures:
        failures = act(scene)
        return tuple(one for one in failures if not isinstance(one, Pending))

    return leave


def _gone(scene: Scene) -> Failures:
    """DELETE once more: there may be nothing left."""
    return tuple(one for one in _then(_delete)(scene) if not isinstance(one, NotFound))


PUT, ADOPT = _putting(), _putting(adopt=True)

FIRST = """
    DescribeAutoScalingGroups
    DescribeInstances
    DescribeLoadBalancers
    DescribeRouteTables
    DescribeSecurityGroups
    DescribeSubnets
    v2 DescribeLoadBalancers
"""
CLASSIC = """
    DescribeInstanceHealth
    DescribeLoadBalancerAttributes
    DescribeLoadBalancerPolicies
    DescribeTags
"""
NETWORK = """
    v2 DescribeListenerAttributes
    v2 DescribeListeners
    v2 DescribeLoadBalancerAttributes
    v2 DescribeTags
    v2 DescribeTargetGroupAttributes
    v2 DescribeTargetGroups
    v2 DescribeTargetHealth
"""


def _without(calls: str, *left_out: str) -> str:
    return "\n".join(one for one in listed(calls) if one not in left_out)


LEFT: Mapping[str, Collection[type[AwsError]]] = {
    # They ask whether something is there.
    "GetSecretValue": [Absent],
    "GetServerCertificate": [Absent],
    # Then the review does not say whose bucket it is.
    "ListBuckets": [AwsError],
    "v2 DescribeListenerAttributes": [Absent],
    "v2 DescribeListenerCertificates": [Absent],
    "v2 DescribeTargetGroupAttributes": [Absent],
    "v2 DescribeTargetHealth": [Absent],
    # It only tidies up.
    "DeleteLoadBalancerPolicy": [AwsError],
    # A warning says which instance AWS does not take.
    "RegisterInstancesWithLoadBalancer": [InvalidInstance],
    "v2 RegisterTargets": [InvalidInstance],
}
BEFORE_ITS_CERTIFICATE = ("CreateSecret", "TagResource", "UploadServerCertificate")
"""The background has no key, and so cannot go on with these."""
BEFORE_IT_IS_OURS = ("CreateTags", "AddTags")
"""Nor does it go on with an adoption before the load balancer says that it is ours."""


def _put(
    name: str,
    prepare: Callable[[Account], Body],
    *,
    calls: str,
    also: str,
    adopt: bool = False,
    just_ours: bool = True,
    before: Collection[str] = BEFORE_ITS_CERTIFICATE,
    denied: Collection[str] = (),
    there: bool = True,
    moved: Collection[int] = (),
    needed: Collection[str] = (),
) -> Story:
    act = ADOPT if adopt else PUT
    return _story(
        name,
        _arranging(prepare),
        act,
        _then(act),
        calls=calls,
        also=also,
        just_ours=just_ours,
        before=BEFORE_IT_IS_OURS if adopt else before,
        denied=denied,
        there=there,
        moved=moved,
        needed=needed,
    )


def _story(
    name: str,
    arrange: Callable[[Scene], object],
    act: Callable[[Scene], Failures],
    again: Callable[[Scene], Failures],
    *,
    calls: str,
    also: str = "",
    just_ours: bool = True,
    pending: bool = True,
    before: Collection[str] = BEFORE_ITS_CERTIFICATE,
    denied: Collection[str] = (),
    there: bool = True,
    moved: Collection[int] = (),
    left: Mapping[str, Collection[type[AwsError]]] = LEFT,
    needed: Collection[str] = (),
    nice: Collection[str] = ("Invoke", "PutEvents"),
) -> Story:
    return Story(
        name=name,
        arrange=arrange,
        act=act,
        again=again,
        calls=calls,
        also=also,
        nice=nice,
        left=left,
        needed=needed,
        moved=moved,
        answer=partial(
            _answer, just_ours=just_ours, pending=pending, before=before, denied=denied, there=there
        ),
        state=configured,
    )


def _answer(
    refusal: Refusal,
    *,
    just_ours: bool,
    pending: bool,
    before: Collection[str],
    denied: Collection[str],
    there: bool,
) -> type[Exception] | None:
    """What passes is waited for, and at last left to the background; what somebody did is looked at again.

    `just_ours`: the owner tag was put on something, by calls that are not among those `before` and `denied`.
    `pending`: it is a request, which the background may go on with; the background itself is tried again.
    `there`: the load balancer is, and its tags say that it is ours.
    """
    operation, passed = operation_of(refusal.call), refusal.lasting != "for ever"
    if operation.startswith(READS):
        vanished = refusal.meaning is Meaning.GONE
        unread = operation == "DescribeTags" and not there
        return None if vanished and (passed or unread) else refusal.error
    if operation == "Invoke":
        return refusal.error
    if refusal.error is InvalidInstance:
        return Refused
    if operation == "CreateSecret" and refusal.meaning is Meaning.THEIRS:
        return Conflict
    ours = just_ours and operation in OWNED and operation not in {*before, *denied}
    late = refusal.meaning is Meaning.NOT_YET or (refusal.meaning is Meaning.NOT_ALLOWED and ours)
    if passed and (late or refusal.meaning in {Meaning.ALREADY_SO, Meaning.GONE}):
        return None
    if late and operation not in before:
        return Pending if pending else NotYet
    return refusal.error


STORIES = (
    _put(
        "create",
        classic.nothing_there,
        there=False,
        calls="""
            AuthorizeSecurityGroupIngress
            ConfigureHealthCheck
            CreateLoadBalancer
            CreateLoadBalancerPolicy
            CreateSecret
            CreateSecurityGroup
            CreateTags
            DescribeTags
            GetAccountSummary
            GetSecretValue
            GetServerCertificate
            Invoke
            ListBuckets
            ListServerCertificates
            ModifyLoadBalancerAttributes
            RegisterInstancesWithLoadBalancer
            RemoveTags
            SetLoadBalancerPoliciesForBackendServer
            SetLoadBalancerPoliciesOfListener
            TagResource
            UploadServerCertificate
        """,
        also=_without(FIRST, "DescribeAutoScalingGroups"),
    ),
    _put(
        "change",
        classic.everything_else,
        just_ours=False,
        calls=FIRST
        + CLASSIC
        + """
            AddTags
            AttachLoadBalancerToSubnets
            AuthorizeSecurityGroupIngress
            ConfigureHealthCheck
            CreateLoadBalancerListeners
            CreateLoadBalancerPolicy
            CreateTags
            DeleteLoadBalancerListeners
            DeleteLoadBalancerPolicy
            DetachLoadBalancerFromSubnets
            GetAccountSummary
            GetServerCertificate
            Invoke
            ModifyLoadBalancerAttributes
            RemoveTags
            RevokeSecurityGroupIngress
            SetLoadBalancerListenerSSLCertificate
            SetLoadBalancerPoliciesForBackendServer
            SetLoadBalancerPoliciesOfListener
            UploadServerCertificate
        """,
        also="",
        moved=(8883,),
    ),
    _put(
        "certificate",
        classic.the_certificate_first,
        just_ours=False,
        calls="""
            CreateLoadBalancerPolicy
            DeleteLoadBalancerPolicy
            SetLoadBalancerListenerSSLCertificate
            SetLoadBalancerPoliciesOfListener
            UploadServerCertificate
        """,
        also=_without(FIRST, "DescribeRouteTables")
        + CLASSIC
        + """
            AddTags
            GetAccountSummary
            GetServerCertificate
            Invoke
        """,
    ),
    _put(
        "other groups",
        classic.other_groups,
        just_ours=False,
        calls="""
            ApplySecurityGroupsToLoadBalancer
            DeleteSecurityGroup
        """,
        also=_without(FIRST, "DescribeRouteTables") + CLASSIC + "\nGetServerCertificate\nInvoke",
    ),
    _put(
        "adopt",
        classic.made_by_hand,
        adopt=True,
        calls="""
            AddTags
            CreateLoadBalancerPolicy
            CreateTags
            ModifyLoadBalancerAttributes
            RemoveTags
            SetLoadBalancerPoliciesOfListener
        """,
        also=_without(FIRST, "DescribeRouteTables") + CLASSIC + "\nGetServerCertificate\nInvoke",
    ),
    _put(
        "network create",
        network.nothing_there,
        there=False,
        calls="""
            v2 CreateListener
            v2 CreateLoadBalancer
            v2 CreateTargetGroup
            v2 DescribeTargetGroups
            v2 ModifyListenerAttributes
            v2 ModifyLoadBalancerAttributes
            v2 ModifyTargetGroupAttributes
            v2 RegisterTargets
            v2 RemoveTags
            AuthorizeSecurityGroupIngress
            CreateSecurityGroup
            UploadServerCertificate
        """,
        also=_without(FIRST, "DescribeAutoScalingGroups")
        + """
            GetAccountSummary
            GetServerCertificate
            Invoke
            ListBuckets
        """,
    ),
    _put(
        "network change",
        network.everything_else,
        denied=(
            *("AuthorizeSecurityGroupIngress", "AddTags", "SetSubnets"),
            *("ModifyTargetGroup", "ModifyTargetGroupAttributes", "RegisterTargets"),
        ),
        # No listener is moved to a target group that does not take the members.
        needed=["v2 RegisterTargets"],
        calls=NETWORK
        + """
            AuthorizeSecurityGroupIngress
            CreateTags
            RevokeSecurityGroupIngress
            UploadServerCertificate
            v2 AddTags
            v2 CreateListener
            v2 CreateTargetGroup
            v2 DeleteTargetGroup
            v2 ModifyListener
            v2 ModifyListenerAttributes
            v2 ModifyLoadBalancerAttributes
            v2 ModifyTargetGroup
            v2 ModifyTargetGroupAttributes
            v2 RegisterTargets
            v2 RemoveTags
            v2 SetSubnets
        """,
        also=FIRST + "\nGetAccountSummary\nGetServerCertificate\nInvoke",
    ),
    _put(
        "network adopt",
        network.made_by_hand,
        adopt=True,
        calls="""
            CreateTags
            v2 AddTags
            v2 ModifyTargetGroupAttributes
            v2 RemoveTags
        """,
        also=_without(FIRST, "DescribeRouteTables") + NETWORK + "\nGetServerCertificate\nInvoke",
    ),
    _story(
        "delete",
        _made(_own_group),
        _delete,
        _gone,
        just_ours=False,
        calls="""
            DescribeRegions
            DeleteLoadBalancer
            DeleteSecurityGroup
            DeleteServerCertificate
            DescribeLoadBalancers
            ListServerCertificates
        """,
        also=_without(FIRST, "DescribeInstances", "DescribeRouteTables", "DescribeSubnets")
        + CLASSIC
        + "\nInvoke",
    ),
    _story(
        "network delete",
        _made(network.nothing_there),
        _delete,
        _gone,
        just_ours=False,
        calls="""
            DescribeRegions
            v2 DescribeListenerCertificates
            v2 DeleteLoadBalancer
            v2 DeleteTargetGroup
            v2 DescribeTargetGroups
        """,
        also="""
            DeleteSecurityGroup
            DeleteServerCertificate
            Invoke
            ListServerCertificates
        """
        + _without(FIRST, "DescribeInstances", "DescribeRouteTables", "DescribeSubnets")
        + NETWORK,
    ),
    _story(
        "create later",
        _seen_late,
        _left(PUT),
        _then(PUT),
        calls="Invoke",
        also=_without(FIRST, "DescribeAutoScalingGroups")
        + """
            AuthorizeSecurityGroupIngress
            CreateLoadBalancer
            CreateSecurityGroup
            GetAccountSummary
            GetServerCertificate
            ListBuckets
            UploadServerCertificate
        """,
        nice=(),
    ),
    _story(
        "delete later",
        _held_on_to,
        _left(_delete),
        _gone,
        calls="Invoke",
        also=_without(FIRST, "DescribeInstances", "DescribeRouteTables", "DescribeSubnets")
        + CLASSIC
        + """
            DescribeRegions
            DeleteLoadBalancer
            DeleteSecurityGroup
            DeleteServerCertificate
            ListServerCertificates
        """,
        nice=(),
    ),
    _story(
        "finish",
        _deleted_slowly,
        _background,
        _background,
        just_ours=False,
        calls="""
            DescribeRegions
            DeleteSecurityGroup
            DeleteServerCertificate
            PutEvents
        """,
        also="""
            DescribeLoadBalancers
            v2 DescribeLoadBalancers
        """,
        pending=False,
    ),
    _story(
        "carry on",
        _made_slowly,
        _background,
        _then(PUT),
        calls="""
            ConfigureHealthCheck
            CreateLoadBalancer
            CreateLoadBalancerPolicy
            CreateTags
            DescribeLoadBalancers
            ModifyLoadBalancerAttributes
            PutEvents
            RegisterInstancesWithLoadBalancer
            RemoveTags
            SetLoadBalancerPoliciesForBackendServer
            SetLoadBalancerPoliciesOfListener
        """,
        also=FIRST + CLASSIC + "\nGetServerCertificate",
        pending=False,
    ),
)
