"""`python -m tools.deploy STAGE`: look at everything, compile the package, and call `chalice deploy`.

`chalice deploy --stage STAGE` does the same without the look and without bytecode: its functions work as
well, and each cold start compiles what it loads. Why the package brings bytecode, and what it is worth:
`docs/decisions/0013-an-explicit-deploy-brings-bytecode.md`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_file

from tools import doctor

ROOT = Path(__file__).parents[1]
TASK = "/var/task"  # where Lambda unpacks the package
# Chalice puts no more of itself into the package.
_CHALICE = ("chalice/__init__.py", "chalice/app.py")
_CHECKED_HASH = (0b11).to_bytes(4, "little")

Run = Callable[[list[str], Path, Mapping[str, str]], int]
"""Runs a command in a directory with an environment, and returns its exit status."""


def deploy(stage: str, look: Callable[[str], int], run: Run, root: Path = ROOT) -> int:
    """Deploy unless `look` finds something; return the exit status."""
    if status := look(stage):
        print("Nothing was deployed.")
        return status
    try:
        write_bytecode(root)
    except PackageNotFoundError as missing:
        print(f"✗ {missing.name} of requirements.txt is not installed: pip install -r requirements.txt")
        return 1
    except OSError as error:
        print(f"✗ Bytecode cannot be written ({error}): mend that, or type chalice deploy --stage {stage}")
        return 1
    chalice = str(Path(sys.executable).with_name("chalice"))
    # Chalice imports `app`. Python would put bytecode of its own beside ours, and Chalice would pack it.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return run([chalice, "deploy", "--stage", stage], root, environment)


def sources(root: Path = ROOT) -> Mapping[str, Path]:
    """Return every Python source of the package: its name there, and where it is here.

    A library's are those that are installed for this Python: `requirements-dev.txt` pins what the package
    gets.
    """
    own = {name: root / name for name in ("app.py", *_below(root, "chalicelib"))}
    return own | {
        str(file): Path(str(file.locate()))
        for name in ("chalice", *_required(root))
        for file in distribution(name).files or ()
        if file.suffix == ".py" and ".." not in file.parts and (name != "chalice" or str(file) in _CHALICE)
    }


def _below(root: Path, folder: str) -> Iterator[str]:
    return (path.relative_to(root).as_posix() for path in (root / folder).rglob("*.py"))


def _required(root: Path) -> list[str]:
    return re.findall(r"^[\w.-]+", (root / "requirements.txt").read_text(), re.MULTILINE)


def write_bytecode(root: Path = ROOT) -> None:
    """Leave in `chalicelib/` the bytecode of its sources, in `vendor/` that of all others, and no other.

    Lambda unpacks the package where nobody can write, so that a source without bytecode is compiled at every
    cold start. Chalice packs `chalicelib/`, and puts what is in `vendor/` at the top of the zip, beside the
    libraries.

    The bytecode is for one Python and a source of one hash, and Python ignores it beside any other: it cannot
    be stale (https://peps.python.org/pep-0552/). What Python itself leaves in `__pycache__` goes by the date
    of the source; the zip has one date for every file, so that it would be dead weight.
    """
    written = set[Path]()
    for name, source in sources(root).items():
        # Were it in `vendor/` too, what Python writes as it imports the app would be a second one in the zip.
        place = root if name.startswith("chalicelib/") else root / "vendor"
        target = place / cache_from_source(name, optimization="")
        _compile(source, target, f"{TASK}/{name}")
        written.add(target)
    for left in {*(root / "chalicelib").rglob("*.pyc"), *(root / "vendor").rglob("*.pyc")} - written:
        left.unlink(missing_ok=True)


def _compile(source: Path, target: Path, shown_as: str) -> None:
    """Compile unless that is done: Chalice packages anew when a file of `vendor/` differs."""
    header = MAGIC_NUMBER + _CHECKED_HASH + source_hash(source.read_bytes())
    if not (target.exists() and target.read_bytes().startswith(header)):
        compile_file(
            str(source),
            str(target),
            dfile=shown_as,
            doraise=True,
            optimize=0,
            invalidation_mode=PycInvalidationMode.CHECKED_HASH,
        )


def _run(command: list[str], directory: Path, environment: Mapping[str, str]) -> int:
    return subprocess.run(command, cwd=directory, env=environment, check=False).returncode  # noqa: S603 - our own words


def main() -> int:
    """Deploy the stage that is named, `prod` by default."""
    return deploy(sys.argv[1] if len(sys.argv) > 1 else "prod", doctor.report, _run)


if __name__ == "__main__":
    sys.exit(main())
