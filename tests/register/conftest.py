"""What the tests of registering hear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.fidelity import autoscaling as fidelity


@pytest.fixture
def held() -> Iterator[list[dict[str, Any]]]:
    """The events of the lifecycle actions that begin."""
    begun: list[dict[str, Any]] = []
    fidelity.on_lifecycle_action.append(begun.append)
    yield begun
    fidelity.on_lifecycle_action.remove(begun.append)
