"""Probe options, and the `emq-elb:probe` tag that holds them as `key=value` pairs between spaces.

`enabled=false qos=2 credentials_secret_id=prod/mqtt`: only what differs from the default is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from chalicelib.model.syntax import SECRET_PATTERN, matches


@dataclass(frozen=True)
class ProbeOptions:
    """How the probe speaks to the load balancer. `enabled` None: the default of the scheme.

    `plain_credentials` lets it send its password over plain TCP too.
    """

    enabled: bool | None = None
    qos: Literal[0, 1, 2] = 1
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    credentials_secret_id: str | None = None
    ca_secret_id: str | None = None
    plain_credentials: bool = False


_DEFAULT = ProbeOptions()
_BOOLEAN: Mapping[str, bool] = {"true": True, "false": False}
_QOS: Mapping[str, Literal[0, 1, 2]] = {"0": 0, "1": 1, "2": 2}
_PROTOCOL: Mapping[str, Literal["3.1.1", "5"]] = {"3.1.1": "3.1.1", "5": "5"}


def probe_tag(options: ProbeOptions) -> str | None:
    """Return the tag's text, or None where the defaults say it all."""
    pairs = []
    if options.enabled is not None:
        pairs.append(f"enabled={'true' if options.enabled else 'false'}")
    if options.qos != _DEFAULT.qos:
        pairs.append(f"qos={options.qos}")
    if options.protocol != _DEFAULT.protocol:
        pairs.append(f"protocol={options.protocol}")
    if options.credentials_secret_id is not None:
        pairs.append(f"credentials_secret_id={options.credentials_secret_id}")
    if options.plain_credentials:
        pairs.append("plain_credentials=true")
    if options.ca_secret_id is not None:
        pairs.append(f"ca_secret_id={options.ca_secret_id}")
    return " ".join(pairs) or None


def read_probe_tag(text: str | None) -> ProbeOptions:
    """Return the options that the tag holds; an option that cannot be read takes its default.

    The tag can be edited by hand: an unknown key or value is ignored, and does not stop the probe.
    """
    pairs = dict(pair.split("=", 1) for pair in (text or "").split(" ") if "=" in pair)
    read = {key: _value(key, said) for key, said in pairs.items()}
    return replace(_DEFAULT, **{key: value for key, value in read.items() if value is not None})


def probe_unread(text: str) -> bool:
    """Return whether the tag has a part that cannot be read."""
    parts = (part.partition("=") for part in text.split(" "))
    return any(_value(key, said) is None for key, _, said in parts)


def _value(key: str, text: str) -> Any:
    """What an option's text means; None where it means nothing, or there is no such option."""
    read = _READ.get(key)
    return read(text) if read else None


def _secret(text: str) -> str | None:
    return text if matches(SECRET_PATTERN, text) else None


_READ: Mapping[str, Callable[[str], object]] = {
    "enabled": _BOOLEAN.get,
    "qos": _QOS.get,
    "protocol": _PROTOCOL.get,
    "credentials_secret_id": _secret,
    "plain_credentials": _BOOLEAN.get,
    "ca_secret_id": _secret,
}
