"""When to look at one attempt, and when it is overdue: the settings, the catalog and the history put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from dailies.domain.clips import Clip
from dailies.domain.polling import backoff, first_look_s, looks_until
from dailies.domain.records import Attempt
from dailies.domain.schedule import from_age
from dailies.errors import BadInput
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.runtime import Runtime

USUAL_S = (90.0, 1800.0)
"""Typical and longest seconds for a model that is not in the catalog any more."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The first look, the waits after it, and how many looks surely reach past the deadline."""

    first_look: datetime
    delays_s: list[float]
    retries: int


async def schedule(runtime: Runtime, attempt_id: str) -> Schedule:
    """When to look at an attempt: learned, or by exponential backoff where the settings say from when or how far apart.

    A clip that is ready, or that nobody has looked at for long, is looked at now. So is one while the ledger can't be
    read: the poll's retries wait for that.
    """
    now = runtime.ledger.now()
    attempt = await _attempt(runtime, attempt_id)
    if attempt is None:
        delays = backoff(1.0, runtime.settings.dailies_poll_cap_s)
        return Schedule(now, delays, looks_until(delays, USUAL_S[1]))
    longest_s = await deadline_s(runtime, attempt)
    delays = [min(delay, longest_s) for delay in await _delays(runtime, attempt)]
    age_s = max(0.0, (now - (attempt.submitted_at or attempt.created_at)).total_seconds())
    first_s, *rest = [0.0, *delays] if attempt.result_url or attempt.delivered else from_age(delays, age_s)
    rest = rest or delays
    return Schedule(now + timedelta(seconds=first_s), rest, looks_until(rest, longest_s))


async def _attempt(runtime: Runtime, attempt_id: str) -> Attempt | None:
    try:
        return await ledger_call(runtime.ledger.attempt, attempt_id)
    except LEDGER_AWAY:
        return None


async def _delays(runtime: Runtime, attempt: Attempt) -> list[float]:
    settings = runtime.settings
    clip = await _clip(runtime, attempt.clip_key)
    typical_s, _ = _times(runtime, clip)
    if {"dailies_poll_first_s", "dailies_poll_cap_s"} & settings.model_fields_set:
        cap_s = settings.dailies_poll_cap_s
        return backoff(settings.dailies_poll_first_s or first_look_s(typical_s, cap_s), cap_s)
    if clip is None:
        return await runtime.schedules.delays((attempt.provider, "", None, None), typical_s)
    return await runtime.schedules.delays((attempt.provider, clip.model, clip.resolution, clip.duration_s), typical_s)


async def deadline_s(runtime: Runtime, attempt: Attempt) -> float:
    """How long a clip may take before it is called overdue."""
    chosen = runtime.settings.dailies_clip_deadline_s
    return chosen or _times(runtime, await _clip(runtime, attempt.clip_key))[1]


async def past_deadline(runtime: Runtime, attempt: Attempt) -> bool:
    """Whether the attempt has been under way for longer than its model ever takes."""
    waited_s = (runtime.ledger.now() - attempt.created_at).total_seconds()
    return waited_s > await deadline_s(runtime, attempt)


async def until(runtime: Runtime, moment: datetime) -> None:
    """Sleep until a moment of the ledger's time; not at all when it is past."""
    await anyio.sleep(max(0.0, (moment - runtime.ledger.now()).total_seconds()))


async def _clip(runtime: Runtime, clip_key: str) -> Clip | None:
    """The clip, from a batch that is being made, else from the ledger; None while the ledger can't be read."""
    row = runtime.batches.row(clip_key)
    if row:
        return row.clip
    try:
        rows = await ledger_call(runtime.ledger.rows_of_clips, [clip_key])
    except LEDGER_AWAY:
        return None
    return rows[0].clip if rows else None


def _times(runtime: Runtime, clip: Clip | None) -> tuple[float, float]:
    """A model's typical and longest seconds."""
    try:
        model = runtime.catalog.find(clip.model) if clip else None
    except BadInput:
        model = None
    return (float(model.typical_s), float(model.longest_s)) if model else USUAL_S
