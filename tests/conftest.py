"""What every test stands on: the corrected moto, made-up credentials, and no way out of this machine."""

from __future__ import annotations

import gc
import json
import os
import socket
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws

from lab import fidelity
from lab.fidelity.knobs import reset_knobs
from tests.world import short_way
from tests.world.pure import WORLDLY, is_pure, is_quick

if TYPE_CHECKING:
    from lab.certificates.acme import Acme
    from tests.world.issuing import Authority
    from tests.world.provisioning import Account
    from tests.world.rotating import Front

REGION = "eu-central-1"

short_way.install()
gc.set_threshold(gc.get_threshold()[0], 10, 60)  # to look through all models of botocore takes half a second

# Machines are noisy: how long an example takes says nothing. CI tries the same examples each time, so that a
# red run is about the change; everybody else's runs look for new ones.
settings.register_profile(
    "emq-elb",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.register_profile("quick", settings.get_profile("emq-elb"), max_examples=20)
settings.load_profile("emq-elb")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `--quick` choose the tests that say within seconds whether a changed line is wrong."""
    parser.addoption("--quick", action="store_true", help="pure tests, and those that are marked as quick")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and let `--quick` try few examples of each property."""
    config.addinivalue_line("markers", "quick: needs AWS, and is run by `make quick` all the same")
    config.addinivalue_line("markers", "thorough: takes long, and is not run by `make quick`")
    if config.getoption("--quick"):
        settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import modules of which `--quick` runs nothing."""
    if not config.getoption("--quick") or not collection_path.name.startswith("test_"):
        return None
    return True if not is_quick(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the weather first; of `--quick` leave out what needs AWS and is not marked, and what takes long."""
    if not config.getoption("--quick"):
        # Each run of the weather is a copy of the process, and the process grows with every test.
        items.sort(key=lambda item: "weather" not in item.path.parts)
        return
    chosen = [
        item
        for item in items
        if item.get_closest_marker("quick")
        or (
            is_pure(item.path)
            and not item.get_closest_marker("thorough")
            and not WORLDLY & {*getattr(item, "fixturenames", ())}
        )
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_sessionfinish() -> None:
    """Look once for what nobody closed; pytest looks twice, through all models of botocore."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whatever connects beyond loopback: tests never reach AWS or anyone else."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = str(address[0])
            if not (host.startswith("127.") or host in {"::1", "localhost"}):
                raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give botocore credentials and a region, so that nothing of the developer's own is ever used."""
    for name in ("AWS_DATA_PATH", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS as moto answers, with the corrections of `lab/fidelity`."""
    fidelity.install()
    reset_knobs()
    with mock_aws():
        yield
    reset_knobs()


@pytest.fixture
def here() -> Iterator[Account]:
    """An account in which the stories of provisioning run, every call counted."""
    from tests.world.provisioning import account

    with account() as one:
        yield one


@pytest.fixture(scope="session")
def acme() -> Iterator[Acme]:
    """A real ACME server, the same for every test that orders from it; their accounts are their own."""
    from tests.world.pebble import pebble

    with pebble() as one:
        yield one


@pytest.fixture
def ca(here: Account, acme: Acme) -> Iterator[Authority]:
    """The ACME server as the account's CA, with a hosted zone to show it that names are ours."""
    from tests.world.issuing import authority

    with authority(acme, here) as one:
        yield one


@pytest.fixture
def demo(here: Account) -> Iterator[Front]:
    """A load balancer as clients see it: what the API says that it serves is on the wire."""
    from tests.world.rotating import front

    with front(here) as made:
        yield made


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Any]]:
    """What the app has logged, record by record; its one logger holds on to the output of the first test."""
    from chalicelib import telemetry

    written = StringIO()
    monkeypatch.setattr(telemetry.logger().registered_handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]
