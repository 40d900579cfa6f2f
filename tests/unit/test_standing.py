"""How the clips of a plan stand is read off their attempts, each way of standing once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.domain.records import Brief
from dailies.domain.states import Failure, State
from dailies.steps.clips_on_record import OnRecord, clips_on_record, on_record, standing_of, taken_clips
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def test_clips_stand_by_their_attempts_and_what_is_forgotten_is_only_taken() -> None:
    stored = (Brief(1, "aiml", State.STORED, None, True),)
    sent = (Brief(1, "aiml", State.SUBMITTED, None, False),)
    busy = (Brief(1, "aiml", State.FAILED, Failure.BUSY, False),)
    refused = (Brief(1, "aiml", State.FAILED, Failure.REFUSED, False),)
    known = [("a", stored), ("b", stored), ("c", sent), ("d", busy), ("e", refused)]
    found = on_record(iter(known), frozenset({"b", "z"}))
    assert found == OnRecord(frozenset("a"), frozenset("abcez"), frozenset("bz"))
    assert found.settled == frozenset("abz")


def test_what_was_read_already_tells_the_same_as_the_ledger(bench: Bench) -> None:
    """Of a clip that is home, one on its way, one that is not bought, and one that was forgotten, which nothing brings back."""
    batch = bench.batch(4)
    for at, state in ((0, State.STORED), (1, State.SUBMITTED), (3, State.STORED)):
        bench.attempt(state, batch, at)
    home, sent, _, gone = (row.clip.key for row in batch.plan.rows)
    bench.ledger.erase([gone], str)
    known = {row.clip.key: bench.ledger.attempts(row.clip.key) for row in batch.plan.rows}
    standing = OnRecord(frozenset({home}), frozenset({home, sent, gone}), frozenset({gone}))
    assert standing_of(bench.runtime(), batch.plan, known) == standing == bench.run(clips_on_record, batch.plan)
    assert bench.run(taken_clips, batch.plan) == standing.taken
