"""When the local Prefect server may end, and when its database needs no upgrade."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from dailies.prefect_api.schema import SCHEMA_FILE, is_current, note_current
from dailies.prefect_api.serve import END_WRITES, SETTLE_S, History, Progress, Streams, end_when_unused
from dailies.prefect_api.server import open_lock
from dailies.prefect_api.waiting import DATABASE
from dailies.system import try_lock


class Events:
    """What a server has seen of events, and a clock."""

    def __init__(self) -> None:
        self.now, self.seen = 0.0, {"count": 0, "waiting": 0, "at_work": 0}
        self.history = History(self._progress, clock=lambda: self.now)

    def _progress(self) -> Progress:
        count, waiting, at_work = self.seen.values()
        return Progress((count,), waiting, at_work, delivered=count)

    def settled_after(self, seconds: float, **change: int) -> bool:
        self.now += seconds
        self.seen |= change
        return self.history.settled()


def test_a_long_history_is_settled_only_after_nothing_has_moved_or_waited_for_a_while() -> None:
    settled_after, many = Events().settled_after, END_WRITES + 1
    assert not settled_after(SETTLE_S, count=many)  # it moved just now
    assert not settled_after(SETTLE_S / 2)
    assert settled_after(SETTLE_S / 2)
    assert not settled_after(SETTLE_S, waiting=1)
    assert not settled_after(SETTLE_S)  # nothing moves, but something waits
    assert not settled_after(SETTLE_S / 2, waiting=0, count=2 * many)
    assert settled_after(SETTLE_S)


def test_what_the_servers_end_writes_at_once_needs_no_waiting() -> None:
    settled_after = Events().settled_after
    assert settled_after(0.1, count=END_WRITES)
    assert not settled_after(0, waiting=1)
    assert not settled_after(0, waiting=0, at_work=1), "a handler may be about to write, or a client about to send"
    assert settled_after(0, at_work=0)
    assert not settled_after(0, count=END_WRITES + 1), "more than it writes in one go"
    assert settled_after(SETTLE_S)
    assert settled_after(0, count=2 * END_WRITES + 1), "what came before is written"


async def streamed(path: str, kind: str = "websocket") -> tuple[int, int]:
    """How many streams of events are open while an app serves a connection, and afterwards."""
    during = []

    async def app(*_: Any) -> None:
        during.append(streams.open)

    streams = Streams(app)
    await streams({"type": kind, "path": path}, AsyncMock(), AsyncMock())
    return during[0], streams.open


def test_a_stream_of_events_is_open_until_all_that_was_sent_on_it_is_read() -> None:
    assert asyncio.run(streamed("/api/events/in")) == (1, 0)
    assert asyncio.run(streamed("/api/events/out")) == (0, 0)
    assert asyncio.run(streamed("/api/logs/", kind="http")) == (0, 0)


class Stopped:
    """Stands for uvicorn's server."""

    should_exit = False


@pytest.mark.parametrize(("told", "used"), [(True, False), (False, False), (True, True)])
def test_a_server_ends_when_its_last_user_says_that_it_left_and_not_under_another(
    tmp_path: Path, told: bool, used: bool
) -> None:
    server, lock = Stopped(), tmp_path / "users.lock"
    own, other = open_lock(lock), open_lock(lock)
    assert not used or try_lock(other, alone=False)

    async def watched() -> None:
        left = asyncio.Event()
        if told:
            left.set()
        watch = asyncio.create_task(end_when_unused(cast("Any", server), own, Events().history, left))
        await asyncio.wait({watch}, timeout=0)
        for _ in range(3):
            await asyncio.sleep(0)
        watch.cancel()

    asyncio.run(watched())
    assert server.should_exit is (told and not used)
    for descriptor in (own, other):
        os.close(descriptor)


def database(folder: Path, revision: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.executescript("DROP TABLE IF EXISTS alembic_version; CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()


def test_a_schema_is_current_only_for_the_very_database_and_prefect_that_were_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_current(tmp_path)
    database(tmp_path, "a")
    assert not is_current(tmp_path), "nobody has noted it"
    note_current(tmp_path)
    assert is_current(tmp_path)
    database(tmp_path, "b")
    assert not is_current(tmp_path), "another database stands there"
    note_current(tmp_path)
    monkeypatch.setattr("dailies.prefect_api.schema.version", lambda _: "4.0")
    assert not is_current(tmp_path), "another Prefect opens it"
    (tmp_path / DATABASE).write_bytes(b"no database " * 1000)
    assert not is_current(tmp_path)
    (tmp_path / SCHEMA_FILE).write_text("no JSON")
    note_current(tmp_path)
    assert not is_current(tmp_path)
