"""Rotate: decided, uploaded, swapped in place, seen on the wire; or put back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from chalicelib.model import errors
from chalicelib.rotate.events import Expiring
from chalicelib.rotate.report import report_expiring
from chalicelib.rotate.story import carry_on, rotate_one
from chalicelib.rotate.verify import TlsClient
from chalicelib.tls.connect import handshake
from chalicelib.tls.handshake import Handshake
from lab.fidelity.knobs import KNOBS
from tests.world.certificates import AROUND, authority, leaf
from tests.world.emitted import emitted
from tests.world.kinds import CLASSIC, NETWORK, Kind, each_kind
from tests.world.provisioning import OWNER, WATCHED, Account, Killed, granted
from tests.world.rotating import (
    HOST,
    LONG_AGO,
    SECRET,
    Front,
    beside_the_certificate,
    body,
    bundle,
    due,
    keep_secret,
    make,
    names,
    nowhere,
    rotate,
    served,
    supersede,
    tags,
)

CLIENTS = [ExtendedKeyUsageOID.CLIENT_AUTH]


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """The last metrics of each load balancer, and of all together under the owner's name."""
    records = emitted(capsys.readouterr().out)
    return {record.get("LoadBalancer") or record["Owner"]: record for record in records}


@each_kind
@pytest.mark.quick
@pytest.mark.parametrize("source", ["private-ca", "secret"])
def test_one_that_is_due_is_replaced_in_place_and_seen_on_the_wire(
    here: Account, kind: Kind, demo: Front, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = due(here, demo.port, source, kind)
    before = beside_the_certificate(here, demo.port)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    new = served(here, demo.port)
    assert new != old
    assert rotation.certificate is not None
    assert (rotation.certificate.arn, rotation.certificate.domains) == (new, (HOST,))
    assert demo.seen[-1] == new
    assert beside_the_certificate(here, demo.port) == before
    assert here.calls.writes == ["UploadServerCertificate", kind.swaps, "PutEvents"]
    assert len(names(here)) == 2, "the old one is kept to roll back to"
    emitted = metrics(capsys)["demo"]
    assert (emitted["CertificatesRotated"], emitted["CertificateRollbacks"]) == (1, 0)
    assert round(emitted["CertificateDaysToExpiry"]) == {"private-ca": 90, "secret": 70}[source]


@each_kind
def test_one_that_is_not_due_is_left_alone(
    here: Account, kind: Kind, demo: Front, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make(here, demo.port, type_=kind.type, passed=timedelta(days=-59))
    (rotation,) = rotate(here, demo)
    assert (rotation.state, served(here, demo.port), here.calls.writes) == ("kept", old, [])
    put = metrics(capsys)
    assert (put["demo"]["CertificatesRotated"], int(put["demo"]["CertificateDaysToExpiry"])) == (0, 30)
    assert OWNER not in put, "a zero would let the alarm ring twice"


@each_kind
def test_a_rotation_that_was_asked_for_does_not_wait_for_the_end(
    here: Account, kind: Kind, demo: Front
) -> None:
    old = make(here, demo.port, type_=kind.type, passed=timedelta())
    foreseen = rotate_one("demo", here.invocation(), demo.wire, dry_run=True)
    assert (foreseen.state, served(here, demo.port), len(names(here))) == ("rotated", old, 1)
    rotation = rotate_one("demo", here.invocation(), demo.wire)
    assert (rotation.state, rotation.verified) == ("rotated", True)
    assert served(here, demo.port) != old


@pytest.mark.parametrize("name", ["other", "-no-name-", "theirs"])
def test_what_is_not_there_or_not_ours_is_not_found(here: Account, name: str) -> None:
    here.world.create("theirs")
    with pytest.raises(errors.NotFound):
        rotate_one(name, here.invocation(), nowhere())


def test_a_new_version_of_the_secret_is_taken_up_within_one_run(here: Account, demo: Front) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    assert rotate(here, demo)[0].reason == "the secret holds the served certificate"
    keep_secret(bundle(70, key="other"))
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    assert served(here, demo.port) != old
    rotate(here, demo)
    assert here.calls.writes == []


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (" ", "no JSON object"),
        ("[]", "no JSON object"),
        ("{}", "no `certificate`"),
        (json.dumps({"certificate": "none", "private_key": "none"}), "certificate"),
        (json.dumps({"certificate": bundle().certificate_pem, "private_key": "none"}), "private key"),
        (bundle(80, host="other.example.com"), f"does not cover {HOST}"),
        (leaf(HOST, signed_by=authority(), kind="ed25519"), "neither RSA nor EC"),
        (leaf(HOST, signed_by=authority(), purposes=CLIENTS), "leaves out server authentication"),
    ],
    ids=["empty", "a list", "nothing in it", "no PEM", "no key", "other names", "Ed25519", "a client's"],
)
def test_a_secret_without_a_good_certificate_is_refused_before_anything_is_uploaded(
    here: Account, demo: Front, held: Any, reason: str
) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(held)
    with pytest.raises(errors.Unserved, match=reason):
        rotate(here, demo)
    assert (served(here, demo.port), here.calls.writes, len(names(here))) == (old, [], 1)


