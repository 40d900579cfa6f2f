"""One sender's process as its flow sees it: orders go out, and each create hears what became of it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from dailies.sender.protocol import (
    Buy,
    Claimed,
    GiveUp,
    Message,
    NotTaken,
    Parked,
    Purchase,
    Ready,
    Repetition,
    Reply,
    Result,
    Said,
    SendAgain,
    framed,
    read_message,
)

logger = logging.getLogger("dailies.sender")
ENDS_WITHIN_S = 10.0
"""A sender that has nothing in hand ends at once; one that does not is left to itself."""
POLL_S = 0.02


class Process(Protocol):
    """The part of `subprocess.Popen` that is used."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        ...


async def ended(process: Process) -> None:
    """Return when a process has ended, and leave no zombie."""
    while process.poll() is None:
        await anyio.sleep(POLL_S)


class SenderEnded(Exception):
    """The sender's process ended before it told what became of a create. What it had claimed is in the ledger."""

    def __init__(self, owner: str, attempt_id: str | None) -> None:
        super().__init__("the process that sends has ended")
        self.owner = owner
        self.attempt_id = attempt_id


@dataclass(slots=True)
class PendingCreate:
    """One create that was ordered. `result()` waits for what became of it, once for each time that it was sent."""

    number: int
    provider: str
    line: Line
    replies: asyncio.Queue[Reply | None] = field(default_factory=asyncio.Queue)
    attempt_id: str | None = None
    since: float = field(default_factory=time.monotonic)
    """Since when its answer is waited for, on the monotonic clock."""
    parked: bool = False

    async def claimed(self) -> Result | None:
        """Wait until its claim is on record: then None, else why nothing was sent. Raises SenderEnded."""
        reply = await self._reply()
        if isinstance(reply, Claimed):
            self.attempt_id = reply.attempt_id
            return None
        return self._told(reply)

    async def result(self) -> Result:
        """What became of it, once it is claimed. Raises SenderEnded."""
        reply = await self._reply()
        assert not isinstance(reply, Claimed)
        return self._told(reply)

    async def _reply(self) -> Claimed | Result:
        """The next answer; what the sender logs on the way is logged here, as the caller's."""
        while (reply := await self.replies.get()) is not None:
            if not isinstance(reply, Said):
                return reply
            logging.getLogger(reply.logger).log(reply.level, reply.text)
        raise SenderEnded(self.line.owner, self.attempt_id)

    def _told(self, result: Result) -> Result:
        self.parked = isinstance(result, Parked)
        if not self.parked:
            self.line.forget(self)
        return result

    async def send_again(self) -> Result:
        """Have a parked create sent once more. Returns what became of it."""
        self.since, self.parked = time.monotonic(), False
        await self.line.send(SendAgain(self.number))
        return await self.result()

    async def give_up(self) -> Result:
        """Have a parked create set free."""
        await self.line.send(GiveUp(self.number))
        return await self.result()


class Line:
    """The socket to one sender, and the creates that wait for an answer from it."""

    def __init__(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ready: Ready
    ) -> None:
        self.pid, self.owner = ready.pid, ready.owner
        self.pending: dict[int, PendingCreate] = {}
        self.closing = False
        self._process, self._reader, self._writer = process, reader, writer
        self._listener = asyncio.create_task(self._listen(), context=Context())  # it keeps no task's context alive

    async def order(self, number: int, purchase: Purchase | Repetition) -> PendingCreate:
        """Hand a purchase to the sender."""
        create = self.pending[number] = PendingCreate(number, purchase.provider, self)
        await self.send(Buy(number, purchase))
        return create

    async def send(self, message: Message) -> None:
        """Hand over a message. Where the sender has ended the create's result tells it."""
        with suppress(OSError):
            self._writer.write(framed(message))
            await self._writer.drain()

    def forget(self, create: PendingCreate) -> None:
        """A create is done. A sender that takes no more orders is let go with its last one."""
        self.pending.pop(create.number, None)
        if self.closing and not self.pending:
            self._writer.close()

    async def close(self) -> None:
        """Order no more, and see the process end."""
        self.closing = True
        self._writer.close()
        with anyio.move_on_after(ENDS_WITHIN_S):
            await asyncio.shield(self._listener)
        self._listener.cancel()

    async def _listen(self) -> None:
        try:
            while (message := await read_message(self._reader)) is not None:
                self._hand_on(message)
        except Exception as error:  # noqa: BLE001 - an answer that can't be read: the ledger knows what became of each create
            logger.warning(
                "the sender %d can't be understood (%s); the ledger is asked", self.pid, type(error).__name__
            )
        self.closing = True
        self._writer.close()
        await ended(self._process)  # only then does the ledger know all that it did
        for create in list(self.pending.values()):
            create.replies.put_nowait(None)

    def _hand_on(self, message: Message) -> None:
        if isinstance(message, NotTaken):
            self.closing = True
        if isinstance(message, Reply) and message.create in self.pending:
            self.pending[message.create].replies.put_nowait(message)
