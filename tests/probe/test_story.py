"""The probe's story: every load balancer of ours, against real small brokers on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import boto3
import jsonschema  # type: ignore[import-untyped]  # it has no stubs
import pytest

from chalicelib.api.openapi import document
from chalicelib.api.probes import verdict_json
from chalicelib.model.errors import Conflict, NotFound, Unserved
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.probe.device import DeviceClient
from chalicelib.probe.mqtt import Credentials
from chalicelib.probe.plan import Failure, Target, first_turn
from chalicelib.probe.pool import Attempt, attempt_all
from chalicelib.probe.story import complain, probe_all, probe_one
from chalicelib.tls.handshake import Trust
from lab.fidelity.knobs import KNOBS
from tests.world import mqtt_broker as mqtt
from tests.world.certificates import AROUND, authority, leaf
from tests.world.emitted import emitted
from tests.world.mqtt_broker import broker
from tests.world.provisioning import OWNER, WATCHED, Account, account
from tests.world.servers import ADDRESS, over_tls, serving, silent, tls_context

CREDENTIALS = "credentials_secret_id=credentials plain_credentials=true"
HALF_OPEN = "127.83.4.8"
"""Where connections are taken by the machine and accepted by nobody."""


@pytest.fixture
def here() -> Iterator[Account]:
    with account() as found:
        yield found


def listener(port: int, protocol: str = "TCP", arn: str | None = None) -> dict[str, Any]:
    plain = {"Protocol": protocol, "LoadBalancerPort": port, "InstanceProtocol": "TCP", "InstancePort": 1883}
    return plain | ({"SSLCertificateId": arn} if arn else {})


def create(here: Account, name: str, *listeners: dict[str, Any], owner: str = OWNER, **tags: str) -> None:
    given = {"emq-elb:owner": owner} | {f"emq-elb:{key}": value for key, value in tags.items()}
    listed = [{"Key": key, "Value": value} for key, value in given.items()]
    here.world.create(name, *listeners, Tags=listed)


def resolve(_host: str) -> tuple[str, ...]:
    return (ADDRESS,)


def keep(name: str, **value: str) -> None:
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))


def test_every_load_balancer_of_ours_is_probed_and_its_metrics_put(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(broker()) as server:
        create(here, "well", listener(server.port))
        create(here, "ill", listener(1))
        create(here, "theirs", listener(server.port), owner="somebody")
        create(here, "left-out", listener(server.port), probe="enabled=false")
        create(here, "pages", {**listener(80), "Protocol": "HTTP", "InstanceProtocol": "HTTP"})
        verdicts = probe_all(here.invocation(), resolve=resolve)
    assert {one.load_balancer: one.grade for one in verdicts} == {"well": "ok", "ill": "failed"}
    records = {record["LoadBalancer"]: record for record in emitted(capsys.readouterr().out)}
    assert records.keys() == {"well", "ill"}
    assert (records["well"]["ProbeSuccess"], records["ill"]["ProbeSuccess"]) == (1, 0)
    for record in records.values():
        (directive,) = record["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("EmqElb", [["LoadBalancer"]])


def test_an_address_that_does_not_answer_among_others_is_degraded(here: Account) -> None:
    with serving(broker()) as server:
        create(here, "half", listener(server.port))
        (verdict,) = probe_all(here.invocation(), resolve=lambda _: (ADDRESS, "127.83.4.9"))
    assert verdict.grade == "degraded"
    assert {one.address: one.failure and one.failure.cause for one in verdict.outcomes} == {
        ADDRESS: None,
        "127.83.4.9": "tcp-refused",
    }


def test_a_half_open_address_among_good_ones_is_degraded_and_named(here: Account) -> None:
    here.settings = replace(here.settings, probe_timeout=timedelta(seconds=1))
    with serving(broker()) as server, socket.create_server((HALF_OPEN, server.port)):
        create(here, "half", listener(server.port))
        (verdict,) = probe_all(here.invocation(), resolve=lambda _: (ADDRESS, HALF_OPEN))
    assert verdict.grade == "degraded"
    assert {one.address: one.failure and one.failure.cause for one in verdict.outcomes} == {
        ADDRESS: None,
        HALF_OPEN: "connack-timeout",
    }


def test_calls_are_those_of_the_listing_and_one_for_each_secret(here: Account) -> None:
    keep("credentials", username="probe", password="word")
    keep("authority", certificate=authority().certificate_pem)
    KNOBS.load_balancers_quota = 50
    with serving(broker()) as server:
        for number in range(23):
            secret = f"{CREDENTIALS} ca_secret_id=authority" if number % 2 else "qos=0"
            create(here, f"lb-{number}", listener(server.port), probe=secret)
        with here.counted() as calls:
            verdicts = probe_all(here.invocation(), resolve=resolve)
    assert {one.grade for one in verdicts} == {"ok"}
    assert len(calls.made) == ceil(23 / 400) + ceil(23 / 20) + 1 + 2, "one lists network ones"


def test_credentials_reach_the_broker(here: Account) -> None:
    seen: list[bytes] = []

    def note(packet: mqtt.Packet, known: mqtt.Connection) -> bytes:
        seen.append(packet.body)
        return mqtt.well(packet, known)

    keep("credentials", username="probe", password="s3cret-word")
    with serving(broker({mqtt.CONNECT: note})) as server:
        create(here, "demo", listener(server.port), probe=CREDENTIALS)
        verdict = probe_one("demo", here.invocation(), resolve=resolve)
    assert b"s3cret-word" in seen[0]
    assert "s3cret-word" not in f"{verdict!r}{verdict_json(verdict, here.now())}"


@pytest.mark.parametrize("home", ["acm", "iam"])
@pytest.mark.parametrize("shown", [True, False], ids=["the one that is served", "another one"])
def test_a_password_goes_to_an_external_certificate_that_aws_shows_and_to_no_other(
    here: Account, home: str, tmp_path: Path, *, shown: bool
) -> None:
    """Without `hostname`: somebody's certificate that is only known by its ARN."""
    root = authority("Company CA")
    served = leaf("own.example.com", signed_by=root)
    named = served if shown else leaf("other.example.com", signed_by=root)
    if home == "acm":
        arn = boto3.client("acm").import_certificate(
            Certificate=named.certificate_pem.encode(),
            PrivateKey=named.private_key_pem.encode(),
            CertificateChain=root.certificate_pem.encode(),
        )["CertificateArn"]
        asked = "DescribeCertificate"
    else:
        arn = here.world.iam.upload_server_certificate(
            ServerCertificateName="bought",
            CertificateBody=named.certificate_pem,
            PrivateKey=named.private_key_pem,
        )["ServerCertificateMetadata"]["Arn"]
        asked = "GetServerCertificate"
    keep("credentials", username="probe", password="word")
    keep("authority", certificate=root.certificate_pem)
    options = f"{CREDENTIALS} ca_secret_id=authority"
    with serving(over_tls(tls_context(served, tmp_path), broker())) as server:
        for name in ("a", "b"):
            create(here, name, listener(server.port, "SSL", arn), certificate="external", probe=options)
        create(here, "named", listener(1, "SSL", arn), probe=options, hostname="own.example.com")
        create(here, "free", listener(1, "SSL", arn), probe="ca_secret_id=authority")
        with here.counted() as calls:
            verdicts = probe_all(here.invocation(), resolve=resolve)
    assert calls.made.count(asked) == 1, "once, for those with a password and without a hostname"
    found = {one.load_balancer: one.failure and one.failure.cause for one in verdicts}
    assert found["a"] == found["b"] == (None if shown else "tls-unproven")


