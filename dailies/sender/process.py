"""The sender's own process, from its first message to its end: `python -m dailies.sender SOCKET`.

It has no console, ignores what ends a terminal, and ends by itself when nothing is in hand and nobody orders any more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress

import anyio
import anyio.to_thread

from dailies.errors import DailiesError, describe_error
from dailies.ledger import Ledger, Owner, Spool, open_engine
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.sender.clock import unstoppable_clock
from dailies.sender.desk import Desk
from dailies.sender.flow import Flow
from dailies.sender.handover import received
from dailies.sender.protocol import Buy, GiveUp, Hello, Ready, SendAgain, Unable, read_message
from dailies.system import ignore, signals

LEDGER_CALLS_AT_ONCE = 3
"""Each holds a connection to the ledger: many runs share the hundred that Postgres allows by default."""
QUIET = ("httpx", "httpcore", "asyncio")


def main(handed_over: str) -> None:
    """Serve the flow at the other end of this socket."""
    os.umask(0o077)
    ignore(signals("SIGINT", "SIGHUP", "SIGTERM", "SIGBREAK"))
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)  # their lines hold headers and signed URLs
    asyncio.run(_until_nobody_orders(received(handed_over)))


async def _until_nobody_orders(connection: socket.socket) -> None:
    closing = asyncio.Event()
    with suppress(NotImplementedError):  # Windows has none; nothing there sends this signal either
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, closing.set)
    await serve(connection, closing)


async def serve(connection: socket.socket, closing: asyncio.Event) -> None:
    """Serve one flow until it is gone and its creates are recorded. Once `closing` is set no new order is taken."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = LEDGER_CALLS_AT_ONCE
    reader, writer = await asyncio.open_connection(sock=connection)
    flow = Flow(writer)
    hello = await read_message(reader)
    if isinstance(hello, Hello):
        try:
            ledger = await ledger_call(open_ledger, hello)
        except (DailiesError, *LEDGER_AWAY) as error:
            flow.tell(Unable(describe_error(error)))
        else:
            desk = Desk(hello.settings, ledger, Spool(hello.settings.home / "spool"), flow.tell, unstoppable_clock())
            flow.tell(Ready(os.getpid(), str(ledger.owner)))
            with flow.hears_the_log(hello.settings.home):
                await _work(desk, reader, flow, closing)
                await desk.close()
    await flow.end()


def open_ledger(hello: Hello) -> Ledger:
    """The flow's ledger, for a sender that hands on to the flow what it has bought. Raises LedgerVanished."""
    settings = hello.settings
    if hello.ledger_file:
        hello.ledger_file.require()  # before it is opened, which would make another one
    ledger = Ledger(open_engine(settings.ledger_url), Owner.this_process(), settings.lease_s, heir=hello.heir)
    ledger.began_at = hello.began_at  # what the brake knows of the run's start must not begin anew with another sender
    return ledger


async def _work(desk: Desk, reader: asyncio.StreamReader, flow: Flow, closing: asyncio.Event) -> None:
    leases = asyncio.create_task(desk.keep_leases())
    last_orders = asyncio.create_task(_last_orders(desk, reader, closing))
    async with anyio.create_task_group() as creates:
        while (message := await read_message(reader)) is not None:
            match message:
                case Buy():
                    creates.start_soon(desk.buy, message)
                case SendAgain() | GiveUp():
                    desk.instruct(message)
        flow.gone = True
        desk.flow_ended()
    leases.cancel()
    last_orders.cancel()


async def _last_orders(desk: Desk, reader: asyncio.StreamReader, closing: asyncio.Event) -> None:
    """Told to close: take no new order, and stop listening when all that were taken are done."""
    await closing.wait()
    desk.closing = True
    await desk.idle()
    reader.feed_eof()