@pytest.mark.parametrize("days", [50, -1])
def test_a_secret_whose_certificate_ends_sooner_is_not_taken(here: Account, demo: Front, days: int) -> None:
    keep_secret(bundle(60))
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(bundle(days, key="other"))
    (rotation,) = rotate(here, demo)
    assert [warning.code for warning in rotation.warnings] == ["secret-older"]
    assert (served(here, demo.port), here.calls.writes) == (old, [])


@each_kind
def test_a_secret_that_is_gone_leaves_what_is_served_and_fails_the_run(
    here: Account, kind: Kind, demo: Front
) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, type_=kind.type, passed=timedelta())
    boto3.client("secretsmanager", "eu-central-1").delete_secret(SecretId="mqtt")
    with pytest.raises(errors.Unserved, match="there is no secret mqtt"):
        rotate(here, demo)
    assert served(here, demo.port) == old


@pytest.mark.parametrize("kind", [pytest.param(CLASSIC, marks=pytest.mark.quick), NETWORK])
def test_what_fails_on_the_wire_is_rolled_back_and_not_installed_again(
    here: Account, kind: Kind, demo: Front, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, type_=kind.type, passed=timedelta())
    rotate(here, demo)
    keep_secret(bundle(70, key="other"))
    demo.good = old
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed"):
        rotate(here, demo)
    assert served(here, demo.port) == old
    emitted = metrics(capsys)
    assert (emitted["demo"]["CertificateRollbacks"], emitted[OWNER]["CertificateRollbacks"]) == (1, 1)
    rejected, at = tags(here)["emq-elb:rejected"].split(" ")
    assert abs(datetime.fromisoformat(at) - here.now()) < timedelta(minutes=5)
    assert rejected != old.rpartition("/")[2]
    assert here.calls.writes[:4] == [
        "UploadServerCertificate",
        kind.swaps,
        "AddTags",
        kind.swaps,
    ]
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed before"):
        rotate(here, demo)
    assert not {"UploadServerCertificate", kind.swaps} & {*here.calls.made}
    assert served(here, demo.port) == old
    assert rejected not in names(here), "what failed is deleted"
    demo.good = None
    here.passed += timedelta(hours=22)
    with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed before"):
        rotate(here, demo)
    here.passed += timedelta(hours=2)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), "what made it fail has passed"
    assert served(here, demo.port).endswith(rejected)
    assert "emq-elb:rejected" not in tags(here)
    (rotation,) = rotate(here, demo)
    assert rotation.state == "kept"


def test_resets_for_some_seconds_reject_nothing(here: Account, demo: Front) -> None:
    keep_secret(bundle(40))
    old = make(here, demo.port, SECRET, passed=timedelta())
    rotate(here, demo)
    keep_secret(bundle(70, key="other"))
    demo.good = old
    began = here.now()

    def shake(*asked: Any, **how: Any) -> Handshake:
        if here.now() - began > timedelta(seconds=30):
            demo.good = None
        return handshake(*asked, **how)

    (rotation,) = rotate(here, replace(demo.wire, handshake=shake))
    assert (rotation.state, rotation.verified) == ("rotated", True)
    assert served(here, demo.port) != old
    assert "emq-elb:rejected" not in tags(here)


@each_kind
def test_an_address_that_still_serves_the_old_one_is_waited_for_and_looked_at_again(
    here: Account, kind: Kind, demo: Front
) -> None:
    demo.stale = make(here, demo.port, type_=kind.type)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("pending", False)
    new = served(here, demo.port)
    assert new != demo.stale
    assert tags(here)["emq-elb:pending"].endswith(f"certificate {new.rpartition('/')[2]}")
    demo.stale = None
    (rotation,) = rotate(here, demo)
    assert rotation.verified
    assert "emq-elb:pending" not in tags(here)
    assert served(here, demo.port) == new


