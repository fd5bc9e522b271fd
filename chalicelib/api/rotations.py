"""A rotation as JSON: the answer of `POST /load-balancers/{name}/rotate`."""

from __future__ import annotations

from datetime import UTC

from chalicelib.rotate.model import Rotation


def rotation_json(rotation: Rotation) -> dict[str, object]:
    """Return what became of the certificate, or with `dry_run` would; `certificate` is the one served now."""
    certificate = rotation.certificate
    return {
        "name": rotation.name,
        "state": rotation.state,
        "verified": rotation.verified,
        "reason": rotation.reason,
        "certificate": {
            "arn": certificate.arn,
            "serial": certificate.serial or None,
            "not_after": f"{certificate.not_after.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "domains": list(certificate.domains),
        }
        if certificate
        else None,
        "warnings": [{"code": one.code, "message": one.message} for one in rotation.warnings],
    }
