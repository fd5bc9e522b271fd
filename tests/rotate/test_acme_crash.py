"""Orders of a real ACME server: the account, company, and processes that die in the middle."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from chalicelib.model import errors
from lab.aws import server_certificate_pem
from lab.certificates.acme import Acme
from lab.fidelity.knobs import KNOBS
from tests.world.acme_front import Answer, Asked
from tests.world.issuing import (
    Authority,
    account_keys,
    acme_for,
    authority,
    dying,
    make_due,
    rotate_now,
    settled,
)
from tests.world.pebble import pebble
from tests.world.provisioning import WATCHED, Account, Killed, account, granted
from tests.world.rotating import HOST, Front, bundle, front, make, names, rotate, rotating_beside, served

RECORD = f"_acme-challenge.{HOST}."
SHARES = 4
"""The kill points are shared out to so many tests, so that they spread over the workers."""


def account_secret(here: Account) -> str:
    return here.settings.acme_account_secret


def replace_secret(here: Account, text: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=account_secret(here), SecretString=text)


@pytest.mark.parametrize(
    "held",
    [
        " ",
        "{}",
        "[]",
        "no JSON",
        '{"private_key": "none"}',
        json.dumps({"private_key": bundle().private_key_pem}),
    ],
    ids=["empty", "nothing in it", "a list", "text", "no key", "an RSA key"],
)
def test_an_account_key_that_is_none_is_said_and_never_made_anew(
    here: Account, ca: Authority, demo: Front, held: str
) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    replace_secret(here, held)
    with pytest.raises(errors.Conflict, match=account_secret(here)):
        rotate_now(here, demo)
    assert (served(here, demo.port), ca.records()) == (old, {})


@pytest.mark.usefixtures("ca")
def test_an_account_key_that_is_gone_is_made_anew(here: Account, demo: Front) -> None:
    old = make(here, demo.port, acme_for(HOST), passed=timedelta())
    (key,) = account_keys(here)
    boto3.client("secretsmanager").delete_secret(
        SecretId=account_secret(here), ForceDeleteWithoutRecovery=True
    )
    assert rotate_now(here, demo).verified
    assert served(here, demo.port) != old
    assert account_keys(here) != [key]


def test_an_account_key_that_is_being_deleted_is_said(here: Account, ca: Authority, demo: Front) -> None:
    make(here, demo.port, acme_for(HOST), passed=timedelta())
    boto3.client("secretsmanager").delete_secret(SecretId=account_secret(here))
    with pytest.raises(errors.Conflict, match="scheduled for deletion"):
        rotate_now(here, demo)
    assert ca.records() == {}


def test_without_a_contact_nothing_is_ordered(here: Account, ca: Authority, demo: Front) -> None:
    old = make_due(here, demo.port)
    here.settings = replace(here.settings, acme_contact=None)
    with pytest.raises(errors.Unserved, match="ACME_CONTACT"):
        rotate(here, demo)
    assert (ca.front.asked, served(here, demo.port)) == ([], old)


@pytest.mark.parametrize("operation", ["CreateSecret", "ChangeResourceRecordSets", "UploadServerCertificate"])
def test_two_rotations_at_once_end_with_one_certificate_and_no_record(
    here: Account, ca: Authority, demo: Front, operation: str
) -> None:
    old = make_due(here, demo.port)

    WATCHED.refuse = rotating_beside(here, demo, lambda called: called == operation)
    rotate(here, demo)
    WATCHED.refuse = granted
    assert len(account_keys(here)) == 1
    assert ca.records() == {}
    here.passed = timedelta(hours=2)
    rotate(here, demo)
    (rotation,) = rotate(here, demo)
    assert rotation.state == "kept"
    settled(here, ca, demo, old)


def test_a_validation_that_the_ca_remembers_needs_no_record(here: Account) -> None:
    with pebble(name="remembering", validations_reused=100) as acme, authority(acme, here) as ca:
        with front(here) as demo:
            make(here, demo.port, acme_for(HOST), passed=timedelta())
            shown = len(ca.shown)
            assert rotate_now(here, demo).verified
        assert (len(ca.shown), ca.records()) == (shown, {})


def dead_at_the_challenge(acme: Acme) -> Callable[[Asked], Answer | None]:
    def refuse(asked: Asked) -> Answer | None:
        if not asked.path.startswith("/chalZ"):
            return None
        acme.server.popen.kill()
        return Answer(hang_up=True)

    return refuse


def test_a_ca_that_dies_in_the_middle_leaves_no_record(here: Account) -> None:
    with front(here) as demo, pebble() as acme, authority(acme, here) as ca:
        old = make_due(here, demo.port)
        ca.front.refuse = dead_at_the_challenge(acme)
        with pytest.raises(errors.Unserved) as caught:
            rotate(here, demo)
        assert isinstance(caught.value.failures[0][1], errors.IssuerSilent)
        assert (served(here, demo.port), ca.records()) == (old, {})


def ends_well(acme: Acme, monkeypatch: pytest.MonkeyPatch, after: int, counts: Callable[[str], bool]) -> bool:
    """Kill a rotation after so many calls, run it again, hold the end state; False when it made fewer."""
    with account() as here, authority(acme, here) as ca, front(here) as demo:
        ca.put_record(RECORD, '"of another tool"')
        old = make_due(here, demo.port)
        with dying(monkeypatch, after, counts) as death, suppress(Killed):
            rotate(here, demo)
        if not death.died:
            return False
        (rotation,) = rotate(here, demo)
        # pebble's root is not trusted here, and is not the old certificate's: a run that finds the swap done
        # cannot know whether trust was lost, and says so (docs/rotate.md, `unverified`).
        swapped = "SetLoadBalancerListenerSSLCertificate" in death.made
        doubts = swapped and any(one.code == "unverified" for one in rotation.warnings)
        assert rotation.verified or (rotation.state == "kept" and doubts), (death.made[-1], rotation.reason)
        assert served(here, demo.port) != old, death.made[-1]
        assert len(account_keys(here)) == 1
        here.passed = timedelta(hours=2)
        rotate(here, demo)
        (rotation,) = rotate(here, demo)
        assert rotation.state == "kept", death.made[-1]
        assert ca.records() == {RECORD: ['"of another tool"']}, death.made[-1]
        assert len(names(here)) == 2, death.made[-1]
        return True


def of_aws(what: str) -> bool:
    """Return whether it is an operation of AWS's and no request, `POST /order-plz`."""
    return " " not in what


