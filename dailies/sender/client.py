"""Starts a flow's sender for its first create, and another one when that has ended before the flow."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import count

import anyio.to_thread

from dailies.environment import variables
from dailies.errors import NotSent
from dailies.ledger import Ledger
from dailies.sender.address import absolute_url
from dailies.sender.handover import started_with
from dailies.sender.line import Line, PendingCreate, Process, ended
from dailies.sender.protocol import Hello, Purchase, Ready, Repetition, Unable, framed, read_message
from dailies.settings import FAILPOINTS, Settings

NOTHING_SENT = "Nothing was sent, nothing was charged"
FAILED_STARTS = 3
"""After so many in a row no more are tried in this run."""
NOT_FOR_THE_SENDER = ("AWS_", "PREFECT_", "DAILIES_")
"""Variables that it does not need: its settings, with the keys, come over the socket. (Failpoints are kept.)"""


class Sender:
    """The way to a process that claims, sends and records creates, and that this process's end does not end."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._lines: list[Line] = []
        self._numbers = count(1)
        self._starting = asyncio.Lock()
        self._failed: list[str] = []
        self.owners: set[str] = set()
        """Under which names senders of this flow stand, or stood, in the ledger."""

    async def order(self, purchase: Purchase | Repetition) -> PendingCreate:
        """Have a clip bought. Raises NotSent when no process can be started that would do it."""
        line = await self._line()
        return await line.order(next(self._numbers), purchase)

    @property
    def under_way(self) -> list[PendingCreate]:
        """The creates whose answer is waited for at this moment."""
        return [create for line in self._lines for create in line.pending.values() if not create.parked]

    async def close(self) -> None:
        """Let the sender go. What it still has in hand it finishes."""
        for line in self._lines:
            await line.close()

    async def _line(self) -> Line:
        async with self._starting:
            self._lines = [line for line in self._lines if not line.closing or line.pending]
            for line in self._lines:
                if not line.closing:
                    return line
            if len(self._failed) >= FAILED_STARTS:
                raise NotSent(self._failed[-1])
            try:
                line = await self._start()
            except NotSent as error:
                self._failed.append(str(error))
                raise
            self._failed.clear()
            self._lines.append(line)
            return line

    async def _start(self) -> Line:
        try:
            process, ours = await anyio.to_thread.run_sync(start_process)
        except OSError as error:
            raise NotSent(f"the process that sends can't be started: {error.strerror}. {NOTHING_SENT}") from error
        reader, writer = await asyncio.open_connection(sock=ours)
        with suppress(OSError):
            writer.write(framed(self._hello()))
            await writer.drain()
        match await read_message(reader):
            case Ready() as ready:
                self.owners.add(ready.owner)
                return Line(process, reader, writer, ready)
            case Unable(detail):
                words = f"the process that sends can't work: {detail}"
            case _:
                words = "the process that sends ended at its start"
        writer.close()
        await ended(process)
        raise NotSent(f"{words}. {NOTHING_SENT}")

    def _hello(self) -> Hello:
        address = absolute_url(self._ledger.engine.url)
        settings = self._settings.model_copy(update={"dailies_ledger_url": address})
        return Hello(settings, str(self._ledger.owner), self._ledger.began_at, self._ledger.file)


def start_process() -> tuple[Process, socket.socket]:
    """A sender in a session of its own, without a console, and this end of the socket to it. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = started_with(theirs, [sys.executable, "-m", "dailies.sender"], sender_environment(variables()))
        except OSError:
            ours.close()
            raise
    return process, ours


def sender_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the sender's process sees: no key, and where this process imports from."""
    kept = {
        name: value
        for name, value in environ.items()
        if name == FAILPOINTS or not (name.startswith(NOT_FOR_THE_SENDER) or name.endswith("_API_KEY"))
    }
    path = os.pathsep.join(entry for entry in sys.path if os.path.isabs(entry))  # a working directory may be gone
    return kept | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
