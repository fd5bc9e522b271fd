"""The command line against the app, for all its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.world import Shell, served
from tests.world.provisioning import Account


@pytest.fixture
def shell(here: Account, tmp_path: Path) -> Iterator[Shell]:
    """A shell before the app, in the account `here`; a certificate of ELB's is known at once."""
    assert here.snapshot()["load balancers"] == {}
    with served(tmp_path) as made:
        yield made
