"""A local Prefect server that comes up while something else is done, for a run that will probably need it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dailies.cli.screen import say
from dailies.planning.request import BatchRequest
from dailies.prefect_api.address import configured_api_url
from dailies.prefect_api.server import LocalServer, local_server


class Ahead:
    """A local server that starts in a thread, from `begin` or else from `take` on, and is used until `end`.

    A start that nobody took is given up at the end, at once; a server that was up already ends as after its last user.
    What the start is at is said once somebody waits for it.
    """

    def __init__(self, home: Path) -> None:
        self._given_up, self._awaited, self._unsaid = threading.Event(), threading.Event(), ""
        self._server = local_server(home, on_wait=self._wait, given_up=self._given_up.is_set)
        self._starting: Future[LocalServer] | None = None

    def begin(self) -> Future[LocalServer]:
        """Let it start now; the future is the server, or why there is none."""
        if self._starting is None:
            threads = ThreadPoolExecutor(1, "prefect-server")
            self._starting = threads.submit(self._server.__enter__)
            threads.shutdown(wait=False)
        return self._starting

    def take(self) -> LocalServer:
        """The server, waited for. Blocks; raises Misconfigured without one."""
        starting = self.begin()
        self._awaited.set()
        if self._unsaid and not starting.done():
            say(self._unsaid)
        return starting.result()

    def end(self) -> None:
        """Use it no longer; the last user waits until its history is written and it has ended. Blocks."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        self._given_up.set()
        if starting.exception() is None:
            self._server.__exit__(None, None, None)

    def _wait(self, text: str) -> None:
        if self._awaited.is_set():
            say(text)
        else:
            self._unsaid = text


@contextmanager
def starting(home: Path) -> Iterator[Ahead]:
    """A local server that begins to start now, and is used until the block's end."""
    ahead = Ahead(home)
    try:
        ahead.begin()
        yield ahead
    finally:
        ahead.end()


@contextmanager
def server_ahead(home: Path, order: BatchRequest) -> Iterator[Ahead | None]:
    """Where a run will need a local server: one that comes up while the rest of the program is loaded and the batch is checked
    and priced, or is given up."""
    there = "://" in order.prompts or Path(order.prompts).expanduser().is_file()
    if not there or order.only or configured_api_url():
        yield None
        return
    with starting(home) as ahead:
        yield ahead
