"""The service models that ship: in the tests the app's own clients read them, as they do at Lambda."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tools.models import MODELS


@contextmanager
def shipped_models() -> Iterator[None]:
    """Set the variable that `.chalice/config.json` sets: a session opened meanwhile reads these models."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_DATA_PATH", str(MODELS))
        yield
