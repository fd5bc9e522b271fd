"""Ours, as the story `rotate` on request, for one load balancer."""

from __future__ import annotations

import sys
from datetime import timedelta

from chalicelib import container
from chalicelib.rotate.story import rotate_one


def main() -> None:
    """Rotate; anything but a certificate that was replaced and proven is an error."""
    rotation = rotate_one(sys.argv[1], container.invocation(timedelta(seconds=60)))
    if rotation.state != "rotated" or not rotation.verified:
        raise SystemExit(
            f"{rotation.state}, {'' if rotation.verified else 'not '}verified: {rotation.reason}"
        )


if __name__ == "__main__":
    main()
