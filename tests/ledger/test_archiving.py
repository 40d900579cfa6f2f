"""Old attempts go to Parquet files: every sum is as before, nothing may be bought that might not, and nothing is lost or twice there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dailies.domain.money import ZERO, sum_usd
from dailies.domain.states import Failure, State
from dailies.errors import BadInput
from dailies.forget import archive as archiving
from dailies.forget.archive import Sums, archive, differing, due
from dailies.ledger import Caps, Ledger, Unclaimed
from dailies.ledger import tables as t
from dailies.ledger.archiving import ARCHIVED
from dailies.ledger.invariants import flaws_of
from dailies.report.credits import credits_of
from tests.ledger.factories import USD, FakeClock, a_clip, a_row, all_attempts, bring_to, claim, plan

GOES = {State.STORED, State.FAILED, State.RESULT_LOST}
"""Of the states that `bring_to` makes: settled and at their ends."""
NUMBERS = count(1)
YEAR = timedelta(days=400)


def planned(ledger: Ledger, prompt: str) -> str:
    """A clip of its own in the one batch."""
    number = next(NUMBERS)
    row = a_row(number, a_clip(f"{prompt} {number}"))
    ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", [row], {row.clip.key: USD}, part=True)
    return row.clip.key


def no_brake(ledger: Ledger) -> None:
    """Answers lost in a row hold nothing up."""
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(t.brake))


def told(ledger: Ledger) -> list[Any]:
    """All that reports, budgets and `status` are made of."""
    rows = [credits_of(batch, ledger.each_row(batch)).lines for batch in sorted(ledger.batches())]
    return [rows, sorted(all_attempts(ledger), key=lambda a: a.id), ledger.unsettled(), ledger.unfinished(),
            [ledger.counted(batch) for batch in sorted(ledger.batches())], ledger.counted()]  # fmt: skip


def archived(ledger: Ledger, folder: Path, age: timedelta = YEAR) -> list[tuple[Path, Sums]]:
    """Everything older than this goes."""
    return list(archive(ledger, folder, ledger.now() - age))


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """Every attempt of every file."""
    return [row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(st.tuples(st.sampled_from(list(State)), st.integers(0, 500)), max_size=6))
def test_whatever_goes_every_sum_is_as_before_and_each_attempt_stands_in_one_file(
    made: list[tuple[State, int]], ledger: Ledger, clock: FakeClock, tmp_path: Path
) -> None:
    for state, days in made:
        no_brake(ledger)
        bring_to(ledger, state, planned(ledger, "old"))
        clock.advance(days * 86_400)
    before = told(ledger)
    expected = due(ledger, ledger.now() - YEAR)
    assert sum((sums.attempts for _, sums in archived(ledger, tmp_path)), 0) == expected.attempts
    assert told(ledger) == before and flaws_of(ledger) == []
    total, wrong = differing(ledger, tmp_path)
    there = {row["attempt"] for row in rows_in(tmp_path)}
    gone = [attempt for attempt in all_attempts(ledger) if attempt.id in there]
    assert (total.attempts, wrong) == (len(there), []) and len(gone) == len(there)
    assert total.usd_quoted == sum_usd(a.usd_quoted for a in gone)
    assert total.usd_charged == sum_usd(a.usd_charged or ZERO for a in gone)
    assert all(len(ledger.history(attempt.id)) == 1 for attempt in gone)
    assert due(ledger, ledger.now() - YEAR) == Sums()


def test_only_what_is_old_settled_and_at_its_end_goes(ledger: Ledger, clock: FakeClock, tmp_path: Path) -> None:
    attempts = {state: bring_to(ledger, state, planned(ledger, "some")) for state in State}
    free = bring_to(ledger, State.IN_DOUBT, planned(ledger, "free"))
    ledger.resolve_free(free.id, "nowhere at the provider")
    clock.advance(YEAR.total_seconds() + 60)
    young = bring_to(ledger, State.STORED, planned(ledger, "young"))
    histories = {attempt.id: ledger.history(attempt.id) for attempt in all_attempts(ledger)}
    ((file, sums),) = archived(ledger, tmp_path)
    there = {row["attempt"]: row for row in pq.read_table(file).to_pylist()}
    assert there.keys() == {attempts[state].id for state in GOES} and young.id not in there
    for attempt_id, row in there.items():
        moves = [(move["before"], move["after"], move["note"]) for move in row["history"]]
        assert moves == [(e.before and str(e.before), str(e.after), e.note) for e in histories[attempt_id]]
        (left,) = ledger.history(attempt_id)
        assert left.note == f"{ARCHIVED}{file.name}"
    assert ledger.history(free.id) == histories[free.id], "a person may take that back"
    assert sums.moves == sum(len(row["history"]) for row in there.values()) and file.stat().st_mode & 0o077 == 0


def test_what_may_be_bought_is_what_might_be_before(ledger: Ledger, clock: FakeClock, tmp_path: Path) -> None:
    keys = {state: planned(ledger, "again") for state in State}
    for state, key in keys.items():
        bring_to(ledger, state, key)
    refused = claim(ledger, planned(ledger, "refused"))
    ledger.mark_not_charged(refused.id, Failure.REFUSED, "no")
    clock.advance(YEAR.total_seconds() + 60)
    assert archived(ledger, tmp_path)
    ledger.reap()
    granted = {
        s for s, key in keys.items() if ledger.claim(key, "smiles", "aiml", USD, Caps(), "d") is not Unclaimed.TAKEN
    }
    assert granted == {State.FAILED, State.SUPERSEDED}
    assert ledger.claim(refused.clip_key, "smiles", "aiml", USD, Caps(), "d") is Unclaimed.TAKEN


def test_a_lost_clip_that_is_shown_again_comes_home_from_the_archive(
    ledger: Ledger, clock: FakeClock, tmp_path: Path
) -> None:
    from dailies.domain.creates import Accepted

    lost = bring_to(ledger, State.RESULT_LOST)
    clock.advance(YEAR.total_seconds() + 60)
    assert archived(ledger, tmp_path)
    again = ledger.reopen(lost.id, "there it is", Accepted(lost.generation_id or "", result_url="https://cdn/x.mp4"))
    assert again.state is State.COMPLETED and len(ledger.history(lost.id)) == 2
    clock.advance(2 * YEAR.total_seconds())
    assert archived(ledger, tmp_path) == [] and flaws_of(ledger) == [], "what is in one file goes to no other"


def test_no_prompt_and_no_picture_stands_in_a_file(ledger: Ledger, clock: FakeClock, tmp_path: Path) -> None:
    """So `forget` has nothing to look for there."""
    key = planned(ledger, "a secret garden in the rain")
    attempt = claim(ledger, key)
    ledger.mark_not_charged(attempt.id, Failure.REFUSED, 'moderated: "a secret garden in the rain" is not allowed')
    clock.advance(YEAR.total_seconds() + 60)
    ((file, _),) = archived(ledger, tmp_path)
    (row,) = pq.read_table(file).to_pylist()
    assert row["error"].startswith("moderated:") and "secret garden" not in str(row) + file.read_bytes().decode(
        "latin-1"
    )
    assert "pictures.example" not in str(row)


def killed(*_: object) -> None:
    """What stands for a death of the process."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["before its histories left", "after its histories left"])
