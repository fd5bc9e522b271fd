"""Where the API is, and in which region a request to it is signed."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emq_elb.faults import Failed, WrongUsage

URL_VARIABLE = "EMQ_ELB_URL"
_REGION_IN_HOST = re.compile(r"(?:^|\.)execute-api\.([a-z0-9-]+)\.")


@dataclass(frozen=True)
class Where:
    """The API's URL without a slash at its end, and the region that its host name says, if any."""

    url: str
    region: str | None
    loopback: bool


def found(url: str | None, stage: str | None, environment: Mapping[str, str], directory: Path) -> Where:
    """Return where the API is: by `--url`, `--stage`, the environment, or the only deployment on record."""
    if url and stage:
        raise WrongUsage("--url and --stage exclude each other")
    if url:
        return at(url, "--url")
    if stage is None and (given := environment.get(URL_VARIABLE)):
        return at(given, URL_VARIABLE)
    return at(*_recorded(stage, directory))


def at(url: str, source: str) -> Where:
    """Read a URL; `source` is named in what is said against it."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise WrongUsage(f"{source}: {error}") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise WrongUsage(f"{source}: {url!r} is no URL: it begins with https:// and the name of a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise WrongUsage(
            f"{source}: the URL has parts after the path, or a user before the host: leave them out"
        )
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise WrongUsage(f"{source}: http is for loopback only; write https://{parts.netloc}{parts.path}")
    region = _REGION_IN_HOST.search(host)
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    return Where(plain, region.group(1) if region else None, loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _recorded(stage: str | None, directory: Path) -> tuple[str, str]:
    """Return the URL that `chalice deploy` recorded, and the name of the record."""
    for folder in (directory, *directory.parents):
        records = folder / ".chalice" / "deployed"
        stages = sorted(path.stem for path in records.glob("*.json"))
        if stage in stages or (stage is None and len(stages) == 1):
            record = records / f"{stage or stages[0]}.json"
            return _url_in(record), str(record)
        if stages:
            wrong = (
                f"there is no deployment of the stage {stage}" if stage else "there are several deployments"
            )
            raise WrongUsage(f"{wrong}; {records} has {', '.join(stages)}", "name one with --stage")
    missing = f"of the stage {stage} " if stage else ""
    raise WrongUsage(
        f"no URL is given, and {directory} holds no record {missing}of `chalice deploy`",
        f"name the API's URL with --url or {URL_VARIABLE}; `chalice url --stage …` prints it",
    )


def _url_in(record: Path) -> str:
    try:
        resources: Any = json.loads(record.read_text())["resources"]
        urls = [one["rest_api_url"] for one in resources if one.get("resource_type") == "rest_api"]
        return str(urls[0])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise Failed(f"{record} names no API", "deploy again, or name the URL with --url") from None
