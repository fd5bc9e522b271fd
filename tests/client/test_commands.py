"""Every command against the app, through the gateway that verifies signatures."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import app
from emq_elb.faults import CHANGES, DONE, FAULT, INTERRUPTED, PENDING, USAGE
from lab.fidelity.knobs import KNOBS
from tests.client.world import Shell
from tests.world.provisioning import Account, issued, pem

FILE = """\
name: demo
subnets: {subnets}
hostname: mqtt.example.com
certificate: {{issuer: private-ca}}
instances: {instances}
"""


@pytest.fixture
def file(shell: Shell, here: Account) -> Path:
    """A file that declares the article's load balancer."""
    path = shell.directory / "demo.yaml"
    path.write_text(FILE.format(subnets=json.dumps(here.subnets[:2]), instances=here.world.launch(2)))
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app waits by the machine's clock: let it leave the rest to the background after a moment."""
    monkeypatch.setattr(app, "ANSWER_WITHIN", timedelta(seconds=3))


def there(here: Account) -> set[str]:
    """The names of the load balancers at AWS."""
    found = here.world.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    return {one["LoadBalancerName"] for one in found}


@pytest.mark.usefixtures("file")
def test_a_first_session(shell: Shell, here: Account) -> None:
    planned = shell("plan", "demo.yaml")
    assert planned.status == DONE
    assert "demo will be created" in planned.out
    assert "CreateLoadBalancer" in planned.out
    assert "Plan: 1 to create, 0 to change;" in planned.out
    assert there(here) == set()
    assert shell("plan", "demo.yaml", "--detailed-exitcode").status == CHANGES

    declined = shell("apply", "demo.yaml", typed="n\n")
    assert (declined.status, there(here)) == (FAULT, set())
    assert "not confirmed; nothing was changed" in declined.err

    applied = shell("apply", "demo.yaml", "--wait", typed="y\n")
    assert (applied.status, there(here)) == (DONE, {"demo"})
    assert "Make these changes? [y/N]" in applied.err
    assert "demo: done" in applied.err

    again = shell("plan", "demo.yaml", "--detailed-exitcode")
    assert again.status == DONE
    assert "No changes: all is as declared." in again.out
    assert shell("apply", "demo.yaml", typed="").status == DONE, "nobody is asked when nothing changes"

    assert "demo  ready" in shell("list").out
    assert "certificate.source     private-ca" in shell("get", "demo").out
    assert shell("private-ca").out.startswith("-----BEGIN CERTIFICATE-----\n")

    dry = shell("rotate", "demo", "--dry-run")
    assert (dry.status, "proven" in dry.out) == (DONE, False)
    rotated = shell("rotate", "demo").out
    assert "state                  rotated" in rotated
    assert "proven" in rotated

    refused = shell("delete", "demo", typed="y\n")
    assert refused.status == FAULT
    assert "--force" in refused.err
    deleted = shell("delete", "demo", "--force", typed="yes\n")
    assert (deleted.status, there(here)) == (DONE, set())
    assert "DeleteLoadBalancer" in deleted.out
    assert "demo is deleted." in deleted.err
    gone = shell("get", "demo")
    assert gone.status == FAULT
    assert "This deployment has no such load balancer" in gone.err


NETWORK_FILE = """\
name: fast
type: network
cluster: demo
subnets: {subnets}
hostname: mqtt.example.com
certificate: {{issuer: private-ca}}
listeners:
  - {{protocol: TLS, port: 8883, instance_protocol: TCP, instance_port: 1883}}
  - {{protocol: TCP, port: 1883, instance_protocol: TCP, instance_port: 1883}}
tags: {{team: core}}
instances: {instances}
"""


