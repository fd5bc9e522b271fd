"""Credentials by botocore's chain, as the AWS CLI finds them, and what is said when there are none."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest

from emq_elb.credentials import CLI_CACHE, credentials, open_session, required
from emq_elb.faults import Failed

SSO = """
[profile company]
sso_start_url = https://company.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = operator
region = eu-central-1
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home in which the AWS CLI knows nothing yet."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def fault(profile: str | None = None) -> Failed:
    """What is said when nobody can sign."""
    with pytest.raises(Failed) as error:
        required(credentials(open_session(profile, {}, loopback=False)))
    return error.value


def test_a_profile_of_the_aws_cli_signs(home: Path) -> None:
    (home / "credentials").write_text("[ops]\naws_access_key_id = A\naws_secret_access_key = S\n")
    found = required(credentials(open_session("ops", {}, loopback=False)))
    assert (found.access_key, found.secret_key) == ("A", "S")


def test_none_at_all_says_how_to_give_them() -> None:
    assert "no credentials" in fault().message
    assert "as for the AWS CLI" in fault().remedy


def test_on_loopback_none_are_no_fault() -> None:
    assert credentials(open_session(None, {}, loopback=True)) is None


def test_a_profile_that_is_not_there_is_named() -> None:
    assert "nobody" in fault("nobody").message
    assert "--profile" in fault("nobody").remedy


def test_half_of_them_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    assert "AWS_SECRET_ACCESS_KEY" in fault().message or "partial" in fault().message.lower()


def test_a_config_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "config").write_text("no section\n")
    assert str(home / "config") in fault("ops").message


def test_a_sign_in_that_was_never_made_says_how(home: Path) -> None:
    (home / "config").write_text(SSO)
    assert "sign in again" in fault("company").remedy


def test_a_sign_in_that_expired_says_how(home: Path) -> None:
    (home / "config").write_text(SSO)
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    name = sha1(b"https://company.awsapps.com/start", usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(
        '{"startUrl": "x", "region": "eu-central-1", "accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z"}'
    )
    assert "sign in again" in fault("company").remedy


def test_a_session_of_a_role_is_kept_where_the_aws_cli_keeps_it(home: Path) -> None:
    assert str(CLI_CACHE) == "~/.aws/cli/cache"
    providers = open_session(None, {}, loopback=False).get_component("credential_provider")
    assert providers.get_provider("assume-role").cache._working_dir == str(home / ".aws" / "cli" / "cache")


def test_the_region_of_the_aws_cli_is_read_too() -> None:
    assert open_session(None, {"AWS_REGION": "eu-west-1"}, loopback=True).get_config_variable("region") == (
        "eu-west-1"
    )