@each_kind
def test_one_that_cannot_be_reached_is_rotated_and_reported_as_unverified(here: Account, kind: Kind) -> None:
    old = make(here, type_=kind.type)
    (rotation,) = rotate(here, nowhere())
    assert (rotation.state, rotation.verified) == ("rotated", False)
    assert [warning.code for warning in rotation.warnings] == ["unverified"]
    assert served(here) != old


@each_kind
def test_a_certificate_that_elb_does_not_know_yet_is_waited_for(
    here: Account, kind: Kind, demo: Front
) -> None:
    make(here, demo.port, type_=kind.type)
    KNOBS.certificate_propagation_seconds = 20
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True)
    assert here.passed >= timedelta(seconds=20)


@each_kind
def test_what_elb_did_not_know_in_time_is_installed_by_the_next_run_and_not_issued_again(
    here: Account, kind: Kind, demo: Front
) -> None:
    old = make(here, demo.port, type_=kind.type, passed=timedelta(minutes=-1))
    KNOBS.certificate_propagation_seconds = 120
    rotation = rotate_one("demo", here.invocation(20), demo.wire)
    assert (rotation.state, served(here, demo.port), len(names(here))) == ("pending", old, 2)
    rotation = carry_on("demo", here.invocation(600), demo.wire)
    assert (rotation.state, rotation.verified) == ("rotated", True)
    assert len(names(here)) == 2
    assert rotation.certificate is not None
    assert served(here, demo.port) == rotation.certificate.arn != old
    assert "emq-elb:pending" not in tags(here)


def test_a_private_ca_that_is_gone_is_reported_and_never_made_anew(here: Account, demo: Front) -> None:
    old = make(here, demo.port)
    boto3.client("secretsmanager", "eu-central-1").delete_secret(
        SecretId=here.settings.private_ca_secret, ForceDeleteWithoutRecovery=True
    )
    with pytest.raises(errors.Unserved, match="the private CA is gone"):
        rotate(here, demo)
    assert (served(here, demo.port), here.calls.writes) == (old, [])
    apart = f"{here.settings.private_ca_secret}-certificate"
    assert [one["Name"] for one in here.secrets()] == [apart], "probes go on with what devices trust"
    with pytest.raises(errors.Conflict, match="the private CA is gone"):
        rotate_one("demo", here.invocation(), demo.wire)


@each_kind
def test_another_private_ca_is_used_only_when_somebody_says_that_devices_trust_it(
    here: Account, kind: Kind, demo: Front
) -> None:
    old = make(here, demo.port, type_=kind.type)
    other = authority("Another CA")
    keep_secret(
        json.dumps({"certificate": other.certificate_pem, "private_key": other.private_key_pem}),
        here.settings.private_ca_secret,
    )
    with pytest.raises(errors.Unserved, match="not the one that signed it"):
        rotate(here, demo)
    with pytest.raises(errors.Conflict, match="not the one that signed it"):
        rotate_one("demo", here.invocation(), demo.wire)
    assert served(here, demo.port) == old
    rotation = rotate_one("demo", here.invocation(), demo.wire, trusted=True)
    assert (rotation.state, rotation.verified) == ("rotated", True)


def test_one_that_is_bad_stops_no_other(here: Account, demo: Front) -> None:
    make(here, demo.port)
    keep_secret(bundle(40))
    make(here, 8883, SECRET, name="bad", passed=timedelta())
    keep_secret("{}")
    old = served(here, demo.port)
    with pytest.raises(errors.Unserved, match="bad: ") as caught:
        rotate(here, demo)
    assert [name for name, _ in caught.value.failures] == ["bad"]
    assert served(here, demo.port) != old