def test_a_network_load_balancer_is_declared_planned_and_shown_like_a_classic_one(
    shell: Shell, here: Account
) -> None:
    path = shell.directory / "fast.yaml"
    path.write_text(NETWORK_FILE.format(subnets=json.dumps(here.subnets[:2]), instances=here.world.launch(2)))
    planned = shell("plan", "fast.yaml", width=140).out
    assert "fast will be created" in planned
    assert all(
        f"  {call}  " in planned for call in ("CreateTargetGroup", "RegisterTargets", "CreateListener")
    )
    applied = shell("apply", "fast.yaml", "--wait", "--yes")
    assert (applied.status, "fast: done" in applied.err) == (DONE, True)
    assert "No changes" in shell("plan", "fast.yaml").out

    listed = [line.split() for line in shell("list", width=140).out.splitlines()]
    assert listed[0][:3] == ["NAME", "CLUSTER", "TYPE"]
    assert listed[1][:4] == ["fast", "demo", "network", "ready"]
    shown = shell("get", "fast", width=140).out
    assert "listeners              TCP 1883 → TCP 1883" in shown
    assert "TLS 8883 → TCP 1883" in shown
    assert len(re.findall(r"i-\w+ healthy", shown)) == 2
    (shell.directory / "again.yaml").write_text(shell("get", "fast", "--as-declaration").out)
    assert "No changes" in shell("plan", "again.yaml").out

    path.write_text(path.read_text().replace("team: core", "team: edge"))
    assert "~  tags.team  core  edge" in shell("plan", "fast.yaml").out
    path.write_text(f"{path.read_text()}keepalive: 350\naddresses: [x]\n")
    refused = shell("plan", "fast.yaml")
    assert (refused.status, "addresses" in refused.err) == (FAULT, True)
    path.write_text(path.read_text().replace("addresses: [x]\n", "").replace("network", "classic"))
    conflict = shell("plan", "fast.yaml")
    assert (conflict.status, "type" in conflict.err) == (FAULT, True)
    assert shell("delete", "fast", "--force", "--yes").status == DONE


def test_a_change_is_shown_side_by_side(shell: Shell, file: Path) -> None:
    assert shell("apply", "demo.yaml", "--yes").status == DONE
    file.write_text(f"{file.read_text()}keepalive: 600\ntags: {{team: core}}\n")
    out = shell("plan", "demo.yaml").out
    assert "~  keepalive  300  600" in out
    assert "+  tags.team       core" in out
    (plan,) = shell("plan", "demo.yaml", "--json").json["plans"]
    assert plan["change"] == "change"
    assert {"sign": "~", "field": "keepalive", "before": 300, "after": 600} in plan["fields"]


@pytest.mark.usefixtures("file")
def test_what_get_writes_down_is_what_there_is(shell: Shell) -> None:
    assert shell("apply", "demo.yaml", "--yes").status == DONE
    written = shell("get", "demo", "--as-declaration").out
    assert written.startswith("name: demo\n")
    (shell.directory / "again.yaml").write_text(written)
    (shell.directory / "again.json").write_text(shell("get", "demo", "--as-declaration", "--json").out)
    for name in ("again.yaml", "again.json"):
        assert "No changes" in shell("plan", name).out


@pytest.mark.usefixtures("file")
def test_a_deletion_without_a_question_shows_what_was_done(shell: Shell) -> None:
    assert shell("apply", "demo.yaml", "--yes").status == DONE
    planned = shell("delete", "demo", "--force", "--yes", "--json")
    assert planned.json["state"] == "ready"
    assert shell("apply", "demo.yaml", "--yes").status == DONE
    assert "DeleteLoadBalancer" in shell("delete", "demo", "--force", "--yes").out


def test_one_that_was_made_by_hand_is_adopted(shell: Shell, here: Account) -> None:
    here.world.create("old", Subnets=here.subnets[:1])
    (shell.directory / "old.yaml").write_text("name: old\nsubnets: [x]\n")
    refused = shell("get", "old")
    assert refused.status == FAULT
    assert "--adopt" in refused.err
    (shell.directory / "old.yaml").write_text(shell("get", "old", "--adopt", "--as-declaration").out)
    assert shell("apply", "old.yaml", "--yes").status == FAULT
    assert shell("apply", "old.yaml", "--adopt", "--yes").status == DONE
    assert "old" in shell("list").out


