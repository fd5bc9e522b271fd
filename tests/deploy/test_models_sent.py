"""Every operation that the adapters call, sent with the models that ship, by two versions of botocore."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.calls import ROOT
from tools.models import MODELS, called

# Lambda's older Python runtimes bring this one; `lab/setup.sh` fetches it.
OLDER = Path(sys.prefix) / "old" / "botocore-1.34.145-py3-none-any.whl"

# Nothing of the developer's own: only the botocore and the models differ between two runs.
NOBODYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": os.devnull,
}

Outcomes = Mapping[str, Mapping[str, Any]]


def outcomes(
    models: Path | None, botocore: Path | None = None, services: Mapping[str, frozenset[str]] | None = None
) -> Outcomes:
    """What becomes of each operation with these models (botocore's own if None) and this botocore's wheel."""
    environment = dict(NOBODYS)
    if botocore:
        assert botocore.exists(), "type: make setup"
        environment["PYTHONPATH"] = str(botocore)
    asked = {service: sorted(operations) for service, operations in (services or called()).items()}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.deploy.sent", str(models.parent if models else os.devnull)],
        cwd=ROOT,
        env=environment,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["botocore"] == "1.34.145") == bool(botocore)
    found: Outcomes = result["outcomes"]
    return found


@pytest.fixture(scope="module")
def good() -> Outcomes:
    """With the models that ship."""
    return outcomes(MODELS)


def test_every_operation_is_sent_and_answered(good: Outcomes) -> None:
    assert {name: one["fault"] for name, one in good.items() if "fault" in one} == {}
    assert len(good) == sum(len(operations) for operations in called().values())


def test_it_is_sent_answered_and_paged_as_with_whole_models(good: Outcomes) -> None:
    whole = outcomes(None)
    assert good.keys() == whole.keys()
    for name, one in good.items():
        # botocore calls CloudWatch by a protocol that older versions do not know (`tools.models.PROTOCOLS`).
        same = one.keys() - ({"sent"} if name.startswith("cloudwatch:") else set())
        assert {key: one[key] for key in same} == {key: whole[name][key] for key in same}, name


def test_an_older_botocore_sends_and_reads_the_same(good: Outcomes) -> None:
    assert outcomes(MODELS, OLDER) == good


def change(service: str, edit: Callable[[Any], object]) -> Callable[[Path], object]:
    """Edit a service's model."""

    def edited(models: Path) -> None:
        (path,) = models.glob(f"{service}/*/service-2.json")
        model = json.loads(path.read_text())
        edit(model)
        path.write_text(json.dumps(model))

    return edited


def gone(name: str) -> Callable[[Path], object]:
    """Take a file away."""

    def removed(models: Path) -> None:
        (path,) = models.glob(name)
        path.unlink()

    return removed


def with_change(spoil: Callable[[Path], object], directory: Path) -> Path:
    """A copy of the models that ship, spoilt."""
    models = directory / "aws-models"
    shutil.copytree(MODELS, models)
    spoil(models)
    return models


@pytest.mark.parametrize(
    ("service", "spoil"),
    [
        ("acm", change("acm", lambda one: one["clientContextParams"]["ServiceType"].pop("documentation"))),
        ("acm", change("acm", lambda one: one["metadata"].pop("targetPrefix"))),
        ("cloudwatch", change("cloudwatch", lambda one: one["operations"]["GetDashboard"]["output"].clear())),
        ("ec2", change("ec2", lambda one: one["shapes"]["Filter"]["members"]["Values"].pop("locationName"))),
        ("ec2", gone("ec2/*/paginators-1.json")),
        ("elb", change("elb", lambda one: one["operations"].pop("DescribeTags"))),
        ("elb", change("elb", lambda one: one["shapes"].pop("Tag"))),
        ("lambda", gone("endpoints.json")),
        ("route53", change("route53", lambda one: one["operations"]["GetChange"]["http"].pop("requestUri"))),
        ("secretsmanager", gone("partitions.json")),
    ],
)
def test_what_a_model_lacks_is_seen(
    service: str, spoil: Callable[[Path], object], good: Outcomes, tmp_path: Path
) -> None:
    seen = outcomes(with_change(spoil, tmp_path), services={service: called()[service]})
    assert seen != {name: one for name, one in good.items() if name.startswith(f"{service}:")}


def test_a_protocol_that_an_older_botocore_does_not_know_is_seen(tmp_path: Path) -> None:
    metadata = {"protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor", "json", "query"]}
    newer = with_change(change("cloudwatch", lambda one: one["metadata"].update(metadata)), tmp_path)
    seen = outcomes(newer, OLDER, {"cloudwatch": frozenset({"PutDashboard"})})
    assert seen == {"cloudwatch:PutDashboard": {"fault": "KeyError('smithy-rpc-v2-cbor')"}}
