"""What is still generating past its deadline: the provider's log is asked how it ended, where there is one."""

from __future__ import annotations

import logging

from dailies.domain.records import Attempt
from dailies.ledger.calling import ledger_call
from dailies.providers.base import LogUnavailable, Look, LookKind, doubt_of
from dailies.runtime import Runtime

logger = logging.getLogger("dailies.poll")


async def asked_of_the_log(runtime: Runtime, attempt: Attempt, look: Look) -> Look:
    """A look at an overdue generation, or what the provider's log knows better.

    It failed: so it did, and cost what the log says. It succeeded under another id: that one is looked at. It succeeded and
    no answer gives its address: its charge is put on record, and it stays overdue.
    """
    provider = runtime.provider(attempt.provider)
    try:
        found = await provider.find(doubt_of(attempt, runtime.ledger.now()))
    except LogUnavailable:
        return look
    if found is None or not (found.succeeded or found.failed):
        return look
    if found.failed:
        return Look(LookKind.FAILED, "the provider's log says that it failed", usd_charged=found.usd_charged)
    if found.generation_id != attempt.generation_id:
        other = await provider.look(found.handle or found.generation_id)
        if other.kind is LookKind.READY:
            logger.warning("%s · ready as %s, by the provider's log", attempt.generation_id, found.generation_id)
            return other
    if found.usd_charged:
        await ledger_call(runtime.ledger.record_charged, attempt.id, found.usd_charged, found.credits_used)
    return Look(
        LookKind.GENERATING, f"{look.detail} (finished by the provider's log, which gives no address)", transient=True
    )
