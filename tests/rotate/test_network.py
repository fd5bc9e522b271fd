"""Rotate for network load balancers: what only they have, and both kinds beside one another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.model import errors
from chalicelib.rotate.story import rotate_one
from chalicelib.rotate.verify import TlsClient
from tests.world.network import elbv2
from tests.world.provisioning import WATCHED, Account, Killed, granted, just_before
from tests.world.rotating import (
    PRIVATE,
    Front,
    body,
    bundle,
    make,
    network_listeners,
    nowhere,
    refusing,
    rotate,
    served,
    settled,
    use_in_second,
)

OWNER_TAG = "emq-elb:owner"


def made(
    here: Account,
    port: int = 8883,
    certificate: dict[str, Any] | None = None,
    name: str = "demo",
    **when: timedelta,
) -> str:
    """A network load balancer, made long ago unless it is said when; the certificate that it serves."""
    return make(here, port, certificate, name, type_="network", **when)


def listener(name: str = "demo", port: int | None = None) -> Any:
    """Its secure listener, or that of a port, as AWS shows it."""
    (found,) = (
        one
        for one in network_listeners(name)
        if (one["Protocol"] == "TLS" if port is None else one["Port"] == port)
    )
    return found


def untag(name: str = "demo") -> None:
    """Take our owner tag off its secure listener."""
    elbv2().remove_tags(ResourceArns=[listener(name)["ListenerArn"]], TagKeys=[OWNER_TAG])


def test_only_the_certificate_is_named_in_the_call(here: Account, demo: Front) -> None:
    made(here, demo.port)
    asked: list[Any] = []

    def watch(operation: str, parameters: Any) -> None:
        if operation == "ModifyListener":
            asked.append({key.partition(".")[0] for key in parameters} - {"Action", "Version"})

    WATCHED.refuse = watch
    rotate(here, demo)
    assert asked == [{"ListenerArn", "Certificates"}]


def test_who_renews_one_of_acm_is_said_as_acm_says_it(here: Account, demo: Front) -> None:
    given = boto3.client("acm").import_certificate(
        Certificate=bundle(50).certificate_pem.encode(), PrivateKey=bundle(50).private_key_pem.encode()
    )["CertificateArn"]
    made(here, demo.port, {"arn": given}, passed=timedelta())
    with pytest.raises(errors.Conflict, match="one that you imported you import again"):
        rotate_one("demo", here.invocation(), demo.wire)
    (rotation,) = rotate(here, demo)
    assert "ACM renews what it issued itself" in rotation.reason


def test_one_whose_listeners_aws_does_not_show_stops_no_other(here: Account, demo: Front) -> None:
    old = make(here, demo.port)
    kept = made(here, name="network")
    WATCHED.refuse = refusing("DescribeListeners", "Throttling")
    with pytest.raises(errors.Unserved, match="network: DescribeListeners: Throttling") as caught:
        rotate(here, demo)
    assert len(caught.value.failures) == 1
    assert served(here, demo.port) != old
    with pytest.raises(errors.Throttled):
        rotate_one("network", here.invocation(), demo.wire)
    assert served(here, name="network") == kept
    WATCHED.refuse = granted
    rotate(here, demo)
    assert served(here, name="network") != kept


def gone(_: Account, arn: str) -> None:
    elbv2().delete_listener(ListenerArn=arn)


def without_its_load_balancer(_: Account, _arn: str) -> None:
    elbv2().delete_load_balancer(LoadBalancerArn=listener()["LoadBalancerArn"])


def given_another(here: Account, arn: str) -> None:
    one = [{"CertificateArn": here.world.upload("another")}]
    elbv2().modify_listener(ListenerArn=arn, Certificates=one)


@pytest.mark.parametrize("do", [gone, without_its_load_balancer, given_another])
def test_a_listener_that_changed_while_the_run_was_busy_is_left_alone(
    here: Account, demo: Front, do: Callable[[Account, str], None]
) -> None:
    made(here, demo.port)
    arn = listener()["ListenerArn"]

    def meanwhile() -> None:
        here.passed += timedelta(minutes=4)
        do(here, arn)

    just_before("UploadServerCertificate", meanwhile)
    (rotation,) = rotate(here, demo)
    assert rotation.state == "kept", rotation.reason
    assert "ModifyListener" not in here.calls.made


def test_a_listener_without_our_tag_is_left_alone_and_reported(here: Account, demo: Front) -> None:
    old = made(here, demo.port)
    untag()
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port), here.calls.writes) == ("kept", old, [])
    (warning,) = rotation.warnings
    assert (warning.code, str(demo.port) in warning.message) == ("foreign-listener", True)
    with pytest.raises(errors.Conflict, match="do not carry our owner tag"):
        rotate_one("demo", here.invocation(), demo.wire)
    assert here.calls.writes == []
    here.put(body(here, demo.port, PRIVATE, "network"))
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.warnings) == ("rotated", ())


def test_beside_one_without_our_tag_ours_is_served(here: Account, demo: Front) -> None:
    old = made(here, demo.port)
    arn, group = listener()["LoadBalancerArn"], listener()["DefaultActions"]
    theirs = elbv2().create_listener(
        LoadBalancerArn=arn,
        Port=8884,
        Protocol="TLS",
        Certificates=[{"CertificateArn": old}],
        DefaultActions=group,
    )["Listeners"][0]
    (rotation,) = rotate(here, demo)
    assert rotation.state == "rotated"
    assert [one.code for one in rotation.warnings] == ["foreign-listener"]
    assert served(here, demo.port) != old
    assert listener(port=8884) == theirs


def test_what_others_have_is_not_touched(here: Account, demo: Front) -> None:
    arn = made(here, demo.port)
    use_in_second("network", False, "eu-central-1", arn)
    use_in_second("application", False, "eu-central-1", arn, name="web")
    rotate(here, demo)
    assert here.calls.writes.count("ModifyListener") == 1
    assert served(here, 8883, "elsewhere") == arn


def test_one_certificate_on_a_classic_and_a_network_one_is_rotated_once(here: Account, demo: Front) -> None:
    old = make(here, demo.port)
    here.put(body(here, 8883, {"arn": old}, "network"), "second")
    rotations = rotate(here, demo)
    assert [one.name for one in rotations] == ["demo"]
    assert served(here, 8883, "second") == served(here, demo.port) != old
    assert here.calls.writes.count("UploadServerCertificate") == 1


def test_a_network_ones_certificate_on_a_classic_one_is_rotated_once(here: Account, demo: Front) -> None:
    old = made(here, demo.port)
    here.put(body(here, 8883, {"arn": old}), "second")
    rotations = rotate(here, demo)
    assert [one.name for one in rotations] == ["demo"]
    assert served(here, 8883, "second") == served(here, demo.port) != old
    rotation = rotate_one("second", here.invocation(), demo.wire)
    assert (rotation.name, rotation.state) == ("second", "rotated")
    assert served(here, 8883, "second") == served(here, demo.port)


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_killed_between_the_two_kinds_the_next_run_ends_it(here: Account, demo: Front, after: int) -> None:
    old = make(here, demo.port)
    here.put(body(here, 8883, {"arn": old}, "network"), "second")
    here.calls.kill_after = after
    with pytest.raises(Killed):
        rotate(here, demo)
    here.calls.kill_after = None
    rotate(here, demo)
    assert served(here, 8883, "second") == served(here, demo.port) != old
    assert settled(here, demo.port) == (True, 2, False)


def test_a_name_for_every_network_load_balancer_of_the_region_is_the_default(here: Account) -> None:
    asked = body(here, 8883, {"issuer": "private-ca"}, "network")
    del asked["hostname"]
    report = here.put(asked)
    (warning,) = (one for one in report.warnings if one.code == "default-domains")
    assert "*.elb.eu-central-1.amazonaws.com" in warning.message
    found = elbv2().describe_load_balancers(Names=["demo"])["LoadBalancers"][0]["DNSName"]
    assert here.get()["certificate"]["domains"] == [f"*.{found.partition('.')[2]}"]


def beside_the_event(here: Account) -> list[str]:
    """What was asked of AWS, but for the announcement."""
    return [name for name in here.calls.made if name != "PutEvents"]


@pytest.mark.parametrize("number", [1, 3, 7])
def test_n_network_ones_with_one_certificate_each_cost_four_n_and_six(here: Account, number: int) -> None:
    for each in range(number):
        made(here, name=f"demo-{each}")
    rotations = rotate(here, nowhere())
    assert [one.state for one in rotations] == ["rotated"] * number
    calls = beside_the_event(here)
    assert calls.count("ModifyListener") == calls.count("UploadServerCertificate") == number
    assert len(calls) <= 4 * number + 1 + 5, sorted(calls)


def test_one_certificate_on_n_network_ones_costs_an_upload_and_two_calls_each(
    here: Account, demo: Front
) -> None:
    old = made(here, demo.port)
    for each in range(3):
        here.put(body(here, 8883, {"arn": old}, "network"), f"lb-{each}")
    wire = TlsClient(resolve=lambda host: demo.wire.resolve(host) if "demo" in host else ())
    rotate(here, wire)
    calls = beside_the_event(here)
    assert calls.count("ModifyListener") == 4
    assert calls.count("UploadServerCertificate") == 1
    assert len(calls) == 2 * 4 + 1 + 6, sorted(calls)


def test_a_look_at_more_than_ten_asks_for_the_listeners_of_ours_alone(here: Account) -> None:
    old = made(here, passed=timedelta())
    for each in range(10):
        use_in_second("network", False, "eu-central-1", old, name=f"theirs-{each}")
    rotate(here, nowhere())
    assert sorted(here.calls.made) == [
        "DescribeListeners",
        *["DescribeLoadBalancers"] * 2,
        "DescribeSecret",
        *["DescribeTags"] * 2,
        "GetSecretValue",
        "ListServerCertificates",
    ]
