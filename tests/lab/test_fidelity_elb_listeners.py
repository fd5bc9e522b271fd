"""Listeners and their certificates behave as AWS's pages say, through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from lab.fidelity.elb import certificate_in_use
from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import HTTP, TCP, Clock, World, client, issued, refusal, ssl

pytestmark = pytest.mark.usefixtures("aws")

UNKNOWN = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:server-certificate/unknown"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock() -> Clock:
    KNOBS.now = Clock()
    return KNOBS.now


def listeners(world: World) -> dict[int, Any]:
    shown = world.describe()["ListenerDescriptions"]
    return {one["Listener"]["LoadBalancerPort"]: one["Listener"] for one in shown}


@pytest.mark.parametrize("behind", ["TCP", "SSL"])
def test_a_listener_reads_back_as_it_was_created(world: World, behind: str) -> None:
    listener = ssl(world.upload(), behind=behind)
    world.create("demo", listener)
    assert listeners(world) == {8883: listener}


def test_an_instance_protocol_that_is_left_out_is_the_listener_s(world: World) -> None:
    world.create("demo", {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 18083})
    assert listeners(world) == {80: HTTP}


MALFORMED = [
    (ssl(None), "ValidationError"),
    (TCP | {"SSLCertificateId": UNKNOWN}, "ValidationError"),
    (TCP | {"InstanceProtocol": "HTTP"}, "ValidationError"),
    (HTTP | {"InstanceProtocol": "SSL"}, "ValidationError"),
    (TCP | {"Protocol": "UDP", "InstanceProtocol": "UDP"}, "UnsupportedProtocol"),
    (TCP | {"LoadBalancerPort": 0}, "ValidationError"),
    (TCP | {"LoadBalancerPort": 65536}, "ValidationError"),
    (TCP | {"InstancePort": 65536}, "ValidationError"),
    (ssl(UNKNOWN), "CertificateNotFound"),
    (ssl("arn:aws:acm:eu-central-1:123456789012:certificate/unknown"), "CertificateNotFound"),
    (ssl("nonsense"), "CertificateNotFound"),
]


@pytest.mark.parametrize(("listener", "code"), MALFORMED)
def test_a_malformed_listener_is_refused_with_its_load_balancer(
    world: World, listener: dict[str, Any], code: str
) -> None:
    assert refusal(world.create, "demo", listener) == (code, 400)
    assert world.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []


@pytest.mark.parametrize(("listener", "code"), MALFORMED)
def test_a_malformed_listener_is_not_added_either(world: World, listener: dict[str, Any], code: str) -> None:
    world.create("demo", HTTP | {"LoadBalancerPort": 8080})
    create = world.elb.create_load_balancer_listeners
    assert refusal(create, LoadBalancerName="demo", Listeners=[listener]) == (code, 400)
    assert list(listeners(world)) == [8080]


def test_a_load_balancer_without_listeners_is_refused(world: World) -> None:
    assert refusal(world.create, Listeners=[]) == ("ValidationError", 400)


def test_two_listeners_on_one_port_are_refused(world: World) -> None:
    assert refusal(world.create, "demo", TCP, TCP | {"InstancePort": 1884}) == ("DuplicateListener", 400)


def test_creating_a_listener_again_with_the_same_properties_changes_nothing(world: World) -> None:
    listener = ssl(world.upload())
    world.create("demo", listener)
    world.elb.create_load_balancer_listeners(LoadBalancerName="demo", Listeners=[listener])
    assert listeners(world) == {8883: listener}


@pytest.mark.parametrize(
    "change",
    [{"InstancePort": 1884}, {"Protocol": "HTTP", "InstanceProtocol": "HTTP"}, {"InstanceProtocol": "SSL"}],
)
def test_another_listener_on_a_taken_port_is_a_duplicate(world: World, change: dict[str, Any]) -> None:
    world.create("demo", TCP)
    create = world.elb.create_load_balancer_listeners
    assert refusal(create, LoadBalancerName="demo", Listeners=[TCP | change]) == ("DuplicateListener", 400)


def test_one_instance_port_is_either_secure_or_plain(world: World) -> None:
    arn = world.upload()
    mixed = (TCP, ssl(arn, behind="SSL"))
    assert refusal(world.create, "demo", *mixed) == ("InvalidConfigurationRequest", 409)
    world.create("demo", TCP, ssl(arn))


def test_several_listeners_are_deleted_at_once_and_the_others_stay(world: World) -> None:
    world.create("demo", *(TCP | {"LoadBalancerPort": port} for port in (1883, 1884, 1885)))
    world.elb.delete_load_balancer_listeners(LoadBalancerName="demo", LoadBalancerPorts=[1883, 1885, 9999])
    assert list(listeners(world)) == [1884]


def test_a_certificate_is_swapped_in_place_and_the_policies_stay(world: World) -> None:
    world.create("demo", ssl(world.upload("old")))
    policies = world.describe()["ListenerDescriptions"][0]["PolicyNames"]
    new = world.upload("new")
    world.elb.set_load_balancer_listener_ssl_certificate(
        LoadBalancerName="demo", LoadBalancerPort=8883, SSLCertificateId=new
    )
    assert listeners(world) == {8883: ssl(new)}
    assert (
        world.describe()["ListenerDescriptions"][0]["PolicyNames"]
        == policies
        == ["ELBSecurityPolicy-2016-08"]
    )


@pytest.mark.parametrize(
    ("port", "arn", "expected"),
    [
        (9999, None, ("ListenerNotFound", 400)),
        (80, None, ("InvalidConfigurationRequest", 409)),
        (8883, UNKNOWN, ("CertificateNotFound", 400)),
    ],
)
def test_a_certificate_is_not_set_where_it_cannot_be(
    world: World, port: int, arn: str | None, expected: tuple[str, int]
) -> None:
    certificate = world.upload()
    world.create("demo", ssl(certificate), HTTP)
    parameters = {"LoadBalancerPort": port, "SSLCertificateId": arn or certificate}
    call = world.elb.set_load_balancer_listener_ssl_certificate
    assert refusal(call, LoadBalancerName="demo", **parameters) == expected
    assert listeners(world)[8883] == ssl(certificate)


def test_a_certificate_of_acm_is_found_in_its_own_region_only(world: World) -> None:
    here, elsewhere = (
        client("acm", region).import_certificate(
            Certificate=issued().certificate_pem, PrivateKey=issued().private_key_pem
        )["CertificateArn"]
        for region in ("eu-central-1", "eu-west-1")
    )
    world.create("demo", ssl(here))
    assert listeners(world) == {8883: ssl(here)}
    assert refusal(world.create, "other", ssl(elsewhere)) == ("CertificateNotFound", 400)


def test_acm_says_which_load_balancers_use_a_certificate(world: World) -> None:
    acm = client("acm")
    arn = acm.import_certificate(Certificate=issued().certificate_pem, PrivateKey=issued().private_key_pem)[
        "CertificateArn"
    ]
    world.create("demo", ssl(arn))
    in_use_by = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/demo"]
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == in_use_by
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == []


def test_a_new_certificate_is_unknown_until_it_has_propagated(world: World, clock: Clock) -> None:
    KNOBS.certificate_propagation_seconds = 10
    arn = world.upload()
    clock.pass_seconds(9.9)
    assert refusal(world.create, "demo", ssl(arn)) == ("CertificateNotFound", 400)
    clock.pass_seconds(0.1)
    world.create("demo", ssl(arn))


def test_a_listener_that_failed_is_not_there_unless_the_knob_says_so(world: World) -> None:
    world.create("demo", TCP)
    create = world.elb.create_load_balancer_listeners
    parameters = {"LoadBalancerName": "demo", "Listeners": [ssl(UNKNOWN)]}
    assert refusal(create, **parameters) == ("CertificateNotFound", 400)
    assert list(listeners(world)) == [1883]
    KNOBS.failed_listener_stays = True
    assert refusal(create, **parameters) == ("CertificateNotFound", 400)
    assert listeners(world)[8883]["SSLCertificateId"] == "Invalid-Certificate"
    assert refusal(create, **parameters) == ("DuplicateListener", 400)


def test_a_certificate_is_in_use_in_any_region_until_the_last_listener_let_go(world: World) -> None:
    arn = world.upload()
    other = World("eu-west-1")
    world.create("demo", ssl(arn))
    other.create("demo", ssl(arn))
    world.elb.delete_load_balancer(LoadBalancerName="demo")
    assert certificate_in_use(DEFAULT_ACCOUNT_ID, arn)
    other.elb.delete_load_balancer_listeners(LoadBalancerName="demo", LoadBalancerPorts=[8883])
    assert not certificate_in_use(DEFAULT_ACCOUNT_ID, arn)


def test_elb_holds_on_to_a_certificate_for_a_while_after_a_swap(world: World, clock: Clock) -> None:
    KNOBS.certificate_hold_seconds = 60
    old, new = world.upload("old"), world.upload("new")
    world.create("demo", ssl(old))
    world.elb.set_load_balancer_listener_ssl_certificate(
        LoadBalancerName="demo", LoadBalancerPort=8883, SSLCertificateId=new
    )
    delete = world.iam.delete_server_certificate
    clock.pass_seconds(59.9)
    assert refusal(delete, ServerCertificateName="old") == ("DeleteConflict", 409)
    clock.pass_seconds(0.1)
    delete(ServerCertificateName="old")


def test_a_listener_whose_certificate_has_gone_says_so(world: World) -> None:
    world.create("demo", ssl(world.upload()))
    iam_backends[DEFAULT_ACCOUNT_ID]["aws"].certificates.clear()
    assert listeners(world)[8883]["SSLCertificateId"] == "Invalid-Certificate"
