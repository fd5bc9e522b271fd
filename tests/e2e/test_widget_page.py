"""The widget in a real browser: it renders, buttons ask and do what they say, all is its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, sync_playwright

from chalicelib.monitor import widget
from lab.cloudwatch.console import console
from tests.monitor.test_widget import put
from tests.probe.test_story import create, listener
from tests.world.mqtt_broker import broker
from tests.world.provisioning import Account, account
from tests.world.servers import serving

ADDRESS = "127.83.4.2"
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:emq-elb-test-widget"
# Without these Chromium looks up its maker's hosts when it starts.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Functions:
    """The widget's function within the test, and what it was asked."""

    here: Account
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, function: str, event: dict[str, Any]) -> Any:
        self.asked.append((function, {key: value for key, value in event.items() if key != "widgetContext"}))
        if event.get("action"):
            return f"<p>{event['action']} {event['name']}: done</p>"
        return widget.status_table(self.here.invocation(), ARN)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def functions() -> Iterator[Functions]:
    with account() as here, serving(broker()) as server:
        create(here, "demo", listener(server.port))
        create(here, "fleet-2", listener(server.port))
        put(here, "demo", ProbeSuccess=1, CertificateDaysToExpiry=42)
        put(here, "fleet-2", ProbeSuccess=0, CertificateDaysToExpiry=3)
        yield Functions(here)


@pytest.fixture
def page(functions: Functions, theme: str) -> Iterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium, "lab/setup.sh --packages chromium installs it"
    with ExitStack() as stack:
        url = stack.enter_context(console(ADDRESS, "emq-elb-test-widget", functions))
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium, args=QUIET)
        stack.callback(browser.close)
        opened = browser.new_page(color_scheme="dark" if theme == "dark" else "light")
        opened.goto(url)
        yield opened


def test_the_table_renders_in_either_theme(page: Page, theme: str) -> None:
    rows = page.locator("table.emq-elb tbody tr")
    rows.nth(1).wait_for()
    assert [row.split("\t")[0].strip() for row in rows.all_inner_texts()] == ["demo", "fleet-2"]
    assert "42 days" in rows.nth(0).inner_text()
    assert "failed" in rows.nth(1).inner_text()
    colour = page.locator("table.emq-elb td").first.evaluate("cell => getComputedStyle(cell).color")
    assert colour == ("rgb(255, 255, 255)" if theme == "dark" else "rgb(0, 0, 0)")
    assert page.locator("cwdb-action").first.is_hidden(), "parameters are not for people"


@pytest.mark.parametrize("button", ["Probe", "Rotate"])
def test_a_button_asks_first_and_then_does_what_it_says(
    page: Page, functions: Functions, button: str
) -> None:
    questions: list[str] = []

    def accept(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.accept()

    page.on("dialog", accept)
    action = button.lower()
    page.get_by_role("button", name=button).first.click()
    page.locator("dialog[open]").wait_for()
    assert page.locator("#popup").inner_text() == f"{action} demo: done"
    assert questions == [f"{button} demo now?"]
    assert functions.asked[-1] == (ARN, {"action": action, "name": "demo"})


def test_a_question_that_is_refused_does_nothing(page: Page, functions: Functions) -> None:
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Rotate").first.click()
    page.get_by_role("button", name="Probe").first.click()
    assert all(event == {} for _, event in functions.asked)


def test_everything_comes_from_the_page_itself(functions: Functions) -> None:
    chromium = shutil.which("chromium")
    requests: list[str] = []
    with ExitStack() as stack:
        url = stack.enter_context(console(ADDRESS, "emq-elb-test-widget", functions))
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium, args=QUIET)
        stack.callback(browser.close)
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        page.locator("table.emq-elb tbody tr").first.wait_for()
    assert requests
    assert all(request.startswith(url) for request in requests)
