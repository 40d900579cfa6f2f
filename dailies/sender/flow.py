"""The flow at the other end of a sender's socket, as far as it is still there."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from dailies.sender.protocol import Message, Said, framed

create_in_hand: ContextVar[int | None] = ContextVar("dailies_create_in_hand", default=None)
"""The create that the running task carries out: what it logs belongs to the flow's task that waits for it."""
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Flow:
    """Replies and log lines on their way to the flow. Nothing here waits for it, or fails because it is gone."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self.gone = False

    def tell(self, message: Message) -> None:
        """Hand a message over, if anybody is there to take it."""
        if not self.gone and not self._writer.is_closing():
            self._writer.write(framed(message))

    def tell_from_any_thread(self, message: Message) -> None:
        """The same for callers outside the event loop."""
        with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(self.tell, message)

    @contextmanager
    def hears_the_log(self, home: Path) -> Iterator[None]:
        """Send the warnings of creates to the flow; once it is gone, write them into a file of this process in `home`.

        The file is made by its first line: a sender that has nothing to tell leaves none.
        """
        handler = _ToTheFlow(self, home)
        ours = logging.getLogger("dailies")
        ours.addHandler(handler)
        try:
            yield
        finally:
            ours.removeHandler(handler)
            handler.close()

    async def end(self) -> None:
        """Close the socket once all that was told is on its way."""
        with suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()


class _ToTheFlow(logging.Handler):
    def __init__(self, flow: Flow, home: Path) -> None:
        super().__init__(logging.WARNING)
        self._flow = flow
        self._home = home
        self._file: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        create = create_in_hand.get()
        if create is None:
            return
        try:
            if not self._flow.gone:
                self._flow.tell_from_any_thread(Said(create, record.name, record.levelno, self.format(record)))
                return
            self._in_a_file().emit(record)
        except Exception:  # noqa: BLE001 - a line that can't be written must not end a create
            self.handleError(record)

    def _in_a_file(self) -> logging.Handler:
        if self._file is None:
            self._file = logging.FileHandler(self._home / f"sender-{os.getpid()}.log", encoding="utf-8")
            self._file.setFormatter(logging.Formatter(LINE))
        return self._file

    def close(self) -> None:
        if self._file:
            self._file.close()
        super().close()
