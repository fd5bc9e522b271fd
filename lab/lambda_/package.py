"""The app as `chalice package` builds it: the zip, unpacked, and the functions that its template names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from compileall import compile_dir
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

from lab.lambda_.api import ROOT

# What chalice reads of a project; nothing else of this directory can get into the package.
PROJECT = ("app.py", "chalicelib", "vendor", ".chalice", "requirements.txt")
# What every Python runtime of Lambda brings:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)


@dataclass(frozen=True)
class Function:
    """One function of the template: `events` are its triggers, as SAM writes them; times are seconds."""

    resource: str
    handler: str
    timeout: int
    memory: int
    architecture: str
    environment: Mapping[str, str]
    policy: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Package:
    """What a deployment would send to AWS."""

    zip: Path
    template: Path
    functions: Mapping[str, Function]


def build(
    directory: Path, *, stage: str, project: Path = ROOT, prepare: Callable[[Path], object] | None = None
) -> Package:
    """Package a stage of the project into a directory, from a copy of what chalice reads, without a network.

    `prepare` is called with the copy first. The wheels come from where `lab/setup.sh` put them. Raises
    RuntimeError with chalice's words.
    """
    copy = directory / "project"
    copy_project(project, copy)
    if prepare is not None:
        prepare(copy)
    output = directory / "package"
    chalice = Path(sys.executable).with_name("chalice")
    done = subprocess.run(
        [str(chalice), "package", "--stage", stage, str(output)],
        cwd=copy,
        env=environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    # It prints the name of a package that it could not get, and exits with 0 all the same.
    if done.returncode or "Could not install" in done.stdout + done.stderr:
        raise RuntimeError(f"chalice package: {done.stdout}{done.stderr}(`make setup` fetches the wheels)")
    template = output / "sam.json"
    return Package(output / "deployment.zip", template, functions(json.loads(template.read_text())))


def environment() -> dict[str, str]:
    """This process's environment, for chalice: the wheels that are here, and nobody's AWS account."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PIP_"))}
    wheels = Path(sys.prefix) / "wheels"
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)} if wheels.is_dir() else {}
    return ours | offline | {"AWS_DEFAULT_REGION": "eu-central-1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def copy_project(project: Path, to: Path) -> None:
    """Copy what chalice reads of a project, without what a run of it left."""
    left = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
    to.mkdir(parents=True)
    for name in PROJECT:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=left)
        elif source.exists():
            shutil.copy2(source, to / name)


def functions(template: Mapping[str, Any]) -> Mapping[str, Function]:
    """Return the template's functions by their resource's name, each with its own role's policy."""
    resources = template["Resources"]
    found = {}
    for name, resource in resources.items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        role = resources[properties["Role"]["Fn::GetAtt"][0]]["Properties"]
        found[name] = Function(
            resource=name,
            handler=properties["Handler"],
            timeout=properties["Timeout"],
            memory=properties["MemorySize"],
            architecture=properties["Architectures"][0],
            environment=properties.get("Environment", {}).get("Variables", {}),
            policy=role["Policies"][0]["PolicyDocument"],
            events=tuple(properties.get("Events", {}).values()),
        )
    return found


def unpack(package: Path | BinaryIO, directory: Path) -> Path:
    """Unpack the zip as Lambda does into `/var/task`, and return the directory."""
    with ZipFile(package) as packed:
        packed.extractall(directory)
    return directory


def copy_runtime(directory: Path) -> Path:
    """Copy what Lambda's runtime brings, at the versions pinned here, with bytecode; return the directory."""
    for name in RUNTIME:
        for file in distribution(name).files or ():
            if ".." in file.parts:  # a command
                continue
            target = directory / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(str(file.locate())), target)
    compile_dir(directory, quiet=2)
    return directory
