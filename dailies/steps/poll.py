"""Looks at a paid generation once. Raising StillGenerating is how a poll asks to be called again."""

from __future__ import annotations

import logging

from dailies.domain.commands import COLLECT
from dailies.domain.money import ZERO, show_usd
from dailies.domain.records import OVERDUE, Attempt
from dailies.domain.states import State
from dailies.errors import DailiesError, GenerationFailed, Trouble
from dailies.failpoints import hit
from dailies.ledger import LostOwnership
from dailies.ledger.calling import LEDGER_AWAY, ledger_call, name_of
from dailies.logs import about
from dailies.providers.base import Look, LookKind
from dailies.runtime import Runtime
from dailies.steps.forgotten import attempt_on_record, is_written_anew
from dailies.steps.overdue import asked_of_the_log
from dailies.steps.schedule import past_deadline

logger = logging.getLogger("dailies.poll")


class StillGenerating(Exception):
    """Not ready: look again later. Its text is what Prefect shows at a retry."""


class Overdue(DailiesError):
    """Still generating past its deadline. Not failed: a later run or `dailies collect` brings it home."""

    trouble: Trouble = "overdue"


async def poll_once(runtime: Runtime, attempt_id: str) -> Attempt:
    """One look. Returns the attempt once its clip can be downloaded.

    Raises StillGenerating, Overdue (past the deadline), GenerationFailed, or LostOwnership when another owner took over.
    """
    attempt = await _attempt(runtime, attempt_id)
    if attempt.result_url or attempt.delivered:
        return attempt
    if attempt.state is State.FAILED or attempt.generation_id is None:
        raise GenerationFailed(f"attempt {attempt.id[:8]} is {attempt.state}: {attempt.error}")
    hit("before-poll")
    look = await runtime.provider(attempt.provider).look(attempt.asked_by)
    hit("after-poll")
    try:
        generating = look.kind is LookKind.GENERATING and not look.transient
        if look.kind is not LookKind.READY:  # that is counted as the clip is recorded
            await ledger_call(runtime.ledger.record_polled, attempt, generating)
        if look.strange:
            await ledger_call(runtime.ledger.saw_status, attempt.provider, look.strange)
        overdue = look.kind is LookKind.GENERATING and await past_deadline(runtime, attempt)
        return await _judge(
            runtime, attempt, await asked_of_the_log(runtime, attempt, look) if overdue else look, overdue
        )
    except LEDGER_AWAY as error:
        raise StillGenerating(f"the ledger can't be reached ({name_of(error)})") from error
    except (LostOwnership, KeyError) as error:
        if await is_written_anew(runtime, attempt.id):
            raise StillGenerating("the ledger had forgotten it, it is on record again") from error
        raise


async def _attempt(runtime: Runtime, attempt_id: str) -> Attempt:
    try:
        return await attempt_on_record(runtime, attempt_id)
    except LEDGER_AWAY as error:
        raise StillGenerating(f"the ledger can't be reached ({name_of(error)})") from error


async def _judge(runtime: Runtime, attempt: Attempt, look: Look, overdue: bool) -> Attempt:
    match look.kind:
        case LookKind.READY:
            assert look.url
            hit("before-completed")
            done = await ledger_call(
                runtime.ledger.record_completed, attempt, look.url, look.usd_charged, look.credits_used, not overdue
            )
            hit("after-completed")
            return done
        case LookKind.FAILED:
            charged = look.usd_charged if look.usd_charged is not None else ZERO
            await ledger_call(runtime.ledger.generation_failed, attempt, look.detail, charged)
            raise GenerationFailed(f"{attempt.provider} failed to make it: {look.detail}. Charged: {show_usd(charged)}")
        case LookKind.GENERATING:
            if look.transient:
                logger.warning(
                    "%s · %s: %s", attempt.provider, attempt.generation_id, look.detail, extra=about(attempt)
                )
            if overdue:
                await ledger_call(runtime.ledger.note_error, attempt.id, f"{OVERDUE}: {look.detail}")
                raise Overdue(f"still {look.detail} past its deadline; paid, and collected later: {COLLECT}")
            raise StillGenerating(look.detail)


__all__ = ["LostOwnership", "Overdue", "StillGenerating", "poll_once"]