@pytest.mark.parametrize("error", [TypeError, ValueError, RecursionError])
def test_what_nobody_expected_of_one_stops_no_other(
    here: Account, demo: Front, error: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    olds = {name: make(here, demo.port if name == "demo" else 8883, name=name) for name in ("bad", "demo")}

    def resolve(host: str) -> tuple[str, ...]:
        if "bad" in host:
            raise error("made up")
        return demo.wire.resolve(host)

    with pytest.raises(errors.Unserved, match="bad: made up") as caught:
        rotate(here, TlsClient(resolve=resolve))
    assert [name for name, _ in caught.value.failures] == ["bad"]
    assert served(here, 8883, "bad") == olds["bad"]
    assert served(here, demo.port) != olds["demo"]
    emitted = metrics(capsys)
    assert (emitted["demo"]["CertificatesRotated"], emitted["bad"]["CertificatesRotated"]) == (1, 0)


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("source", ["secret", "private-ca"])
def test_what_stands_around_the_pem_blocks_of_a_secret_stops_nothing(
    here: Account, demo: Front, around: Callable[[str], str], source: str
) -> None:
    ca = authority("Company CA", not_before=here.now() + 2 * LONG_AGO)
    kept = {"certificate": around(ca.certificate_pem), "private_key": around(ca.private_key_pem)}
    keep_secret(json.dumps(kept), here.settings.private_ca_secret)
    if source == "secret":
        keep_secret(bundle(40))
        old = make(here, demo.port, SECRET, passed=timedelta())
        one = bundle(70, key="other")
        parts = {"fullchain": one.certificate_pem + one.chain_pem, "private_key": one.private_key_pem}
        keep_secret(json.dumps({key: around(text) for key, text in parts.items()}))
    else:
        old = make(here, demo.port)
    (rotation,) = rotate(here, demo)
    assert (rotation.state, rotation.verified) == ("rotated", True), rotation.reason
    assert served(here, demo.port) != old


@each_kind
@pytest.mark.parametrize("source", ["pem", "external"])
def test_what_nobody_renews_is_only_watched(
    here: Account, kind: Kind, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = bundle(10)
    given: dict[str, Any] = {
        "pem": {
            "certificate": one.certificate_pem,
            "private_key": one.private_key_pem,
            "chain": one.chain_pem,
        }
    }
    if source == "external":
        answer = here.world.iam.upload_server_certificate(
            ServerCertificateName="by-hand",
            CertificateBody=one.certificate_pem,
            PrivateKey=one.private_key_pem,
            CertificateChain=one.chain_pem or one.root_pem,
        )
        given = {"arn": answer["ServerCertificateMetadata"]["Arn"]}
    old = make(here, 8883, given, type_=kind.type, passed=timedelta())
    (rotation,) = rotate(here, nowhere())
    assert [warning.code for warning in rotation.warnings] == ["expires-soon"]
    assert (served(here), here.calls.writes) == (old, [])
    assert metrics(capsys)["demo"]["CertificateDaysToExpiry"] == 10
    with pytest.raises(errors.Conflict, match="you renew it yourself"):
        rotate_one("demo", here.invocation(), nowhere())


@each_kind
def test_acms_warning_becomes_a_metric_of_each_load_balancer_that_serves_it(
    here: Account, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = make(here, type_=kind.type)
    assert report_expiring(Expiring(arns=frozenset({arn}), days=31), here.invocation()) == ("demo",)
    assert metrics(capsys)["demo"]["CertificateDaysToExpiry"] == 31
    assert report_expiring(Expiring(arns=frozenset({f"{arn}x"}), days=31), here.invocation()) == ()


def test_a_listener_that_lost_its_certificate_gets_one(here: Account, demo: Front) -> None:
    old = make(here, demo.port, passed=timedelta())
    invalidate(old)
    (rotation,) = rotate(here, nowhere())
    assert rotation.state == "rotated"
    assert "lost" in rotation.reason
    new = served(here, demo.port)
    assert new.startswith("arn:")
    assert new != old


def invalidate(arn: str) -> None:
    """Take a certificate away under the listener that serves it, as AWS's page warns that one can."""
    from moto.iam.models import iam_backends

    kept = iam_backends["123456789012"]["aws"].certificates
    del kept[next(key for key, one in kept.items() if one.arn == arn)]


@each_kind
def test_superseded_ones_are_retired_but_for_those_that_are_kept(
    here: Account, kind: Kind, demo: Front
) -> None:
    make(here, demo.port, type_=kind.type, passed=timedelta(days=-80))
    rotate(here, demo)
    for _ in range(2):
        rotate_one("demo", here.invocation(), demo.wire)
    assert len(names(here)) == 4
    here.passed = timedelta(hours=2)
    newest = served(here, demo.port)
    rotate(here, demo)
    assert len(names(here)) == 2
    assert newest.rpartition("/")[2] in names(here)


def test_one_that_another_region_uses_is_not_retired(here: Account, demo: Front) -> None:
    old = supersede(here, demo, used_in="eu-west-1")
    rotate(here, demo)
    assert "DescribeRegions" in here.calls.made
    assert old.rpartition("/")[2] in names(here)


def test_a_certificate_on_several_load_balancers_is_replaced_on_all(here: Account, demo: Front) -> None:
    old = make(here, demo.port)
    here.put(body(here, 8883, {"arn": old}), "second")
    rotations = rotate(here, demo)
    assert [one.name for one in rotations] == ["demo"]
    assert served(here, 8883, "second") == served(here, demo.port) != old


def test_a_former_upload_for_the_same_names_is_not_taken_for_one_of_the_private_ca(here: Account) -> None:
    one = bundle(80)
    given = {"pem": {"certificate": one.certificate_pem, "private_key": one.private_key_pem}}
    uploaded = make(here, 8883, given, passed=timedelta())
    first = make(here, passed=timedelta())
    assert first != uploaded
    again = make(here, 8883, {"arn": uploaded}, passed=timedelta())
    assert again == uploaded
    assert make(here, passed=timedelta()) == first, "that one the private CA did sign"


def apart(here: Account) -> dict[str, Any]:
    """What the secret of the private CA's certificate holds, and the tag on the key's secret."""
    client, key = boto3.client("secretsmanager", "eu-central-1"), here.settings.private_ca_secret
    kept = json.loads(client.get_secret_value(SecretId=f"{key}-certificate")["SecretString"])
    tags_there = {one["Key"]: one["Value"] for one in client.describe_secret(SecretId=key).get("Tags", [])}
    return {**kept, "mark": tags_there.get("emq-elb:certificate")}


def forget_apart(here: Account) -> None:
    """Leave a private CA as it was before its certificate had a secret of its own."""
    client, key = boto3.client("secretsmanager", "eu-central-1"), here.settings.private_ca_secret
    client.delete_secret(SecretId=f"{key}-certificate", ForceDeleteWithoutRecovery=True)
    client.untag_resource(SecretId=key, TagKeys=["emq-elb:certificate"])


def test_the_private_cas_certificate_is_kept_apart_once_and_marked(here: Account) -> None:
    make(here, 8883, passed=timedelta())
    forget_apart(here)
    rotate(here, nowhere())
    assert here.calls.writes == ["CreateSecret", "TagResource"]
    kept = apart(here)
    assert kept["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert kept.keys() == {"certificate", "mark"}
    assert kept["mark"]
    rotate(here, nowhere())
    assert here.calls.writes == []


@pytest.mark.parametrize("text", ["{}", "no JSON", '{"certificate": "another"}'])
def test_a_certificate_apart_that_is_not_the_private_cas_is_replaced(here: Account, text: str) -> None:
    make(here, 8883, passed=timedelta())
    forget_apart(here)
    keep_secret(text, f"{here.settings.private_ca_secret}-certificate")
    rotate(here, nowhere())
    assert [name for name in here.calls.writes if name != "CreateSecret"] == ["PutSecretValue", "TagResource"]
    assert apart(here)["certificate"].startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize("after", [1, 2])
def test_killed_after_any_call_the_next_run_keeps_the_certificate_apart(here: Account, after: int) -> None:
    make(here, 8883, passed=timedelta())
    forget_apart(here)
    here.calls.kill_after = after
    with pytest.raises(Killed):
        rotate(here, nowhere())
    here.calls.kill_after = None
    rotate(here, nowhere())
    assert apart(here)["certificate"]
    assert apart(here)["mark"]


@pytest.mark.parametrize("operation", ["DescribeSecret", "CreateSecret", "TagResource"])
def test_what_keeps_the_certificate_from_being_kept_apart_fails_no_rotation(
    here: Account, operation: str, logged: Callable[[], list[Any]]
) -> None:
    make(here, 8883, passed=timedelta())
    forget_apart(here)
    WATCHED.refuse = lambda called, _: "AccessDeniedException" if called == operation else None
    (rotation,) = rotate(here, nowhere())
    WATCHED.refuse = granted
    assert rotation.state == "kept"
    (record,) = [one for one in logged() if one["message"] == "private CA not kept apart"]
    assert operation in record["error"]