def test_a_certificate_that_cannot_be_read_gets_no_password_and_keeps_nobody_else_from_being_probed(
    here: Account, tmp_path: Path
) -> None:
    root = authority("Company CA")
    keep("credentials", username="probe", password="word")
    keep("authority", certificate=root.certificate_pem)
    arn = here.world.upload()
    served = over_tls(tls_context(leaf("own.example.com", signed_by=root), tmp_path), broker())
    WATCHED.refuse = lambda name, _: "AccessDenied" if name == "GetServerCertificate" else None
    with serving(served) as server, serving(broker()) as plain:
        options = f"{CREDENTIALS} ca_secret_id=authority"
        create(here, "external", listener(server.port, "SSL", arn), probe=options)
        create(here, "other", listener(plain.port))
        verdicts = probe_all(here.invocation(), resolve=resolve)
    found = {one.load_balancer: one.failure and one.failure.cause for one in verdicts}
    assert found == {"external": "tls-unproven", "other": None}


@pytest.mark.parametrize(
    ("value", "option"),
    [
        (None, "credentials_secret_id"),
        ({"password": "word"}, "credentials_secret_id"),
        ({"username": "half a character: \ud83d"}, "credentials_secret_id"),
        (None, "ca_secret_id"),
        ({"certificate": "no PEM"}, "ca_secret_id"),
        ({}, "ca_secret_id"),
    ],
)
def test_a_secret_that_is_no_use_is_an_outcome(
    here: Account, value: dict[str, str] | None, option: str
) -> None:
    if value is not None:
        keep("given", **value)
    create(here, "demo", listener(1883), probe=f"{option}=given")
    verdict = probe_one("demo", here.invocation(), resolve=resolve)
    assert verdict.failure is not None
    assert (verdict.grade, verdict.failure.phase, verdict.failure.cause) == ("failed", "prepare", "secret")


