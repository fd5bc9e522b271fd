"""Rotation while others are at work, and what it makes of what they left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from chalicelib.model import errors
from chalicelib.rotate.story import carry_on, rotate_one
from lab.fidelity.knobs import KNOBS
from tests.rotate.test_story import invalidate
from tests.world.certificates import authority, leaf
from tests.world.provisioning import WATCHED, Account, Killed, just_before, pem
from tests.world.rotating import (
    HOST,
    PRIVATE,
    SECRET,
    Front,
    body,
    bundle,
    keep_secret,
    make,
    names,
    nowhere,
    rotate,
    served,
    tag,
    tags,
    uploaded_a_minute_ago,
)

SWAP = "SetLoadBalancerListenerSSLCertificate"


def test_that_devices_trust_a_new_ca_is_said_once_though_elb_takes_its_time(
    here: Account, demo: Front
) -> None:
    old = make(here, demo.port, passed=timedelta(minutes=-1))
    other = authority("Another CA")
    kept = {"certificate": other.certificate_pem, "private_key": other.private_key_pem}
    keep_secret(json.dumps(kept), here.settings.private_ca_secret)
    KNOBS.certificate_propagation_seconds = 120
    rotation = rotate_one("demo", here.invocation(20), demo.wire, trusted=True)
    assert (rotation.state, served(here, demo.port)) == ("pending", old)
    rotation = carry_on("demo", here.invocation(600), demo.wire)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    assert served(here, demo.port) != old
    assert len(names(here)) == 2


def test_a_put_that_comes_in_between_does_not_undo_what_was_asked_for(here: Account, demo: Front) -> None:
    old = make(here, demo.port, passed=timedelta(minutes=-1))
    uploaded_a_minute_ago()
    asked = here.now().isoformat()
    KNOBS.certificate_propagation_seconds = 120
    assert rotate_one("demo", here.invocation(20), demo.wire).state == "pending"
    here.put(body(here, demo.port, PRIVATE))
    assert "emq-elb:pending" not in tags(here)
    rotation = carry_on("demo", here.invocation(600), demo.wire, asked=asked)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    new = served(here, demo.port)
    assert new != old
    assert len(names(here)) == 2
    carry_on("demo", here.invocation(600), demo.wire, asked=asked)
    assert served(here, demo.port) == new, "Lambda may try again"


def test_a_put_amid_a_rotation_goes_on_with_the_new_one(here: Account) -> None:
    asked = body(here, 8883, PRIVATE)
    asked["listeners"].append({**asked["listeners"][0], "port": 8884})
    here.passed = timedelta(days=-70)
    here.put(asked)
    here.passed = timedelta()
    old = served(here)
    here.calls.kill_after = 2
    with pytest.raises(Killed):
        rotate(here, nowhere())
    here.calls.kill_after = None
    found = {served(here, 8883), served(here, 8884)}
    assert len(found) == 2
    here.put(asked)
    assert {served(here, 8883), served(here, 8884)} == found - {old}
    assert len(names(here)) == 2, "none was issued beside it"


def test_a_put_does_not_settle_for_one_that_failed_on_the_wire(here: Account) -> None:
    first = make(here, passed=timedelta(minutes=-1))
    rotate_one("demo", here.invocation(), nowhere())
    failed = served(here)
    assert failed != first
    tag(here, "rejected", failed.rpartition("/")[2])
    here.put(body(here, 8883, PRIVATE))
    assert served(here) == first


def test_what_a_put_gave_while_the_run_was_busy_stays(here: Account) -> None:
    make(here)
    make(here, name="second")
    given = body(here, 8883, {"pem": pem(bundle(80))})

    def meanwhile() -> None:
        here.passed += timedelta(minutes=4)
        here.put(given, "second")

    just_before(SWAP, meanwhile)
    rotations = {one.name: one.state for one in rotate(here, nowhere())}
    assert rotations == {"demo": "rotated", "second": "kept"}
    assert tags(here, "second")["emq-elb:certificate"] == "pem"
    assert served(here, 8883, "second").rpartition("/")[2] in names(here)
    assert len(names(here)) == 4, "nothing was issued for the second"


def test_what_a_put_gave_while_the_ca_was_busy_stays(here: Account) -> None:
    """The private CA is quick: that time passed while one was issued is made up."""
    make(here)
    chosen: list[str] = []

    def meanwhile() -> None:
        here.put(body(here, 8883, {"pem": pem(bundle(80))}))
        chosen.append(served(here))
        here.passed += timedelta(minutes=4)

    just_before("UploadServerCertificate", meanwhile)
    (rotation,) = rotate(here, nowhere())
    assert (rotation.state, [served(here)]) == ("kept", chosen)
    assert "got another certificate meanwhile" in rotation.reason
    rotate(here, nowhere())
    assert ("emq-elb:pending" in tags(here), [served(here)]) == (False, chosen)


def test_a_put_that_waits_is_not_forgotten_by_a_rotation_that_ends(here: Account, demo: Front) -> None:
    make(here, demo.port)
    tag(here, "pending", "2026-01-01T00:00:00Z issuing")
    waiting = "2026-01-02T00:00:00Z waiting for AWS"

    def meanwhile() -> None:
        here.passed += timedelta(minutes=4)
        tag(here, "pending", waiting)

    just_before(SWAP, meanwhile)
    rotate(here, demo, within=600)
    assert tags(here)["emq-elb:pending"] == waiting


def test_the_same_leaf_with_its_chain_is_waited_for_where_it_comes_without(
    here: Account, demo: Front
) -> None:
    one = leaf(HOST, signed_by=authority("Middle", signed_by=authority()))
    keep_secret(json.dumps({"certificate": one.certificate_pem, "private_key": one.private_key_pem}))
    demo.stale = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(one)
    (rotation,) = rotate(here, demo)
    assert rotation.state == "pending", rotation.reason
    demo.stale, old = None, demo.stale
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert served(here, demo.port) != old
    assert "emq-elb:rejected" not in tags(here)


def test_one_lent_to_a_load_balancer_of_another_name_is_renewed_all_the_same(
    here: Account, demo: Front
) -> None:
    old = make(here, demo.port)
    here.put(body(here, demo.port, {"arn": old}) | {"hostname": "other.example.net"}, "second")
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port) != old) == ("kept", True), rotation.reason


def test_a_roll_back_goes_to_the_one_before_where_the_last_was_deleted_meanwhile(
    here: Account, demo: Front
) -> None:
    keep_secret(bundle(30))
    first = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(bundle(40, key="second"))
    rotate(here, demo)
    last = served(here, demo.port)
    keep_secret(bundle(70, key="other"))

    def meanwhile() -> None:
        demo.good = first
        invalidate(last)

    just_before(SWAP, meanwhile)
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed"):
        rotate(here, demo)
    assert (served(here, demo.port), "emq-elb:pending" in tags(here)) == (first, False)


def test_one_that_failed_and_is_served_for_want_of_another_fails_every_run(
    here: Account, demo: Front
) -> None:
    arn = make(here, demo.port, passed=timedelta(days=-2))
    tag(here, "rejected", arn.rpartition("/")[2])
    with pytest.raises(errors.Unserved, match="there is no other to go back to"):
        rotate(here, demo)
    assert rotate_one("demo", here.invocation(), demo.wire).state == "rotated"


@pytest.mark.parametrize(("domains", "known"), [([HOST], 2), ([HOST], 1), (None, 1)])
def test_a_lost_one_without_a_hostname_is_replaced_for_names_that_clients_use(
    here: Account, domains: list[str] | None, known: int
) -> None:
    asked = body(here, 8883, {"issuer": "private-ca", **({"domains": domains} if domains else {})})
    del asked["hostname"]
    here.passed = timedelta(minutes=-1)
    here.put(asked)
    here.passed = timedelta()
    if known == 2:
        rotate_one("demo", here.invocation(), nowhere())
    invalidate(served(here))
    (rotation,) = rotate(here, nowhere())
    assert rotation.certificate is not None
    wanted = (HOST,) if known == 2 else ("*.eu-central-1.elb.amazonaws.com",)
    assert (rotation.certificate.arn, rotation.certificate.domains) == (served(here), wanted)
    assert ("default-domains" in [one.code for one in rotation.warnings]) is (known == 1)


def test_a_lost_one_of_an_acme_ca_is_not_ordered_for_no_name_at_all(here: Account) -> None:
    asked = body(here, 8883, PRIVATE)
    del asked["hostname"]
    here.put(asked)
    tag(here, "certificate", "acme")
    invalidate(served(here))
    with pytest.raises(errors.Unserved, match="names that it was for are not known"):
        rotate(here, nowhere())


def test_names_in_capital_letters_are_the_same_names(here: Account) -> None:
    first = make(here, passed=timedelta())
    assert make(here, 8883, {**PRIVATE, "domains": [HOST.upper()]}, passed=timedelta()) == first
    assert here.calls.writes == []


def test_one_that_failed_and_does_well_since_a_put_stays(here: Account, demo: Front) -> None:
    """A PUT mends the policy, say, and installs what the secret holds."""
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(bundle(70, key="other"))
    demo.good = old
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed"):
        rotate(here, demo)
    assert served(here, demo.port) == old
    demo.good = None
    here.put(body(here, demo.port, SECRET))
    mended = served(here, demo.port)
    assert mended != old
    for _ in range(2):
        (rotation,) = rotate(here, demo)
        assert (rotation.state, rotation.verified) == ("kept", True), rotation.reason
    assert (served(here, demo.port), "emq-elb:rejected" in tags(here)) == (mended, False)


def test_an_upload_that_came_to_nothing_takes_no_room(here: Account) -> None:
    """There is room for one, and the first of two cannot have it."""
    for name in ("demo", "second"):
        make(here, name=name)
    for number in range(17):
        here.world.upload(f"strangers-{number}")
    refused = 0

    def first(operation: str, _: Mapping[str, str]) -> str | None:
        nonlocal refused
        refused += operation == "UploadServerCertificate"
        return "Throttling" if operation == "UploadServerCertificate" and refused == 1 else None

    WATCHED.refuse = first
    with pytest.raises(errors.Unserved) as caught:
        rotate(here, nowhere())
    assert [type(error) for _, error in caught.value.failures] == [errors.Throttled]
    assert len(names(here)) == 20


def test_what_a_run_uploads_counts_before_the_account_is_asked(here: Account) -> None:
    for number in range(3):
        make(here, name=f"lb-{number}")
    for number in range(10):
        here.world.upload(f"strangers-{number}")
    rotate(here, nowhere())
    assert len(names(here)) == 16
    assert here.calls.made.count("GetAccountSummary") == 1
