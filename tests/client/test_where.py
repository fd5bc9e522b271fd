"""Where the API is: by option, by the environment, or by what `chalice deploy` recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from emq_elb.faults import Failed, WrongUsage
from emq_elb.where import at, found

DEPLOYED = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/api/"
OTHER = "https://elb-api.example.com"


def recorded(directory: Path, *stages: str, url: object = DEPLOYED) -> None:
    """Record deployments as Chalice does."""
    records = directory / ".chalice" / "deployed"
    records.mkdir(parents=True)
    resources = [
        {"name": "api_handler", "resource_type": "lambda_function"},
        {"name": "rest_api", "resource_type": "rest_api", "rest_api_url": url},
    ]
    for stage in stages:
        (records / f"{stage}.json").write_text(json.dumps({"resources": resources, "schema_version": "2.0"}))


@pytest.mark.parametrize(
    ("url", "plain", "region", "loopback"),
    [
        (DEPLOYED, DEPLOYED[:-1], "eu-central-1", False),
        (OTHER, OTHER, None, False),
        ("https://x.execute-api.cn-north-1.amazonaws.com.cn/api", None, "cn-north-1", False),
        ("https://vpce-1-2.execute-api.us-east-1.vpce.amazonaws.com/api", None, "us-east-1", False),
        ("https://elb-api.example.com:8443/", "https://elb-api.example.com:8443", None, False),
        ("http://127.4.3.2:8000", None, None, True),
        ("http://localhost:8000/", "http://localhost:8000", None, True),
        ("http://[::1]:8000", None, None, True),
        ("https://execute-api-of.example.com", None, None, False),
    ],
)
def test_a_url_says_region_and_whether_it_is_on_loopback(
    url: str, plain: str | None, region: str | None, loopback: bool
) -> None:
    place = at(url, "--url")
    assert (place.url, place.region, place.loopback) == (plain or url, region, loopback)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "no URL"),
        ("demo", "no URL"),
        ("ftp://a.example.com", "no URL"),
        ("https://", "no URL"),
        ("http://elb-api.example.com", "loopback only"),
        ("http://127.0.0.1.example.com", "loopback only"),
        ("http://localhost.example.com", "loopback only"),
        ("http://10.0.0.1", "loopback only"),
        ("https://me:secret@elb-api.example.com", "leave them out"),
        ("https://elb-api.example.com?x=1", "leave them out"),
        ("https://elb-api.example.com:99999", "--url"),
        ("https://[::1", "--url"),
    ],
)
def test_a_url_that_is_none_is_a_wrong_command_line(url: str, words: str) -> None:
    with pytest.raises(WrongUsage, match=words) as error:
        at(url, "--url")
    assert "secret" not in error.value.message


@pytest.mark.parametrize(
    ("options", "environment", "stages", "expected"),
    [
        ((OTHER, None), {"EMQ_ELB_URL": DEPLOYED}, ["prod"], OTHER),
        ((None, None), {"EMQ_ELB_URL": OTHER}, ["prod"], OTHER),
        ((None, "prod"), {"EMQ_ELB_URL": OTHER}, ["dev", "prod"], DEPLOYED[:-1]),
        ((None, None), {}, ["prod"], DEPLOYED[:-1]),
    ],
)
def test_what_is_said_closest_counts(
    options: tuple[str | None, str | None],
    environment: Mapping[str, str],
    stages: list[str],
    expected: str,
    tmp_path: Path,
) -> None:
    recorded(tmp_path, *stages)
    below = tmp_path / "clusters"
    below.mkdir()
    assert found(*options, environment, below).url == expected


@pytest.mark.parametrize(
    ("stages", "stage", "words"),
    [
        ([], None, "no URL is given"),
        ([], "prod", "stage prod"),
        (["dev", "prod"], None, "several deployments"),
        (["dev"], "prod", "no deployment of the stage prod"),
    ],
)
def test_without_a_url_the_message_says_how_to_give_one(
    stages: list[str], stage: str | None, words: str, tmp_path: Path
) -> None:
    recorded(tmp_path, *stages)
    with pytest.raises(WrongUsage, match=words) as error:
        found(None, stage, {}, tmp_path)
    assert "--" in error.value.remedy


def test_url_and_stage_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="exclude"):
        found(OTHER, "prod", {}, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"resources": []}', '{"resources": ["x"]}'])
def test_a_record_that_names_no_api_is_a_fault(content: str, tmp_path: Path) -> None:
    recorded(tmp_path, "prod")
    (tmp_path / ".chalice" / "deployed" / "prod.json").write_text(content)
    with pytest.raises(Failed, match="names no API"):
        found(None, None, {}, tmp_path)
