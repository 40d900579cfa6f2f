"""Another ledger in DAILIES_HOME: while it knows of money that the configured one does not, nothing is bought."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger import Ledger
from dailies.ledger.beside import UNSETTLED, Unsettled, refuse_unsettled_beside, unsettled_in
from dailies.ledger.seal import SEALED
from tests.ledger.factories import FakeClock, bring_to, claim, ledgers_on, plan, store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "it's home"
    folder.mkdir()
    return folder


@pytest.fixture
def theirs(home: Path, clock: FakeClock) -> Iterator[Ledger]:
    """The ledger in DAILIES_HOME."""
    with ledgers_on(f"sqlite:///{home / 'ledger.db'}", clock) as make:
        yield make()


@pytest.fixture
def ours(tmp_path: Path, clock: FakeClock) -> Iterator[Ledger]:
    """The configured one."""
    with ledgers_on(f"sqlite:///{tmp_path / 'ours.db'}", clock) as make:
        yield make()


def refusal(home: Path, ledger: Ledger) -> str:
    with pytest.raises(Misconfigured) as caught:
        refuse_unsettled_beside(home, ledger)
    assert caught.value.trouble == "ledger-elsewhere"
    return str(caught.value)


@pytest.mark.parametrize("state", State)
def test_what_is_paid_or_maybe_and_not_home_stands_in_the_way(
    home: Path, theirs: Ledger, ours: Ledger, state: State
) -> None:
    attempt = bring_to(theirs, state)
    found = unsettled_in(home / "ledger.db")
    if state in UNSETTLED:
        assert found == [Unsettled(attempt.id, attempt.clip_key, Decimal("1.26"))]
        assert f"{home / 'ledger.db'} holds 1 clip ($1.26 at risk) paid for or in doubt" in refusal(home, ours)
    else:
        assert found == []
        refuse_unsettled_beside(home, ours)


def test_what_came_home_late_or_never_will_does_not(home: Path, theirs: Ledger, ours: Ledger) -> None:
    first, second = plan(theirs, 2)
    store(theirs, theirs.record_completed(bring_to(theirs, State.ORPHANED, first), "https://cdn.example/a.mp4"))
    late = bring_to(theirs, State.ORPHANED, second)
    theirs.generation_failed(late, "the upstream failed")
    refuse_unsettled_beside(home, ours)


def test_the_clips_are_counted_and_their_attempts_summed(home: Path, theirs: Ledger, ours: Ledger) -> None:
    first, second = plan(theirs, 2)
    theirs.resubmit(bring_to(theirs, State.IN_DOUBT, first).id, "we need it today")
    claim(theirs, first)
    bring_to(theirs, State.COMPLETED, second)
    assert "holds 2 clips ($2.52 at risk)" in refusal(home, ours), "what was given up is nobody's any more"


def test_into_an_empty_ledger_it_is_moved_and_beside_one_with_clips_brought_home(
    home: Path, theirs: Ledger, ours: Ledger
) -> None:
    bring_to(theirs, State.SUBMITTED)
    said = refusal(home, ours)
    assert f"of which the configured ledger {ours.engine.url} knows nothing: buying now could pay twice." in said
    assert said.endswith("Nothing was bought. Move it there first: dailies ledger copy")
    bring_to(ours, State.STORED)
    _, _, cure = refusal(home, ours).partition("Bring them home first: ")
    assert shlex.split(cure) == [f"DAILIES_LEDGER_URL=sqlite:///{home / 'ledger.db'}", "dailies", "collect"]


def test_what_both_know_is_no_reason(home: Path, theirs: Ledger, ours: Ledger) -> None:
    attempt = bring_to(theirs, State.SUBMITTED)
    with sqlite3.connect(str(ours.engine.url.database)) as connection:
        connection.execute(f"ATTACH '{str(home / 'ledger.db').replace(chr(39), chr(39) * 2)}' AS theirs")
        for table in ("clip", "attempt"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM theirs.{table}")
    assert ours.knows(attempt.id)
    refuse_unsettled_beside(home, ours)


def test_its_own_ledger_none_at_all_and_one_that_was_moved_elsewhere_are_none_beside(
    home: Path, theirs: Ledger, ours: Ledger, tmp_path: Path
) -> None:
    bring_to(theirs, State.SUBMITTED)
    refuse_unsettled_beside(home, theirs)
    refuse_unsettled_beside(tmp_path / "nowhere", ours)
    with sqlite3.connect(home / "ledger.db") as connection:
        connection.execute("INSERT INTO meta (name, value) VALUES (?, 'x')", (SEALED,))
    assert unsettled_in(home / "ledger.db") == []
    refuse_unsettled_beside(home, ours)


def test_a_file_that_is_no_ledger_is_one_without_clips_unless_it_can_not_be_read(home: Path, ours: Ledger) -> None:
    file = home / "ledger.db"
    file.touch()
    refuse_unsettled_beside(home, ours)
    file.write_bytes(b"no database at all, whatever it is called " * 50)
    said = refusal(home, ours)
    assert said.startswith(f"there is a ledger {file} beside the configured one, and it can't be read (")
    assert said.endswith("Nothing was bought. Mend it, or move it out of DAILIES_HOME")
