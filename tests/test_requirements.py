"""A command's packages are those that its code imports: what the lab needs is not left to the tests' list."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.world.requirements import names_in

ROOT = Path(__file__).parents[1]
OURS = {"app", "bench", "chalicelib", "conformance", "emq_elb", "lab", "tests", "tools"}
# `make picture` alone, which asks for the tests' packages.
ELSEWHERE = {Path("lab/demo/screenshot.py"): {"playwright"}}


@cache
def _distributions() -> Mapping[str, list[str]]:
    """What is installed, by the names of its modules."""
    return packages_distributions()


def needed(tree: ast.AST) -> Iterator[str]:
    """The distributions of what a module imports, and those whose files it asks for by name."""
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        modules: list[str] = []
        match node:
            case ast.Import(names=names):
                modules = [one.name for one in names]
            case ast.ImportFrom(module=str(module), level=0):
                modules = [module]
            case ast.Call(func=ast.Name(id="distribution"), args=[ast.Constant(value=str(name))]):
                yield canonicalize_name(name)
        for module in modules:
            top = module.partition(".")[0]
            if top not in OURS and top not in sys.stdlib_module_names:
                yield from {canonicalize_name(one) for one in _distributions().get(top, [top])}


@pytest.mark.parametrize("place", ["lab", "bench", "conformance", "tools"])
def test_what_is_run_without_the_tests_needs_no_package_of_theirs(place: str) -> None:
    there = names_in("requirements-demo.txt")
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / place).rglob("*.py")
        for name in needed(ast.parse(path.read_text()))
        if name not in there and name not in ELSEWHERE.get(path.relative_to(ROOT), set())
    }
    assert missing == set()
