"""The rehearsal of an upgrade: where its old project comes from, and how the new one takes its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.lambda_.package import PROJECT
from lab.rehearsal.upgrade import checkout, renew


def test_the_record_of_the_deployment_stays_and_nothing_else_of_the_old_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".chalice" / "deployed").mkdir(parents=True)
    (project / ".chalice" / "deployed" / "prod.json").write_text("{}")
    (project / "chalicelib").mkdir()
    (project / "chalicelib" / "gone.py").write_text("")
    renew(project)
    assert (project / ".chalice" / "deployed" / "prod.json").read_text() == "{}"
    assert not (project / "chalicelib" / "gone.py").exists()
    assert {path.name for path in project.iterdir()} == {*PROJECT}


def test_a_commit_that_git_does_not_know_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="git knows no commit nowhere"):
        checkout("nowhere", tmp_path)
