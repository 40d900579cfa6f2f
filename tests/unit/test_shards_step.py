"""Which parts of a large batch still need a run, by the ledger: none whose clips have all come to an end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.domain.states import State
from dailies.steps.shards import open_shards, stored_of
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def test_a_part_is_open_while_one_of_its_clips_is_to_be_made(bench: Bench) -> None:
    batch = bench.batch(6)
    for at in (0, 1, 2):
        bench.attempt(State.STORED, batch, at)
    assert [shard.rows for shard in bench.run(open_shards, batch, 2)] == ["3-4", "5-6"]
    for at in (3, 4, 5):
        bench.attempt(State.STORED, batch, at)
    assert bench.run(open_shards, batch, 2) == []


@pytest.mark.parametrize("lives", [True, False])
def test_what_another_worker_has_in_hand_is_waited_for_and_what_a_dead_one_had_is_gone_on_with(
    bench: Bench, lives: bool
) -> None:
    """Both are something to do."""
    batch = bench.batch()
    bench.attempt(State.SUBMITTED, batch)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET owner = 'elsewhere|1|1|n'")
    bench.clock.advance(0 if lives else 301)
    assert len(bench.run(open_shards, batch, 2)) == 1


@pytest.mark.parametrize("whose", ["ours", "another's"])
def test_a_create_of_our_own_that_nobody_finished_is_left_to_the_next_run(bench: Bench, whose: str) -> None:
    batch = bench.batch()
    bench.attempt(State.SUBMITTING, batch)
    if whose == "another's":
        with bench.ledger.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE attempt SET owner = 'elsewhere|1|1|n'")
    assert len(bench.run(open_shards, batch, 2)) == (whose == "another's")


def test_clips_that_are_home_are_counted(bench: Bench) -> None:
    batch = bench.batch(3)
    assert stored_of(bench.runtime(), "smiles") == 0
    for at, state in enumerate((State.STORED, State.SUBMITTED, State.STORED)):
        bench.attempt(state, batch, at)
    assert (stored_of(bench.runtime(), "smiles"), stored_of(bench.runtime(), "frowns")) == (2, 0)
