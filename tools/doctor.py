"""`python -m tools.doctor STAGE`: everything that would keep a deployment from working, before it is tried.

Each finding (✗) says what to do. Exit status 0 only when there is none; notes (·) do not count.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.findings_account import account_findings, account_notes, upgrade_notes
from tools.findings_configuration import bounds_notes, configuration_findings, environment_of

ROOT = Path(__file__).parents[1]
OLDEST, NEWEST = (3, 11), (3, 13)  # what the package was run on, of what Lambda has
RECOMMENDED = (3, 13)
DEPRECATED = {(3, 11): "2027-06-30", (3, 12): "2028-10-31", (3, 13): "2029-06-30"}
"""When Lambda deprecates each: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""


def python_findings(version: tuple[int, int]) -> Iterator[str]:
    """Report a Python that Lambda or the app does not take: the functions run on the version that deploys."""
    if not OLDEST <= version <= NEWEST:
        oldest, newest = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
        yield (
            f"This is Python {version[0]}.{version[1]}, and the functions would run on it. They were tried on"
            f" {oldest} to {newest}: deploy with one of these (rm -r .venv; make setup PYTHON=python{newest})"
        )


def python_notes(version: tuple[int, int]) -> Iterator[str]:
    """Recommend the version that Lambda keeps longest, of those that the package was run on."""
    if version < RECOMMENDED and (ends := DEPRECATED.get(version)):
        old, new = (".".join(map(str, one)) for one in (version, RECOMMENDED))
        yield (
            f"Lambda deprecates Python {old}, on which the functions would run, on {ends}, and {new} on"
            f" {DEPRECATED[RECOMMENDED]}: deploy with {new} (rm -r .venv; make setup PYTHON=python{new})"
        )


def package_findings(found: Callable[[str], object] = find_spec) -> Iterator[str]:
    """Report the packages that this Python cannot import."""
    if missing := [name for name in ("boto3", "chalice") if found(name) is None]:
        yield f"{' and '.join(missing)} cannot be imported: type make setup, and . .venv/bin/activate"


def findings(stage: str, open_session: Callable[[], Any], root: Path = ROOT) -> Iterator[str]:
    """Everything that is wrong, what can be known without AWS first."""

    def there(name: str) -> str | None:
        path = root / ".chalice" / name
        return path.read_text() if path.is_file() else None

    yield from python_findings((sys.version_info.major, sys.version_info.minor))
    text = there("config.json")
    if text is None:
        yield ".chalice/config.json is not there: take it back from git"
    else:
        yield from configuration_findings(text, stage, there)
    if missing := list(package_findings()):
        yield from missing
        return
    yield from account_findings(open_session, f"{_app(text)}-{stage}", there(f"deployed/{stage}.json"))


def notes(stage: str, open_session: Callable[[], Any], root: Path = ROOT) -> Iterator[str]:
    """Everything that is worth knowing before a deployment and keeps nothing from working."""
    yield from python_notes((sys.version_info.major, sys.version_info.minor))
    path = root / ".chalice" / "config.json"
    text = path.read_text() if path.is_file() else ""
    yield from bounds_notes(text, stage)
    if not list(package_findings()):
        yield from upgrade_notes(open_session, environment_of(text, stage))
        yield from account_notes(open_session)


def _app(text: str | None) -> str:
    try:
        return str(json.loads(text or "")["app_name"])
    except (ValueError, LookupError, TypeError):
        return "emq-elb"


def _session() -> Any:
    from boto3.session import Session

    return Session()


def report(stage: str, open_session: Callable[[], Any] = _session, root: Path = ROOT) -> int:
    """Print the findings and the notes, and return the exit status: 0 without a finding."""
    found = list(findings(stage, open_session, root))
    for finding in found:
        print(f"✗ {finding}")
    for note in notes(stage, open_session, root):
        print(f"· {note}")
    if not found:
        print(f"Nothing stands against a deployment of {stage}.")
    return 1 if found else 0


def main() -> int:
    """Look at the stage that is named, `prod` by default."""
    return report(sys.argv[1] if len(sys.argv) > 1 else "prod")


if __name__ == "__main__":
    sys.exit(main())
