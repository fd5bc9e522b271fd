"""The environment as one value, read once; a bad one stops the function with a message that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.model.bounds import Bounds
from chalicelib.model.syntax import HOSTED_ZONE_PATTERN, host_fault, matches

VPC_PATTERN = r"vpc-[0-9a-f]{8}([0-9a-f]{9})?"
UNBOUNDED = Bounds()
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class SettingsError(Exception):
    """Settings that are missing or wrong: all of them, each with what would be right."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`owner` is the deployment; times are `timedelta`s unless they say otherwise.

    `acme_contact` is an e-mail address, without which nothing is ordered from the ACME CA; `acme_ca_bundle` a
    PEM file with the roots that the CA's own HTTPS is verified by, where those of the package are not enough;
    `acme_eab_secret` a secret with the account at the CA that ours is bound to. `dns_zones` are the ids of
    the hosted zones in which records of names may be kept.
    """

    owner: str
    settle: timedelta = timedelta(seconds=5)
    renew_before: timedelta = timedelta(days=30)
    keep_certificates: int = 1
    private_ca_secret: str = ""
    drain_on_rebalance: bool = False
    alarm_topic_arn: str | None = None
    probe_timeout: timedelta = timedelta(seconds=10)
    acme_directory_url: str = LETS_ENCRYPT
    acme_contact: str | None = None
    acme_account_secret: str = ""
    acme_ca_bundle: str | None = None
    acme_eab_secret: str | None = None
    bounds: Bounds = UNBOUNDED
    dns_zones: tuple[str, ...] = ()


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
        return _flag(environment, name, wrong, default=False)

    owner = environment.get("OWNER", "").strip()
    if not _is_owner(owner):
        wrong.append(
            f"OWNER is {owner!r}; it takes the deployment's name, <app>-<stage>: up to 64 letters, digits,"
            " '-' and '_' (.chalice/config.json sets it per stage)"
        )
    topic = environment.get("ALARM_TOPIC_ARN", "").strip() or None
    if topic and topic.split(":")[0:3:2] != ["arn", "sns"]:
        wrong.append(f"ALARM_TOPIC_ARN is {topic!r}; it takes the ARN of an SNS topic")
    directory = environment.get("ACME_DIRECTORY_URL", "").strip() or LETS_ENCRYPT
    contact = environment.get("ACME_CONTACT", "").strip() or None
    wrong += _acme_faults(directory, contact)
    settings = Settings(
        owner=owner,
        settle=timedelta(seconds=whole("SETTLE_SECONDS", 5, 0, 60)),
        renew_before=timedelta(days=whole("RENEW_BEFORE_DAYS", 30, 1, 365)),
        keep_certificates=whole("KEEP_CERTIFICATES", 1, 0, 10),
        private_ca_secret=environment.get("PRIVATE_CA_SECRET", "").strip() or f"{owner}/private-ca",
        drain_on_rebalance=flag("DRAIN_ON_REBALANCE"),
        alarm_topic_arn=topic,
        probe_timeout=timedelta(seconds=whole("PROBE_TIMEOUT_SECONDS", 10, 1, 50)),
        acme_directory_url=directory,
        acme_contact=contact,
        acme_account_secret=environment.get("ACME_ACCOUNT_SECRET", "").strip() or f"{owner}/acme-account",
        acme_ca_bundle=environment.get("ACME_CA_BUNDLE", "").strip() or None,
        acme_eab_secret=environment.get("ACME_EAB_SECRET", "").strip() or None,
        bounds=_bounds(environment, wrong),
        dns_zones=_dns_zones(environment, wrong),
    )
    if wrong:
        raise SettingsError("the settings need mending: " + "; ".join(wrong))
    return settings


def _flag(environment: Mapping[str, str], name: str, wrong: list[str], *, default: bool) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in {"", "true", "false"}:
        wrong.append(f"{name} is {text!r}; it takes true or false")
    return text == "true" if text else default


def _dns_zones(environment: Mapping[str, str], wrong: list[str]) -> tuple[str, ...]:
    def right(id_: str) -> bool:
        return matches(HOSTED_ZONE_PATTERN, id_)

    return tuple(sorted(_listed(environment, "DNS_ZONES", wrong, right, "ids of hosted zones (Z…)")))


def _listed(
    environment: Mapping[str, str], name: str, wrong: list[str], right: Callable[[str], bool], takes: str
) -> frozenset[str]:
    text = environment.get(name, "").strip()
    found = {one.strip() for one in text.split(",")} if text else set()
    if odd := sorted(one for one in found if not right(one)):
        wrong.append(f"{name} names {', '.join(map(repr, odd))}; it takes {takes}, between commas")
    return frozenset(one for one in found if right(one))


def _bounds(environment: Mapping[str, str], wrong: list[str]) -> Bounds:
    def listed(name: str, right: Callable[[str], bool], takes: str) -> frozenset[str]:
        return _listed(environment, name, wrong, right, takes)

    ports = listed("ALLOWED_INSTANCE_PORTS", _is_port, "ports from 1 to 65535")
    domains = listed("ALLOWED_DOMAINS", lambda name: host_fault(name) is None, "DNS names without a wildcard")
    return Bounds(
        instance_ports=frozenset(map(int, ports)),
        vpcs=listed("ALLOWED_VPCS", lambda id_: matches(VPC_PATTERN, id_), "ids of VPCs (vpc-…)"),
        domains=frozenset(name.lower() for name in domains),
        adoption=_flag(environment, "ALLOW_ADOPTION", wrong, default=True),
    )


def _acme_faults(directory: str, contact: str | None) -> Iterator[str]:
    if not directory.startswith("https://"):
        yield f"ACME_DIRECTORY_URL is {directory!r}; it takes the https:// URL of a CA's directory"
    if contact and not _is_address(contact):
        yield f"ACME_CONTACT is {contact!r}; it takes an e-mail address, for the CA to write to"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def _is_owner(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _is_address(text: str) -> bool:
    name, at, host = text.partition("@")
    return bool(name and at) and "." in host.strip(".") and text.isascii() and not {*text} & {*' ,:;<>"'}
