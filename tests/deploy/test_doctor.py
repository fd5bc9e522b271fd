"""The doctor's rounds, and what it says of this project."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_findings_account import NOTHING_DEPLOYED, Aws, recorded
from tools.doctor import DEPRECATED, ROOT, findings, package_findings, python_findings, python_notes
from tools.findings_configuration import BOUNDS, bounds_notes, known_settings


def account() -> Any:
    """An account in which nothing is deployed."""
    return Aws(NOTHING_DEPLOYED)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_this_project_is_well(stage: str) -> None:
    assert list(findings(stage, account)) == []


def test_the_settings_that_bound_a_deployment_are_named_until_they_are_set() -> None:
    (note,) = bounds_notes((ROOT / ".chalice" / "config.json").read_text(), "prod")
    assert all(name in note for name in BOUNDS)
    assert set(BOUNDS) <= known_settings()
    every = dict.fromkeys(BOUNDS, "x")
    some = {"environment_variables": {"ALLOWED_VPCS": "vpc-1"}, "stages": {"prod": {}}}
    (note,) = bounds_notes(json.dumps(some), "prod")
    assert "ALLOWED_VPCS" not in note
    assert [*bounds_notes(json.dumps({**some, "environment_variables": every}), "prod")] == []
    for unreadable in ("", "{", "[]", "{}", '{"stages": []}'):
        assert [*bounds_notes(unreadable, "prod")] == []


@pytest.mark.parametrize(("version", "count"), [((3, 10), 1), ((3, 11), 0), ((3, 13), 0), ((3, 14), 1)])
def test_a_python_that_the_functions_were_not_tried_on_is_reported(
    version: tuple[int, int], count: int
) -> None:
    assert len(list(python_findings(version))) == count


@pytest.mark.parametrize(("version", "count"), [((3, 11), 1), ((3, 12), 1), ((3, 13), 0), ((3, 14), 0)])
def test_the_python_that_lambda_keeps_longest_is_recommended(version: tuple[int, int], count: int) -> None:
    notes = list(python_notes(version))
    assert len(notes) == count
    assert all(DEPRECATED[version] in one and "PYTHON=python3.13" in one for one in notes)


def test_the_docs_say_the_same_of_lambdas_pythons() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    rows = dict(re.findall(r"^ *\| (3\.\d+) \| (\d{4}-\d\d-\d\d) \|$", page, re.MULTILINE))
    assert rows == {f"{major}.{minor}": ends for (major, minor), ends in DEPRECATED.items()}


@pytest.mark.parametrize(
    ("installed", "missing"),
    [({"boto3", "chalice"}, []), ({"boto3"}, ["chalice"]), (set(), ["boto3 and chalice"])],
)
def test_what_is_not_installed_is_reported(installed: set[str], missing: list[str]) -> None:
    found = list(package_findings(lambda name: name if name in installed else None))
    assert [one.partition(" cannot")[0] for one in found] == missing
    assert all("make setup" in one for one in found)


def no_file(_: Path) -> None:
    """Leave `.chalice/` empty."""


def no_json(folder: Path) -> None:
    """Leave a configuration that cannot be read."""
    (folder / "config.json").write_text("{")


def elsewhere(folder: Path) -> None:
    """Leave a record of a deployment in another region."""
    no_json(folder)
    (folder / "deployed").mkdir()
    (folder / "deployed" / "prod.json").write_text(
        recorded("arn:aws:lambda:us-east-1:123456789012:function:f")
    )


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (no_file, ["config.json is not there: take it back from git"]),
        (no_json, ["config.json is no JSON"]),
        (elsewhere, ["config.json is no JSON", "in us-east-1 of account"]),
    ],
)
def test_what_is_missing_keeps_nothing_else_from_being_reported(
    left: Callable[[Path], None], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / ".chalice").mkdir()
    left(tmp_path / ".chalice")
    found = list(findings("prod", account, tmp_path))
    assert len(found) == len(words)
    assert all(word in finding for word, finding in zip(words, found, strict=True))
