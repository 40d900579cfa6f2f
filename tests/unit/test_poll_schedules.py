"""When to look at clips of a kind is learned once for all of them, and again when something may have ended."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest

from dailies.domain.schedule import Bracket, learned_delays
from dailies.ledger import Ledger
from dailies.ledger.calling import LedgerUnavailable
from dailies.runtime.schedules import KEPT_S, PollSchedules

SLOW, QUICK = ("aiml", "slow", "720p", 4), ("aiml", "quick", "720p", 4)


class Remembered:
    """A ledger of generation times, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.history: list[Bracket] = []
        self.trouble: Exception | None = None

    def generation_times(self, *kind: object) -> list[Bracket]:
        self.asked.append(kind)
        if self.trouble:
            raise self.trouble
        return self.history


class Watched:
    """Schedules by a clock of their own."""

    def __init__(self) -> None:
        self.now_s, self.ledger = 0.0, Remembered()
        self.schedules = PollSchedules(cast(Ledger, self.ledger), lambda: self.now_s)

    def delays(self, kind: Any, typical_s: float, at_once: int = 1) -> list[list[float]]:
        found: list[list[float]] = []

        async def look() -> None:
            found.append(await self.schedules.delays(kind, typical_s))

        async def all_at_once() -> None:
            async with anyio.create_task_group() as group:
                for _ in range(at_once):
                    group.start_soon(look)

        anyio.run(all_at_once)
        return found


def test_fifty_clips_that_start_at_once_learn_once() -> None:
    watched = Watched()
    found = watched.delays(SLOW, 90, at_once=50)
    assert found == [learned_delays(90, [])] * 50 and watched.ledger.asked == [SLOW]


@pytest.mark.parametrize(("kind", "typical_s"), [(SLOW, 90), (QUICK, 1)], ids=["slow", "quick"])
def test_it_is_learned_again_once_the_first_may_be_back_and_seldom_of_quick_models(kind: Any, typical_s: float) -> None:
    watched = Watched()
    (first,) = watched.delays(kind, typical_s)
    watched.ledger.history = [Bracket(2 * typical_s, 2.1 * typical_s)] * 50
    kept_s = max(first[0], KEPT_S)
    watched.now_s = kept_s - 0.1
    assert watched.delays(kind, typical_s) == [first]
    watched.now_s = kept_s
    (again,) = watched.delays(kind, typical_s)
    assert again == learned_delays(typical_s, watched.ledger.history) != first and len(watched.ledger.asked) == 2


def test_each_kind_is_learned_by_itself() -> None:
    watched = Watched()
    assert watched.delays(SLOW, 90) != watched.delays(QUICK, 1)
    assert watched.ledger.asked == [SLOW, QUICK]


def test_while_the_ledger_is_away_the_usual_time_counts() -> None:
    watched = Watched()
    watched.ledger.history = [Bracket(300, 301)] * 50
    watched.ledger.trouble = LedgerUnavailable("away")
    assert watched.delays(SLOW, 90) == [learned_delays(90, [])]
