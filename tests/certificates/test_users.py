"""No certificate of ours is deleted while any listener of any region serves it, whichever API it is of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.certificates.users import find_users
from chalicelib.model import errors
from chalicelib.model.errors import Conflict, Unserved
from chalicelib.provision.sweep import sweep
from lab.fidelity.knobs import KNOBS
from tests.world.provisioning import WATCHED, Account, granted, issued, pem
from tests.world.rotating import USES, Front, names, refusing, rotate, supersede, use_in_second

HERE, ELSEWHERE = "eu-central-1", "us-east-1"
REGIONS = (HERE, ELSEWHERE)
everyone = pytest.mark.parametrize("use", USES.values(), ids=USES)
everywhere = pytest.mark.parametrize("region", REGIONS)
QUESTIONS = ("DescribeRegions", "DescribeListeners", "DescribeListenerCertificates")

Use = Callable[[str, str], None]


def made(here: Account) -> str:
    """A load balancer with a certificate of ours, whose ARN is returned."""
    here.put({"subnets": here.subnets[:2], "certificate": {"pem": pem(issued())}})
    return here.served()


def kept(here: Account) -> bool:
    """Whether nobody tried to delete a certificate."""
    return "DeleteServerCertificate" not in here.calls.made


@everyone
@everywhere
def test_they_are_found_wherever_they_are(here: Account, use: Use, region: str) -> None:
    arn = here.world.upload("shared")
    use(region, arn)
    (found,) = find_users(here.invocation()).users
    assert (found.region, found.name) == (region, "elsewhere")
    assert found.type in {"classic", "network", "application"}
    assert arn in found.certificates


@everyone
@everywhere
def test_rotate_retires_nothing_that_they_serve(here: Account, demo: Front, use: Use, region: str) -> None:
    old = supersede(here, demo)
    use(region, old)
    rotate(here, demo)
    assert kept(here)
    assert old.rpartition("/")[2] in names(here)


@everyone
@everywhere
def test_delete_is_refused_while_they_serve_what_was_made_for_it(
    here: Account, use: Use, region: str
) -> None:
    use(region, made(here))
    named = "load balancer elsewhere" + (f" in {region}" if region != HERE else " uses")
    with pytest.raises(Conflict, match=named):
        here.delete()
    assert here.calls.writes == []


@everyone
@everywhere
def test_what_is_finished_in_the_background_leaves_them_theirs(
    here: Account, use: Use, region: str, logged: Callable[[], list[Any]]
) -> None:
    arn = made(here)
    KNOBS.certificate_hold_seconds = 120
    report = here.delete()
    assert report.state == "pending"
    use(region, arn)
    here.passed += timedelta(minutes=10)
    here.finish(report)
    assert kept(here)
    assert "certificate kept" in {one["message"] for one in logged()}


@everyone
@everywhere
def test_sweep_leaves_them_theirs(here: Account, use: Use, region: str) -> None:
    use(region, made(here))
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    here.passed += timedelta(hours=2)
    with here.counted():
        sweep(here.invocation(50))
    assert kept(here)


def test_a_network_one_of_the_same_name_is_another_one(here: Account) -> None:
    arn = made(here)
    use_in_second("network", False, HERE, arn, name="demo")
    assert {(one.type, one.name) for one in find_users(here.invocation()).users} == {
        ("classic", "demo"),
        ("network", "demo"),
    }
    with pytest.raises(Conflict, match="load balancer demo uses"):
        here.delete()


@pytest.mark.parametrize("operation", QUESTIONS)
def test_where_our_own_region_does_not_answer_nothing_is_deleted(
    here: Account, demo: Front, operation: str
) -> None:
    old = supersede(here, demo)
    USES["network, as the default"](HERE, here.world.upload("other"))
    WATCHED.refuse = refusing(operation, "AccessDenied")
    with pytest.raises(Unserved, match=f"retiring certificates: {operation}"):
        rotate(here, demo)
    with pytest.raises(errors.Denied):
        here.delete()
    WATCHED.refuse = granted
    assert old.rpartition("/")[2] in names(here)
    rotate(here, demo)
    assert old.rpartition("/")[2] not in names(here)


@pytest.mark.parametrize("operation", QUESTIONS)
def test_a_sweep_that_gets_no_answer_says_so_and_sweeps_the_group(here: Account, operation: str) -> None:
    made(here)
    USES["network, as the default"](HERE, here.world.upload("other"))
    here.world.elb.delete_load_balancer(LoadBalancerName="demo")
    for _ in range(2):
        here.passed += timedelta(hours=2)
        WATCHED.refuse = refusing(operation, "AccessDenied")
        with pytest.raises(Unserved, match=f"certificates: {operation}"):
            sweep(here.invocation(50))
    WATCHED.refuse = granted
    found = here.snapshot()
    assert (len(found["certificates"]), list(found["groups"])) == (2, [])
    assert [step.action for step in sweep(here.invocation(50))] == ["DeleteServerCertificate"]


def test_one_that_vanishes_while_it_is_asked_serves_nothing(here: Account) -> None:
    USES["network, as the default"](HERE, here.world.upload("shared"))
    WATCHED.refuse = refusing("DescribeListenerCertificates", "ListenerNotFound")
    assert find_users(here.invocation()).users == ()
