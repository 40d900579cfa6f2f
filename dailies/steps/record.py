"""T2, and what happens when the ledger can't take it: an id in hand is never thrown away."""

from __future__ import annotations

import logging

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from dailies.domain.records import Attempt
from dailies.failpoints import hit
from dailies.ledger import DuplicateGeneration
from dailies.ledger.spool import SpooledAnswer
from dailies.studio import Studio

logger = logging.getLogger("dailies.record")
RETRY_S = (0.2, 1.0, 3.0)


async def record_answer(studio: Studio, attempt: Attempt, generation_id: str) -> Attempt | None:
    """T2 with its safety net: the ledger; if that fails the spool at once, and then the ledger again.

    Returns the attempt as recorded; None when the ledger has not taken it yet (it waits in the spool, safe).
    """
    hit("before-answer")
    try:
        return await _tell_ledger(studio, attempt.id, generation_id)
    except (SQLAlchemyError, OSError) as error:
        logger.error(
            "the ledger did not take generation %s of attempt %s (%s); it goes to the spool",
            generation_id, attempt.id, type(error).__name__,
        )  # fmt: skip
    spooled = SpooledAnswer(
        attempt.id, generation_id, attempt.clip_key, attempt.batch, attempt.provider, str(attempt.usd_quoted),
        attempt.created_at.isoformat(),
    )  # fmt: skip
    try:
        hit("before-spool")
        path = await anyio.to_thread.run_sync(studio.spool.put, spooled)
        hit("after-spool")
    except OSError as error:
        path = None
        logger.critical(
            "PAID AND NOT ON DISK: attempt %s is generation %s (%s). Keep this line; dailies resolve %s --charged %s",
            attempt.id, generation_id, error.strerror, attempt.id, generation_id,
        )  # fmt: skip
    for pause_s in RETRY_S:
        await anyio.sleep(pause_s)
        try:
            recorded = await _tell_ledger(studio, attempt.id, generation_id)
        except (SQLAlchemyError, OSError):
            continue
        if path:
            path.unlink(missing_ok=True)
        return recorded
    return None


async def _tell_ledger(studio: Studio, attempt_id: str, generation_id: str) -> Attempt | None:
    try:
        recorded = await anyio.to_thread.run_sync(studio.ledger.answer, attempt_id, generation_id)
    except DuplicateGeneration:
        logger.error("generation %s already belongs to another attempt; %s is in doubt", generation_id, attempt_id)
        return None
    hit("after-answer")
    return recorded


async def drain_spool(studio: Studio) -> int:
    """Tell the ledger every answer that waits in the spool, before all else. Returns how many it took."""
    taken = 0
    for path, answer in list(studio.spool):
        hit("before-drain")
        try:
            await anyio.to_thread.run_sync(
                studio.ledger.answer, answer.attempt_id, answer.generation_id, "from the spool"
            )
        except DuplicateGeneration:
            logger.error("spooled generation %s already belongs to another attempt", answer.generation_id)
        except KeyError:
            logger.error(
                "spooled answer %s is for an attempt that this ledger does not know: dailies doctor --adopt", path.name
            )
            continue
        hit("after-drain")
        path.unlink(missing_ok=True)
        taken += 1
    return taken
