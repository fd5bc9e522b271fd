"""Certificates of a real ACME server: ordered by a PUT, renewed by rotate, seen on the wire."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from chalicelib.model import errors
from lab.fidelity.knobs import KNOBS
from lab.machine.tls import trusting
from tests.world.acme_front import Answer, Asked
from tests.world.issuing import Authority, account_keys, acme_for, make_due, rotate_now
from tests.world.provisioning import Account
from tests.world.rotating import HOST, Front, body, make, names, rotate, served, tags
from tests.world.servers import ADDRESS

RECORD = f"_acme-challenge.{HOST}."


def on_the_wire(demo: Front, root: str, host: str = HOST) -> x509.Certificate:
    """What a client that trusts only the CA's root is served."""
    context = trusting(root)
    with (
        socket.create_connection((ADDRESS, demo.port), 10) as connection,
        context.wrap_socket(connection, server_hostname=host) as secure,
    ):
        found = secure.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found)


def domains_of(certificate: x509.Certificate) -> set[str]:
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*alternatives.get_values_for_type(x509.DNSName)}


@pytest.mark.parametrize(
    "domains",
    [
        (HOST,),
        (HOST, "b.example.com", "c.d.example.com"),
        ("example.com", "*.example.com"),
        ("*.mqtt.example.com", HOST),
    ],
    ids=["one", "several", "wildcard and apex", "wildcard and its parent"],
)
def test_a_put_orders_a_certificate_that_devices_with_the_cas_root_accept(
    here: Account, ca: Authority, demo: Front, domains: tuple[str, ...]
) -> None:
    make(here, demo.port, acme_for(*domains), passed=timedelta())
    found = on_the_wire(demo, ca.acme.root())
    assert domains_of(found) == {*domains}
    assert tags(here)["emq-elb:certificate"] == "acme"
    assert ca.records() == {}, "the challenges are taken away"
    assert ca.shown


def test_without_names_it_is_for_the_one_that_clients_use(here: Account, ca: Authority, demo: Front) -> None:
    make(here, demo.port, acme_for(), passed=timedelta())
    assert domains_of(on_the_wire(demo, ca.acme.root())) == {HOST}


@pytest.mark.parametrize("name", [HOST, HOST.upper()])
def test_the_same_put_again_orders_nothing(here: Account, ca: Authority, demo: Front, name: str) -> None:
    arn = make(here, demo.port, acme_for(name), passed=timedelta())
    asked = len(ca.front.asked)
    assert make(here, demo.port, acme_for(name), passed=timedelta()) == arn
    assert (len(ca.front.asked), here.calls.writes) == (asked, [])


def test_other_names_are_another_certificate(here: Account, ca: Authority, demo: Front) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    new = make(here, demo.port, acme_for(HOST, "b.example.com"), passed=timedelta())
    assert new != old
    assert domains_of(on_the_wire(demo, ca.acme.root())) == {HOST, "b.example.com"}


def test_a_dry_run_asks_nobody(here: Account, ca: Authority) -> None:
    report = here.put(body(here, 8883, acme_for(HOST)), dry_run=True)
    assert "UploadServerCertificate" in [step.action for step in report.steps]
    assert (ca.orders, here.calls.writes, account_keys(here)) == (0, [], [])


@pytest.mark.parametrize("type_", ["classic", "network"])
def test_one_that_is_due_is_renewed_and_its_new_serial_seen_on_the_wire(
    here: Account, ca: Authority, demo: Front, type_: str
) -> None:
    old = make_due(here, demo.port, type_=type_)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    new = served(here, demo.port)
    assert new != old
    found = on_the_wire(demo, ca.acme.root())
    assert rotation.certificate is not None
    assert rotation.certificate.serial is not None
    assert found.serial_number == int(rotation.certificate.serial, 16)
    assert found.not_valid_after_utc > datetime.now(UTC) + timedelta(days=89)
    assert (ca.records(), len(names(here))) == ({}, 2)
    asked = ca.orders
    rotate(here, demo)
    assert (served(here, demo.port), ca.orders, here.calls.writes) == (new, asked, [])


def test_one_that_is_asked_for_is_renewed_with_all_its_names(
    here: Account, ca: Authority, demo: Front
) -> None:
    domains = ("*.example.com", "example.com")
    old = make(here, demo.port, acme_for(*domains), passed=timedelta())
    rotation = rotate_now(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    assert served(here, demo.port) != old
    assert domains_of(on_the_wire(demo, ca.acme.root())) == {*domains}
    assert ca.records() == {}


def test_the_ca_is_asked_when_the_records_have_spread_and_no_sooner(
    here: Account, ca: Authority, demo: Front
) -> None:
    KNOBS.dns_propagation_seconds = 40
    asked_at: list[timedelta] = []

    def note(asked: Asked) -> Answer | None:
        if asked.path.startswith("/chalZ"):
            asked_at.append(here.passed)
        return None

    make_due(here, demo.port)
    ca.front.refuse = note
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert asked_at
    assert min(asked_at) >= timedelta(seconds=40)
    assert ca.records() == {}


def test_what_others_keep_in_the_same_record_stays(here: Account, ca: Authority, demo: Front) -> None:
    ca.put_record(RECORD, '"of another tool"', '"and \\"one\\" more"', ttl=77)
    before = ca.records(), ca.lifetimes()
    make(here, demo.port, acme_for(HOST), passed=timedelta())
    assert (ca.records(), ca.lifetimes()) == before
    assert any("of another tool" in values and len(values) > 2 for name, values in ca.shown if name == RECORD)


def test_each_name_is_shown_in_the_closest_public_zone(here: Account, ca: Authority, demo: Front) -> None:
    inner, private, other = (
        ca.add_zone(HOST),
        ca.add_zone(HOST, private=True),
        ca.add_zone("example.org"),
    )
    make(here, demo.port, acme_for(HOST, "a.example.com", "a.example.org"), passed=timedelta())
    assert domains_of(on_the_wire(demo, ca.acme.root())) == {HOST, "a.example.com", "a.example.org"}
    assert [ca.records(zone) for zone in (ca.zone, inner, private, other)] == [{}, {}, {}, {}]


def test_a_name_in_no_zone_of_the_account_is_said_before_the_ca_is_asked(
    here: Account, ca: Authority
) -> None:
    with pytest.raises(errors.EmqElbError, match=r"x\.example\.net"):
        make(here, 8883, acme_for(HOST, "x.example.net"), passed=timedelta())
    assert (ca.orders, ca.records(), names(here)) == (0, {}, [])


def test_a_hundred_zones_and_more_are_read_to_the_end(here: Account, ca: Authority, demo: Front) -> None:
    for number in range(120):
        ca.add_zone(f"{number}.example.org")
    make(here, demo.port, acme_for(HOST, *(f"a.{n}.example.org" for n in (0, 119))), passed=timedelta())
    assert len(domains_of(on_the_wire(demo, ca.acme.root()))) == 3


def test_there_is_one_account_however_often_it_is_used(here: Account, ca: Authority, demo: Front) -> None:
    created: list[int] = []

    def note(asked: Asked, answer: Answer) -> Answer:
        if asked.path == "/sign-me-up" and answer.status < 300:
            created.append(answer.status)
        return answer

    ca.front.change = note
    make(here, demo.port, acme_for(HOST), passed=timedelta())
    (key,) = account_keys(here)
    rotate_now(here, demo)
    assert (account_keys(here), created.count(201)) == ([key], 1)
