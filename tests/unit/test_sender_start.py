"""How a flow's sender comes up: on the same ledger as its flow, with few connections, and not again and again for nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
import pytest

from dailies.errors import NotSent
from dailies.ledger import Ledger, Owner, open_engine
from dailies.ledger.file import LedgerVanished
from dailies.sender import client, process
from dailies.sender.client import Sender
from dailies.sender.protocol import Hello, Unable, framed, read_message
from dailies.settings import Settings

PURCHASE: Any = SimpleNamespace(provider="aiml")


def hello(ledger: Ledger, home: Path) -> Hello:
    """What a flow tells its sender first."""
    settings = Settings(dailies_home=home, dailies_ledger_url=str(ledger.engine.url))
    return Hello(settings, str(ledger.owner), datetime.now(UTC), ledger.file)


def test_a_sender_that_finds_another_file_at_its_ledgers_path_opens_nothing(tmp_path: Path) -> None:
    """It would claim in an empty ledger what its flow has bought long ago."""
    file = tmp_path / "ledger.db"
    ledger = Ledger(open_engine(f"sqlite:///{file}"), Owner.this_process())
    greeting = hello(ledger, tmp_path)
    process.open_ledger(greeting).engine.dispose()
    file.rename(tmp_path / "renamed.db")
    with pytest.raises(LedgerVanished):
        process.open_ledger(greeting)
    assert not file.exists(), "and makes none"
    open_engine(f"sqlite:///{file}").dispose()  # another one, made by somebody else
    with pytest.raises(LedgerVanished):
        process.open_ledger(greeting)
    ledger.engine.dispose()


def test_a_sender_asks_the_ledger_three_things_at_once_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call holds a connection, and Postgres has a hundred for all runs together."""
    ledger = Ledger(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}"), Owner.this_process())
    at_work, most, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.05)
        with lock:
            at_work -= 1

    def refuses(_hello: Hello) -> Ledger:
        raise LedgerVanished("not today")

    async def serving() -> object:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        writer.write(framed(hello(ledger, tmp_path)))
        await process.serve(theirs, asyncio.Event())
        async with anyio.create_task_group() as calls:
            for _ in range(12):
                calls.start_soon(anyio.to_thread.run_sync, call)
        said = await read_message(reader)
        writer.close()
        return said

    monkeypatch.setattr(process, "open_ledger", refuses)
    assert isinstance(asyncio.run(serving()), Unable)
    assert most == 3
    ledger.engine.dispose()


def test_a_sender_that_can_not_be_started_is_tried_three_times_in_a_run_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of ten thousand rows starts no ten thousand processes."""
    ledger = Ledger(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}"), Owner.this_process())
    started = 0

    def start() -> Any:
        nonlocal started
        started += 1
        raise OSError(11, "Resource temporarily unavailable")

    async def orders() -> None:
        sender = Sender(Settings(dailies_home=tmp_path), ledger)
        for _ in range(7):
            with pytest.raises(NotSent, match=r"can't be started: Resource temporarily unavailable\. Nothing was sent"):
                await sender.order(PURCHASE)

    monkeypatch.setattr(client, "start_process", start)
    asyncio.run(orders())
    assert started == 3
    ledger.engine.dispose()
