"""When a paid clip is given up: only on evidence that does not heal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dailies.domain.records import Event

GONE = "gone: "
SHOWN = "shown again"
"""How the notes begin that say what a fresh look at a job found whose address gives no clip."""

GONE_TIMES = 3
GONE_FOR = timedelta(hours=1)
"""How often in a row, and for how long, a provider must say that it does not know a job it knew."""
GIVEN_UP_AFTER = timedelta(days=7)
"""How long results are hoped for whose provider does not say how long it keeps them: the longest that any is known to."""


def times_gone(events: Sequence[Event]) -> list[datetime]:
    """When the provider said last, without a word to the contrary since, that the job is gone; oldest first."""
    times: list[datetime] = []
    for event in events:
        if event.note.startswith(GONE):
            times.append(event.at)
        elif event.note.startswith(SHOWN):
            times.clear()
    return times


def is_lost(
    now: datetime, completed_at: datetime, life: timedelta | None, gone_at: Sequence[datetime], knew: bool
) -> bool:
    """Whether a result is lost whose address is refused and whose job the provider, asked just now, does not show.

    `life` is how long the provider documents to keep results; `knew`: it has shown this job before, so that its word
    counts. A synchronous answer's job may never have been one that can be asked for.
    """
    if now - completed_at > (life or GIVEN_UP_AFTER):
        return True
    return knew and len(gone_at) >= GONE_TIMES and now - gone_at[0] >= GONE_FOR
