"""What the `emq-elb:pending` tag says beside since when: for what something still waits.

provisioning …                   a PUT is at work
waiting for …                    a PUT goes on in the background
certificate <name>               `rotate` waits for that one to be served
issuing                          `rotate` has to have one issued
… not before <time>              and the CA wants to be left alone until then
"""

from __future__ import annotations

from datetime import UTC, datetime

WAITING = "waiting for the CA"
CERTIFICATE = "certificate "
ISSUING = "issuing"
_NOT_BEFORE = " not before "


def waits_for(tag: str | None) -> str:
    """Return what a tag says that is waited for; nothing without a tag."""
    return (tag or "").partition(" ")[2]


def of_rotation(tag: str | None) -> bool:
    """Whether it is `rotate` that waits."""
    return waits_for(tag).startswith((CERTIFICATE, ISSUING))


def awaited(tag: str | None) -> str | None:
    """Return the name of the certificate that `rotate` waits to see served; None when it waits for none."""
    what = waits_for(tag)
    return what.removeprefix(CERTIFICATE) if what.startswith(CERTIFICATE) else None


def limited(what: str, until: datetime) -> str:
    """Return what is waited for, with the time before which the CA is not to be asked; whole seconds."""
    return f"{what}{_NOT_BEFORE}{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def not_before(tag: str | None) -> datetime | None:
    """Return the time before which the CA is not to be asked; None when there is none in the tag."""
    try:
        found = datetime.fromisoformat(waits_for(tag).partition(_NOT_BEFORE)[2])
    except ValueError:
        return None
    return found if found.tzinfo else None
