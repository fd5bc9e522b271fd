"""Who signs: credentials by botocore's chain, as the AWS CLI finds them, and why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from botocore.utils import JSONFileCache

from emq_elb.faults import Failed

# Where the AWS CLI keeps the sessions of assumed roles: a code of MFA counts for all commands of an hour.
CLI_CACHE = Path("~/.aws/cli/cache")
_SIGN_IN = "sign in again: `aws sso login`, or as your company does it"
_REMEDIES: Mapping[str, str] = {
    "ProfileNotFound": "check --profile and AWS_PROFILE; `aws configure list-profiles` names those there are",
    "PartialCredentialsError": "complete them in the environment or in ~/.aws/credentials",
    "ConfigParseError": "mend that file",
    "UnauthorizedSSOTokenError": _SIGN_IN,
    "SSOTokenLoadError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "LoginRefreshRequired": "sign in again: `aws login`",
    "LoginTokenLoadError": "sign in again: `aws login`",
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "InvalidClientTokenId": "AWS does not know these credentials: check --profile",
    "AccessDenied": "the role cannot be assumed with these credentials: check --profile, and the code of MFA",
    "EndpointConnectionError": "check the network, and the proxy",
}
_NONE = "there are no credentials to sign with"
_HOW = "give them as for the AWS CLI: `aws configure`, `aws sso login`, --profile, or in the environment"


def open_session(profile: str | None, environment: Mapping[str, str], *, loopback: bool) -> Session:
    """Return a session of botocore's that looks where the AWS CLI looks.

    For an API on loopback nobody asks an instance's or a container's metadata: that takes a second, and ends
    in nothing on a developer's machine.
    """
    session = Session(profile=profile)
    try:
        providers = session.get_component("credential_provider")
        providers.get_provider("assume-role").cache = JSONFileCache(str(CLI_CACHE.expanduser()))
        if loopback:
            for name in ("iam-role", "container-role"):
                providers.remove(name)
    except (BotoCoreError, ClientError) as error:
        raise unreadable(error) from None
    if region := environment.get("AWS_REGION"):  # the AWS CLI's; botocore reads AWS_DEFAULT_REGION alone
        session.set_config_variable("region", region)
    return session


def credentials(session: Session) -> Credentials | None:
    """Return the credentials of the session, read now; None when there are none at all."""
    try:
        found: Any = session.get_credentials()
        if found is not None:
            found.get_frozen_credentials()  # an expired sign-in says so only here
    except (BotoCoreError, ClientError) as error:
        raise unreadable(error) from None
    except (EOFError, OSError) as error:  # a code of MFA is asked for, and there is no terminal
        raise Failed(f"the credentials cannot be read: {error}") from None
    return found  # type: ignore[no-any-return] # a session makes no other


def required(found: Credentials | None) -> Credentials:
    """Return credentials that are there; raise Failed when there are none."""
    if found is None:
        raise Failed(_NONE, _HOW)
    return found


def unreadable(error: BotoCoreError | ClientError) -> Failed:
    """Return an error of botocore's as a failure of the command, with what to do about it."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    if isinstance(error, ClientError):
        kinds = [str(error.response.get("Error", {}).get("Code", "")), *kinds]
    remedy = next((_REMEDIES[kind] for kind in kinds if kind in _REMEDIES), "check --profile")
    return Failed(f"the credentials cannot be read: {error}", remedy)