def of_the_ca(what: str) -> bool:
    """Return whether it is a request and no operation of AWS's."""
    return not of_aws(what)


@pytest.mark.parametrize("first", range(1, 1 + SHARES))
@pytest.mark.parametrize(("counts", "least"), [(of_aws, 10), (of_the_ca, 8)], ids=["AWS", "the CA"])
def test_killed_after_any_call_the_next_runs_end_in_the_same_state(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, counts: Callable[[str], bool], least: int, first: int
) -> None:
    after = first
    while ends_well(acme, monkeypatch, after, counts):
        after += SHARES
    assert after > least, "it is made of more calls than that"


def test_no_key_and_no_token_is_in_any_output_log_error_or_step(
    here: Account,
    ca: Authority,
    demo: Front,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    tokens: set[str] = set()

    def note(asked: Asked, answer: Answer) -> Answer:
        if asked.path.startswith("/authZ") and answer.status == 200:
            tokens.update(one["token"] for one in json.loads(answer.body)["challenges"])
        return answer

    ca.front.change = note
    # The first order fails: of names that were validated before, pebble validates one in a hundred not again.
    make_due(here, demo.port)
    KNOBS.dns_shows = lambda name, values: ca.acme.show(name, ["wrong"] if values else [])
    with pytest.raises(errors.EmqElbError) as caught:
        rotate_now(here, demo)
    KNOBS.dns_shows = ca.show
    rotate_now(here, demo)
    uploaded = server_certificate_pem(served(here, demo.port)) or ""
    output = capfd.readouterr()
    text = output.out + output.err + caplog.text + str(caught.value) + repr(caught.value) + repr(here.steps)
    text += "".join(repr(record.__dict__) for record in caplog.records)
    (key,) = account_keys(here)
    _, begin, leaf_key = uploaded.partition("PRIVATE KEY-----")
    assert begin
    keys = key + leaf_key.partition("-----END")[0]
    lines = [line for line in keys.splitlines() if line and "-----" not in line]
    assert len(lines) > 20
    assert tokens
    assert not [line for line in lines if line in text]
    assert not [token for token in tokens if token in text]
