"""What grows old against the life of its result, and when people are told: before it ends, and once each. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from dailies.domain.records import Attempt
from dailies.domain.states import State


class Told(StrEnum):
    """What was told of an attempt. The value is the note in its history that says so."""

    IN_DOUBT = "told: in doubt"
    HALF = "told: half of its time is gone"
    MOST = "told: three quarters of its time are gone"


AGES = ((Told.MOST, 0.75), (Told.HALF, 0.5))
"""The latest first. A `collect` every ten minutes tells the last one before a result ends that lives for an hour."""


def to_tell(attempt: Attempt, ends: datetime, now: datetime, unwatched: bool, told: Collection[str]) -> list[Told]:
    """What nobody was told yet of an attempt that is not at an end; `ends` is the end of its result.

    A doubt whose owner lives is told by that owner. A clip that is still being made and watched does not grow old.
    """
    news = []
    if attempt.state is State.IN_DOUBT and unwatched and Told.IN_DOUBT not in told:
        news.append(Told.IN_DOUBT)
    if attempt.state is State.SUBMITTING or (attempt.state is State.SUBMITTED and not unwatched):
        return news
    age = age_of(attempt, ends, now)
    later = {Told.HALF: (Told.HALF, Told.MOST), Told.MOST: (Told.MOST,)}
    if age and not any(one in told for one in later[age]):
        news.append(age)
    return news


def age_of(attempt: Attempt, ends: datetime, now: datetime) -> Told | None:
    """How much of the time is gone that a result has from when it may have been ready until `ends`."""
    began = attempt.completed_at or attempt.submitted_at or attempt.created_at
    return next((age for age, share in AGES if now >= began + (ends - began) * share), None)


def left_in_words(ends: datetime, now: datetime) -> str:
    """`in 40 min`, `in 6 h`, `in 5 d`, or `over` where the time is gone."""
    left = ends - now
    if left <= timedelta(0):
        return "over"
    if left < timedelta(hours=2):
        return f"in {left // timedelta(minutes=1)} min"
    return f"in {left // timedelta(hours=1)} h" if left < timedelta(days=2) else f"in {left // timedelta(days=1)} d"