def test_the_private_ca_is_trusted_where_it_is_the_source(here: Account, tmp_path: Path) -> None:
    root = authority("Private")
    keep(here.settings.private_ca_secret, certificate=root.certificate_pem, private_key="not looked at")
    arn = here.world.upload()
    with serving(
        over_tls(tls_context(leaf("own.example.com", signed_by=root), tmp_path), broker())
    ) as server:
        create(here, "ours", listener(server.port, "SSL", arn), certificate="private-ca")
        create(here, "other", listener(server.port, "SSL", arn), certificate="external")
        verdicts = probe_all(here.invocation(), resolve=resolve)
    causes = {one.load_balancer: one.failure and one.failure.cause for one in verdicts}
    assert causes == {"ours": None, "other": "tls-untrusted"}


def test_a_probe_reads_the_private_cas_certificate_and_not_its_key(here: Account, tmp_path: Path) -> None:
    root = authority("Private")
    keep(f"{here.settings.private_ca_secret}-certificate", certificate=root.certificate_pem)
    keep(here.settings.private_ca_secret, certificate="", private_key="not looked at")
    arn = here.world.upload()
    with serving(
        over_tls(tls_context(leaf("own.example.com", signed_by=root), tmp_path), broker())
    ) as server:
        create(here, "ours", listener(server.port, "SSL", arn), certificate="private-ca")
        with here.counted() as calls:
            (verdict,) = probe_all(here.invocation(), resolve=resolve)
    assert verdict.grade == "ok"
    assert calls.made.count("GetSecretValue") == 1


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_whatever_stands_around_one_ca_it_is_trusted_and_no_other_is_kept_from_being_probed(
    here: Account, around: Callable[[str], str], tmp_path: Path
) -> None:
    root = authority("Company CA")
    keep("authority", certificate=around(root.certificate_pem))
    keep(
        here.settings.private_ca_secret, certificate=around(root.certificate_pem), private_key="not looked at"
    )
    arn = here.world.upload()
    served = over_tls(tls_context(leaf("own.example.com", signed_by=root), tmp_path), broker())
    with serving(served) as server, serving(broker()) as plain:
        create(here, "named", listener(server.port, "SSL", arn), probe="ca_secret_id=authority")
        create(here, "private", listener(server.port, "SSL", arn), certificate="private-ca")
        create(here, "other", listener(plain.port))
        verdicts = probe_all(here.invocation(), resolve=resolve)
    assert {one.load_balancer: one.grade for one in verdicts} == dict.fromkeys(
        ("named", "private", "other"), "ok"
    )


UNEXPECTED = [TypeError, ValueError, KeyError, RecursionError, ZeroDivisionError, MemoryError]


@pytest.mark.parametrize("error", UNEXPECTED)
def test_what_nobody_expected_of_one_fails_that_one_alone(
    here: Account, error: type[Exception], capsys: pytest.CaptureFixture[str], logged: Callable[[], list[Any]]
) -> None:
    def resolved(host: str) -> tuple[str, ...]:
        if "ill" in host:
            raise error("hush")
        return (ADDRESS,)

    with serving(broker()) as server:
        create(here, "ill", listener(server.port))
        create(here, "well", listener(server.port))
        verdicts = probe_all(here.invocation(), resolve=resolved)
    assert {one.load_balancer: one.grade for one in verdicts} == {"ill": "failed", "well": "ok"}
    records = {record["LoadBalancer"]: record["ProbeSuccess"] for record in emitted(capsys.readouterr().out)}
    assert records == {"ill": 0, "well": 1}
    ill = next(one for one in verdicts if one.load_balancer == "ill")
    assert ill.failure == Failure("prepare", f"unexpected:{error.__name__}")
    (record,) = [one for one in logged() if one["message"] == "unexpected"]
    assert (record["load_balancer"], error.__name__ in record["exception"]) == ("ill", True)
    with pytest.raises(Unserved) as raised:
        complain(verdicts)
    assert [name for name, _ in raised.value.failures] == ["ill"]


