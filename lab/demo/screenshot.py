"""The README's picture: the upper part of the last demo's report, as a browser shows it."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.demo.demo import REPORT

PICTURE = Path(__file__).parents[2] / "docs" / "demo.png"
CHROMIUM = "/usr/bin/chromium"
WIDTH = 1200
MARGIN = 24


def screenshot(report: Path = REPORT, picture: Path = PICTURE) -> int:
    """Write the picture and return the exit status; the report is that of the last `make demo`."""
    if not report.exists():
        print("There is no report yet. Please type:  make demo", file=sys.stderr)
        return 1
    # A package of the tests: the demo does not need it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": WIDTH}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        drawn = page.locator(".picture").bounding_box()
        height = drawn["y"] + drawn["height"] + MARGIN if drawn else WIDTH
        clip = {"x": 0.0, "y": 0.0, "width": float(WIDTH), "height": float(height)}
        page.screenshot(path=picture, full_page=True, clip=clip)  # type: ignore[arg-type] # a TypedDict of these
        browser.close()
    print(f"{picture.resolve()} shows {report.resolve()}")
    return 0
