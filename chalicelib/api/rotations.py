"""A rotation as JSON: the answer of `POST /load-balancers/{name}/rotate`."""

from __future__ import annotations

from chalicelib.model.moments import rfc3339
from chalicelib.rotate.model import Rotation


def rotation_json(rotation: Rotation) -> dict[str, object]:
    """Return the rotation, or with `dry_run` the planned one; `certificate` is the one served now."""
    certificate = rotation.certificate
    return {
        "name": rotation.name,
        "state": rotation.state,
        "verified": rotation.verified,
        "reason": rotation.reason,
        "certificate": {
            "arn": certificate.arn,
            "serial": certificate.serial or None,
            "not_after": rfc3339(certificate.not_after),
            "domains": list(certificate.domains),
        }
        if certificate
        else None,
        "warnings": [{"code": one.code, "message": one.message} for one in rotation.warnings],
    }