def test_a_failure_that_was_found_is_nothing_to_complain_of(here: Account) -> None:
    create(here, "ill", listener(1))
    complain(probe_all(here.invocation(), resolve=resolve))


def test_a_name_that_does_not_resolve_is_reported(here: Account) -> None:
    def nowhere(_host: str) -> tuple[str, ...]:
        raise OSError("Name or service not known")

    create(here, "demo", listener(1883))
    verdict = probe_one("demo", here.invocation(), resolve=nowhere)
    assert verdict.failure is not None
    assert (verdict.failure.phase, verdict.failure.cause) == ("dns", "dns")


@pytest.mark.parametrize("name", ["nobody", "theirs", "no/name"])
def test_what_is_not_ours_is_not_found(here: Account, name: str) -> None:
    create(here, "theirs", listener(1883), owner="somebody")
    with pytest.raises(NotFound):
        probe_one(name, here.invocation(), resolve=resolve)


def test_one_without_a_listener_for_mqtt_is_a_conflict(here: Account) -> None:
    create(here, "pages", {**listener(80), "Protocol": "HTTP", "InstanceProtocol": "HTTP"})
    with pytest.raises(Conflict):
        probe_one("pages", here.invocation(), resolve=resolve)


def test_what_cannot_be_finished_in_time_is_a_result(here: Account) -> None:
    create(here, "demo", listener(1883))
    work = here.invocation(within=0.5)
    (verdict,) = probe_all(work, resolve=resolve)
    assert verdict.failure is not None
    assert verdict.failure.cause == "deadline"


def test_the_answer_is_as_the_api_describes_it(here: Account, tmp_path: Path) -> None:
    described = document()
    schema = described["components"]["schemas"]["Verdict"]
    arn = here.world.upload()
    with serving(over_tls(tls_context(leaf("own.example.com"), tmp_path), broker())) as server:
        create(here, "demo", listener(server.port, "SSL", arn), listener(1))
        verdict = probe_one("demo", here.invocation(), resolve=resolve)
    answer = json.loads(json.dumps(verdict_json(verdict, here.now() + timedelta(days=1))))
    jsonschema.validate(answer, {**schema, "components": described["components"]})
    assert {one["cause"] for one in answer["targets"]} == {"tls-untrusted", "tcp-refused"}
    assert [one["certificate"] and one["certificate"]["days_left"] for one in answer["targets"]] == [None, 88]


def attempt(port: int) -> Attempt:
    options = ProbeOptions(plain_credentials=True)
    target = Target(load_balancer=str(port), host="lb.example.com", port=port, secure=False, options=options)
    return Attempt(target, DeviceClient(trust=Trust(system=False)))


def test_a_target_that_says_nothing_delays_no_other() -> None:
    with serving(silent) as mute, serving(broker()) as good:
        attempts = [attempt(mute.port), *[attempt(good.port) for _ in range(50)]]
        tried = list(attempt_all(attempts, resolve, timeout=2, until=time.monotonic() + 60))
    assert [outcome.failure for _, outcome in tried[:50]] == [None] * 50
    name, last = tried[50]
    assert name == attempts[0].target.load_balancer
    assert last.failure is not None
    assert last.failure.cause == "connack-timeout"


def test_more_are_tried_at_a_time_while_none_answers() -> None:
    together = threading.Barrier(50)

    def wait_for_the_others(_connection: socket.socket) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(20)

    with serving(wait_for_the_others) as server:
        attempts = [attempt(server.port)] * 50
        tried = list(attempt_all(attempts, resolve, timeout=10, until=time.monotonic() + 60))
        together.abort()
    # It hangs up once all of them are there; with fewer at a time each would come to its deadline.
    assert {outcome.failure.cause for _, outcome in tried if outcome.failure} == {"connack-closed"}


