"""The policies: linted, and neither more nor less than what the code calls."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from lab.fidelity.authorization_policy import keys_of
from lab.fidelity.authorization_reference import knows, resource_types
from tests.deploy.policies import (
    action,
    actions,
    allowing,
    configured,
    could_ask_for,
    entries,
    granted,
    policy,
    policy_files,
    resources,
)
from tools.calls import ROOT, definitions
from tools.policies import CHALICE, fault, files, write

FILES = sorted(policy_files().items())
OWNER_TAG = "emq-elb:owner"

# What the linter says although it is meant so: issue, then a word of the statement, then why.
# docs/security.md lists the statements that reach every resource of their kind.
MEANT = {
    ("RESOURCE_EFFECTIVELY_STAR", "ReadCertificates"): "a PUT may name any one; names are account-wide",
    ("RESOURCE_EFFECTIVELY_STAR", "ReadChallenges"): "whose zone it is, a PUT's domains say",
    ("RESOURCE_EFFECTIVELY_STAR", "ReadZones"): "the same, for challenges",
    ("RESOURCE_EFFECTIVELY_STAR", "AwaitChallenges"): "a change has its name when it is made",
    ("RESOURCE_MISMATCH", "CreateGroupInVpc"): "the group itself is in the statement before",
    ("RESOURCE_MISMATCH", "ChangeOurParts"): "the same",
    ("RESOURCE_MISMATCH", "ChangeOurListeners"): "its list has application load balancers' listeners alone",
    ("RESOURCE_MISMATCH", "SwapOnOurTlsListeners"): "the same",
    # Of the two lists that it has for the service it takes the older.
    ("UNKNOWN_CONDITION_FOR_ACTION", "TagTheLoadBalancerAsItIsCreated"): "AWS lists CreateAction for AddTags",
}


@pytest.mark.parametrize(("function", "file"), FILES)
def test_the_linter_finds_nothing_that_is_not_meant(function: str, file: str) -> None:
    text = (ROOT / ".chalice" / file).read_text()
    parliament = Path(sys.executable).with_name("parliament")
    linted = subprocess.run(  # noqa: S603 - the linter of this environment
        [str(parliament), "--json"], input=text, capture_output=True, text=True, check=False
    )
    findings = [json.loads(line) for line in linted.stdout.splitlines()]
    assert (linted.returncode == 0) == (not findings), linted.stderr
    statements = policy(file)["Statement"]
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line == "    {"]
    unmeant = []
    for finding in findings:
        statement = statements[
            max(i for i, start in enumerate(starts) if start <= finding["location"]["line"])
        ]
        # A statement on every resource of a kind is meant where a condition on tags distinguishes ours, and
        # for a listing, which takes no name.
        whole_kind = finding["issue"] == "RESOURCE_EFFECTIVELY_STAR" and (
            "Condition" in statement or all(":Describe" in one for one in actions(statement))
        )
        if not whole_kind and (finding["issue"], statement["Sid"]) not in MEANT:
            unmeant.append((finding["issue"], statement["Sid"], finding["detail"]))
    assert unmeant == [], function


@pytest.mark.parametrize(("function", "file"), FILES)
def test_every_action_that_is_granted_is_one_that_the_function_can_call(function: str, file: str) -> None:
    assert granted(policy(file)) - could_ask_for(function) == set()


def test_every_operation_that_is_called_is_granted_to_some_function() -> None:
    called = {call for definition in definitions().values() for call in definition.calls}
    everything = frozenset[str]().union(*(granted(policy(file)) for _, file in FILES))
    assert {action(call) for call in called} - everything == set()


def test_every_function_of_the_app_has_its_policy() -> None:
    assert set(policy_files()) == set(entries())


def test_no_policy_grants_by_wildcard_or_to_everything_that_could_be_named() -> None:
    for _, file in FILES:
        for statement in allowing(policy(file)):
            assert "*" not in json.dumps(statement["Action"]), (file, statement["Sid"])
            if statement["Resource"] == "*":
                assert all(
                    one.partition(":")[2].startswith(("Describe", "List", "Get"))
                    for one in actions(statement)
                ), (file, statement["Sid"])


def test_what_is_granted_without_the_owner_s_tag_where_aws_knows_tags_is_explained() -> None:
    explained = (ROOT / "docs" / "security.md").read_text()
    for _, file in FILES:
        for statement in allowing(policy(file)):
            if OWNER_TAG in json.dumps(statement.get("Condition", {})):
                continue
            for one in actions(statement):
                tagged = any(
                    knows(one, kind, f"aws:{key}/{OWNER_TAG}")
                    for kind in resource_types(one)
                    for key in ("RequestTag", "ResourceTag")
                )
                if tagged:
                    assert f"{one.partition(':')[2]}`" in explained, (file, statement["Sid"])


@pytest.mark.parametrize(
    "file", [file for stage in configured()["stages"] for file in policy_files(stage).values()]
)
def test_a_policy_fits_into_a_role(file: str) -> None:
    # IAM counts all inline policies of a role, without white space; each role of ours has this one.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len(json.dumps(policy(file), separators=(",", ":"))) <= 10_240


@pytest.mark.parametrize(("function", "file"), sorted(policy_files("prod").items()))
@pytest.mark.parametrize("more", ["-eu", "2", "_x", "-provision"])
def test_nothing_of_an_owner_whose_name_goes_on_from_ours_is_ours(
    function: str, file: str, more: str
) -> None:
    owner = "emq-elb-prod"
    reached = {
        pattern
        for statement in allowing(policy(file))
        for pattern in resources(statement)
        if owner in pattern
        # What stands for any text is nothing here, and something.
        for text in ("", "x", "-x/x")
        if fnmatchcase(pattern.replace(owner, owner + more).replace("*", text).replace("?", "x"), pattern)
    }
    # Dashboards have no tags, and their names end in the region: docs/security.md says so.
    assert {one for one in reached if ":dashboard/" not in one} == set(), function


def test_statements_are_named_once_in_a_policy() -> None:
    for _, file in FILES:
        names = [statement["Sid"] for statement in policy(file)["Statement"]]
        assert len(set(names)) == len(names), file


@pytest.mark.parametrize("stage", sorted(configured()["stages"]))
def test_a_stage_is_named_after_its_owner_and_has_the_policies_of_that_name(stage: str) -> None:
    owner = f"{configured()['app_name']}-{stage}"
    assert configured()["stages"][stage]["environment_variables"]["OWNER"] == owner
    for function, file in policy_files(stage).items():
        text = (CHALICE / file).read_text()
        assert f"log-group:/aws/lambda/{owner}" in text, function
        assert "emq-elb-" not in text.replace(owner, ""), function


def test_the_policies_of_the_stages_are_what_is_written_once() -> None:
    there = {str(path.relative_to(CHALICE)): path.read_text() for path in CHALICE.glob("*/policy-*.json")}
    assert there == files(), "type: make policies"


def test_each_stage_gets_every_policy_with_its_owner_and_one_that_is_gone_loses_them(tmp_path: Path) -> None:
    (tmp_path / "policy-api.json").write_text('{"Resource": "<owner>/*"}')
    for stage in ("qa", "live"):
        configured = {"stages": {stage: {"environment_variables": {"OWNER": f"emq-elb-{stage}"}}}}
        (tmp_path / "config.json").write_text(json.dumps(configured))
        assert fault(tmp_path) is None
        write(tmp_path)
        written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("*/*.json")}
        assert written == {f"{stage}/policy-api.json": f'{{"Resource": "emq-elb-{stage}/*"}}'}


def test_a_stage_s_zones_and_domains_are_in_its_policies(tmp_path: Path) -> None:
    text = """{
  "Resource": [
    "arn:*:route53:::hostedzone/<dns-zone>"
  ],
  "Names": [
    "<allowed-name>",
    "_emq-elb.*"
  ]
}
"""
    (tmp_path / "policy-api.json").write_text(text)
    environment = {"OWNER": "a-qa", "DNS_ZONES": "Z1, Z2", "ALLOWED_DOMAINS": "Example.com,example.org"}
    live = {"OWNER": "a-live"}
    configured = {
        "stages": {"qa": {"environment_variables": environment}, "live": {"environment_variables": live}}
    }
    (tmp_path / "config.json").write_text(json.dumps(configured))
    written = {name: json.loads(text) for name, text in files(tmp_path).items()}
    names = ["example.com", "*.example.com", "example.org", "*.example.org", "_emq-elb.*"]
    zones = ["arn:*:route53:::hostedzone/Z1", "arn:*:route53:::hostedzone/Z2"]
    assert written == {
        "qa/policy-api.json": {"Resource": zones, "Names": names},
        "live/policy-api.json": {
            "Resource": ["arn:*:route53:::hostedzone/none-is-set"],
            "Names": ["*", "_emq-elb.*"],
        },
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "FileNotFoundError"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"stages": []}', "cannot be read"),
        ('{"stages": {"qa": {"environment_variables": {}}}}', "OWNER of qa is ''"),
    ],
)
def test_without_owners_no_policy_is_written(text: str | None, words: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    found = fault(tmp_path)
    assert found is not None
    assert words in found


@pytest.mark.parametrize(("function", "file"), FILES)
def test_every_condition_is_on_a_key_that_aws_supplies_for_the_action(function: str, file: str) -> None:
    # Else Null, …IfExists and …Not… hold for whatever is asked, and the others for nothing.
    unknown = {
        (action, key)
        for action, key in keys_of(policy(file))
        if not any(knows(action, kind, key) for kind in resource_types(action))
    }
    assert unknown == set(), function
