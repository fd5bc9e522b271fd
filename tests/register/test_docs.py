"""The ready example of docs/register.md: its linter takes it, and it has the hooks that we complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.model.names import CLUSTER_TAG, DRAINING_TAG
from chalicelib.register.lifecycle import DRAIN_HOOK, READY_HOOK

PAGE = (Path(__file__).parents[2] / "docs" / "register.md").read_text()


def block(language: str) -> str:
    """The page's one block of that language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.thorough
def test_the_linter_takes_the_cloudformation_example(tmp_path: Path) -> None:
    template = tmp_path / "nodes.yaml"
    template.write_text(block("yaml"))
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([str(linter), str(template)], capture_output=True, text=True, check=False)  # noqa: S603 - of this environment
    assert done.returncode == 0, done.stdout


def test_both_examples_name_the_hooks_and_the_tag_that_the_code_goes_by() -> None:
    for example in (block("yaml"), block("hcl")):
        assert all(name in example for name in (READY_HOOK, DRAIN_HOOK, CLUSTER_TAG))
    assert DRAINING_TAG in PAGE
