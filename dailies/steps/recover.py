"""Puts right what a dead process, a lost answer or a full disk has left: before a run, and in `dailies collect`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import anyio
import anyio.to_thread

from dailies.domain.clips import Row
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.next_step import Step, next_step
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import DailiesError, MaybeCharged
from dailies.ledger import DuplicateGeneration
from dailies.providers.base import LogUnavailable
from dailies.steps.record import drain_spool
from dailies.studio import Studio

logger = logging.getLogger("dailies.recover")
LOG_MARGIN = timedelta(hours=1)  # the provider's clock and ours may differ


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery found: answers drained from the spool, and paid attempts that nobody watches."""

    drained: int
    left: tuple[Attempt, ...]


class Elsewhere(Exception):
    """Another owner, who lives, is at work on the clip: look again later."""


async def recover(studio: Studio) -> Recovered:
    """Drain the spool, put creates of dead owners in doubt, and list the paid attempts that can be taken over: those first
    whose results end first."""
    drained = await drain_spool(studio.ledger, studio.spool)
    left = sorted(await anyio.to_thread.run_sync(studio.ledger.reap), key=studio.result_ends)
    if drained or left:
        logger.warning("recovered: %d answers from the spool, %d paid clips without an owner", drained, len(left))
    return Recovered(drained, tuple(left))


async def step_for(studio: Studio, clip_key: str, provider: str | None = None) -> Step:
    """What this clip needs now, by the ledger; `provider` is the one that would be asked to make it."""
    attempts = await anyio.to_thread.run_sync(studio.ledger.attempts, clip_key)
    return next_step(attempts, str(studio.ledger.owner), studio.ledger.is_dead, provider)


async def follow_clip(studio: Studio, clip_key: str) -> Step:
    """Look whether somebody else's work on a clip has come to an end. Raises Elsewhere while it goes on."""
    step = await step_for(studio, clip_key)
    if step is Step.FOLLOW:
        await anyio.to_thread.run_sync(studio.ledger.reap)
        step = await step_for(studio, clip_key)
    if step is Step.FOLLOW:
        raise Elsewhere("another run is at work on this clip")
    return step


async def take_clip(studio: Studio, clip_key: str) -> Attempt | None:
    """Become the owner of a clip that is paid for and not delivered. None when somebody was faster."""
    attempts = await anyio.to_thread.run_sync(studio.ledger.attempts, clip_key)
    for attempt in reversed(attempts):
        if attempt.generation_id and not attempt.delivered:
            taken = await anyio.to_thread.run_sync(studio.ledger.take_over, attempt)
            if taken:
                return taken
    return None


async def settle_doubt(studio: Studio, attempt: Attempt) -> Attempt:
    """Look for an attempt in doubt in the provider's log, by our reference. Raises MaybeCharged when it stays in doubt."""
    provider = studio.provider(attempt.provider)
    words = "not in the provider's log yet"
    try:
        found = await provider.find(attempt.id, attempt.created_at - LOG_MARGIN, studio.ledger.now() + LOG_MARGIN)
    except LogUnavailable as error:
        found, words = None, str(error)
    if found is None:
        raise MaybeCharged(
            f"attempt {attempt.id[:8]} stays in doubt ({words}); `dailies collect` asks again, a person may settle it: "
            f"dailies resolve {attempt.id[:8]} --charged GENERATION_ID | --not-charged | --resubmit"
        )
    note = "found in the provider's log by our reference"
    try:
        return await anyio.to_thread.run_sync(studio.ledger.resolve_found, attempt.id, found.generation_id, note)
    except DuplicateGeneration as error:
        raise MaybeCharged(f"attempt {attempt.id[:8]} stays in doubt: its id belongs to another attempt") from error


async def settle_clip(studio: Studio, clip_key: str) -> Attempt:
    """Settle the doubt about one clip. Raises MaybeCharged when it stays."""
    attempts = await anyio.to_thread.run_sync(studio.ledger.attempts, clip_key)
    for attempt in attempts:
        if attempt.state is State.IN_DOUBT:
            return await settle_doubt(studio, attempt)
    raise DailiesError(f"nothing is in doubt about clip {clip_key[:12]}")


async def rows_in_doubt(studio: Studio) -> list[Row]:
    """The rows of the batch in hand whose create is in doubt at this moment."""
    attempts = await anyio.to_thread.run_sync(studio.ledger.unfinished)
    doubtful = {attempt.clip_key for attempt in attempts if attempt.state is State.IN_DOUBT}
    return [row for key, row in studio.the_job.rows.items() if key in doubtful]


@dataclass(frozen=True, slots=True)
class Remaining:
    """Clips that are not at an end, as (clip_key, label), with a sentence that sums them up."""

    clips: tuple[tuple[str, str], ...]
    sentence: str


async def remaining(studio: Studio) -> Remaining:
    """Every clip in the ledger that is in flight, paid and not stored, or in doubt."""
    unfinished = sorted(await anyio.to_thread.run_sync(studio.ledger.unfinished), key=studio.result_ends)
    rows = await anyio.to_thread.run_sync(studio.ledger.rows_of_clips, [a.clip_key for a in unfinished])
    labels = {row.clip_key: row.id for row in rows}
    doubt = [a for a in unfinished if a.state is State.IN_DOUBT]
    risk = sum_usd(a.usd_at_risk for a in doubt)
    words = (
        f"{len(unfinished) - len(doubt)} in flight or to be fetched · {len(doubt)} in doubt · {show_usd(risk)} at risk"
    )
    clips = tuple((a.clip_key, labels.get(a.clip_key, a.clip_key[:12])) for a in unfinished)
    return Remaining(clips, words if clips else "nothing is left to collect")
