"""`python -m tools.doctor STAGE`: everything that would keep a deployment from working, before it is tried.

Each finding says what to do. Exit status 0 only when there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chalicelib.settings import SettingsError, read_settings
from tools.policies import OWNER

ROOT = Path(__file__).parents[1]
OLDEST, NEWEST = (3, 11), (3, 14)  # what the code needs; what Lambda has, of what chalice knows

# What a deployment calls first of each service, and what it then does with it.
ASKED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "apigateway": ("get_rest_apis", {"limit": 1}),
    "events": ("list_rules", {"Limit": 1}),
    "iam": ("list_roles", {"MaxItems": 1}),
    "lambda": ("list_functions", {"MaxItems": 1}),
}


def python_findings(version: tuple[int, int]) -> Iterator[str]:
    """Tell a Python that Lambda or the app does not take: the functions run on the version that deploys."""
    if not OLDEST <= version <= NEWEST:
        oldest, newest = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
        yield (
            f"This is Python {version[0]}.{version[1]}, and the functions would run on it: deploy with"
            f" {oldest} to {newest} (python3.11 -m venv .venv)"
        )


def configuration_findings(text: str, stage: str, there: Callable[[str], str | None]) -> Iterator[str]:
    """Tell what is wrong in `.chalice/config.json`; `there` reads a file beside it, None without one."""
    try:
        configured = json.loads(text)
    except ValueError as error:
        yield f".chalice/config.json is no JSON ({error}): mend it, or take it back from git"
        return
    stages = configured.get("stages", {})
    if stage not in stages:
        known = ", ".join(sorted(stages)) or "none"
        yield f".chalice/config.json has no stage {stage} (but {known}): add it as docs/deploy.md shows"
        return
    environment = configured.get("environment_variables", {}) | stages[stage].get("environment_variables", {})
    yield from environment_findings(environment, f"{configured.get('app_name')}-{stage}")
    functions = ("api_handler", *configured.get("lambda_functions", {}))
    theirs = stages[stage].get("lambda_functions", {})
    named = {name: theirs.get(name, {}).get("iam_policy_file") for name in functions}
    yield from policy_findings(stage, environment.get("OWNER", ""), named, there)
    if "iam_policy_file" in stages[stage]:
        yield (
            f"Stage {stage} names an iam_policy_file beside those of its functions: take it out, a function"
            " without a line of its own would get it"
        )


def environment_findings(environment: Mapping[str, str], deployment: str) -> Iterator[str]:
    """Tell settings that are missing or wrong; `deployment` is what chalice names the functions after."""
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
    for name, secret, granted in (
        ("PRIVATE_CA_SECRET", settings.private_ca_secret, f"{settings.owner}/private-ca"),
        ("ACME_ACCOUNT_SECRET", settings.acme_account_secret, f"{settings.owner}/acme-account"),
    ):
        if not secret.startswith(granted):
            yield (
                f"{name} is {secret}, and the policies grant only {granted}*: name it so, or change the"
                " resource in .chalice/policy-*.json and type make policies"
            )


def policy_findings(
    stage: str, owner: str, named: Mapping[str, str | None], there: Callable[[str], str | None]
) -> Iterator[str]:
    """Tell policy files that are not named, not there, no policy, or not what `make policies` writes."""
    for who, file in named.items():
        if not file:
            yield (
                f"Stage {stage} names no iam_policy_file for {who}, which so may do nothing: give it the line"
                " that the other stages have in .chalice/config.json"
            )
        elif (text := there(file)) is None:
            yield f".chalice/{file}, the policy of {who}, is not there: type make policies"
        else:
            try:
                json.loads(text)["Statement"]
            except (ValueError, LookupError, TypeError):
                yield f".chalice/{file}, the policy of {who}, is no policy document: type make policies"
                continue
            if text != (there(Path(file).name) or "").replace(OWNER, owner):
                yield f".chalice/{file}, the policy of {who}, is not that of {owner}: type make policies"


def account_findings(session: Any) -> Iterator[str]:
    """Tell what keeps these credentials from deploying; `session` is a boto3 session."""
    from botocore.exceptions import BotoCoreError, ClientError

    if session.region_name is None:
        yield "No region is set: export AWS_DEFAULT_REGION=eu-central-1, or whichever it is to be"
        return
    if session.get_credentials() is None:
        yield "There are no AWS credentials: type `aws configure`, or export AWS_ACCESS_KEY_ID and its secret"
        return
    for service, (method, arguments) in {"sts": ("get_caller_identity", {}), **ASKED}.items():
        try:
            getattr(session.client(service), method)(**arguments)
        except ClientError as error:
            told = error.response["Error"]
            yield (
                f"{service} says {told['Code']} to {error.operation_name}: deploy as somebody who may do that"
                f" ({told.get('Message', '')})"
            )
            if service == "sts":
                return
        except BotoCoreError as error:
            yield f"{service} could not be asked: {error}"
            return


def findings(stage: str, session: Any) -> Iterator[str]:
    """Everything that is wrong, what can be known without AWS first."""
    folder = ROOT / ".chalice"

    def there(name: str) -> str | None:
        return (folder / name).read_text() if (folder / name).is_file() else None

    yield from python_findings((sys.version_info.major, sys.version_info.minor))
    text = there("config.json")
    if text is None:
        yield ".chalice/config.json is not there: take it back from git"
    else:
        yield from configuration_findings(text, stage, there)
    yield from account_findings(session)


def main() -> int:
    """Print what was found."""
    from boto3.session import Session

    stage = sys.argv[1] if len(sys.argv) > 1 else "prod"
    found = list(findings(stage, Session()))
    for finding in found:
        print(f"✗ {finding}")
    if not found:
        print(f"Nothing stands against `chalice deploy --stage {stage}`.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
