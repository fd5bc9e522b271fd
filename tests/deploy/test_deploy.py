"""`make deploy`: it looks first, then compiles all that goes into the package, then calls Chalice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from shutil import copytree
from typing import Any
from zipfile import ZipFile

import pytest

from lab.lambda_.package import Package, build, copy_project
from tests.deploy.test_findings_account import NOTHING_DEPLOYED, Aws
from tools import doctor
from tools.deploy import deploy, sources, write_bytecode

ROOT = Path(__file__).parents[2]
CHECKED_HASH = (3).to_bytes(4, "little")  # https://peps.python.org/pep-0552/#specification


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what Chalice reads, without bytecode."""
    copy_project(ROOT, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture(scope="session")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with bytecode: to compile all of the libraries takes long."""
    directory = tmp_path_factory.mktemp("compiled") / "project"
    copy_project(ROOT, directory)
    write_bytecode(directory)
    return directory


@pytest.fixture
def with_bytecode(compiled_once: Path, tmp_path: Path) -> Path:
    """A copy of what Chalice reads, with bytecode."""
    return copytree(compiled_once, tmp_path / "compiled")


@dataclass
class Chalice:
    """What is run in its place, and what it finds there."""

    status: int = 0
    commands: list[list[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)
    compiled: set[str] = field(default_factory=set)

    def run(self, command: list[str], directory: Path, environment: Mapping[str, str]) -> int:
        """Take a command."""
        self.commands.append([Path(command[0]).name, *command[1:]])
        self.environments.append(environment)
        self.compiled = compiled(directory)
        return self.status


def compiled(project: Path) -> set[str]:
    """The bytecode, by the name that it has in the zip."""
    return {str(path.relative_to(project)).removeprefix("vendor/") for path in project.rglob("*.pyc")}


def account() -> Any:
    """An account in which nothing is deployed."""
    return Aws(NOTHING_DEPLOYED)


def names() -> set[str]:
    """The bytecode of every source of the package."""
    return {cache_from_source(name, optimization="") for name in sources()}


def test_it_looks_then_compiles_then_calls_chalice(project: Path) -> None:
    chalice = Chalice()
    look = partial(doctor.report, open_session=account, root=project)
    assert deploy("dev", look, chalice.run, project) == 0
    assert chalice.commands == [["chalice", "deploy", "--stage", "dev"]]
    assert chalice.compiled == names()
    # What Python would write as Chalice imports the app, Chalice would pack.
    assert chalice.environments[0]["PYTHONDONTWRITEBYTECODE"] == "1"


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("OWNER", "", "it takes the deployment's name"),
        ("SETTLE_SECONDS", "soon", "it takes a whole number from 0 to 60"),
        ("ACME_CONTACT", "nobody", "it takes an e-mail address"),
        ("ALARM_TOPIC_ARN", "topic", "it takes the ARN of an SNS topic"),
    ],
)
@pytest.mark.parametrize("function", [None, "probe"])
def test_with_a_wrong_setting_nothing_is_deployed(
    *,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    function: str | None,
    setting: str,
    value: str,
    words: str,
) -> None:
    file = project / ".chalice" / "config.json"
    configured = json.loads(file.read_text())
    block = configured["stages"]["dev"]
    if function:
        block = block["lambda_functions"][function]
    block.setdefault("environment_variables", {})[setting] = value
    file.write_text(json.dumps(configured))
    chalice = Chalice()
    look = partial(doctor.report, open_session=account, root=project)
    assert deploy("dev", look, chalice.run, project) == 1
    assert chalice.commands == []
    assert compiled(project) == set()
    output = capsys.readouterr().out
    assert f"{setting} is {value!r}; {words}" in output
    assert output.endswith("Nothing was deployed.\n")


def test_chalice_s_own_failure_is_that_of_the_command(project: Path) -> None:
    assert deploy("dev", lambda _: 0, Chalice(status=2).run, project) == 2


def not_writable(project: Path) -> None:
    """Put a file where the bytecode of a folder belongs."""
    (project / "vendor" / "acme").write_text("no directory")


def not_installed(project: Path) -> None:
    """Require a library that nobody has."""
    with (project / "requirements.txt").open("a") as file:
        file.write("nobody-has-this==1.0\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(not_writable, "Bytecode cannot be written"), (not_installed, "nobody-has-this of requirements.txt")],
)
def test_what_keeps_it_from_compiling_is_reported_and_nothing_is_deployed(
    project: Path, capsys: pytest.CaptureFixture[str], spoil: Any, words: str
) -> None:
    spoil(project)
    chalice = Chalice()
    assert deploy("dev", lambda _: 0, chalice.run, project) == 1
    assert chalice.commands == []
    assert f"✗ {words}" in capsys.readouterr().out


def test_the_zip_holds_the_bytecode_of_every_source_and_no_other(package: Package) -> None:
    with ZipFile(package.zip) as packed:
        names = packed.namelist()
        # A wheel's commands lie apart, and nobody imports them.
        held = {name for name in names if name.endswith(".py") and ".data/scripts/" not in name}
        assert len(set(names)) == len(names)
        assert {name for name in names if name.endswith(".pyc")} == {
            cache_from_source(name, optimization="") for name in held
        }
        for name in held:
            header = packed.read(cache_from_source(name, optimization=""))[:16]
            assert header == MAGIC_NUMBER + CHECKED_HASH + source_hash(packed.read(name)), name


def test_chalice_alone_makes_the_same_package_without_bytecode(package: Package, tmp_path: Path) -> None:
    with ZipFile(package.zip) as packed, ZipFile(build(tmp_path, stage="prod").zip) as alone:
        kept = {name for name in packed.namelist() if not name.endswith(".pyc")}
        assert {*alone.namelist()} == kept
        assert {name: alone.read(name) for name in kept} == {name: packed.read(name) for name in kept}


def test_to_import_the_app_changes_nothing_also_for_chalice(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    environment = {**os.environ, "AWS_CHALICE_CLI_MODE": "1", "OWNER": "", "SETTLE_SECONDS": "soon"}
    # Chalice itself adds to this variable.
    program = (
        "import gc, os, threading\n"
        "def state(): return gc.get_threshold(), {**os.environ, 'AWS_EXECUTION_ENV': ''}\n"
        "before = state(); import app; print(before == state(), threading.active_count())"
    )
    assert python(program, project, environment) == "True 1"
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "name",
    [
        "chalicelib/model/__pycache__/gone",
        "vendor/chalicelib/__pycache__/rotate",
        "vendor/gone/__pycache__/x",
    ],
)
def test_what_was_left_is_taken_away_and_what_is_compiled_stays(with_bytecode: Path, name: str) -> None:
    written = {path: path.stat().st_mtime_ns for path in with_bytecode.rglob("*.pyc")}
    left = with_bytecode / f"{name}.cpython-311.pyc"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"of another day")
    write_bytecode(with_bytecode)
    assert not left.exists()
    assert {path: path.stat().st_mtime_ns for path in with_bytecode.rglob("*.pyc")} == written
    assert compiled(with_bytecode) == names()


@pytest.mark.parametrize("damage", [b"", b"no bytecode"])
def test_bytecode_that_is_damaged_is_compiled_again(with_bytecode: Path, damage: bytes) -> None:
    written = {path: path.read_bytes() for path in sorted(with_bytecode.rglob("*.pyc"))}
    for path in [*written][::20]:  # some of the app, some of the libraries
        path.write_bytes(damage)
    write_bytecode(with_bytecode)
    assert {path: path.read_bytes()[:16] for path in written} == {
        path: content[:16] for path, content in written.items()
    }


def test_python_takes_no_bytecode_of_another_source(with_bytecode: Path) -> None:
    vendor = with_bytecode / "vendor"
    (vendor / "typing_extensions.py").write_text("NEWER = 'than its bytecode'\n")
    assert python("import typing_extensions; print(typing_extensions.NEWER)", vendor) == "than its bytecode"


def test_a_changed_source_is_compiled_again(with_bytecode: Path) -> None:
    (with_bytecode / "chalicelib" / "rules.py").write_text("CHANGED = True\n")
    write_bytecode(with_bytecode)
    program = "from chalicelib import rules; print(rules.CHANGED, rules.__cached__)"
    changed, cached = python(program, with_bytecode).split()
    assert changed == "True"
    assert Path(cached).read_bytes()[8:16] == source_hash(b"CHANGED = True\n")


def python(program: str, directory: Path, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints that sees a directory before all else, and leaves no bytecode."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-B", "-c", program],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()
