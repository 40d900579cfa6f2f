"""A browser for the page's tests, and a small web server for the folder it is in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 60_000
"""How long a page may take on a crowded machine: what comes at once costs nothing of it."""
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass
class Visit:
    """An open page with all that it said and asked for."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def no_dialog(self, dialog: Dialog) -> None:
        """A dialog is what a script of a stranger would open."""
        self.complaints.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def elsewhere(self) -> list[str]:
        """Requests to anything but the page's own folder."""
        return [url for url in self.requests if not url.startswith((self.base, "data:"))]


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module at a time: as long as it runs, no other test could run an event loop in this thread."""
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip(f"{CHROMIUM} is not installed: the page's browser tests did not run")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a page below `tmp_path`: `visit("report/report.html", on_disk=True, width=390, color_scheme="dark")`."""
    contexts = []
    with served(tmp_path) as url:

        def go(name: str, on_disk: bool = False, width: int = 1280, height: int = 900, **options: Any) -> Visit:
            base = tmp_path.as_uri() if on_disk else url
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            contexts.append(context)
            context.set_default_timeout(PATIENCE_MS)
            seen = Visit(context.new_page(), base)
            seen.page.on("console", lambda message: seen.complaints.append(message.text))
            seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
            seen.page.on("request", lambda request: seen.requests.append(request.url))
            seen.page.on("dialog", seen.no_dialog)
            seen.page.goto(f"{base}/{name}")
            seen.page.wait_for_selector("html[data-ready]", state="attached")
            return seen

        yield go
        for context in contexts:
            context.close()


def until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression holds. Playwright's own wait needs `eval`, which the page's policy forbids."""
    page.evaluate(
        f"() => new Promise((done) => {{ const look = () => {condition} ? done() : requestAnimationFrame(look); look(); }})"
    )


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a free loopback port, as a web server shows a bucket."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
