"""One list of the files in which prompts stand beside the ledger, and when each may go."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dailies.domain.creates import Accepted, KnownAttempt
from dailies.ledger import Spool
from dailies.ledger.copies import copy_beside
from dailies.ledger.engine import connect
from dailies.ledger.remains import KEPT_FOR, Kind, remains_in
from dailies.ledger.spool import Spooled
from tests.ledger.factories import an_attempt

ATTEMPT = f"{'0a' * 8}.{'0b' * 12}"
DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which everything of the kind was left once, by the code that leaves it."""
    spool = Spool(tmp_path / "spool")
    spool.put(Spooled(KnownAttempt(an_attempt(id=ATTEMPT)), Accepted("gen-1")))
    spool.put(Spooled(KnownAttempt(an_attempt(id=ATTEMPT)), Accepted("gen-2")))
    spool.keep_answer(ATTEMPT, b"<html>")
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    copy_beside(engine, 7)
    engine.dispose()
    (tmp_path / "sender-77.log").write_text("a line")
    (tmp_path / "reports").mkdir()
    return tmp_path


def test_every_file_that_was_left_is_listed_with_the_attempt_that_it_speaks_of(home: Path) -> None:
    found = [(one.kind, one.attempt_id) for one in remains_in(home)]
    assert sorted(found, key=str) == sorted(
        [(Kind.SPOOLED, ATTEMPT), (Kind.SPOOLED, ATTEMPT), (Kind.ANSWER, ATTEMPT), (Kind.COPY, None), (Kind.SENDERS_LOG, None)],
        key=str,
    )  # fmt: skip
    listed = {one.path for one in remains_in(home)}
    assert {path for path in home.rglob("*") if path.is_file()} - listed == {home / "ledger.db"}


def test_copies_of_a_ledger_that_lies_elsewhere_are_listed_too(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("elsewhere") / "books.db"
    engine = connect(f"sqlite:///{file}")
    copy = copy_beside(engine, 3)
    engine.dispose()
    assert copy in {one.path for one in remains_in(home, file)}


def test_each_is_due_after_its_time_and_never_while_its_attempt_is_unsettled(home: Path) -> None:
    now = datetime.now(UTC)
    for one in remains_in(home):
        kept_for = KEPT_FOR[one.kind]
        assert not one.is_due(now, [])
        if kept_for is None:
            assert not one.is_due(now + 9999 * DAY, []), "what the ledger has not taken has no end"
            continue
        assert not one.is_due(now + kept_for - DAY, []) and one.is_due(now + kept_for + DAY, [])
        assert one.is_due(now + kept_for + DAY, [ATTEMPT]) is (one.attempt_id is None)


def test_a_file_that_was_written_again_is_kept_from_then_on(home: Path) -> None:
    log = home / "sender-77.log"
    later = datetime.now(UTC) + 20 * DAY
    os.utime(log, (later.timestamp(), later.timestamp()))
    [one] = [one for one in remains_in(home) if one.path == log]
    assert not one.is_due(later + 29 * DAY, []) and one.is_due(later + 31 * DAY, [])
