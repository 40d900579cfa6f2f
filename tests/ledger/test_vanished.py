"""What is written to a SQLite file that nobody will find again counts as not written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dailies.domain.creates import Accepted, Doubtful, KnownAttempt
from dailies.domain.states import State
from dailies.ledger import Ledger, Spool
from dailies.ledger.file import LedgerVanished
from dailies.ledger.rescue import rescue
from tests.ledger.factories import bring_to, claim, open_ledger, plan

HANDS: dict[str, Callable[[Path], object]] = {
    "folder deleted": lambda home: shutil.rmtree(home),
    "folder renamed": lambda home: home.rename(home.with_name("elsewhere")),
    "file deleted": lambda home: (home / "ledger.db").unlink(),
    "file renamed": lambda home: (home / "ledger.db").rename(home / "ledger.old"),
    "replaced by a copy": lambda home: Path(shutil.copy(home / "ledger.db", home / "copy")).rename(home / "ledger.db"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a ledger in use."""
    return tmp_path / "home"


@pytest.fixture
def in_use(home: Path) -> Ledger:
    """The ledger in it."""
    return open_ledger(f"sqlite:///{home / 'ledger.db'}")


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_nothing_is_claimed_any_more(home: Path, in_use: Ledger, hand: Callable[[Path], object]) -> None:
    first, second = plan(in_use, 2)
    claim(in_use, first)
    hand(home)
    with pytest.raises(LedgerVanished, match=r"deleted, renamed or replaced .* nothing more is bought"):
        claim(in_use, second)
    assert in_use.attempts(second) == ()
    in_use.close()


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
@pytest.mark.parametrize("outcome", [Accepted("gen-1"), Doubtful("answer lost")], ids=lambda outcome: outcome.kind)
def test_an_answer_counts_as_not_taken(
    home: Path, in_use: Ledger, hand: Callable[[Path], object], outcome: Accepted | Doubtful
) -> None:
    known = KnownAttempt(claim(in_use, plan(in_use)[0]))
    hand(home)
    with pytest.raises(LedgerVanished):
        in_use.tell(known, outcome)
    told = in_use.attempt(known.attempt.id)
    assert told and told.state is not State.SUBMITTING, "the open file has it all the same"
    with pytest.raises(LedgerVanished):
        in_use.renew()
    in_use.close()


def test_no_new_connection_makes_an_empty_ledger_in_its_place(home: Path, in_use: Ledger) -> None:
    in_use.engine.dispose()
    shutil.rmtree(home)
    home.mkdir()
    with pytest.raises(LedgerVanished):
        in_use.unfinished()
    assert list(home.iterdir()) == []


def test_what_was_in_hand_is_taken_in_by_a_ledger_that_never_heard_of_it(
    home: Path, in_use: Ledger, tmp_path: Path
) -> None:
    held = [State.SUBMITTED, State.COMPLETED, State.STORED, State.IN_DOUBT, State.ORPHANED]
    keys = plan(in_use, len(held) + 1)
    for state, key in zip(held, keys, strict=False):
        bring_to(in_use, state, key)
    claim(in_use, keys[-1])  # its answer is still to come
    shutil.rmtree(home)
    spool = Spool(home / "spool")
    assert rescue(in_use, spool, in_use.opened_at) == rescue(in_use, spool, in_use.opened_at) == len(spool) == len(held)
    anew = open_ledger(f"sqlite:///{tmp_path / 'anew.db'}")
    for _, spooled in spool:
        anew.tell(spooled.known, spooled.outcome)
    after = [anew.attempts(key) for key in keys]
    assert [attempts[0].state for attempts in after[:-1]] == [
        State.SUBMITTED, State.COMPLETED, State.SUBMITTED, State.IN_DOUBT, State.SUBMITTED,
    ]  # fmt: skip
    assert after[-1] == ()
    in_use.close()
    anew.close()
