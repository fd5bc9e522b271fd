"""Files with declarations, YAML 1.2 or JSON: each document is a load balancer, each field has a place."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean

from emq_elb.faults import FaultsInFiles, FileFault

STDIN = "-"
# Both are for the editor: which schema it holds the file to.
NOT_SENT = ("$schema", "name")

Position = tuple[int, int]
"""Line and column, from 1."""


@dataclass(frozen=True)
class Document:
    """One declaration; `places` has the position of each field, by the path that the API gives it."""

    file: str
    name: str
    body: Mapping[str, Any]
    places: Mapping[str, Position]

    def fault(self, path: str, message: str) -> FileFault:
        """Return a fault at a field's place, or at that of the closest field around it."""
        around = path
        while around and around not in self.places:
            around = around[: max(around.rfind("."), around.rfind("["), 0)]
        line, column = self.places.get(around, self.places[""])
        return FileFault(self.file, line, column, path, message)


@dataclass
class _Reading:
    """What is found in one document on the way."""

    file: str
    places: dict[str, Position] = field(default_factory=dict)
    faults: list[FileFault] = field(default_factory=list)

    def wrong(self, path: str, message: str) -> None:
        line, column = self.places[path]
        self.faults.append(FileFault(self.file, line, column, path, message))


def read_files(names: Sequence[str], directory: Path) -> list[Document]:
    """Read all declarations of all files; raise FaultsInFiles with every fault of all of them."""
    documents: list[Document] = []
    faults: list[FileFault] = []
    for name in names:
        try:
            documents += read_text(name, _text(name, directory))
        except FaultsInFiles as error:
            faults += error.faults
    faults += _twice(documents)
    if faults:
        raise FaultsInFiles(faults)
    return documents


def _text(name: str, directory: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if name == STDIN else (directory / name).read_bytes()
    except OSError as error:
        raise FaultsInFiles([FileFault(name, 1, 1, "", f"cannot be read: {error.strerror}")]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FaultsInFiles([FileFault(name, line, 1, "", "this is no text in UTF-8")]) from None


def read_text(file: str, text: str) -> list[Document]:
    """Read the declarations of a text; `file` is named in what is said against it."""
    faults: list[FileFault] = []
    documents: list[Document] = []
    try:
        loaded = _load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise FaultsInFiles([_no_yaml(file, text, error)]) from None
    for one in loaded:
        if one is not None:
            reading = _Reading(file)
            documents += _document(one, reading)
            faults += reading.faults
    if not loaded or all(one is None for one in loaded):
        faults.append(FileFault(file, 1, 1, "", "there is no declaration in it"))
    if faults:
        raise FaultsInFiles(faults)
    return documents


def _load(text: str) -> list[Any]:
    # JSON may be indented with tabs, YAML may not. In a string of JSON no tab stands as itself.
    json = text.lstrip()[:1] in {"{", "["}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an anchor that is used twice
        return list(YAML(typ="rt").load_all(text.replace("\t", " ") if json else text))


def _no_yaml(file: str, text: str, error: Exception) -> FileFault:
    """Return what keeps a text from being YAML, without quoting it: a key may stand there."""
    match error:
        case MarkedYAMLError(problem_mark=mark) if mark is not None:
            twice = re.match(r'found duplicate key "([^"]*)"', error.problem or "")
            said = f"the field {twice.group(1)} stands here a second time" if twice else str(error.problem)
            return FileFault(file, mark.line + 1, mark.column + 1, "", said)
        case ReaderError(position=position):
            before = text[:position] if isinstance(position, int) else ""
            column = len(before) - (before.rfind("\n") + 1) + 1
            return FileFault(file, before.count("\n") + 1, column, "", "a character that YAML does not allow")
        case _:
            return FileFault(file, 1, 1, "", "this is no YAML, and no JSON")


def as_yaml(value: Mapping[str, Any]) -> str:
    """Return a declaration as YAML, in the order of its fields."""
    yaml, text = YAML(), StringIO()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096  # a line of a certificate is not broken
    yaml.dump(dict(value), text)
    return text.getvalue()


def _document(loaded: Any, reading: _Reading) -> Iterator[Document]:
    mark: Any = getattr(loaded, "lc", None)
    known = mark is not None and mark.line is not None  # of a scalar it is not
    reading.places[""] = (mark.line + 1, mark.col + 1) if known else (1, 1)
    if not isinstance(loaded, dict):
        several = "a list; several load balancers are several documents, with a line --- between them"
        reading.wrong("", several if isinstance(loaded, list) else "this is no declaration: it has no fields")
        return
    body = _plain(loaded, "", reading, ())
    name = body.get("name")
    if "name" not in body:
        reading.wrong("", "`name` is missing: it is the load balancer's")
    elif not isinstance(name, str):
        reading.wrong("name", "the name is no text: put it in quotes")
    else:
        sent = {key: value for key, value in body.items() if key not in NOT_SENT}
        yield Document(reading.file, name, sent, reading.places)


def _plain(value: Any, path: str, reading: _Reading, around: tuple[int, ...]) -> Any:
    """Return a value as JSON has it, and note the places of what is in it."""
    if id(value) in around:
        reading.wrong(path, "this refers to itself")
        return None
    match value:
        case dict():
            return dict(_fields(value, path, reading, (*around, id(value))))
        case list():
            made = []
            for number, one in enumerate(value):
                inner = f"{path}[{number}]"
                reading.places[inner] = _position(value, number, reading.places[path])
                made.append(_plain(one, inner, reading, (*around, id(value))))
            return made
        case ScalarBoolean() | bool():
            return bool(value)
        case None:
            return None
        case str():
            return str(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case _:
            reading.wrong(path, "this is no text, number, list or object: put it in quotes if it is a text")
            return None


def _fields(mapping: Any, path: str, reading: _Reading, around: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        inner = f"{path}.{key}" if path else str(key)
        reading.places[inner] = _position(mapping, key, reading.places[path])
        if isinstance(key, str):
            yield str(key), _plain(value, inner, reading, around)
        else:
            reading.wrong(inner, "the name of a field is a text: put it in quotes")


def _position(inside: Any, key: object, otherwise: Position) -> Position:
    """Return where a field's name or a list's element stands; what an anchor brings has no place."""
    try:
        line, column = inside.lc.data[key][:2]
    except (AttributeError, LookupError, TypeError):
        return otherwise
    return line + 1, column + 1


def _twice(documents: Sequence[Document]) -> Iterator[FileFault]:
    first: dict[str, Document] = {}
    for one in documents:
        if (before := first.setdefault(one.name, one)) is not one:
            line, _ = before.places["name"]
            yield one.fault("name", f"{one.name} is declared already, at {before.file}:{line}")
