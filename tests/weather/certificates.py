"""The stories of `rotate`: a certificate of each issuer that is due, and one that is superseded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from chalicelib.aws.refusals import Meaning
from chalicelib.model.errors import Absent, AwsError, Conflict, InvalidRequest, NotYet, Unserved
from chalicelib.rotate.story import rotate_all, rotate_one
from tests.weather.refusals import Refusal
from tests.weather.stories import Failures, Scene, Story, configured
from tests.world.rotating import LONG_AGO, PRIVATE, SECRET, bundle, keep_secret, make, nowhere


def _due(scene: Scene) -> None:
    """One of the private CA at `demo`, one from a secret at its neighbour; a stranger's is not looked at."""
    here = scene.here
    here.world.create("theirs", Subnets=here.subnets[:1])
    keep_secret(bundle(20))
    make(here, certificate=PRIVATE, passed=LONG_AGO)
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
    if refusal.meaning is Meaning.ALREADY_SO and refusal.lasting != "for ever":
        return None
    late = refusal.call.startswith(SWAP) and refusal.meaning is Meaning.NOT_YET
    return None if late and refusal.lasting != "for ever" else refusal.error


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
        left={"DeleteServerCertificate of it": [NotYet]},
        state=configured,
    ),
)
