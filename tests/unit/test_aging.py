"""Whoever has paid is told before a result ends, once at half of its life and once at three quarters."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dailies.domain.aging import Told, left_in_words, to_tell
from dailies.domain.records import Attempt
from dailies.domain.states import State
from tests.ledger.factories import NOON, an_attempt

LIFE = timedelta(minutes=60)
READY = an_attempt(State.COMPLETED, generation_id="g")._replace(completed_at=NOON)


def told_after(
    minutes: float, attempt: Attempt = READY, unwatched: bool = True, told: tuple[str, ...] = ()
) -> list[str]:
    """What is to be told so many minutes after noon of a result that lives for an hour."""
    return [*to_tell(attempt, NOON + LIFE, NOON + timedelta(minutes=minutes), unwatched, told)]


@pytest.mark.parametrize(
    ("minutes", "told", "news"),
    [
        (29, (), []),
        (30, (), [Told.HALF]),
        (40, (Told.HALF,), []),
        (45, (Told.HALF,), [Told.MOST]),
        (50, (), [Told.MOST]),
        (55, (Told.MOST,), []),
        (500, (), [Told.MOST]),
        (500, (Told.HALF, Told.MOST), []),
    ],
)
def test_a_paid_clip_is_told_of_at_half_and_at_three_quarters(
    minutes: int, told: tuple[str, ...], news: list[str]
) -> None:
    assert told_after(minutes, told=told) == news


def test_a_ready_clip_that_a_living_run_does_not_bring_home_grows_old_all_the_same() -> None:
    assert told_after(31, unwatched=False) == [Told.HALF]


def test_a_clip_that_was_found_ready_late_is_as_old_as_that_look() -> None:
    """Not as its create, which may lie far back."""
    early = READY._replace(submitted_at=NOON - LIFE, created_at=NOON - LIFE)
    assert told_after(29, early) == []
    assert told_after(29, early._replace(completed_at=None)) == [Told.HALF]


def test_what_is_being_made_under_a_living_owner_or_being_sent_is_nobody_s_news() -> None:
    making = an_attempt(State.SUBMITTED, generation_id="g", submitted_at=NOON)
    assert told_after(50, making, unwatched=False) == []
    assert told_after(50, making, unwatched=True) == [Told.MOST]
    assert told_after(50, an_attempt(State.SUBMITTING)) == []


def test_a_doubt_is_told_by_its_owner_or_once_that_is_dead_by_anybody() -> None:
    doubt = an_attempt(State.IN_DOUBT)
    assert told_after(1, doubt, unwatched=False) == []
    assert told_after(1, doubt) == [Told.IN_DOUBT]
    assert told_after(1, doubt, told=(Told.IN_DOUBT,)) == []
    assert told_after(31, doubt, told=(Told.IN_DOUBT,)) == [Told.HALF]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(seconds=-1), "over"),
        (timedelta(0), "over"),
        (timedelta(seconds=1), "in 0 min"),
        (timedelta(minutes=59, seconds=30), "in 59 min"),
        (timedelta(hours=1, minutes=59), "in 119 min"),
        (timedelta(hours=2), "in 2 h"),
        (timedelta(hours=6, minutes=5), "in 6 h"),
        (timedelta(hours=47, minutes=59), "in 47 h"),
        (timedelta(days=2), "in 2 d"),
        (timedelta(days=6, hours=23), "in 6 d"),
    ],
)
def test_how_long_is_left_is_said_in_one_unit(left: timedelta, words: str) -> None:
    assert left_in_words(NOON + left, NOON) == words