def test_faults_are_shown_at_their_lines_for_all_files_at_once_and_nothing_is_changed(
    shell: Shell, here: Account, file: Path
) -> None:
    good = file.read_text()
    (shell.directory / "wrong.yaml").write_text(
        f"{good.replace('demo', 'wrong')}listners: []\nlisteners:\n  - protocol: SSL\n    port: 70000\n"
    )
    (shell.directory / "other.yaml").write_text("name: other\nsubnets:\n  - subnet-none\n")
    printed = shell("apply", "demo.yaml", "wrong.yaml", "other.yaml", "--yes")
    assert (printed.status, there(here)) == (FAULT, set())
    said = printed.err.splitlines()
    assert any(line.startswith("wrong.yaml:6:1: listners: ") for line in said)
    assert any(line.startswith("wrong.yaml:9:5: listeners[0].port: ") for line in said)
    assert any(line.startswith("other.yaml:3:5: subnets[0]: ") for line in said)
    faults = shell("plan", "wrong.yaml", "--json").json["fault"]["faults"]
    assert {"wrong.yaml"} == {one["file"] for one in faults}


@pytest.mark.parametrize("text", ["name: [demo\n", "- name: demo\n", "name: demo\n---\nname: demo\n", ""])
def test_a_file_that_cannot_be_read_asks_the_api_nothing(text: str, tmp_path: Path) -> None:
    shell = Shell("http://127.83.4.9:1", tmp_path)
    (tmp_path / "demo.yaml").write_text(text)
    printed = shell("plan", "demo.yaml")
    assert printed.status == FAULT
    assert printed.err.startswith("demo.yaml:")


def test_no_form_of_output_shows_a_private_key(shell: Shell, here: Account) -> None:
    certificate = pem(issued())
    secret = [line for line in certificate["private_key"].splitlines() if not line.startswith("-----")]
    body: dict[str, Any] = {"name": "demo", "subnets": here.subnets[:2], "certificate": {"pem": certificate}}
    wrong = {
        **body,
        "hostname": certificate["private_key"],
        "subnets": [secret[1]],
        certificate["private_key"]: 1,
    }
    for name, value in (("demo.json", body), ("wrong.json", wrong)):
        (shell.directory / name).write_text(json.dumps(value))
    for arguments in (
        ["plan", "demo.json"],
        ["plan", "demo.json", "--json"],
        ["plan", "wrong.json"],
        ["plan", "wrong.json", "--json"],
        ["apply", "demo.json", "--yes"],
        ["apply", "demo.json", "--yes", "--json"],
        ["get", "demo", "--json"],
        ["get", "demo", "--as-declaration"],
    ):
        printed = shell(*arguments)
        assert printed.status == (FAULT if "wrong.json" in arguments else DONE), printed.err
        assert not [line for line in secret if line in printed.out + printed.err], arguments


@pytest.mark.usefixtures("impatient", "file")
def test_wait_follows_what_goes_on_in_the_background(shell: Shell) -> None:
    """AWS does not know the certificate yet: 202; then the function `provision` makes it."""
    KNOBS.certificate_propagation_seconds = float("inf")
    seconds = [0.0]

    def pass_time(pause: float) -> None:
        seconds[0] += pause
        if seconds[0] > 5 and KNOBS.certificate_propagation_seconds:
            KNOBS.certificate_propagation_seconds = 0.0
            shell.run_background()

    shell.sleep, shell.clock = pass_time, lambda: seconds[0]
    printed = shell("apply", "demo.yaml", "--yes", "--wait")
    assert printed.status == DONE, printed.err
    assert "the rest goes on in the background" in printed.err
    assert "0:00  demo: nothing at AWS yet" in printed.err
    assert "demo: ready, " in printed.err.splitlines()[-1]


