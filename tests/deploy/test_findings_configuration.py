"""What the doctor reports of `.chalice/`, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tools.findings_configuration import configuration_findings, known_settings

OWNER = {"OWNER": "emq-elb-prod"}
STAGE: Mapping[str, Any] = {
    "environment_variables": OWNER,
    "lambda_functions": {
        "api_handler": {"iam_policy_file": "prod/policy-api.json"},
        "probe": {"iam_policy_file": "prod/policy-probe.json"},
    },
}
GOOD: Mapping[str, Any] = {
    "app_name": "emq-elb",
    "autogen_policy": False,
    "lambda_functions": {"probe": {"lambda_timeout": 55}},
    "stages": {"prod": STAGE},
}
WRITTEN_ONCE = '{"Statement": [{"Resource": "<owner>/*"}]}'
WRITTEN = WRITTEN_ONCE.replace("<owner>", "emq-elb-prod")
FILES: Mapping[str, str] = {
    "policy-api.json": WRITTEN_ONCE,
    "policy-probe.json": WRITTEN_ONCE,
    "prod/policy-api.json": WRITTEN,
    "prod/policy-probe.json": WRITTEN,
}
SOURCES = {name: text for name, text in FILES.items() if "/" not in name}


def reported(configured: object, files: Mapping[str, str] = FILES) -> list[str]:
    """Every finding about the stage prod."""
    text = configured if isinstance(configured, str) else json.dumps(configured)
    return list(configuration_findings(text, "prod", files.get))


def changed(**settings: object) -> Mapping[str, Any]:
    """The good configuration with these settings beside its owner's."""
    return staged(environment_variables={**OWNER, **settings})


def staged(**changes: object) -> Mapping[str, Any]:
    """The good configuration with these changes of its stage."""
    return {**GOOD, "stages": {"prod": {**STAGE, **changes}}}


def functioned(**functions: object) -> Mapping[str, Any]:
    """The good configuration with these functions of its stage."""
    return staged(lambda_functions={**STAGE["lambda_functions"], **functions})


def test_a_configuration_that_is_right_has_no_finding() -> None:
    assert reported(GOOD) == []


@pytest.mark.parametrize(
    ("configured", "words"),
    [
        ("{", "no JSON"),
        ("[]", "is []; it takes {…}"),
        ({**GOOD, "stages": []}, "stages in .chalice/config.json is []"),
        ({**GOOD, "stages": {"prod": None}}, "stages.prod in .chalice/config.json is null"),
        ({**GOOD, "stages": {"dev": {}}}, "has no stage prod (but dev)"),
        (staged(environment_variables=[]), "stages.prod.environment_variables in"),
        (functioned(probe="prod/policy-probe.json"), "stages.prod.lambda_functions.probe in"),
        (changed(SETTLE_SECONDS=5), 'put quotation marks around it, "5"'),
        (changed(DRAIN_ON_REBALANCE=True), "DRAIN_ON_REBALANCE in .chalice/config.json is true"),
        ({**GOOD, "tags": {"cost-centre": 7}}, "tags.cost-centre"),
        (staged(environment_variables={}), "OWNER is ''"),
        (changed(OWNER="emq elb"), "OWNER is 'emq elb'"),
        (changed(OWNER="mine"), "set OWNER to emq-elb-prod"),
        (changed(SETTLE_SECONDS="soon"), "SETTLE_SECONDS is 'soon'"),
        (changed(ALARM_TOPIC="arn:aws:sns:eu-central-1:1:t"), "write ALARM_TOPIC_ARN, if that is meant"),
        (changed(PRIVATE_CA_SECRET="ca"), "PRIVATE_CA_SECRET is ca"),
        # The policies grant by the beginning of a name, and deny the key by the whole of it.
        (changed(PRIVATE_CA_SECRET="emq-elb-prod/private-ca-2"), "by the name emq-elb-prod/private-ca alone"),
        (changed(ACME_ACCOUNT_SECRET="a"), "ACME_ACCOUNT_SECRET is a"),
        (
            changed(ACME_ACCOUNT_SECRET="emq-elb-prod/letsencrypt"),
            "grant only emq-elb-prod/acme-account*",
        ),
        (changed(ACME_EAB_SECRET="emq-elb-prod/zerossl"), "grant only emq-elb-prod/acme-eab*"),
        (
            functioned(
                probe={
                    "iam_policy_file": "prod/policy-probe.json",
                    "environment_variables": {"PROBE_TIMEOUT_SECONDS": "99"},
                }
            ),
            "probe: emq-elb-prod: the settings need mending: PROBE_TIMEOUT_SECONDS is '99'",
        ),
        (functioned(probe={}), "no iam_policy_file for probe"),
        (functioned(api_handler={}), "no iam_policy_file for api_handler"),
        (staged(lambda_functions={}), "no iam_policy_file for api_handler, probe"),
        (staged(iam_policy_file="policy-api.json"), "take it out"),
        (staged(autogen_policy=True), "autogen_policy is not false everywhere"),
        ({name: value for name, value in GOOD.items() if name != "autogen_policy"}, "autogen_policy"),
    ],
)
def test_each_fault_of_a_configuration_is_reported_once_with_what_to_do(
    configured: object, words: str
) -> None:
    (found,) = reported(configured)
    assert words in found


def test_a_stage_that_is_not_deployed_may_be_as_it_likes() -> None:
    assert reported({**GOOD, "stages": {"prod": STAGE, "dev": {"environment_variables": {"OWNER": 1}}}}) == []


def test_a_setting_that_is_nobody_s_is_left_alone() -> None:
    assert reported(changed(POWERTOOLS_LOG_LEVEL="DEBUG", TZ="UTC")) == []


def test_every_setting_of_the_docs_is_known() -> None:
    assert {"OWNER", "ALARM_TOPIC_ARN", "ACME_CA_BUNDLE", "DRAIN_ON_REBALANCE"} <= known_settings()


def test_policies_of_other_hosted_zones_than_the_settings_are_reported() -> None:
    source = json.dumps({"Statement": [], "Resource": ["arn:*:route53:::hostedzone/<dns-zone>"]}, indent=2)
    files = {**FILES, "policy-probe.json": source}
    for zone, right in (("none-is-set", True), ("Z1", False)):
        files["prod/policy-probe.json"] = source.replace("<dns-zone>", zone)
        assert (reported(GOOD, files) == []) is right
        assert (reported(changed(DNS_ZONES="Z1"), files) == []) is not right


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {**SOURCES, "prod/policy-api.json": WRITTEN},
            ".chalice/prod/policy-probe.json is not there: type make policies",
        ),
        (SOURCES, ".chalice/prod/policy-api.json and .chalice/prod/policy-probe.json are not there: type"),
        ({**FILES, "prod/policy-probe.json": "[]"}, "policy-probe.json is no policy document: type"),
        ({**FILES, "prod/policy-probe.json": "{"}, "policy-probe.json is no policy document: type"),
        (
            {**FILES, "prod/policy-probe.json": WRITTEN.replace("prod", "dev")},
            "policy-probe.json is not that of emq-elb-prod, or not of its DNS_ZONES and ALLOWED_DOMAINS",
        ),
        (
            {name: text for name, text in FILES.items() if name != "policy-probe.json"},
            ".chalice/policy-probe.json is not there, from which the policies of all stages are written",
        ),
    ],
)
def test_each_fault_of_the_policies_is_reported_once_with_what_to_do(
    files: Mapping[str, str], words: str
) -> None:
    (found,) = reported(GOOD, files)
    assert words in found
