"""The law of the house: which folder may import which, what is pure, and that a name has one home.

`docs/architecture.md` draws it, and its four walks are held against the code here as well.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from botocore import xform_name

ROOT = Path(__file__).parents[1]
PROJECT = ("app", "bench", "chalicelib", "client", "conformance", "lab", "tests", "tools")

# From the ground up. A module imports from its own folder and from the floors below, never from those above.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("model",),
    ("x509",),
    ("aws", "tls"),
    ("settings", "invocation", "telemetry", "announce", "rules"),
    ("observe", "issuers"),
    ("apply",),
    ("dns", "acme"),
    ("certificates",),
    ("register", "probe"),
    ("provision", "rotate"),
    ("api",),
    ("background", "container"),
    ("monitor",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
STORIES = frozenset({"provision", "register", "rotate", "probe"})
# Modules of the root may share a floor and still need one another, in this direction only.
BESIDE = frozenset({("invocation", "settings"), ("announce", "telemetry"), ("aws", "tls"), ("acme", "dns")})
ALONE = frozenset({"announce", "apply", "background", "container", "invocation", "observe", "rules"}) | {
    "settings",
    "telemetry",
}

# What of the standard library computes, and does nothing else.
PURE_LIBRARY = frozenset(
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
        "urllib.parse",
    }
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
CLOCK_READS = frozenset({"now", "utcnow", "today"})


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the project by its dotted name, a package by its own name."""
    files = [ROOT / "app.py", *(path for top in PROJECT for path in (ROOT / top).rglob("*.py"))]
    return {dotted(path): ast.parse(path.read_text()) for path in files}


# The command line is installed as a package of its own, from the folder `client`.
CLIENT = "emq_elb"


