"""Pictures of the Prefect UI by a headless Chromium, and the text that stands in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import UUID

from playwright.sync_api import Page, sync_playwright

from tests.e2e.forks import ROOT
from tests.flows.factory import Api
from tests.report.conftest import CHROMIUM, FLAGS

KEEP = "KEEP_SCREENSHOTS"
"""Set it, and the pictures are kept in docs/screenshots."""


def take_pictures(api: Api, run_id: UUID, folder: Path) -> dict[str, str]:
    """Open the pages that people look at. Returns each page's text."""
    base = api.url.removesuffix("/api")
    form = api.ask(lambda client: client.read_deployment_by_name("generate-clips/generate-clips")).id
    body = {"artifacts": {"key": {"any_": ["totals-monday"]}}, "limit": 1}
    totals = api.post("/artifacts/filter", body)[0]["id"]
    pages = {
        "run": (f"/runs/flow-run/{run_id}", "Subflow Runs", 1000),
        "artifacts": ("/artifacts", "clips-monday", 800),
        "totals": (f"/artifacts/artifact/{totals}", "delivered earlier", 1300),
        "form": (f"/deployments/deployment/{form}/run", "Validate parameters", 3336),
        "automations": ("/automations", "a run without a heartbeat", 1100),
    }
    texts = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        for name, (path, wanted, height) in pages.items():
            texts[name] = _picture(page, base + path, wanted, height, folder / f"prefect-{name}.png")
        browser.close()
    if os.environ.get(KEEP):
        for picture in folder.glob("prefect-*.png"):
            shutil.copy(picture, ROOT / "docs" / "screenshots" / picture.name)
    return texts


def picture_of_alerts(prometheus: str) -> None:
    """The page of alerts of Debian's Prometheus, with what fires and what waits, as docs/screenshots/prometheus-alerts.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(f"{prometheus}/classic/alerts")
        page.get_by_text("DailiesProviderHalted").first.click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=ROOT / "docs" / "screenshots" / "prometheus-alerts.png")
        browser.close()


def _picture(page: Page, url: str, wanted: str, height: int, file: Path) -> str:
    page.set_viewport_size({"width": 1280, "height": height})
    page.goto(url)
    page.get_by_text(wanted).first.wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file)
    return page.locator("body").inner_text()
