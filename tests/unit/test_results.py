"""When a paid clip is given up: a pure table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dailies.domain.records import Event
from dailies.domain.results import GONE, SHOWN, is_lost, times_gone
from dailies.domain.states import State

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def event(minutes: int, note: str) -> Event:
    return Event("a", NOON + timedelta(minutes=minutes), State.COMPLETED, State.COMPLETED, note)


def test_only_words_in_a_row_count() -> None:
    events = [
        event(0, f"{GONE}404"),
        event(1, "ready"),
        event(2, SHOWN),
        event(3, f"{GONE}404"),
        event(4, f"{GONE}410"),
    ]
    assert times_gone(events) == [NOON + timedelta(minutes=3), NOON + timedelta(minutes=4)]
    assert times_gone(events[:3]) == []


@pytest.mark.parametrize(
    ("age", "life", "gone_minutes", "knew", "lost"),
    [
        (HOUR, None, [0, 30, 60], True, True),
        (HOUR, None, [1, 30, 60], True, False),
        (HOUR, None, [0, 60], True, False),
        (HOUR, None, [0, 30, 60], False, False),
        (HOUR, None, [60], True, False),
        (6 * DAY, None, [60], False, False),
        (8 * DAY, None, [60], False, True),
        (2 * DAY, DAY, [60], False, True),
        (DAY, DAY, [60], False, False),
        (HOUR, DAY, [60], False, False),
    ],
)
def test_a_result_is_lost_by_the_providers_repeated_word_or_at_the_end_of_its_life(
    age: timedelta, life: timedelta | None, gone_minutes: list[int], knew: bool, lost: bool
) -> None:
    now = NOON + HOUR
    gone_at = [NOON + timedelta(minutes=m) for m in gone_minutes]
    assert is_lost(now, now - age, life, gone_at, knew) is lost