def dotted(path: Path) -> str:
    """The name that a file is imported by."""
    inside = ROOT / "client" if path.is_relative_to(ROOT / "client") else ROOT
    parts = path.relative_to(inside).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that is imported anywhere in a module, with its line; also by `import_module("…")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                stem = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield node.lineno, name
            case _:
                pass


def module_of(name: str) -> str | None:
    """The module of the project that an imported name is, or is in; None for the standard library's."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or None


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Which modules of the project each module imports."""
    found = {}
    for module, tree in modules().items():
        targets = {module_of(name) for _, name in imported(tree)} - {None, module}
        found[module] = frozenset(target for target in targets if target is not None)
    return found


def room(module: str) -> str:
    """The folder of `chalicelib` that a module is in, or the module itself where it stands in the root."""
    return module.split(".")[1]


def own(module: str) -> bool:
    return module.startswith("chalicelib.")


@cache
def pure() -> frozenset[str]:
    """The modules that each folder's `__init__.py` names in `PURE`."""
    found = set()
    for path in (ROOT / "chalicelib").rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="PURE")], value=value):
                    found |= {f"{dotted(path)}.{name}" for name in ast.literal_eval(value)}
                case _:
                    pass
    return frozenset(found)


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Everything in a module that is not pure: line and name."""
    for line, name in imported(tree):
        if (ours := module_of(name)) or name.partition(".")[0] in PROJECT:
            if ours not in pure():
                yield line, name
        elif not {name.partition(".")[0], name.rpartition(".")[0]} & PURE_LIBRARY:
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


def upwards(module: str, target: str) -> str | None:
    """Why a module of `chalicelib` may not import that other one; None when it may."""
    here, there = room(module), room(target)
    if here == there:
        return None
    if there in STORIES and here in STORIES:
        return (
            None if target in pure() and FLOOR[there] <= FLOOR[here] else "of another story only what is pure"
        )
    if FLOOR[there] < FLOOR[here] or (here, there) in BESIDE:
        return None
    return "that is a floor above"


def test_no_arrow_points_up() -> None:
    strayed = [
        f"{module} -> {target}: {why}"
        for module, targets in arrows().items()
        if own(module)
        for target in targets
        if own(target) and (why := upwards(module, target))
    ]
    assert strayed == []


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("chalicelib.model.names", "chalicelib.x509.pem"),
        ("chalicelib.tls.connect", "chalicelib.aws.elb"),
        ("chalicelib.aws.elb", "chalicelib.invocation"),
        ("chalicelib.register.story", "chalicelib.probe.story"),
        ("chalicelib.provision.put", "chalicelib.register.story"),
        ("chalicelib.register.plan", "chalicelib.provision.plan"),
        ("chalicelib.api.views", "chalicelib.monitor.page"),
        ("chalicelib.settings", "chalicelib.invocation"),
    ],
)
def test_an_arrow_that_points_up_is_found(module: str, target: str) -> None:
    assert upwards(module, target)


def test_every_room_has_a_floor_and_the_root_holds_what_every_story_uses() -> None:
    rooms = {room(module) for module in modules() if own(module)}
    assert rooms <= FLOOR.keys()
    assert {path.stem for path in (ROOT / "chalicelib").glob("*.py")} - {"__init__"} == ALONE


@pytest.mark.parametrize("top", PROJECT)
def test_the_parts_of_the_project_keep_apart(top: str) -> None:
    allowed = {
        "app": {"app", "chalicelib"},
        "chalicelib": {"chalicelib"},
        "client": {CLIENT},
        "conformance": {"conformance"},
        "lab": {"lab"},
    }.get(top, {*PROJECT, CLIENT})
    strayed = [
        f"{module} -> {target}"
        for module, targets in arrows().items()
        if module.partition(".")[0] == (CLIENT if top == "client" else top)
        for target in targets
        if target.partition(".")[0] not in allowed and (module, target) not in ENTRIES
    ]
    assert strayed == []


THE_LABS_ENTRY = "lab.lambda_.functions"
THE_RULES_ENTRY = "conformance.emulated"
ENTRIES = frozenset(
    {
        (THE_LABS_ENTRY, "app"),
        # The rules know the lab as AWS's API alone: the corrected moto, and its settings.
        (THE_RULES_ENTRY, "lab.fidelity"),
        (THE_RULES_ENTRY, "lab.fidelity.knobs"),
        (THE_RULES_ENTRY, "lab"),
        # The program's own use needs the whole lab, in the place of AWS.
        ("conformance.app_lab", "lab.aws"),
        ("conformance.app_lab", "lab.lab"),
        ("conformance.app_lab", "lab.nodes"),
        ("conformance.app_lab", "lab.nodes.brokers"),
    }
)


def test_the_lab_reaches_the_app_through_one_module_only() -> None:
    importing = {
        module for module, targets in arrows().items() if "app" in targets and module.startswith("lab")
    }
    assert importing == {THE_LABS_ENTRY}


def test_no_modules_import_one_another_in_a_circle() -> None:
    """Tarjan's strongly connected components, without recursion: each has one module."""
    graph = arrows()
    waiting = {module: {one for one in targets if one in graph} for module, targets in graph.items()}
    while ends := {module for module, targets in waiting.items() if not targets}:
        waiting = {module: targets - ends for module, targets in waiting.items() if module not in ends}
    assert waiting == {}


@pytest.mark.parametrize("folder", sorted({module.rpartition(".")[0] for module in pure()}))
def test_what_a_folder_calls_pure_is_pure(folder: str) -> None:
    named = sorted(module for module in pure() if module.rpartition(".")[0] == folder)
    assert [module for module in named if module not in modules()] == []
    assert {module: found for module in named if (found := [*impurities(modules()[module])])} == {}


def test_every_folder_says_its_law() -> None:
    for path in (ROOT / "chalicelib").glob("*/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert "docs/" in text, f"{path.parent.name} names no page"
        assert 3 <= len(text.splitlines()) <= 10, path.parent.name


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from time import monotonic",
        "def f():\n    from random import random",
        "import boto3",
        "from chalicelib import observe",
        "from chalicelib.aws import elb",
        "from datetime import datetime\nnow = datetime.now",
        "open('x')",
        "from .model import State",
    ],
)
def test_what_is_impure_is_found(text: str) -> None:
    assert [*impurities(ast.parse(text))]


def defined(tree: ast.Module) -> Iterator[str]:
    """The public names that a module defines at its top."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                pass


EXCEPTIONS: Mapping[str, str] = {
    "PURE": "each folder has its own",
    "T": "a type variable is local to its module",
}


def test_no_public_name_has_two_homes() -> None:
    homes = defaultdict(list)
    for module, tree in modules().items():
        if own(module):
            for name in defined(tree):
                if not name.startswith("_") and name not in EXCEPTIONS:
                    homes[name].append(module)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


# Calls of AWS's APIs that only read, and those that change nothing of ours: events, our own functions.
READS = re.compile(r"(describe|get|list)_|put_events$|invoke$")


@cache
def writes() -> frozenset[str]:
    """The methods of botocore's clients that change something, by the service models that ship."""
    models = (ROOT / "vendor" / "aws-models").glob("*/*/service-2.json")
    found = (xform_name(name) for path in models for name in json.loads(path.read_bytes())["operations"])
    return frozenset(name for name in found if not READS.match(name))


def called(tree: ast.AST) -> Iterator[str]:
    """The last part of the name of whatever is called."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                yield name
            case _:
                pass


@cache
def writing() -> frozenset[str]:
    """The functions of `chalicelib/aws/` that change something at AWS, also through one another."""
    functions = {
        node.name: {*called(node)}
        for module, tree in modules().items()
        if module.startswith("chalicelib.aws.")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    found = set(writes())
    while more := {name for name, calls in functions.items() if calls & found} - found:
        found |= more
    return frozenset(found & functions.keys())


def adapters_used(tree: ast.Module) -> Iterator[str]:
    """Functions of `chalicelib/aws/` that a module imports, or takes from a module that it imports."""
    adapters = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chalicelib.aws"):
            for alias in node.names:
                adapters[alias.asname or alias.name] = alias.name
                yield alias.name
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id=module)) if module in adapters:
                yield name
            case _:
                pass


def test_only_apply_changes_something_at_aws() -> None:
    assert {"create_group", "perform", "put_alarm", "tag", "change_record_sets", "proceed"} <= writing()
    strayed = {
        module: sorted(found)
        for module, tree in modules().items()
        if (module == "app" or own(module)) and not module.startswith("chalicelib.aws.")
        if (found := {*adapters_used(tree)} & writing() | {*called(tree)} & writes())
    }
    assert strayed.keys() == {"chalicelib.apply"}


def test_whether_something_is_ours_is_read_from_its_tags_in_one_place() -> None:
    """Load balancers say it themselves (`owner`), by their tags; so do security groups."""
    asking = {
        module
        for module, tree in modules().items()
        if own(module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call | ast.Compare) and "OWNER_TAG" in {*names_in(node)}
    }
    assert asking == {
        "chalicelib.model.load_balancer",
        "chalicelib.aws.elbv2",
        "chalicelib.aws.vpc",
        "chalicelib.model.actions",  # whether a call puts the tag on something
        "chalicelib.provision.plan",  # whether it is being adopted
    }


def names_in(node: ast.Call | ast.Compare) -> Iterator[str]:
    """The names that a call is given, or that are compared."""
    parts = node.args if isinstance(node, ast.Call) else [node.left, *node.comparators]
    yield from (part.id for part in parts if isinstance(part, ast.Name))


def test_only_an_action_becomes_a_step() -> None:
    """What was done has one form, in answers and in the log: that of the action."""
    making = {
        module
        for module, tree in modules().items()
        if own(module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Step"
    }
    assert making == {"chalicelib.model.actions"}


PAGE = (ROOT / "docs" / "architecture.md").read_text()
# How many modules a reader passes at most, `model` not counted.
WALKS = {"A PUT": 20, "An EC2 event": 12, "A certificate": 20, "A probe": 10}


def walk(title: str) -> list[str]:
    """The modules of one of the page's walks, in its order."""
    section = PAGE.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    named = re.findall(r"^\d+\. `([a-z0-9_.]+)`: ", section, re.MULTILINE)
    return [name if name == "app" else f"chalicelib.{name}" for name in named]


@pytest.mark.parametrize("title", WALKS)
def test_each_module_of_a_walk_is_imported_by_one_before_it(title: str) -> None:
    modules_passed = walk(title)
    assert 5 < len(modules_passed) <= WALKS[title]
    assert modules_passed[0] == "app"
    for place, module in enumerate(modules_passed[1:], start=1):
        assert any(module in arrows()[before] for before in modules_passed[:place]), module


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_leaves_out_no_module_of_the_story_that_it_is_about(title: str) -> None:
    """But for what only a branch beside the walk needs: such a module is named here, with the branch."""
    passed = walk(title)
    story = next(module for module in passed if module.startswith("chalicelib.") and room(module) in STORIES)
    missing = {one for one in arrows()[story] if own(one) and room(one) == room(story)} - {*passed}
    assert missing <= ASIDE.keys()


ASIDE = {
    "chalicelib.provision.declaration": "values without a rule",
    "chalicelib.provision.facts": "values without a rule",
    "chalicelib.provision.order_certificate": "only for an ACME certificate",
    "chalicelib.provision.superseded": "only in the background",
    "chalicelib.register.hooks": "only for lifecycle hooks",
    "chalicelib.register.lifecycle": "only for lifecycle hooks",
    "chalicelib.rotate.model": "values without a rule",
    "chalicelib.probe.metrics": "names of metrics",
}


def test_the_page_draws_the_floors_as_they_are() -> None:
    drawn = PAGE.partition("The floors, from the top")[2].split("```")[1].split("\n")
    floors = [tuple(line.split()) for line in drawn if line]
    assert [*reversed(floors)] == [*FLOORS]
