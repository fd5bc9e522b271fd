"""The bytecode that is shipped: what `register` and a GET load, and nothing but of the source beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from zipfile import ZipFile

import pytest

from chalicelib.packaging import SOURCES, prepare, write_bytecode
from lab.aws import Aws
from lab.lambda_.package import Package
from lab.lambda_.runtimeapi import Place, execution_environment
from lab.machine.processes import Processes
from tests.deploy.test_runtime import reach

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


@pytest.fixture
def tells_what_it_loaded(tmp_path: Path) -> Path:
    """A script that makes a function of the package write down where its modules are from, as it answers."""
    script = tmp_path / "tell.py"
    script.write_text(
        "import sys\n"
        "from awslambdaric.lambda_runtime_client import LambdaRuntimeClient\n"
        "answer = LambdaRuntimeClient.post_invocation_result\n"
        "def told(*args):\n"
        "    files = [getattr(module, '__file__', None) for module in list(sys.modules.values())]\n"
        "    open('{}', 'a').write(''.join(f'{{file}}\\n' for file in files if file))\n"
        "    return answer(*args)\n"
        "LambdaRuntimeClient.post_invocation_result = told\n".format(tmp_path / "loaded")
    )
    return script


def test_what_is_compiled_is_what_register_and_a_get_load(
    *,
    package: Package,
    place: Place,
    lab_processes: Processes,
    address: str,
    empty_account: Aws,
    tells_what_it_loaded: Path,
) -> None:
    for name, event in (("Register", "ec2-instance-running"), ("APIHandler", "apigateway-get")):
        with execution_environment(
            package.functions[name],
            place,
            lab_processes,
            address,
            reach(empty_account),
            scripts=(tells_what_it_loaded,),
        ) as environment:
            environment.invoke(json.loads((ROOT / "events" / f"{event}.json").read_text()))
    files = {Path(line) for line in (tells_what_it_loaded.parent / "loaded").read_text().splitlines()}
    ours = {file.relative_to(place.task): file.stat().st_size for file in files if place.task in file.parents}
    assert {str(file) for file, size in ours.items() if size > 1000} == {*SOURCES}


@pytest.mark.parametrize(
    "name", ["chalicelib/core/__pycache__/model", "vendor/chalicelib/__pycache__/rotate"]
)
def test_what_was_left_is_taken_away_and_what_is_compiled_stays(tmp_path: Path, name: str) -> None:
    left = tmp_path / f"{name}.cpython-311.pyc"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of another day")
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


def test_where_nothing_can_be_written_the_package_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PIP_NO_DEPS", raising=False)
    (tmp_path / "vendor").write_text("no directory")
    prepare(tmp_path)
    assert os.environ["PIP_NO_DEPS"] == "1"
    assert capsys.readouterr().err.startswith("The package goes without bytecode")
