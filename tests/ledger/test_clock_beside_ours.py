"""A machine whose clock is not that of the ledger's database goes by the database's, and says so when it starts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from dailies.ledger import reader
from dailies.runtime import open_runtime
from dailies.settings import load_settings
from tests.ledger.factories import open_ledger

BEHIND = timedelta(minutes=7)


class Late(datetime):
    """A clock that is behind."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) - BEHIND


def said_at_the_start(url: str, home: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What opening a run's runtime on this ledger says of clocks."""

    async def run() -> None:
        async with open_runtime(load_settings({"dailies_ledger_url": url, "dailies_home": home}, dotenv=False), False):
            pass

    asyncio.run(run())
    return [line for line in caplog.messages if "clock" in line]


def test_a_clock_that_is_behind_the_database_s_is_said_once(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reader, "datetime", Late)
    (line,) = said_at_the_start(postgres_url, tmp_path, caplog)
    assert "ours is 420 s behind" in line
    ledger = open_ledger(postgres_url)
    assert abs(ledger.now() - datetime.now(UTC)) < timedelta(minutes=1), "leases go by the database's clock"


def test_clocks_that_agree_are_not_spoken_of(ledger_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert said_at_the_start(ledger_url, tmp_path, caplog) == []


def test_a_ledger_in_a_file_has_the_clock_of_its_machine(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reader, "datetime", Late)
    assert said_at_the_start(sqlite_url, tmp_path, caplog) == []
