"""What is still generating past its deadline: the provider's log is asked how it ended, where there is one."""

from __future__ import annotations

import logging
from datetime import timedelta

import anyio.to_thread

from dailies.domain.records import Attempt
from dailies.providers import Look, LookKind
from dailies.providers.base import LogUnavailable
from dailies.studio import Studio

logger = logging.getLogger("dailies.poll")
LOG_MARGIN = timedelta(hours=1)  # the provider's clock and ours may differ


async def asked_of_the_log(studio: Studio, attempt: Attempt, look: Look) -> Look:
    """A look at an overdue generation, or what the provider's log knows better.

    It failed: so it did, and cost what the log says. It succeeded under another id: that one is looked at. It succeeded and
    no answer gives its address: its charge is put on record, and it stays overdue.
    """
    provider = studio.provider(attempt.provider)
    now = studio.ledger.now()
    try:
        found = await provider.find(
            attempt.id, attempt.created_at - LOG_MARGIN, now + LOG_MARGIN, attempt.generation_id
        )
    except LogUnavailable:
        return look
    if found is None or not (found.succeeded or found.failed):
        return look
    if found.failed:
        words = "the provider's log says that it failed"
        return Look(LookKind.FAILED, words, None, found.usd_charged, found.credits_used)
    if found.generation_id != attempt.generation_id:
        other = await provider.look(found.generation_id)
        if other.kind is LookKind.READY:
            logger.warning("%s · ready as %s, by the provider's log", attempt.generation_id, found.generation_id)
            return other
    if found.usd_charged:
        await anyio.to_thread.run_sync(studio.ledger.charged, attempt.id, found.usd_charged, found.credits_used)
    return Look(
        LookKind.GENERATING, f"{look.words} (finished by the provider's log, which gives no address)", trouble=True
    )
