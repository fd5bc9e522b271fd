"""What would be deployed: its size, what is in it, and the template around it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires
from importlib.util import cache_from_source
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lab.lambda_.package import RUNTIME, Package
from tests.deploy.policies import policy, policy_files
from tests.world.requirements import names_in
from tools.deploy import sources

ROOT = Path(__file__).parents[2]
MOST = 15_000_000  # bytes: decision 13


def test_the_zip_has_at_most_fifteen_megabytes(package: Package) -> None:
    assert package.zip.stat().st_size <= MOST


def test_the_zip_holds_the_app_and_its_requirements_and_nothing_else(package: Package) -> None:
    named = names_in("requirements.txt")
    with ZipFile(package.zip) as packed:
        names = packed.namelist()
        records = {
            name.partition("-")[0]: packed.read(name).decode() for name in names if name.endswith("/RECORD")
        }
    installed = {line.partition(",")[0] for record in records.values() for line in record.splitlines()}
    own = ("app.py", "chalice/__init__.py", "chalice/app.py", "chalicelib/")
    vendored = {str(path.relative_to(ROOT / "vendor")) for path in (ROOT / "vendor").rglob("*")}
    compiled = {cache_from_source(name, optimization="") for name in sources()}
    expected = installed | vendored | compiled
    strangers = [name for name in names if not name.startswith(own) and name not in expected]
    assert {canonicalize_name(name) for name in records} == named
    assert strangers == []


def test_the_requirements_name_all_that_is_needed_and_nothing_else() -> None:
    needed, look_at = set[str](), [*names_in("requirements.in")]
    while look_at:
        if (name := look_at.pop()) not in needed:
            needed.add(name)
            asked = [Requirement(line) for line in requires(name) or ()]
            look_at += [
                canonicalize_name(one.name) for one in asked if not one.marker or one.marker.evaluate()
            ]
    assert needed == names_in("requirements.txt")


def test_boto3_is_not_shipped_nor_what_nobody_runs(package: Package) -> None:
    with ZipFile(package.zip) as packed:
        folders = {name.partition("/")[0] for name in packed.namelist()}
    needed = {"jmespath", "urllib3"}  # by acme and Powertools, and shared with the runtime's botocore
    assert folders & {*RUNTIME, "aws_xray_sdk", "lab", "tests", "bench", "tools"} == needed


def test_the_zip_holds_no_binary_of_another_machine(package: Package) -> None:
    architectures = {function.architecture for function in package.functions.values()}
    with ZipFile(package.zip) as packed:
        binaries = [name for name in packed.namelist() if name.endswith(".so")]
        machines = {int.from_bytes(packed.read(name)[18:20], "little") for name in binaries}
    # e_machine of an ELF header: 62 is x86-64, 183 AArch64 (elf(5)).
    assert architectures == {"x86_64"}
    assert machines == {62}


def test_every_function_says_how_long_and_with_what_it_runs(package: Package) -> None:
    for function in package.functions.values():
        assert function.environment["OWNER"] == "emq-elb-prod", function.resource
        assert 0 < function.timeout <= 900, function.resource
        assert function.memory >= 256, function.resource
    assert package.functions["APIHandler"].timeout <= 29, "API Gateway waits no longer"


def test_a_function_of_every_minute_ends_before_the_next(package: Package) -> None:
    for function in package.functions.values():
        for event in function.events:
            if event["Properties"].get("Schedule") == "rate(1 minute)":
                assert function.timeout < 60, function.resource


def test_every_function_has_a_policy_file_of_its_own() -> None:
    files = list(policy_files().values())
    assert len(set(files)) == len(files)
    assert {path.name for path in (ROOT / ".chalice").glob("policy-*.json")} == {
        file.removeprefix("prod/") for file in files
    }


def test_every_function_is_deployed_with_its_own_policy(package: Package) -> None:
    # A stage's policy would come before a function's own: https://aws.github.io/chalice/topics/configfile.html
    own = {function: policy(file)["Statement"] for function, file in policy_files().items()}
    handlers = {"app.app": "api_handler"}
    deployed = {
        handlers.get(function.handler, function.handler.removeprefix("app.")): function.policy["Statement"]
        for function in package.functions.values()
    }
    assert deployed == own


def test_cfn_lint_finds_nothing_in_the_template(package: Package) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    found = subprocess.run(  # noqa: S603 - the linter of this environment
        [str(lint), "--regions", "eu-central-1", "--", str(package.template)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
    assert found.returncode == 0
