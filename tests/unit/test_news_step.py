"""What people are told of paid clips that nobody watches: once each, and by a clip's own name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dailies.domain.aging import Told
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.steps.news import note_doubt_told, note_told, untold
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def left_alone(bench: Bench, state: State) -> Attempt:
    """An attempt whose owner's lease has run out."""
    attempt = bench.attempt(state)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET owner = 'elsewhere|1|1|n'")
    bench.clock.advance(301)
    return attempt


def grown_old(bench: Bench, attempt: Attempt, share: float) -> None:
    """Let this share of a result's life go by."""
    ends = bench.runtime().result_ends(attempt)
    bench.clock.now = attempt.created_at + (ends - attempt.created_at) * share + timedelta(seconds=1)


def test_a_doubt_whose_owner_died_is_told_once(bench: Bench) -> None:
    """By its row's id, in its own words."""
    attempt = left_alone(bench, State.IN_DOUBT)
    (news,) = bench.run(untold)
    assert (news.what, news.attempt.id, news.label) == (Told.IN_DOUBT, attempt.id, "row-1")
    assert news.ends == bench.runtime().result_ends(bench.again(attempt))
    assert news.sentence == "answer lost; dailies status shows what it may have cost"
    bench.run(note_told, [news])
    assert bench.run(untold) == [] and Told.IN_DOUBT in bench.notes(attempt)


def test_a_doubt_without_words_is_told_too(bench: Bench) -> None:
    left_alone(bench, State.IN_DOUBT)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET error = NULL")
    (news,) = bench.run(untold)
    assert news.sentence == "its answer was lost; dailies status shows what it may have cost"


def test_a_doubt_is_left_to_its_owner_while_that_lives(bench: Bench) -> None:
    bench.attempt(State.IN_DOUBT)
    assert bench.run(untold) == []


@pytest.mark.parametrize(("share", "told"), [(0.4, []), (0.5, [Told.HALF]), (0.75, [Told.MOST]), (1.1, [Told.MOST])])
def test_what_is_paid_for_and_not_home_is_told_as_its_result_grows_old(
    bench: Bench, share: float, told: list[Told]
) -> None:
    attempt = left_alone(bench, State.COMPLETED)
    grown_old(bench, bench.again(attempt), share)
    found = bench.run(untold)
    assert [news.what for news in found] == told
    left = "may be gone by now: dailies collect" if share > 1 else "may end in "
    assert all(n.sentence.startswith(f"paid for and not home, and its result at aiml {left}") for n in found)
    assert all(news.sentence.endswith(": dailies collect") for news in found)


def test_a_doubt_that_grows_old_is_called_a_doubt(bench: Bench) -> None:
    attempt = left_alone(bench, State.IN_DOUBT)
    grown_old(bench, bench.again(attempt), 0.6)
    first, second = bench.run(untold)
    assert (first.what, second.what) == (Told.IN_DOUBT, Told.HALF)
    assert second.sentence.startswith("in doubt, and its result at aiml may end in ")


def test_a_clip_that_no_row_names_is_called_by_its_key(bench: Bench) -> None:
    attempt = left_alone(bench, State.IN_DOUBT)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM batch_row")
    (news,) = bench.run(untold)
    assert news.label == attempt.clip_key[:12]


def test_who_met_a_doubt_and_told_it_says_so_on_record(bench: Bench) -> None:
    """And nobody else: neither a doubt of another owner, nor what is no doubt."""
    attempt = bench.attempt(State.IN_DOUBT)
    bench.run(note_doubt_told, attempt.clip_key)
    assert bench.notes(attempt)[-1] == Told.IN_DOUBT
    bench.clock.advance(301)
    assert bench.run(untold) == [], "a later one does not tell it again"


@pytest.mark.parametrize("whose", ["another's", "no doubt"])
def test_nobody_says_that_for_others(bench: Bench, whose: str) -> None:
    attempt = left_alone(bench, State.IN_DOUBT) if whose == "another's" else bench.attempt(State.SUBMITTED)
    bench.run(note_doubt_told, attempt.clip_key)
    assert Told.IN_DOUBT not in bench.notes(attempt)
