"""What `pip install .` installs: the command line and what it needs, and nothing of the app."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from lab.lambda_ import package

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
# The names under which they are imported.
IMPORTED = {"ruamel.yaml": "ruamel"}


def name(requirement: str) -> str:
    """The distribution that a requirement names, without extras and versions."""
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0]


DEPENDENCIES = {name(one) for one in PROJECT["dependencies"]}


def test_the_command_is_a_function_of_a_package_with_a_name_of_its_own() -> None:
    module, _, function = PROJECT["scripts"]["emq-elb"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert PYPROJECT["tool"]["setuptools"]["packages"] == ["emq_elb"]
    assert {path.name for path in (ROOT / "client").iterdir() if path.is_dir()} - {"emq_elb.egg-info"} == {
        "emq_elb"
    }


def test_it_depends_on_what_it_imports_and_on_nothing_of_the_apps() -> None:
    texts = [path.read_text() for path in (ROOT / "client" / "emq_elb").glob("*.py")]
    imported = {
        found for text in texts for found in re.findall(r"^(?:from|import) ([a-z_0-9]+)", text, re.MULTILINE)
    }
    assert {IMPORTED.get(one, one) for one in DEPENDENCIES} <= imported
    server = {name(line) for line in (ROOT / "requirements.in").read_text().splitlines()}
    assert not DEPENDENCIES & server


@pytest.mark.parametrize("dependency", sorted(DEPENDENCIES - {"botocore"}))
def test_the_repositorys_own_environment_has_it(dependency: str) -> None:
    assert dependency in (ROOT / "requirements-demo.in").read_text().splitlines()
    assert f"\n{dependency.replace('.', '-')}==" in (ROOT / "requirements-demo.txt").read_text()


def test_a_checkout_runs_it_as_a_module_and_a_closed_pipe_is_no_fault() -> None:
    command = f"{shlex.quote(sys.executable)} -m emq_elb --help | head -n 1"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "client")}
    done = subprocess.run(  # noqa: S602 - a shell, for its pipe
        command, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("Usage: emq-elb")
    assert done.stderr == ""


def test_chalice_does_not_package_it() -> None:
    assert "client" not in package.PROJECT