@pytest.mark.usefixtures("impatient", "file")
def test_what_never_ends_is_still_pending_after_the_timeout(shell: Shell) -> None:
    KNOBS.certificate_propagation_seconds = float("inf")
    seconds = [0.0]
    shell.clock = lambda: seconds[0]
    shell.sleep = lambda pause: seconds.__setitem__(0, seconds[0] + pause)
    printed = shell("apply", "demo.yaml", "--yes", "--wait", "--timeout", "30", "--json")
    assert printed.status == PENDING
    assert [one["state"] for one in printed.json["applied"]] == ["pending"]
    assert "still pending after 30 s" in printed.err
    assert seconds == [30]


@pytest.mark.usefixtures("file")
def test_a_bad_probe_is_a_fault_for_scripts(shell: Shell) -> None:
    assert shell("apply", "demo.yaml", "--yes").status == DONE
    printed = shell("probe", "demo", "--json")
    assert printed.status == FAULT
    assert printed.json["verdict"] == "failed"
    assert shell("probe", "demo", "--deep").status == DONE


@pytest.mark.parametrize(
    ("key", "secret", "remedy"),
    [("nobody", "x", "AWS does not know these credentials"), (None, "x", "another access key id's")],
)
def test_wrong_credentials_say_what_is_wrong_with_them(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, key: str | None, secret: str, remedy: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key or os.environ["AWS_ACCESS_KEY_ID"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    printed = shell("list")
    assert printed.status == FAULT
    assert remedy in printed.err


def test_an_unsigned_request_says_so_and_a_wrong_region_too(shell: Shell) -> None:
    assert "was not signed" in shell("list", "--no-sign-request").err
    assert "--region" in shell("list", "--region", "eu-west-1").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["get"],
        ["get", ".."],
        ["list", "--url", "http://elb-api.example.com"],
        ["list", "--url", "https://elb-api.example.com", "--no-sign-request"],
        ["list", "--stage", "prod"],
        ["apply", "demo.yaml"],
        ["apply", "-"],
        ["delete", "demo"],
        ["delete", "demo", "--json"],
        ["plan"],
        ["apply", "x.yaml", "--timeout", "soon", "--yes"],
    ],
)
def test_a_wrong_command_line_has_a_status_of_its_own(arguments: list[str], tmp_path: Path) -> None:
    printed = Shell("http://127.83.4.9:1", tmp_path)(*arguments)
    assert printed.status == USAGE
    assert printed.err.startswith("emq-elb: ")


def test_without_a_network_the_message_says_so(tmp_path: Path) -> None:
    printed = Shell("http://127.83.4.9:1", tmp_path)("list", "--json")
    assert printed.status == FAULT
    assert "cannot be reached" in printed.err
    assert printed.json["fault"]["status"] == FAULT


@pytest.mark.usefixtures("impatient", "file")
def test_an_interrupt_has_a_status_of_its_own(shell: Shell) -> None:
    KNOBS.certificate_propagation_seconds = float("inf")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    shell.sleep = interrupt
    printed = shell("apply", "demo.yaml", "--yes", "--wait")
    assert printed.status == INTERRUPTED
    assert "what was sent is not undone" in printed.err


def test_the_schema_is_written_with_the_line_for_editors(shell: Shell) -> None:
    printed = shell("schema", "--output", "emq-elb.schema.json")
    assert "# yaml-language-server: $schema=emq-elb.schema.json" in printed.err
    written = json.loads((shell.directory / "emq-elb.schema.json").read_text())
    assert written == json.loads(shell("schema").out)
    assert "name" in written["required"]


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Shell("", tmp_path)("--help")
    Shell("", tmp_path)("plan", "--help")
    out = capsys.readouterr().out
    for command in ("plan", "apply", "get", "list", "delete", "rotate", "probe", "schema", "private-ca"):
        assert f"\n  {command} " in out
    assert "--detailed-exitcode" in out
    assert "..." not in out.replace("FILE...", "").replace("[ARGS]...", "")
