"""The stories of `rotate`: a certificate of each issuer that is due, and one that is superseded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta

from chalicelib import background
from chalicelib.aws.refusals import Meaning
from chalicelib.model.errors import Absent, AwsError, Conflict, Denied, InvalidRequest, NotYet, Unserved
from chalicelib.rotate.story import carry_on, rotate_all, rotate_one
from tests.weather.ca import certify
from tests.weather.refusals import Refusal
from tests.weather.stories import Failures, Scene, Story, configured
from tests.world.dns import zone
from tests.world.issuing import make_due
from tests.world.provisioning import OWNER, WATCHED
from tests.world.rotating import LONG_AGO, PRIVATE, SECRET, bundle, keep_secret, make, nowhere


def _due(scene: Scene) -> None:
    """One of the private CA at `demo`, one from a secret at its neighbour; a stranger's is not looked at."""
    here = scene.here
    here.world.create("theirs", Subnets=here.subnets[:1])
    keep_secret(bundle(20))
    make(here, certificate=PRIVATE, passed=LONG_AGO)
    make(here, certificate=SECRET, name="neighbour", passed=timedelta())
    keep_secret(bundle(80, key="other"))


def _ordered(scene: Scene) -> None:
    """One of the ACME CA at `demo`, one of a secret at its neighbour; the account has no key there yet."""
    here = scene.here
    certify()
    here.world.create("theirs", Subnets=here.subnets[:1])
    zone(here, kept=False)
    here.settings = replace(
        here.settings, acme_contact="ops@example.com", acme_account_secret=f"{OWNER}/acme-account"
    )
    make_due(here)
    keep_secret(bundle(20))
    make(here, certificate=SECRET, name="neighbour", passed=timedelta())
    keep_secret(bundle(80, key="other"))


def _superseded(scene: Scene) -> None:
    """It was replaced twice, two hours ago."""
    here = scene.here
    here.world.create("theirs", Subnets=here.subnets[:1])
    make(here, certificate=PRIVATE, passed=LONG_AGO)
    for _ in range(2):
        rotate_one("demo", here.invocation(), nowhere())
    here.passed = timedelta(hours=2)


def _asked_for(scene: Scene) -> None:
    """Somebody asks for the certificate of the ACME CA; a request is too short for an order."""
    _ordered(scene)
    WATCHED.invoked = scene.more["invoked"] = []


def _ask(scene: Scene) -> Failures:
    """POST, which leaves it to the background."""
    work = scene.here.invocation(20)
    try:
        rotation = rotate_one("demo", work, nowhere())
        assert rotation.state == "pending"
        background.ask("rotate", "demo", work, asked=work.now().isoformat())
    except AwsError as error:
        return (error,)
    return ()


def _carry_on(scene: Scene) -> Failures:
    """What Lambda was asked for, and then the schedule, which ends what nobody was asked for."""
    for payload in scene.more["invoked"]:
        detail = payload["detail"]
        carry_on(detail["name"], scene.here.invocation(300), nowhere(), asked=detail["asked"])
    scene.more["invoked"].clear()
    return _rotate(scene)


def _rotate(scene: Scene) -> Failures:
    try:
        rotate_all(scene.here.invocation(300), nowhere())
    except Unserved as error:
        return tuple(one for _, one in error.failures)
    except AwsError as error:
        return (error,)
    return ()


SWAP = "SetLoadBalancerListenerSSLCertificate"


def _answer(refusal: Refusal) -> type[Exception] | Collection[type[Exception]] | None:
    """What ELB sees late is waited for; a private CA whose secret is gone is a conflict."""
    if refusal.call == "GetSecretValue" and refusal.meaning is Meaning.GONE:
        return Conflict if refusal.lasting == "once" else [Conflict, InvalidRequest]
    if refusal.call == "GetSecretValue" and refusal.meaning is Meaning.NOT_ALLOWED:
        return [Denied, InvalidRequest]
    if refusal.meaning is Meaning.ALREADY_SO and refusal.lasting != "for ever":
        return None
    late = refusal.call.startswith(SWAP) and refusal.meaning is Meaning.NOT_YET
    return None if late and refusal.lasting != "for ever" else refusal.error


def _ordering(refusal: Refusal) -> type[Exception] | Collection[type[Exception]] | None:
    """Of two secrets that are asked for, one is the account's key, the other the neighbour's certificate.

    A zone that somebody else changes is changed once more; an account's key that is gone is made.
    """
    passed = refusal.lasting != "for ever"
    match refusal.call, refusal.meaning:
        case "ChangeResourceRecordSets", Meaning.NOT_YET if passed:
            return None
        case "CreateSecret", Meaning.THEIRS:
            return Conflict
        case "GetSecretValue", Meaning.GONE:
            return None if passed else InvalidRequest
        case _:
            return _answer(refusal)


LEFT: Mapping[str, Collection[type[AwsError]]] = {
    # It tells a new version of a secret from the one that is served, and where the CA's certificate is.
    "DescribeSecret": [AwsError],
    "DescribeTags": [Absent],
    "GetServerCertificate of it": [Absent],
    # The rotation is pending, or there is nobody to serve.
    SWAP: [NotYet, Absent],
    f"{SWAP} of it": [NotYet, Absent],
}

STORIES = (
    Story(
        name="rotate",
        arrange=_due,
        act=_rotate,
        again=_rotate,
        calls="""
            DescribeLoadBalancers
            DescribeSecret
            DescribeTags
            GetSecretValue
            GetServerCertificate of it
            ListServerCertificates
            PutEvents
            SetLoadBalancerListenerSSLCertificate
            SetLoadBalancerListenerSSLCertificate of it
            UploadServerCertificate
            UploadServerCertificate of it
            v2 DescribeLoadBalancers
        """,
        also="GetServerCertificate",
        nice=("PutEvents",),
        left=LEFT,
        answer=_answer,
        state=configured,
    ),
    Story(
        name="rotate with ACME",
        arrange=_ordered,
        act=_rotate,
        again=_rotate,
        calls="""
            ChangeResourceRecordSets
            CreateSecret
            GetChange
            GetSecretValue
            ListHostedZones
            ListResourceRecordSets
            SetLoadBalancerListenerSSLCertificate of it
            UploadServerCertificate of it
        """,
        also="""
            DescribeLoadBalancers
            DescribeTags
            GetServerCertificate
            GetServerCertificate of it
            ListServerCertificates
            PutEvents
            SetLoadBalancerListenerSSLCertificate
            UploadServerCertificate
            v2 DescribeLoadBalancers
        """,
        nice=("PutEvents",),
        left=LEFT,
        answer=_ordering,
        state=configured,
    ),
    Story(
        name="rotate on request",
        arrange=_asked_for,
        act=_ask,
        again=_carry_on,
        calls="""
            AddTags of it
            Invoke
        """,
        also="""
            DescribeLoadBalancers
            DescribeTags
            GetServerCertificate of it
            ListServerCertificates
            v2 DescribeLoadBalancers
        """,
        state=configured,
    ),
    Story(
        name="retire",
        arrange=_superseded,
        act=_rotate,
        again=_rotate,
        calls="""
            DeleteServerCertificate of it
            DescribeLoadBalancers
            DescribeRegions
        """,
        also="""
            DescribeSecret
            DescribeTags
            GetSecretValue
            ListServerCertificates
            v2 DescribeLoadBalancers
        """,
        left={"DeleteServerCertificate of it": [NotYet, Absent]},
        state=configured,
    ),
)
