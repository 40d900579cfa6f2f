"""`make pictures`: the form of the shipped deployment in the Prefect UI, whole, then with its lists open and their prices.

Needs what `docs/pictures.py` needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from dailies.prefect_api.server import LocalServer, local_server

HERE = Path(__file__).resolve().parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DEPLOYMENT = "generate-clips/generate-clips"
SIZE, WHOLE = (1280, 900), (1280, 3600)
LISTS = ("provider", "model")
PATIENCE_MS = 180_000


def main() -> None:
    """Deploy to a server of our own, open the form, and write a picture for each list."""
    with tempfile.TemporaryDirectory() as home, local_server(Path(home), on_wait=print) as server:
        environ = os.environ | server.environment()
        subprocess.run([sys.executable, "deployments/deploy.py"], cwd=HERE.parent, env=environ, check=True)
        look(server)


def look(server: LocalServer) -> None:
    """Open the form of the deployment that stands at this server, and take its pictures."""
    form = httpx.get(f"{server.api_url}/deployments/name/{DEPLOYMENT}", trust_env=False).json()["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.set_default_timeout(PATIENCE_MS)
        address = f"{server.ui_url}/deployments/deployment/{form}/run"
        _whole(page, address)
        for name in LISTS:
            page.goto(address)
            _opened(page, name)
            page.screenshot(path=HERE / "screenshots" / f"prefect-form-{name}.png")
        browser.close()


def _whole(page: Page, address: str) -> None:
    """The form from its first field to the limits that are filled in, in one picture."""
    page.set_viewport_size({"width": WHOLE[0], "height": WHOLE[1]})
    page.goto(address)
    page.get_by_text("Validate parameters").first.wait_for()
    page.wait_for_load_state("networkidle")
    last = page.get_by_text("rows (Optional)", exact=True).bounding_box()
    height = last["y"] if last else WHOLE[1]
    clip = {"x": 0.0, "y": 0.0, "width": float(WHOLE[0]), "height": height}
    page.screenshot(path=HERE / "screenshots" / "prefect-form.png", clip=clip)  # type: ignore[arg-type]
    page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})


def _opened(page: Page, name: str) -> None:
    """The list of one field, open and in sight."""
    field = page.locator(
        f"xpath=//*[normalize-space(text())='{name} (Optional)']/following::*[@class][contains(@class,'p-select')][1]"
    )
    field.scroll_into_view_if_needed()
    field.locator("button").first.press("ArrowDown")
    page.wait_for_timeout(1000)


if __name__ == "__main__":
    main()
