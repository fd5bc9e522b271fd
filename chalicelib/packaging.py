"""What goes into the package, beside what Chalice finds by itself.

`app.py` calls this when Chalice's command line imports it: there is no other hook before the zip is made.
Why, and what it is worth: `docs/decisions/0008-what-a-cold-start-loads.md`.
"""

from __future__ import annotations

import os
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, find_spec, source_hash
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_file

# Every source of more than 1,000 bytes that `register` or a GET loads at its first call, by folder.
_SOURCES = {
    "": "app typing_extensions",
    "aws_lambda_powertools/logging": "formatter lambda_context logger",
    "aws_lambda_powertools/logging/buffer": "cache config functions",
    "aws_lambda_powertools/metrics": "base functions metrics",
    "aws_lambda_powertools/metrics/provider": "base",
    "aws_lambda_powertools/metrics/provider/cloudwatch_emf": "cloudwatch metric_properties",
    "aws_lambda_powertools/shared": "constants functions lazy_import user_agent",
    "aws_lambda_powertools/tracing": "tracer",
    "aws_lambda_powertools/utilities/jmespath_utils": "__init__",
    "aws_lambda_powertools/warnings": "__init__",
    "certifi": "core",
    "chalice": "app",
    "chalicelib": (
        "announce answers clusters container hooks invocation observe read_certificate register rules "
        "settings telemetry"
    ),
    "chalicelib/adapters": (
        "acm autoscaling clients contexts ec2 elb eventbridge faults iam library_logs secrecy sessions vpcs"
    ),
    "chalicelib/api": "problems query views wording",
    "chalicelib/core": (
        "errors events lifecycle membership model names outcome probe_options settling syntax vpcs"
    ),
}
SOURCES = tuple(
    f"{folder}/{name}.py".removeprefix("/") for folder, names in _SOURCES.items() for name in names.split()
)
_CHECKED_HASH = (0b11).to_bytes(4, "little")


def prepare(project: Path) -> None:
    """Have pip take what `requirements.txt` names and no more; put bytecode beside it."""
    # The file names all that is needed: what Lambda's runtime has, and what only builds C, is left out there.
    os.environ["PIP_NO_DEPS"] = "1"
    try:
        write_bytecode(project)
    except OSError as error:
        sys.stderr.write(f"The package goes without bytecode, and functions start slower: {error}\n")


def write_bytecode(project: Path) -> None:
    """Leave in `vendor/` the bytecode of `SOURCES` and no other, and in `chalicelib/` none.

    Lambda unpacks the package where nobody can write, so that what comes without bytecode is compiled at
    every cold start. Chalice puts a copy of what is in `vendor/` at the top of the zip, beside the sources.
    The sources are those that Chalice's Python sees: `requirements-dev.txt` has what the package gets.

    The bytecode is for one Python and a source of one hash, and ignored beside any other: it cannot be stale
    (https://peps.python.org/pep-0552/). What Python itself leaves in `__pycache__` goes by the source's date;
    the zip has one date for every file, so that it would be dead weight.
    """
    written = {project / "vendor" / cache_from_source(name, optimization=""): name for name in SOURCES}
    for target, name in written.items():
        if (source := _installed(name)) is not None:
            _compile(source, target, f"/var/task/{name}")
    for left in {*(project / "chalicelib").rglob("*.pyc"), *(project / "vendor").rglob("*.pyc")} - {*written}:
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
