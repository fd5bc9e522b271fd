"""Bytecode in the package: the largest sources that the functions share, compiled once, by who packages.

Lambda unpacks the package where nobody can write, so that what comes without bytecode is compiled at every
cold start. `app.py` calls this when Chalice's command line imports it: there is no other hook before the zip
is made. Chalice puts a copy of what is in `vendor/` at the top of the zip, beside the sources.

The bytecode is for one Python and a source of one hash, and ignored beside any other: it cannot be stale
(https://peps.python.org/pep-0552/). What Python itself leaves in `__pycache__` goes by the source's date; the
zip has one date for every file, so that it would be dead weight.
"""

from __future__ import annotations

from importlib.util import MAGIC_NUMBER, cache_from_source, find_spec, source_hash
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_file

# What takes longest for its size; all of it would not fit into the 10 MB (docs/decisions/0008).
SOURCES = (
    "app.py",
    "aws_lambda_powertools/logging/logger.py",
    "chalice/app.py",
    "chalicelib/adapters/ec2.py",
    "chalicelib/adapters/elb.py",
    "chalicelib/observe.py",
    "chalicelib/telemetry.py",
    "typing_extensions.py",
)
_CHECKED_HASH = (0b11).to_bytes(4, "little")


def write_bytecode(project: Path) -> None:
    """Leave in `vendor/` the bytecode of `SOURCES`, and in `chalicelib/` none.

    The sources are those that Chalice's Python sees: `requirements-dev.txt` has what the package gets.
    """
    for name in SOURCES:
        if (source := _installed(name)) is not None:
            _compile(
                source, project / "vendor" / cache_from_source(name, optimization=""), f"/var/task/{name}"
            )
    for left in (project / "chalicelib").rglob("*.pyc"):
        left.unlink(missing_ok=True)


def _installed(name: str) -> Path | None:
    spec = find_spec(name.partition("/")[0].removesuffix(".py"))
    if spec is None or spec.origin is None:
        return None
    above = Path(spec.origin).parents[1 if spec.submodule_search_locations else 0]
    return above / name


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
