"""How far a batch is: each clip counted once, and an end that does not run away."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dailies.cli.progress import bar, event_line
from dailies.domain.progress import EndGuess, Stage, seconds_left, stage_of, tally
from dailies.domain.records import Brief
from dailies.domain.states import Failure, State
from tests.report.factories import a_batch_row


def brief(state: State, no: int = 1, failure: Failure | None = None, delivered: bool = False) -> Brief:
    return Brief(no, "aiml", state, failure, delivered)


@pytest.mark.parametrize(("attempts", "stage"), [
    ([], Stage.WAITING), ([brief(State.SUBMITTING)], Stage.CREATING), ([brief(State.SUBMITTED)], Stage.GENERATING),
    ([brief(State.COMPLETED)], Stage.DELIVERING), ([brief(State.STORED, delivered=True)], Stage.DELIVERED),
    ([brief(State.IN_DOUBT)], Stage.IN_DOUBT), ([brief(State.RESULT_LOST)], Stage.FAILED),
    ([brief(State.SUPERSEDED)], Stage.WAITING), ([brief(State.FAILED, failure=Failure.BUSY)], Stage.WAITING),
    ([brief(State.FAILED, failure=Failure.REFUSED)], Stage.FAILED), ([brief(State.ORPHANED)], Stage.GENERATING),
    ([brief(State.ORPHANED, failure=Failure.GENERATION)], Stage.FAILED),
    ([brief(State.FAILED, 1, Failure.NOT_SENT), brief(State.STORED, 2, delivered=True)], Stage.DELIVERED),
])  # fmt: skip
def test_a_clip_is_at_one_stage(attempts: list[Brief], stage: Stage) -> None:
    assert stage_of(attempts) is stage


stages = st.dictionaries(st.text(max_size=3), st.sampled_from(Stage), max_size=40)


@given(stages, st.integers(20, 200), st.booleans())
def test_the_counts_and_the_bar_add_up(found: dict[str, Stage], width: int, ascii_only: bool) -> None:
    assert sum(tally(found.values()).values()) == len(found)
    text = bar(found, width, ascii_only)
    assert text.cell_len == width or not found
    assert not ascii_only or text.plain.isascii()


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 4000)), min_size=1, max_size=60))
def test_the_time_left_grows_only_for_a_reason(looks: list[tuple[float, float]]) -> None:
    """The end that is shown moves away only where the fresh guess is later by a quarter of itself, and by 15 s."""
    guess, now_s = EndGuess(), 0.0
    for passed_s, left_s in looks:
        now_s, before_s = now_s + passed_s, guess.end_s
        assert guess.left_s(now_s, left_s) >= 0
        if before_s is not None and guess.end_s is not None and guess.end_s > before_s:
            assert now_s + left_s - before_s > max(15.0, 0.25 * left_s)


def test_the_time_left_uses_the_usual_times_and_the_places() -> None:
    found = {"a": Stage.GENERATING, "b": Stage.WAITING, "c": Stage.WAITING, "d": Stage.DELIVERED}
    usual = dict.fromkeys(found, 90.0)
    assert seconds_left(found, usual, {"a": 60}, in_flight=3) == 90
    assert seconds_left(found, usual, {"a": 60}, in_flight=1) == 210
    assert seconds_left({"a": Stage.GENERATING}, usual, {"a": 500}, in_flight=1) == 0


def test_a_clip_of_which_nobody_knows_since_when_it_is_made_is_half_done_and_a_late_one_nearly() -> None:
    found = {"a": Stage.GENERATING, "b": Stage.CREATING, "c": Stage.DELIVERING, "d": Stage.IN_DOUBT, "e": Stage.FAILED}
    usual = dict.fromkeys(found, 90.0)
    assert seconds_left(found, usual, {}, in_flight=1) == 90
    assert seconds_left(found, usual, {"a": 90, "b": 100}, in_flight=1) == 0


def test_the_places_that_come_free_first_are_taken_by_who_waits() -> None:
    found = {"a": Stage.GENERATING, "b": Stage.GENERATING, "c": Stage.WAITING}
    assert seconds_left(found, dict.fromkeys(found, 90.0), {"a": 0, "b": 80}, in_flight=2) == 100


def test_an_end_that_is_shown_comes_nearer_at_once_and_moves_away_only_by_much() -> None:
    guess = EndGuess()
    assert guess.left_s(0, 100) == 100
    assert guess.left_s(10, 80) == 80, "sooner"
    assert guess.left_s(20, 90) == 70, "later by 20 s, of 90: not yet"
    assert guess.left_s(30, 90) == 90, "later by 30 s: by more than a quarter"
    assert guess.left_s(110, 20) == 10, "of little the slack is a quarter of a minute"
    assert guess.left_s(140, 20) == 20 and guess.left_s(200, 14) == 14


def test_an_event_is_one_line_with_what_it_cost() -> None:
    row = a_batch_row(1)
    assert event_line("sun", Stage.DELIVERED, row.attempts) == "sun delivered after 2 min, $1.26"
    silent = a_batch_row(1, usd_charged=None)
    assert event_line("sun", Stage.DELIVERED, silent.attempts).endswith("about $1.26 (not reported)")
    lost = a_batch_row(1, State.IN_DOUBT, error="the answer was lost")
    assert event_line("sun", Stage.IN_DOUBT, lost.attempts) == "sun in doubt: the answer was lost"


def test_each_stage_has_its_colour() -> None:
    found = {str(n): stage for n, stage in enumerate(Stage)}
    console = Console(force_terminal=True, color_system="standard", width=60)
    with console.capture() as capture:
        console.print(bar(found, 60, ascii_only=False))
    codes = re.findall("\x1b\\[(\\d+)m", capture.get())
    assert {"32", "36", "34", "35", "90", "33", "31"} <= {*codes}


def test_a_guess_that_is_later_by_just_as_much_as_may_be_is_not_shown() -> None:
    guess = EndGuess()
    assert [guess.left_s(0, one) for one in (40, 55, 55.5)] == [40, 40, 55.5]
    assert EndGuess().left_s(5, 0) == 0
