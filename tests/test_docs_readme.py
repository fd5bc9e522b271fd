"""The README's two commands: CI runs these very ones, and the page names every package that they install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = ("make demo", "make test")


def row(command: str) -> str:
    """The README's row about a command."""
    (found,) = re.findall(rf"^\| `{command}` \|.*$", README, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_what_ci_runs(command: str) -> None:
    assert re.search(rf"^\$ {command}\b", README, re.MULTILINE)
    assert command in (ROOT / ".ci/run").read_text().splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_row_names_what_it_installs_and_how_long_it_takes(command: str) -> None:
    target = command.removeprefix("make ")
    makefile, script = (ROOT / "Makefile").read_text(), (ROOT / "lab/setup.sh").read_text()
    (asked,) = re.findall(
        rf"^{target}: [^\n]+\n\t@lab/setup\.sh --packages ([a-z0-9 ]+)", makefile, re.MULTILINE
    )
    always = re.findall(r"missing\+=\(([a-z0-9-]+)\)", script)
    assert len(always) == 3
    wanted = {"python3", "python3-venv", *always, *asked.split()}
    named = set(
        re.findall(r"`([a-z0-9-]+)`", row(command) if target == "demo" else row("make demo") + row(command))
    )
    assert wanted <= named
    assert row(command).count("minutes") == 2
