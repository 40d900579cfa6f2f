"""Which paid clip is the most urgent: the one whose result the provider will be the first to delete."""

from __future__ import annotations

from datetime import datetime, timedelta

from dailies.domain.records import Attempt

UNDOCUMENTED_LIFE = timedelta(hours=1)
"""How long a result is taken to live where its provider does not say: addresses that live for ten minutes to a day were seen."""


def result_ends(attempt: Attempt, life: timedelta | None) -> datetime:
    """The earliest end of an attempt's result. A clip that was not seen ready yet may have been so from its create on."""
    ready_at = attempt.completed_at or attempt.submitted_at or attempt.created_at
    return ready_at + (life or UNDOCUMENTED_LIFE)
