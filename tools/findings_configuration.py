"""What is wrong in `.chalice/`, as far as it can be known without AWS; each finding says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from chalicelib.settings import SettingsError, read_settings
from tools.policies import filled_in

There = Callable[[str], str | None]
"""Reads a file of `.chalice/`; None without one."""


def configuration_findings(text: str, stage: str, there: There) -> Iterator[str]:
    """Report what is wrong in the text of `.chalice/config.json`, and in the policies that it names."""
    try:
        configured = json.loads(text)
    except ValueError as error:
        yield f".chalice/config.json is no JSON ({error}): mend it, or take it back from git"
        return
    if misshapen := list(shape_findings(configured, stage)):
        yield from misshapen
        return
    stages = configured.get("stages", {})
    if stage not in stages:
        known = ", ".join(sorted(stages)) or "none"
        yield f".chalice/config.json has no stage {stage} (but {known}): add it as docs/deploy.md shows"
        return
    deployment = f"{configured.get('app_name')}-{stage}"
    environment = configured.get("environment_variables", {}) | stages[stage].get("environment_variables", {})
    yield from environment_findings(environment, deployment)
    everywhere, theirs = configured.get("lambda_functions", {}), stages[stage].get("lambda_functions", {})
    for name, function in theirs.items():
        if changed := function.get("environment_variables"):
            reported = set(environment_findings(environment, deployment))
            for finding in environment_findings(environment | changed, deployment):
                if finding not in reported:
                    yield f"{name}: {finding}"
    yield from generated_findings([configured, stages[stage], *everywhere.values(), *theirs.values()])
    named = {name: theirs.get(name, {}).get("iam_policy_file") for name in ("api_handler", *everywhere)}
    yield from policy_findings(stage, {**environment, "OWNER": deployment}, named, there)
    if "iam_policy_file" in stages[stage]:
        yield (
            f"Stage {stage} names an iam_policy_file beside those of its functions: take it out, a function"
            " without a line of its own would get it"
        )


def shape_findings(block: object, stage: str, where: str = "") -> Iterator[str]:
    """Report blocks that are no JSON objects and settings that are no texts; other stages are left alone."""
    if not isinstance(block, dict):
        yield f"{where or 'It all'} in .chalice/config.json is {json.dumps(block)}; it takes {{…}}"
        return
    for name, value in block.items():
        path = f"{where}.{name}" if where else name
        match name, value:
            case "stages" | "lambda_functions", dict():
                for inner, part in value.items():
                    if name != "stages" or inner == stage:
                        yield from shape_findings(part, stage, f"{path}.{inner}")
            case "environment_variables" | "tags", dict():
                for inner, part in value.items():
                    if not isinstance(part, str):
                        yield (
                            f"{path}.{inner} in .chalice/config.json is {json.dumps(part)}; it takes a text:"
                            f' put quotation marks around it, "{json.dumps(part)}"'
                        )
            case "stages" | "lambda_functions" | "environment_variables" | "tags", _:
                yield from shape_findings(value, stage, path)


def environment_findings(environment: Mapping[str, str], deployment: str) -> Iterator[str]:
    """Report settings that are missing or wrong; chalice names the functions after `deployment`."""
    for name in sorted(environment.keys() - known_settings()):
        if meant := get_close_matches(name, known_settings(), n=1, cutoff=0.7):
            yield f"{name} is no setting, and nothing reads it: write {meant[0]}, if that is meant"
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        yield f"{deployment}: {error} (environment_variables in .chalice/config.json)"
        return
    if settings.owner != deployment:
        yield (
            f"OWNER is {settings.owner}, but the functions will be named {deployment}-…, by which they call"
            f" one another and their policies name them: set OWNER to {deployment}"
        )
    private_ca = f"{settings.owner}/private-ca"
    if settings.private_ca_secret != private_ca:
        yield (
            f"PRIVATE_CA_SECRET is {settings.private_ca_secret}, and the policies keep the private CA's key"
            f" from the probing functions by the name {private_ca} alone: name it so, or change the resources"
            " in .chalice/policy-*.json and type make policies"
        )
    for name, secret, granted in (
        ("ACME_ACCOUNT_SECRET", settings.acme_account_secret, f"{settings.owner}/acme-account"),
        ("ACME_EAB_SECRET", settings.acme_eab_secret, f"{settings.owner}/acme-eab"),
    ):
        if secret is not None and not secret.startswith(granted):
            yield (
                f"{name} is {secret}, and the policies grant only {granted}*: name it so, or change the"
                " resource in .chalice/policy-*.json and type make policies"
            )


def environment_of(text: str, stage: str) -> Mapping[str, str]:
    """Return the settings of a stage; none where `.chalice/config.json` cannot be read."""
    try:
        configured = json.loads(text)
        return {
            **configured.get("environment_variables", {}),
            **configured["stages"][stage].get("environment_variables", {}),
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


BOUNDS = ("ALLOWED_INSTANCE_PORTS", "ALLOWED_VPCS", "ALLOWED_DOMAINS", "ALLOW_ADOPTION")


def bounds_notes(text: str, stage: str) -> Iterator[str]:
    """Name the settings that would bound the deployment and are not set; nothing where none can be read."""
    environment = environment_of(text, stage)
    if not environment:
        return
    if unset := [name for name in BOUNDS if not environment.get(name)]:
        yield (
            f"Not set: {', '.join(unset)}. They bound what a PUT may ask for: the ports of instances"
            " that it publishes, the VPC, the names that it serves, and whether it takes over load balancers"
            " that nobody owns (docs/deploy.md)"
        )


def known_settings() -> frozenset[str]:
    """The names that `read_settings` asks for, as it asks."""
    asked = set[str]()

    class Asked(dict[str, str]):
        def get(self, name: str, default: Any = None, /) -> Any:
            asked.add(name)
            return super().get(name, default)

    read_settings(Asked(OWNER="anybody"))
    return frozenset(asked)


def generated_findings(blocks: list[Mapping[str, Any]]) -> Iterator[str]:
    """Report where Chalice would write policies of its own: they grant nothing of what the stories call."""
    if blocks[0].get("autogen_policy") is not False or any(block.get("autogen_policy") for block in blocks):
        yield (
            "autogen_policy is not false everywhere: Chalice would write policies from app.py alone, under"
            ' which no function could do its work. Put "autogen_policy": false at the top of'
            " .chalice/config.json, and nowhere else"
        )


def policy_findings(
    stage: str, environment: Mapping[str, str], named: Mapping[str, str | None], there: There
) -> Iterator[str]:
    """Report policies that are not named, not there, no policy, or not what `make policies` writes."""
    lines = "the line that the other stages have in .chalice/config.json"
    if unnamed := [who for who, file in named.items() if not file]:
        yield f"Stage {stage} names no iam_policy_file for {', '.join(unnamed)}: add {lines}"
    files = [file for file in named.values() if file]
    written_once = [f"policy-{file.rpartition('policy-')[2]}" for file in files]
    if gone := [name for name in written_once if there(name) is None]:
        yield (
            f"{_listed(gone)} not there, from which the policies of all stages are written: take it back from"
            " git before you type make policies, which would take theirs away too"
        )
    state = {
        file: _state(file, source, environment, there)
        for file, source in zip(files, written_once, strict=True)
    }
    for what in ("not there", "no policy document", _others(environment)):
        if found := [file for file in files if state[file] == what]:
            yield f"{_listed(found)} {what}: type make policies"


def _others(environment: Mapping[str, str]) -> str:
    return f"not that of {environment['OWNER']}, or not of its DNS_ZONES and ALLOWED_DOMAINS"


def _state(file: str, source: str, environment: Mapping[str, str], there: There) -> str | None:
    if (text := there(file)) is None:
        return "not there"
    try:
        json.loads(text)["Statement"]
    except (ValueError, LookupError, TypeError):
        return "no policy document"
    written_once = there(source)
    if written_once is not None and text != filled_in(written_once, environment):
        return _others(environment)
    return None


def _listed(files: list[str]) -> str:
    *others, last = (f".chalice/{Path(file)}" for file in files)
    return f"{', '.join(others)} and {last} are" if others else f"{last} is"
