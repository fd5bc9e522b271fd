"""The bytecode that is shipped: of what the functions share, and of nothing but the source beside it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from zipfile import ZipFile

import pytest

from chalicelib.bytecode import SOURCES, write_bytecode
from lab.package import Package

ROOT = Path(__file__).parents[2]
CHECKED_HASH = (3).to_bytes(4, "little")  # https://peps.python.org/pep-0552/#specification


def python(program: str, directory: Path) -> str:
    """What a program prints that sees a directory before all else, and leaves no bytecode."""
    command = [sys.executable, "-B", "-c", program]
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=directory, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_the_zip_holds_the_bytecode_of_these_sources_and_no_other(package: Package) -> None:
    with ZipFile(package.zip) as packed:
        found = {name for name in packed.namelist() if name.endswith(".pyc")}
        assert found == {cache_from_source(name, optimization="") for name in SOURCES}
        for name in SOURCES:
            header = packed.read(cache_from_source(name, optimization=""))[:16]
            assert header == MAGIC_NUMBER + CHECKED_HASH + source_hash(packed.read(name)), name


def test_every_function_that_looks_at_aws_loads_what_is_compiled() -> None:
    program = (
        "import app, sys; from chalicelib import observe, telemetry; telemetry.logger(); print(*sys.modules)"
    )
    modules = {name.removesuffix(".py").replace("/", ".") for name in SOURCES}
    assert modules <= {*python(program, ROOT).split()}


def test_what_python_left_is_taken_away_and_what_is_compiled_stays(tmp_path: Path) -> None:
    left = tmp_path / "chalicelib" / "core" / "__pycache__" / "model.cpython-311.pyc"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"by its date")
    write_bytecode(tmp_path)
    assert not left.exists()
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "vendor").rglob("*.pyc")}
    assert len(written) == len(SOURCES)
    write_bytecode(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize("damage", [b"", b"no bytecode"])
def test_bytecode_that_is_damaged_is_compiled_again(tmp_path: Path, damage: bytes) -> None:
    write_bytecode(tmp_path)
    written = {path: path.read_bytes() for path in (tmp_path / "vendor").rglob("*.pyc")}
    for path in written:
        path.write_bytes(damage)
    write_bytecode(tmp_path)
    assert {path: path.read_bytes()[:16] for path in written} == {
        path: content[:16] for path, content in written.items()
    }


def test_beside_another_source_it_is_ignored(tmp_path: Path) -> None:
    write_bytecode(tmp_path)
    vendor = tmp_path / "vendor"
    (vendor / "typing_extensions.py").write_text("NEWER = 'than its bytecode'\n")
    program = "import typing_extensions; print(typing_extensions.NEWER)"
    assert python(program, vendor) == "than its bytecode"
