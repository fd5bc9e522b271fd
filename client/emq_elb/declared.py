"""A load balancer as a file declares it, from what GET shows: `emq-elb plan` finds no change in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SECRET = "secret:"  # noqa: S105 - the beginning of a source's name
ISSUERS = ("private-ca", "acme")
# GET shows these, and no declaration sets them.
SHOWN_ONLY = ("name", "dns_name", "state", "unmanaged")


def declaration(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return `name` and the body; what GET adds to say how things are is left out."""
    made: dict[str, Any] = {"name": shown.get("name")}
    for key, value in shown.items():
        match key, value:
            case _ if key in SHOWN_ONLY:
                pass
            case "certificate", Mapping():
                made[key] = _certificate(value)
            case "instances", list():
                made[key] = [id_ for one in value if (id_ := _member(one))]
            case "dns", Mapping():
                made[key] = {name: one for name, one in value.items() if name in {"zone_ids", "weight"}}
            case _:
                made[key] = value
    return made


def _certificate(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the certificate comes from, so that the file holds when it has been renewed."""
    source, domains = str(shown.get("source", "")), shown.get("domains")
    if source in ISSUERS and domains:
        return {"issuer": source, "domains": domains}
    if source.startswith(SECRET):
        return {"secret_id": source.removeprefix(SECRET)}
    return {"arn": shown.get("arn")}


def _member(shown: Any) -> str | None:
    """Return a member's id; one on its way out is not asked for again."""
    if isinstance(shown, Mapping):
        return None if shown.get("state") == "Draining" else str(shown.get("id"))
    return str(shown)
