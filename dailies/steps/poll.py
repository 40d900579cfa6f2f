"""Looks at a paid generation once. Raising StillGenerating is how a poll asks to be called again."""

from __future__ import annotations

import logging

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from dailies.domain.commands import COLLECT
from dailies.domain.money import ZERO, show_usd
from dailies.domain.records import OVERDUE, Attempt
from dailies.domain.states import State
from dailies.errors import DailiesError, GenerationFailed
from dailies.failpoints import hit
from dailies.ledger import LostOwnership
from dailies.providers import Look, LookKind
from dailies.steps.overdue import asked_of_the_log
from dailies.steps.schedule import past_deadline
from dailies.studio import Studio

logger = logging.getLogger("dailies.poll")


class StillGenerating(Exception):
    """Not ready: look again later. Its text is what Prefect shows at a retry."""


class Overdue(DailiesError):
    """Still generating past its deadline. Not failed: a later run or `dailies collect` brings it home."""


async def look_at(studio: Studio, attempt_id: str) -> Attempt:
    """One look. Returns the attempt once its clip can be downloaded.

    Raises StillGenerating, Overdue (past the deadline), GenerationFailed, or LostOwnership when another owner took over.
    """
    attempt = await _attempt(studio, attempt_id)
    if attempt.result_url or attempt.delivered:
        return attempt
    if attempt.state is State.FAILED or attempt.generation_id is None:
        raise GenerationFailed(f"attempt {attempt.id[:8]} is {attempt.state}: {attempt.error}")
    hit("before-poll")
    look = await studio.provider(attempt.provider).look(attempt.generation_id)
    hit("after-poll")
    try:
        generating = look.kind is LookKind.GENERATING and not look.trouble
        await anyio.to_thread.run_sync(studio.ledger.polled, attempt, generating)
        if look.strange:
            await anyio.to_thread.run_sync(studio.ledger.saw_status, attempt.provider, look.strange)
        overdue = look.kind is LookKind.GENERATING and await past_deadline(studio, attempt)
        return await _judge(
            studio, attempt, await asked_of_the_log(studio, attempt, look) if overdue else look, overdue
        )
    except (SQLAlchemyError, OSError) as error:
        raise StillGenerating(f"the ledger can't be reached ({type(error).__name__})") from error


async def _attempt(studio: Studio, attempt_id: str) -> Attempt:
    try:
        attempt = await anyio.to_thread.run_sync(studio.ledger.attempt, attempt_id)
    except (SQLAlchemyError, OSError) as error:
        raise StillGenerating(f"the ledger can't be reached ({type(error).__name__})") from error
    if attempt is None:
        raise KeyError(f"no attempt {attempt_id}")
    return attempt


async def _judge(studio: Studio, attempt: Attempt, look: Look, overdue: bool) -> Attempt:
    match look.kind:
        case LookKind.READY:
            assert look.url
            hit("before-completed")
            done = await anyio.to_thread.run_sync(
                studio.ledger.completed, attempt, look.url, look.usd_charged, look.credits_used
            )
            hit("after-completed")
            return done
        case LookKind.FAILED:
            charged = look.usd_charged if look.usd_charged is not None else ZERO
            await anyio.to_thread.run_sync(studio.ledger.generation_failed, attempt, look.words, charged)
            raise GenerationFailed(f"{attempt.provider} failed to make it: {look.words}. Charged: {show_usd(charged)}")
        case LookKind.GENERATING:
            if look.trouble:
                logger.warning("%s · %s: %s", attempt.provider, attempt.generation_id, look.words)
            if overdue:
                await anyio.to_thread.run_sync(studio.ledger.note_error, attempt.id, f"{OVERDUE}: {look.words}")
                raise Overdue(f"still {look.words} past its deadline; paid, and collected later: {COLLECT}")
            raise StillGenerating(look.words)


__all__ = ["LostOwnership", "Overdue", "StillGenerating", "look_at"]
