"""A deployment in the lab: the real `chalice` command on a copy of the project, and what it deployed at work.

The project is a copy, so that nothing of it changes the working tree, and nothing lying about is packaged.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.aws import SECRET, Aws
from lab.demo.client import USER
from lab.demo.steps import Story
from lab.demo.story import hold
from lab.events import EventBridge, emitting
from lab.fidelity.knobs import KNOBS
from lab.lab import Lab, Say
from lab.lambda_ import package
from lab.lambda_.api import ROOT
from lab.rehearsal import deployed
from lab.rehearsal.front import front
from lab.rehearsal.gateway import Api
from lab.rehearsal.running import Functions

STAGE = "prod"
NEVER = float("inf")


@dataclass
class Rehearsal:
    """What the steps share: the story that is played, and the deployment in which it is played."""

    story: Story
    directory: Path
    functions: Functions
    stack: ExitStack
    api: Api = field(default_factory=lambda: Api("", "", ()))

    @property
    def aws(self) -> Aws:
        """AWS's API."""
        return self.story.lab.aws

    @property
    def project(self) -> Path:
        """The copy of the project that is deployed."""
        return self.directory / "project"

    @property
    def owner(self) -> str:
        """The deployment's name, which begins every function's."""
        return f"emq-elb-{STAGE}"


@contextmanager
def open_rehearsal(lab: Lab, say: Say, project: Path = ROOT) -> Iterator[Rehearsal]:
    """Make ready what a deployment of the project needs; at the end of the block its functions have ended."""
    with tempfile.TemporaryDirectory(prefix="emq-elb-rehearsal-") as name, ExitStack() as stack:
        directory = Path(name)
        package.copy_project(project, directory / "project")
        reach = {
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": lab.aws.endpoint,
            "LAB_HOSTS": str(lab.data_plane.hosts),
        }
        runtime = package.copy_runtime(directory / "runtime")
        say("Lambda's runtime is ready")
        functions = Functions(lab.processes, lab.network.functions, runtime, reach)
        stack.callback(functions.end)
        KNOBS.invoke = functions.answer
        yield Rehearsal(Story(lab, set()), directory, functions, stack)


def chalice(rehearsal: Rehearsal, *arguments: str) -> str:
    """Run one of Chalice's commands on the project and return what it said; it may do anything at AWS."""
    wheels = {name: value for name, value in package.environment().items() if name.startswith("PIP_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("chalice")), *arguments, "--stage", STAGE],
        cwd=rehearsal.project,
        env=rehearsal.aws.environment("deployer") | wheels,
        check=False,
        capture_output=True,
        text=True,
    )
    # It prints the name of a package that it could not get, and exits with 0 all the same.
    held = done.returncode == 0 and "Could not install" not in done.stdout + done.stderr
    hold(held, f"chalice {arguments[0]} succeeds: {done.stdout}{done.stderr}")
    return done.stdout


def take_over(rehearsal: Rehearsal) -> None:
    """Let what is deployed now answer: functions, and the API and the rules that lead to them."""
    found = deployed.functions(rehearsal.aws)
    rehearsal.functions.deploy(found, deployed.unpacked(found, rehearsal.directory / "tasks"))
    rehearsal.story.callers.update(found)
    rehearsal.api = deployed.api(rehearsal.aws, found)


def connect(rehearsal: Rehearsal) -> None:
    """Open the API's front, and let what happens to instances become events; no schedule fires by itself."""
    lab, functions = rehearsal.story.lab, rehearsal.functions
    url = rehearsal.stack.enter_context(
        front(lab.network.api, lambda: rehearsal.api, {USER: SECRET}, functions.invoke)
    )
    rules = deployed.rules(lab.aws, deployed.functions(lab.aws))
    bridge = EventBridge(rules, functions.delivered)
    rehearsal.stack.enter_context(emitting(bridge, lab.aws.ec2("eventbridge"), NEVER))
    rehearsal.story.lab = replace(lab, api_url=f"{url}/{rehearsal.api.stage}", events=bridge)