def test_sessions_of_one_user_that_end_one_another_are_tried_alone_before_they_count() -> None:
    one_a_user = mqtt.OneSessionAUser(lasting=0.2)
    with serving(one_a_user.talk) as server:
        known = DeviceClient(trust=Trust(system=False), credentials=Credentials("probe", "word"))
        attempts = [replace(attempt(server.port), means=known)] * 6
        tried = list(attempt_all(attempts, resolve, timeout=5, until=time.monotonic() + 60))
    assert [outcome.failure for _, outcome in tried] == [None] * 6
    assert one_a_user.begun > 6, "they were side by side first"


def test_a_session_that_ends_when_it_is_alone_too_counts() -> None:
    def hang_up(_packet: mqtt.Packet, _known: mqtt.Connection) -> bytes:
        raise mqtt.Close

    with serving(broker({mqtt.SUBSCRIBE: hang_up})) as server:
        known = DeviceClient(trust=Trust(system=False), credentials=Credentials("probe", "word"))
        attempts = [replace(attempt(server.port), means=known)] * 3
        tried = list(attempt_all(attempts, resolve, timeout=5, until=time.monotonic() + 60))
    assert [outcome.failure and outcome.failure.cause for _, outcome in tried] == ["suback-closed"] * 3


def test_what_had_no_turn_has_no_success_and_its_turn_comes(
    here: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silent targets take all the time there is, and one that is well is the last in their order."""
    here.settings = replace(here.settings, probe_timeout=timedelta(seconds=3))
    mute = 3 * 90
    with ExitStack() as stack, serving(broker()) as good:
        ports = [stack.enter_context(socket.create_server((ADDRESS, 0))).getsockname()[1] for _ in range(90)]
        for number in range(3):
            create(here, f"mute-{number}", *map(listener, ports))
        create(here, "well", listener(good.port))

        def probed(turn: int) -> tuple[str, float | None]:
            now = int(datetime.now(UTC).timestamp()) // 60
            minute = next(one for one in count(now, -1) if first_turn(one, mute + 1) == turn)
            here.passed = datetime.fromtimestamp(minute * 60, UTC) - datetime.now(UTC)
            verdicts = probe_all(here.invocation(within=4.5), resolve=resolve)
            put = {record["LoadBalancer"]: record for record in emitted(capsys.readouterr().out)}
            (well,) = [one for one in verdicts if one.load_balancer == "well"]
            return well.logged, put.get("well", {}).get("ProbeSuccess")

        assert probed(0) == ("untried", None)
        assert probed(mute) == ("ok", 1)


def test_a_resolver_that_never_answers_outlives_no_deadline() -> None:
    stop = threading.Event()

    def stuck(_host: str) -> tuple[str, ...]:
        stop.wait(30)
        return ()

    ((_, outcome),) = attempt_all([attempt(1)], stuck, timeout=0.2, until=time.monotonic() + 60)
    assert not stop.is_set()
    stop.set()
    assert outcome.failure is not None
    assert outcome.failure.cause == "dns"


def test_what_nobody_expected_is_handed_over_and_the_others_go_on() -> None:
    """It is a defect of the prober: raised unless somebody takes it."""
    unexpected: list[tuple[str, Exception]] = []
    with serving(broker()) as good:
        broken = replace(attempt(good.port), means=DeviceClient(clock=lambda: 1 / 0))
        attempts = [broken, attempt(good.port)]
        tried = list(
            attempt_all(
                attempts,
                resolve,
                timeout=2,
                until=time.monotonic() + 60,
                unexpected=lambda name, error: unexpected.append((name, error)),
            )
        )
        with pytest.raises(ZeroDivisionError):
            list(attempt_all(attempts, resolve, timeout=2, until=time.monotonic() + 60))
    name = broken.target.load_balancer
    assert [(at, type(error)) for at, error in unexpected] == [(name, ZeroDivisionError)]
    assert {outcome.failure and outcome.failure.cause for _, outcome in tried} == {
        "unexpected:ZeroDivisionError",
        None,
    }


def test_no_thread_is_left_when_all_attempts_are_over() -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        good = stack.enter_context(serving(broker()))
        list(attempt_all([attempt(good.port)] * 20, resolve, timeout=5, until=time.monotonic() + 60))
        named = [thread.name for thread in threading.enumerate() if thread.name.startswith("probe")]
        assert named == []
    assert threading.active_count() <= before
