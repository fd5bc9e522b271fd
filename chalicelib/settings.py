"""The environment as one value, read once; a bad one stops the function with a message that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


class SettingsError(Exception):
    """Settings that are missing or wrong: all of them, each with what would be right."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`owner` is the deployment; times are `timedelta`s unless they say otherwise."""

    owner: str
    settle: timedelta = timedelta(seconds=5)
    renew_before: timedelta = timedelta(days=30)
    keep_certificates: int = 1
    private_ca_secret: str = ""
    drain_on_rebalance: bool = False
    alarm_topic_arn: str | None = None
    probe_timeout: timedelta = timedelta(seconds=10)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of design and `docs/deploy.md`.

    Raises `SettingsError` with every variable that is missing or wrong.
    """
    wrong: list[str] = []

    def whole(name: str, default: int, least: int, most: int) -> int:
        text = environment.get(name, "").strip()
        if not text:
            return default
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        wrong.append(f"{name} is {text!r}; it takes a whole number from {least} to {most}")
        return default

    def flag(name: str) -> bool:
        text = environment.get(name, "").strip().lower()
        if text not in {"", "true", "false"}:
            wrong.append(f"{name} is {text!r}; it takes true or false")
        return text == "true"

    owner = environment.get("OWNER", "").strip()
    if not _is_owner(owner):
        wrong.append(
            f"OWNER is {owner!r}; it takes the deployment's name, <app>-<stage>: up to 64 letters, digits,"
            " '-' and '_' (.chalice/config.json sets it per stage)"
        )
    topic = environment.get("ALARM_TOPIC_ARN", "").strip() or None
    if topic and not (topic.startswith("arn:") and ":sns:" in topic):
        wrong.append(f"ALARM_TOPIC_ARN is {topic!r}; it takes the ARN of an SNS topic")
    settings = Settings(
        owner=owner,
        settle=timedelta(seconds=whole("SETTLE_SECONDS", 5, 0, 60)),
        renew_before=timedelta(days=whole("RENEW_BEFORE_DAYS", 30, 1, 365)),
        keep_certificates=whole("KEEP_CERTIFICATES", 1, 0, 10),
        private_ca_secret=environment.get("PRIVATE_CA_SECRET", "").strip() or f"{owner}/private-ca",
        drain_on_rebalance=flag("DRAIN_ON_REBALANCE"),
        alarm_topic_arn=topic,
        probe_timeout=timedelta(seconds=whole("PROBE_TIMEOUT_SECONDS", 10, 1, 50)),
    )
    if wrong:
        raise SettingsError("the settings need mending: " + "; ".join(wrong))
    return settings


def _is_owner(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
