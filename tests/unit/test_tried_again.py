"""The one loop that tries again: how often it asks, what ends it, and what it hands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import anyio
import pytest

from dailies.patience import tried_again


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in place of making them."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("dailies.patience.anyio.sleep", sleep)
    return pauses


def answering(*answers: int | Exception) -> Callable[[], Awaitable[int]]:
    """A call that gives or raises these, one after another; one call too many is an error of the test."""
    left: Iterator[int | Exception] = iter(answers)

    async def call() -> int:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call


def tried(*answers: int | Exception, enough: int = 1) -> int:
    """What comes of these answers, with two pauses, where an OSError is transient."""

    async def ask() -> int:
        return await tried_again(answering(*answers), (0.5, 2.0), OSError, enough=lambda found: found >= enough)

    return anyio.run(ask)


def test_a_first_answer_that_is_enough_costs_no_pause(slept: list[float]) -> None:
    assert tried(1) == 1
    assert slept == []


def test_a_transient_error_and_too_little_are_both_tried_again(slept: list[float]) -> None:
    assert tried(OSError("away"), 0, 7) == 7
    assert slept == [0.5, 2.0]


def test_it_stops_at_the_first_answer_that_is_enough(slept: list[float]) -> None:
    assert tried(OSError("away"), 3) == 3
    assert slept == [0.5]


def test_the_last_call_is_handed_on_whatever_it_says(slept: list[float]) -> None:
    assert tried(0, 0, 0) == 0
    with pytest.raises(OSError, match="third"):
        tried(OSError("first"), OSError("second"), OSError("third"))
    assert slept == [0.5, 2.0] * 2


def test_any_other_error_is_raised_at_once(slept: list[float]) -> None:
    with pytest.raises(ValueError, match="wrong"):
        tried(ValueError("wrong"))
    assert slept == []
