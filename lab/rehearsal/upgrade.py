"""An upgrade in place, rehearsed: deployed as at a commit, used, then deployed as it is now.

`python -m lab rehearse --from COMMIT`. What was deployed has a private CA and a probe with a password. The
update may ring no alarm, fail no probe and change nothing at AWS, but that the private CA's certificate gets
a secret of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tarfile import open as open_archive

from lab.cloudwatch.alarms import COMPARISONS
from lab.cloudwatch.metrics import Point, embedded
from lab.demo import client, demo
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import refusal, state
from lab.demo.story import hold
from lab.fidelity import elb_service_role
from lab.lambda_ import package
from lab.lambda_.api import ROOT
from lab.machine.processes import until
from lab.rehearsal.chapters import balancers
from lab.rehearsal.chapters_background import watched
from lab.rehearsal.chapters_events import fired
from lab.rehearsal.deployed import functions
from lab.rehearsal.inventory import inventory
from lab.rehearsal.rehearsal import Rehearsal, chalice, connect, take_over

PROBES = 3
"""So many bad minutes in a row ring the alarm `probe`."""
SCHEDULED = ("reconcile", *["probe"] * PROBES, "rotate", "reconcile", *["probe"] * PROBES)


def checkout(commit: str, directory: Path) -> Path:
    """Write the files of a commit into a directory of its own, and return that."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit, *package.PROJECT],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        raise ValueError(f"git knows no commit {commit} with a project in it: {done.stderr.decode().strip()}")
    with open_archive(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(directory, filter="data")
    return directory


def chapters(rehearsal: Rehearsal, commit: str) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    seen = Seen(rehearsal)
    return [
        (f"chalice deploy, as at {commit}", seen.deploy),
        ("Two instances, one cluster", lambda: demo.clustered(rehearsal.story)),
        ("A load balancer with a private CA, and a probe with a password", seen.create),
        ("Alarms and a dashboard, made in the background", lambda: watched(rehearsal)),
        ("Both instances in service", lambda: demo.in_service(rehearsal.story)),
        ("Every schedule, as it was", lambda: seen.work("before")),
        ("chalice deploy, as it is now", seen.upgrade),
        ("Every schedule, under the new policies", lambda: seen.work("after")),
        ("Nothing at AWS has changed but what had to", seen.compare),
        ("The same request again, and none of the functions was denied anything", seen.again),
    ]


class Seen:
    """The rehearsal of an upgrade, and what was at AWS before it."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.balancers: object = None
        self.alarms: object = None
        self.inventory: frozenset[str] = frozenset()

    def deploy(self) -> str:
        """Deploy what was committed then; the account has had a load balancer before."""
        elb_service_role.create("123456789012", "eu-central-1")
        chalice(self.rehearsal, "deploy")
        take_over(self.rehearsal)
        connect(self.rehearsal)
        return f"{len(functions(self.rehearsal.aws))} functions"

    def body(self) -> dict[str, object]:
        """The article's load balancer, whose probe says who it is."""
        probe = {"credentials_secret_id": f"{self.rehearsal.owner}/probe"}
        return {**declaration(self.rehearsal.story.lab), "probe": probe}

    def create(self) -> str:
        """Keep the probe's password, and ask for the load balancer."""
        rehearsal = self.rehearsal
        rehearsal.aws.secretsmanager().create_secret(
            Name=f"{rehearsal.owner}/probe",
            SecretString=json.dumps({"username": "probe", "password": "rehearsed"}),
        )
        reply = client.request("PUT", rehearsal.story.url, self.body())
        hold(reply.status in {201, 202}, f"the PUT answers 201 or 202, not {refusal(reply)}")
        until(lambda: state(rehearsal.story) == "ready", 60, "the load balancer is ready", pause=0.2)
        return f"{reply.status}; {NAME} is ready"

    def work(self, when: str) -> str:
        """Let each schedule fire, and hold that every probe was well and no alarm would ring."""
        rehearsal = self.rehearsal
        began = len(points(rehearsal))
        for function in SCHEDULED:
            fired(rehearsal, function)
        new = points(rehearsal)[began:]
        probes = [point.value for point in new if point.name == "ProbeSuccess"]
        hold(len(probes) >= PROBES and set(probes) == {1.0}, f"every probe {when} it is 1, not {probes}")
        ringing = self.ringing(new)
        hold(not ringing, f"no alarm rings, but: {', '.join(ringing)}")
        if when == "before":
            self.balancers, self.alarms = balancers(rehearsal), alarms(rehearsal)
            self.inventory = inventory(rehearsal.aws)
        return f"{len(probes)} probes, each 1; no alarm rings"

    def ringing(self, new: list[Point]) -> list[str]:
        """Return the alarms that one of these data is bad for, and the functions that failed."""
        listed = self.rehearsal.aws.cloudwatch().describe_alarms()["MetricAlarms"]
        bad = [
            one["AlarmName"]
            for one in listed
            for point in new
            if (one.get("Namespace"), one.get("MetricName")) == (point.namespace, point.name)
            and {(of["Name"], of["Value"]) for of in one.get("Dimensions", [])} == {*point.dimensions}
            and COMPARISONS[one["ComparisonOperator"]](point.value, one["Threshold"])
        ]
        failed = [f"{name}: {done.error}" for name, done in self.rehearsal.functions.outcomes if done.error]
        return sorted({*bad, *failed})

    def upgrade(self) -> str:
        """Put the project of now where the old one was, but for what Chalice wrote down, and deploy it."""
        rehearsal = self.rehearsal
        renew(rehearsal.project)
        before = {name: one.arn for name, one in functions(rehearsal.aws).items()}
        id_ = rehearsal.api.id
        chalice(rehearsal, "deploy")
        take_over(rehearsal)
        found = functions(rehearsal.aws)
        hold(before.items() <= {name: one.arn for name, one in found.items()}.items(), "ARNs stay")
        hold(rehearsal.api.id == id_, "the API keeps its id, and so its URL")
        return f"{len(found)} functions, the API where it was"

    def compare(self) -> str:
        """Hold that the load balancer is as it was; name what else is new or gone."""
        rehearsal = self.rehearsal
        hold(balancers(rehearsal) == self.balancers, "the load balancer is untouched")
        now = inventory(rehearsal.aws)
        apart = f"secret {rehearsal.owner}/private-ca-certificate"
        hold(self.inventory - now == set(), f"nothing is gone: {', '.join(sorted(self.inventory - now))}")
        hold(
            now - self.inventory == {apart}, f"only {apart} is new: {', '.join(sorted(now - self.inventory))}"
        )
        hold(alarms(rehearsal) == self.alarms, "the alarms are as they were")
        return f"new: {apart}; nothing is gone"

    def again(self) -> str:
        """Ask for the same load balancer again, which changes nothing; hold what the policies denied."""
        rehearsal = self.rehearsal
        reply = client.request("PUT", rehearsal.story.url, self.body())
        held = reply.status == 200 and not reply.body["changed"]
        hold(
            held,
            f"the PUT changes nothing: {refusal(reply) if reply.status != 200 else reply.body['actions']}",
        )
        denied = rehearsal.functions.denied()
        hold(not denied, f"nothing was denied, but: {', '.join(denied)}")
        failed = [one for one in rehearsal.story.lab.events.delivered if one.error is not None]
        hold(not failed, f"every event was answered, but: {failed[:1]}")
        codes = sorted({warning["code"] for warning in reply.body["warnings"]})
        return f"200, unchanged; warnings: {', '.join(codes)}"


def renew(project: Path) -> None:
    """Replace the files of a project by those of now; the record of its deployment stays."""
    kept = project.parent / "kept"
    shutil.move(project / ".chalice" / "deployed", kept)
    shutil.rmtree(project)
    package.copy_project(ROOT, project)
    shutil.move(kept, project / ".chalice" / "deployed")


def alarms(rehearsal: Rehearsal) -> object:
    """Return what the alarms look at, without what changes by itself."""
    times = {"StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp", "StateTransitionedTimestamp"}
    listed = rehearsal.aws.cloudwatch().describe_alarms()["MetricAlarms"]
    return [
        {key: value for key, value in one.items() if key not in times and not key.startswith("State")}
        for one in sorted(listed, key=lambda one: one["AlarmName"])
    ]


def points(rehearsal: Rehearsal) -> list[Point]:
    """Return all data that the functions' logs have put so far, in the embedded metric format."""
    logs = sorted(rehearsal.story.lab.directory.glob(f"{rehearsal.owner}*.log"))
    return [point for log in logs for line in log.read_text().splitlines() for point in embedded(line)]