def test_killed_anywhere_the_next_archive_finishes_it(
    where: str, ledger: Ledger, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = bring_to(ledger, State.STORED)
    moves = len(ledger.history(attempt.id))
    clock.advance(YEAR.total_seconds() + 60)
    with monkeypatch.context() as patch:
        if where.startswith("before"):
            patch.setattr(type(ledger), "leave_to", killed)
        else:
            patch.setattr(archiving, "_named", killed)
        with pytest.raises(KeyboardInterrupt):
            archived(ledger, tmp_path)
    assert list(tmp_path.glob("*.parquet")) == [] and len(list(tmp_path.glob("*.part"))) == 1
    archived(ledger, tmp_path)
    (row,) = rows_in(tmp_path)
    assert row["attempt"] == attempt.id and len(row["history"]) == moves and not list(tmp_path.glob("*.part"))
    assert ledger.history(attempt.id)[0].note == f"{ARCHIVED}{next(tmp_path.glob('*.parquet')).name}"


def between(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do something after a file was written and before histories leave the ledger."""
    read = archiving.read_sums

    def then(file: Path) -> Sums:
        what()
        return read(file)

    monkeypatch.setattr(archiving, "read_sums", then)


def test_what_changes_while_it_is_written_down_stays(
    ledger: Ledger, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = bring_to(ledger, State.STORED)
    clock.advance(YEAR.total_seconds() + 60)
    between(monkeypatch, lambda: ledger.record_charged(attempt.id, Decimal("1.50"), None))
    with pytest.raises(BadInput, match="was changed while it was written down"):
        archived(ledger, tmp_path)
    assert not list(tmp_path.glob("attempts*")) and len(ledger.history(attempt.id)) > 1


def test_a_file_that_does_not_hold_what_was_written_takes_nothing(
    ledger: Ledger, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = bring_to(ledger, State.STORED)
    clock.advance(YEAR.total_seconds() + 60)
    monkeypatch.setattr(archiving, "read_sums", lambda _file: Sums())
    with pytest.raises(BadInput, match="does not hold what was written"):
        archived(ledger, tmp_path)
    assert len(ledger.history(attempt.id)) > 1


def test_many_go_in_several_files_and_a_second_process_waits_its_turn(
    ledger: Ledger, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "MOST", 2)
    monkeypatch.setattr("dailies.ledger.rows.CHUNK", 1)
    for key in plan(ledger, 5):
        bring_to(ledger, State.STORED, key)
    clock.advance(YEAR.total_seconds() + 60)
    going = archive(ledger, tmp_path, ledger.now() - YEAR)
    next(going)
    with pytest.raises(BadInput, match="another process is archiving"):
        archived(ledger, tmp_path)
    assert [sums.attempts for _, sums in going] == [2, 1]
    assert len({row["attempt"] for row in rows_in(tmp_path)}) == 5
