"""Rotation under faults, crashes and company, and what it may cost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.model import errors
from chalicelib.rotate.story import rotate_one
from chalicelib.rotate.verify import TlsClient
from lab.fidelity.knobs import KNOBS
from tests.world.kinds import CLASSIC, NETWORK, Kind, each_kind
from tests.world.provisioning import WATCHED, Account, Killed, granted, issued
from tests.world.rotating import (
    HOST,
    SECRET,
    Front,
    body,
    bundle,
    changes_nothing_after_a_refused_look,
    due,
    ends_after_a_refusal,
    keep_secret,
    make,
    names,
    nowhere,
    refusing,
    rotate,
    rotating_beside,
    served,
    settled,
)

OBSERVING = ["DescribeLoadBalancers", "DescribeTags", "ListServerCertificates"]


@pytest.mark.parametrize(
    ("kind", "refused", "error"),
    [
        *(
            (kind, refused, error)
            for kind in (CLASSIC, NETWORK)
            for refused, error in (
                (("GetSecretValue", "ThrottlingException"), errors.Throttled),
                (("GetSecretValue", "AccessDeniedException"), errors.Denied),
                (("UploadServerCertificate", "Throttling"), errors.Throttled),
                (("UploadServerCertificate", "AccessDenied"), errors.Denied),
                (("UploadServerCertificate", "LimitExceeded"), errors.QuotaReached),
                ((kind.swaps, "Throttling"), errors.Throttled),
                ((kind.swaps, "AccessDenied"), errors.Denied),
                ((kind.swaps, "InvalidConfigurationRequest"), errors.Refused),
            )
        ),
        (NETWORK, ("ModifyListener", "TooManyCertificates"), errors.QuotaReached),
    ],
)
def test_a_step_that_is_refused_leaves_what_is_served_and_the_next_run_ends_it(
    here: Account, demo: Front, kind: Kind, refused: tuple[str, str], error: type[errors.AwsError]
) -> None:
    old = make(here, demo.port, type_=kind.type)
    ends_after_a_refusal(here, demo, old, refused, error)


@each_kind
@pytest.mark.parametrize("operation", OBSERVING)
def test_a_look_that_is_refused_changes_nothing(
    here: Account, kind: Kind, demo: Front, operation: str
) -> None:
    changes_nothing_after_a_refused_look(here, demo, make(here, demo.port, type_=kind.type), operation)


@pytest.mark.parametrize("operation", ["DescribeRegions", "DeleteServerCertificate"])
def test_what_cannot_be_retired_does_not_undo_a_rotation(here: Account, demo: Front, operation: str) -> None:
    make(here, demo.port, passed=timedelta(days=-85))
    rotate(here, demo)
    rotate_one("demo", here.invocation(), demo.wire)
    here.passed = timedelta(hours=2)
    WATCHED.refuse = refusing(operation, "AccessDenied")
    with pytest.raises(errors.Unserved, match="retiring certificates"):
        rotate(here, demo)
    assert len(names(here)) == 3
    WATCHED.refuse = granted
    rotate(here, demo)
    assert len(names(here)) == 2


def test_one_that_aws_still_holds_on_to_is_left_to_the_next_run(here: Account, demo: Front) -> None:
    make(here, demo.port)
    rotate(here, demo)
    rotate_one("demo", here.invocation(), demo.wire)
    here.passed = timedelta(hours=2)
    WATCHED.refuse = refusing("DeleteServerCertificate", "DeleteConflict")
    rotate(here, demo)
    WATCHED.refuse = granted
    rotate(here, demo)
    assert len(names(here)) == 2


@each_kind
@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("source", ["private-ca", "secret"])
def test_killed_after_any_call_the_next_run_ends_in_the_same_state(
    here: Account, kind: Kind, demo: Front, after: int, source: str
) -> None:
    old = due(here, demo.port, source, kind)
    here.calls.kill_after = after
    with pytest.raises(Killed):
        rotate(here, demo)
    here.calls.kill_after = None
    (rotation,) = rotate(here, demo)
    assert rotation.verified, rotation.reason
    assert served(here, demo.port) != old
    assert settled(here, demo.port) == (True, 2, False)


@each_kind
@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_killed_in_a_roll_back_the_next_run_brings_the_old_one_back(
    here: Account, kind: Kind, demo: Front, after: int
) -> None:
    old = due(here, demo.port, "secret", kind)
    demo.good = old
    here.calls.kill_after = after
    with pytest.raises(Killed):
        rotate(here, demo)
    here.calls.kill_after = None
    for _ in range(2):
        with pytest.raises(errors.Unserved, match=r"TLS handshakes with .* failed"):
            rotate(here, demo)
    assert served(here, demo.port) == old
    assert names(here) == [old.rpartition("/")[2]]


@each_kind
@pytest.mark.parametrize("at", [1, 2, 3])
def test_two_rotations_at_once_end_with_one_certificate_served_everywhere(
    here: Account, kind: Kind, demo: Front, at: int
) -> None:
    old = make(here, demo.port, type_=kind.type)
    calls = 0

    def now(operation: str) -> bool:
        nonlocal calls
        calls += not operation.startswith(("Describe", "Get", "List"))
        return calls == at

    WATCHED.refuse = rotating_beside(here, demo, now)
    rotate(here, demo)
    WATCHED.refuse = granted
    here.passed = timedelta(hours=2)
    rotate(here, demo)
    (rotation,) = rotate(here, demo)
    assert rotation.state == "kept"
    assert served(here, demo.port) != old
    assert settled(here, demo.port) == (True, 2, False)


def test_a_half_done_swap_is_ended_though_nothing_is_due(here: Account) -> None:
    old = make(here)
    here.put(body(here, 8884, {"arn": old}), "second")
    here.calls.kill_after = 2
    with pytest.raises(Killed):
        rotate(here, nowhere())
    here.calls.kill_after = None
    (rotation,) = rotate(here, nowhere())
    assert rotation.reason.startswith("one listener does not serve it yet")
    assert served(here, 8884, "second") == served(here) != old


def test_a_full_iam_is_a_warning_before_it_is_a_failure(here: Account, demo: Front) -> None:
    make(here, demo.port)
    for number in range(16):
        here.world.upload(f"strangers-{number}")
    (rotation,) = rotate(here, demo)
    assert [warning.code for warning in rotation.warnings] == ["certificate-quota"]
    assert "GetAccountSummary" in here.calls.made


def test_the_quota_is_asked_for_once_and_counted_on(here: Account) -> None:
    make(here)
    make(here, name="second")
    for number in range(14):
        here.world.upload(f"strangers-{number}")
    warnings = [warning for rotation in rotate(here, nowhere()) for warning in rotation.warnings]
    messages = [warning.message for warning in warnings if warning.code == "certificate-quota"]
    assert ["17 of 20" in messages[0], "18 of 20" in messages[1]] == [True, True]
    assert here.calls.made.count("GetAccountSummary") == 1


def test_no_key_is_in_any_output_log_error_or_step(
    here: Account, demo: Front, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = bundle(40), bundle(70, key="other")
    keep_secret(first)
    old = make(here, demo.port, SECRET, passed=timedelta())
    keep_secret(second)
    demo.good = old
    with pytest.raises(errors.Unserved) as caught:
        rotate(here, demo)
    keep_secret('{"certificate": "x", "private_key": "' + second.private_key_pem.replace("\n", "") + '"}')
    with pytest.raises(errors.Unserved) as again:
        rotate(here, demo)
    output = capfd.readouterr()
    text = "".join(
        [output.out, output.err, caplog.text, str(caught.value), str(again.value), repr(here.steps)]
        + [repr(record.__dict__) for record in caplog.records]
    )
    keys = "".join(one.private_key_pem for one in (first, second)).splitlines()
    assert "TLS handshakes with" in text
    assert not [line for line in keys if "-----" not in line and line in text]


def test_an_idle_look_at_a_hundred_costs_eight_calls_and_one_for_the_private_ca(here: Account) -> None:
    KNOBS.load_balancers_quota = 200
    one = issued(HOST)
    given = {"pem": {"certificate": one.certificate_pem, "private_key": one.private_key_pem}}
    arn = make(here, 8883, given, passed=timedelta())
    listener = here.world.describe()["ListenerDescriptions"][0]["Listener"]
    for number in range(99):
        here.world.create(f"lb-{number}", listener, Subnets=here.subnets[:1])
        here.world.elb.add_tags(
            LoadBalancerNames=[f"lb-{number}"],
            Tags=[
                {"Key": "emq-elb:owner", "Value": here.settings.owner},
                {"Key": "emq-elb:certificate", "Value": "pem"},
            ],
        )
    rotate(here, nowhere())
    assert sorted(here.calls.made) == [
        *["DescribeLoadBalancers"] * 2,  # of either kind
        *["DescribeTags"] * 5,
        "ListServerCertificates",
    ]
    make(here, 8883, name="private", passed=timedelta())
    rotate(here, nowhere())
    assert sorted(here.calls.made) == [
        *["DescribeLoadBalancers"] * 2,
        "DescribeSecret",  # whether the private CA's certificate stands apart
        *["DescribeTags"] * 6,
        "GetSecretValue",
        "ListServerCertificates",
    ]
    assert served(here) == arn


def test_one_that_is_due_costs_one_upload_and_one_swap(here: Account, demo: Front) -> None:
    make(here, demo.port)
    make(here, 8883, name="idle", passed=timedelta())
    with_front_for_demo = TlsClient(resolve=lambda host: demo.wire.resolve(host) if "demo" in host else ())
    rotate(here, with_front_for_demo)
    assert sorted(here.calls.made) == [
        *["DescribeLoadBalancers"] * 2,
        "DescribeSecret",
        "DescribeTags",
        "GetSecretValue",
        "ListServerCertificates",
        "PutEvents",
        "SetLoadBalancerListenerSSLCertificate",
        "UploadServerCertificate",
    ]


@pytest.mark.parametrize("listeners", [1, 3, 5])
def test_one_certificate_on_n_listeners_costs_n_and_five_beside_the_secret_and_the_event(
    here: Account, demo: Front, listeners: int
) -> None:
    old = make(here, demo.port)
    for number in range(1, listeners):
        here.put(body(here, 8883, {"arn": old}), f"lb-{number}")
    wire = TlsClient(resolve=lambda host: demo.wire.resolve(host) if "demo" in host else ())
    rotate(here, wire)
    made = [name for name in here.calls.made if name not in {"DescribeSecret", "GetSecretValue", "PutEvents"}]
    assert len(made) == listeners + 5, made
    assert made.count("SetLoadBalancerListenerSSLCertificate") == listeners
