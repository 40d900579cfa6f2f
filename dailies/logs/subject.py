"""What a log line is about, as fields that a log store can find it by."""

from __future__ import annotations

from typing import Protocol

FIELDS = ("batch", "clip", "attempt", "generation", "flow_run")
"""The fields of a line beside its time, level, logger and message; each stands only where it applies."""


class HasIds(Protocol):
    """An attempt, as far as log lines name it."""

    @property
    def id(self) -> str: ...
    @property
    def clip_key(self) -> str: ...
    @property
    def batch(self) -> str: ...
    @property
    def generation_id(self) -> str | None: ...


def about(attempt: HasIds) -> dict[str, str | None]:
    """The `extra` of a log call that tells of an attempt."""
    return {
        "batch": attempt.batch,
        "clip": attempt.clip_key,
        "attempt": attempt.id,
        "generation": attempt.generation_id,
    }
