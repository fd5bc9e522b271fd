"""Rotation to a certificate that clients refuse: trust that is lost, and flaws of the certificate itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.model import errors
from chalicelib.rotate.verify import TlsClient
from chalicelib.tls.handshake import Trust
from tests.world.certificates import UNKNOWN, Issued, authority, leaf, self_signed
from tests.world.provisioning import Account, Killed
from tests.world.rotating import (
    HOST,
    SECRET,
    Front,
    body,
    bundle,
    keep_secret,
    make,
    rotate,
    served,
    tags,
    uploaded_a_minute_ago,
)

COMPANY = authority()


def trusting(demo: Front) -> TlsClient:
    """A wire by which the issuer of `bundle` is trusted."""
    return replace(demo.wire, trust=Trust((COMPANY.certificate_pem,), system=False))


def secret_of(one: Issued) -> str:
    texts = {"certificate": one.certificate_pem, "chain": one.chain_pem, "private_key": one.private_key_pem}
    return json.dumps(texts)


IN_80_DAYS = datetime.now(UTC).replace(microsecond=0) + timedelta(days=80)
STAGING = leaf(HOST, signed_by=authority("Staging", signed_by=authority("Staging Root")), key="staging")
REFUSED = {
    "of a staging CA": (
        leaf(HOST, signed_by=authority("Staging CA"), key="staging"),
        "before it was trusted",
    ),
    "of its intermediate": (STAGING, "before it was trusted"),
    "self-signed": (self_signed(HOST), "before it was trusted"),
    "with a flaw": (leaf(HOST, signed_by=COMPANY, key="new", more=[UNKNOWN]), "unhandled critical extension"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_one_that_clients_refuse_where_they_took_the_old_one_is_rolled_back(
    here: Account, demo: Front, what: str
) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    new, said = REFUSED[what]
    keep_secret(secret_of(new))
    with pytest.raises(errors.Unserved, match=said):
        rotate(here, trusting(demo))
    assert served(here, demo.port) == old
    assert "emq-elb:rejected" in tags(here)
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed before"):
        rotate(here, trusting(demo))
    assert served(here, demo.port) == old


@pytest.mark.parametrize("after", [1, 3, 4])
def test_killed_amid_lost_trust_the_next_run_brings_the_old_one_back(
    here: Account, demo: Front, after: int
) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(secret_of(REFUSED["of a staging CA"][0]))
    here.calls.kill_after = after
    with pytest.raises(Killed):
        rotate(here, trusting(demo))
    here.calls.kill_after = None
    for _ in range(2):
        with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed"):
            rotate(here, trusting(demo))
    assert served(here, demo.port) == old


def test_one_of_another_issuer_that_nobody_saw_come_is_kept_and_not_called_verified(
    here: Account, demo: Front
) -> None:
    """A PUT may have wanted it; a run that was killed before it looked may not."""
    keep_secret(bundle(40))
    make(here, demo.port, SECRET, passed=timedelta())
    uploaded_a_minute_ago()
    keep_secret(secret_of(REFUSED["of a staging CA"][0]))
    new = make(here, demo.port, SECRET, passed=timedelta())
    (rotation,) = rotate(here, trusting(demo))
    assert (rotation.state, rotation.verified, served(here, demo.port)) == ("kept", False, new)
    assert [warning.code for warning in rotation.warnings] == ["unverified"]


def test_a_put_of_one_that_lost_trust_stays_once_its_tag_is_gone(here: Account, demo: Front) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(secret_of(REFUSED["of a staging CA"][0]))
    with pytest.raises(errors.Unserved, match="was trusted"):
        rotate(here, trusting(demo))
    new = make(here, demo.port, SECRET, passed=timedelta())
    assert new != old
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed"):
        rotate(here, trusting(demo))
    assert served(here, demo.port) == old
    here.world.elb.remove_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "emq-elb:rejected"}])
    make(here, demo.port, SECRET, passed=timedelta())
    (rotation,) = rotate(here, trusting(demo))
    assert (rotation.state, served(here, demo.port)) == ("kept", new)


def test_one_of_an_issuer_that_we_know_in_the_place_of_one_that_we_do_not_is_verified(
    here: Account, demo: Front
) -> None:
    keep_secret(secret_of(leaf(HOST, signed_by=authority("Staging CA"), key="staging")))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(secret_of(leaf(HOST, signed_by=COMPANY, not_after=IN_80_DAYS + timedelta(days=20))))
    (rotation,) = rotate(here, trusting(demo))
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    assert served(here, demo.port) != old


def test_a_flaw_is_found_though_nobody_knows_the_issuer(here: Account, demo: Front) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(secret_of(REFUSED["with a flaw"][0]))
    with pytest.raises(errors.Unserved, match="tls-invalid unhandled critical extension"):
        rotate(here, demo)
    assert served(here, demo.port) == old


def test_a_listener_that_was_left_behind_shows_that_trust_is_lost(here: Account, demo: Front) -> None:
    """The run that was killed between the two listeners had not looked yet."""
    keep_secret(bundle(40))
    old = make(here, 1, SECRET, passed=timedelta())
    here.put(body(here, demo.port, {"arn": old}), "second")
    demo.name = "second"
    uploaded_a_minute_ago()
    keep_secret(secret_of(REFUSED["of a staging CA"][0]))
    here.calls.kill_after = 2
    with pytest.raises(Killed):
        rotate(here, trusting(demo))
    here.calls.kill_after = None
    assert {served(here, 1), served(here, demo.port, "second")} > {old}
    with pytest.raises(errors.Unserved, match="before it was trusted"):
        rotate(here, trusting(demo))
    assert {served(here, 1), served(here, demo.port, "second")} == {old}
