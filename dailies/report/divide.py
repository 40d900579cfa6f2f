"""A clip's money divided where its attempts differ: by provider, by day. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dailies.domain.records import Attempt, BatchRow

BY_ATTEMPT: Mapping[str, Callable[[Attempt], str]] = {
    "provider": lambda attempt: attempt.provider,
    "day": lambda attempt: attempt.created_at.date().isoformat(),
}
"""Columns in which the attempts of one clip may differ: there its money is divided."""


def part_of(row: BatchRow, wanted: Callable[[Attempt], bool]) -> BatchRow | None:
    """A row with some of its attempts; it counts as a clip only where the attempt that speaks for it is among them."""
    attempts = tuple(attempt for attempt in row.attempts if wanted(attempt))
    speaks = row.attempt in attempts
    return row._replace(attempts=attempts, counted=row.counted and speaks) if attempts else None


def divided(row: BatchRow, key: Callable[[Attempt], str]) -> Iterator[BatchRow]:
    """The row itself, or a part of it for each value that its attempts have."""
    keys = dict.fromkeys(key(attempt) for attempt in row.attempts)
    if len(keys) < 2:
        yield row
        return
    for one in keys:
        part = part_of(row, lambda attempt, one=one: key(attempt) == one)  # type: ignore[misc]
        if part:
            yield part
