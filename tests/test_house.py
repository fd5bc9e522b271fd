"""The law of the folders: what each may import, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What of the standard library computes, and does nothing else.
PURE_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "difflib",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "html",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "statistics",
        "string",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
    }
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
CLOCK_READS = frozenset({"now", "utcnow", "today"})

# Each folder, and which parts of the project it may import.
MAY_IMPORT = {
    "chalicelib/core": {"chalicelib.core"},
    "chalicelib/adapters": {"chalicelib.adapters", "chalicelib.core"},
    "chalicelib/api": {"chalicelib.api", "chalicelib.core"},
    "chalicelib": {"chalicelib"},
    "lab": {"lab"},
}


def sources(folder: str) -> list[Path]:
    """The folder's modules; of `chalicelib` only the stories, and what they share."""
    return sorted((ROOT / folder).glob("*.py" if folder == "chalicelib" else "**/*.py"))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere, with its line; also by `import_module("…")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                yield node.lineno, "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield node.lineno, name
            case _:
                pass


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Everything in a module that is not pure: line and name."""
    for line, name in imported(tree):
        if name.startswith("chalicelib"):
            if not f"{name}.".startswith("chalicelib.core."):
                yield line, name
        elif name.partition(".")[0] not in PURE_MODULES:
            yield line, name
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield node.lineno, name
            case ast.Attribute(attr=name, value=ast.Name(id="datetime" | "date")) if name in CLOCK_READS:
                yield node.lineno, f"datetime.{name}"
            case ast.Global():
                yield node.lineno, "global"
            case _:
                pass


@pytest.mark.parametrize("source", sources("chalicelib/core"), ids=lambda source: source.stem)
def test_the_core_is_pure(source: Path) -> None:
    assert [*impurities(ast.parse(source.read_text()))] == []


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from time import monotonic",
        "def f():\n    from random import random",
        "import boto3",
        "from chalicelib import observe",
        "from chalicelib.adapters import elb",
        "from datetime import datetime\nnow = datetime.now",
        "open('x')",
        "from .model import State",
    ],
)
def test_the_law_of_the_core_finds_what_breaks_it(text: str) -> None:
    assert [*impurities(ast.parse(text))]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_dependencies_point_one_way(folder: str) -> None:
    allowed = MAY_IMPORT[folder]
    strayed = [
        f"{source.relative_to(ROOT)}:{line}: {name}"
        for source in sources(folder)
        for line, name in imported(ast.parse(source.read_text()))
        if name.partition(".")[0] in {"app", "chalicelib", "lab", "tests", "bench"}
        and not any(f"{name}.".startswith(f"{one}.") for one in allowed)
        and not (name == "app" and source == ROOT / "lab/lambda_/functions.py")
        # `from chalicelib import x` is listed as `chalicelib` and as `chalicelib.x`: the latter tells.
        and not (name == "chalicelib" and folder.startswith("chalicelib/"))
    ]
    assert strayed == []


def test_the_lab_reaches_the_app_through_one_module_only() -> None:
    importing = {
        source.relative_to(ROOT).as_posix()
        for source in sources("lab")
        for _, name in imported(ast.parse(source.read_text()))
        if name == "app"
    }
    assert importing == {"lab/lambda_/functions.py"}
