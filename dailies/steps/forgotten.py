"""What the ledger forgets after an answer was on record (a failover to a replica that is behind, a restored backup) is written
anew, as long as the run that bought it lives."""

from __future__ import annotations

import logging
from contextlib import suppress

from dailies.domain.clips import Row
from dailies.domain.records import Attempt
from dailies.errors import DeliveryDelayed, describe_error
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.ledger.record import record_outcome
from dailies.ledger.rescue import as_spooled
from dailies.planning.batch import Batch
from dailies.runtime import Runtime

logger = logging.getLogger("dailies.record")


def remember(runtime: Runtime, batch: Batch, row: Row, attempt: Attempt) -> None:
    """Keep what this run knows of an attempt that is paid for, or maybe, until its clip is home."""
    runtime.bought[attempt.id] = as_spooled(attempt, row, batch.plan.source, batch.destination)


async def remember_doubt(runtime: Runtime, batch: Batch, row: Row, attempt_id: str) -> None:
    """Keep a doubt likewise, until the run ends. What the ledger can't tell at this moment is in the spool."""
    with suppress(*LEDGER_AWAY):
        attempt = await ledger_call(runtime.ledger.attempt, attempt_id)
        if attempt:
            remember(runtime, batch, row, attempt)


async def attempt_on_record(runtime: Runtime, attempt_id: str) -> Attempt:
    """An attempt, written anew where the ledger has forgotten it.

    Raises DeliveryDelayed when that can be told to the spool only, and KeyError for an attempt that nobody knows.
    """
    found = await ledger_call(runtime.ledger.attempt, attempt_id)
    return found or await _write_anew(runtime, attempt_id)


async def is_written_anew(runtime: Runtime, attempt_id: str) -> bool:
    """Whether the ledger had forgotten an attempt, which is on record again now. Raises as `attempt_on_record` does."""
    if await ledger_call(runtime.ledger.attempt, attempt_id) is not None:
        return False
    await _write_anew(runtime, attempt_id)
    return True


async def write_all_anew(runtime: Runtime) -> None:
    """The last look of a run: nothing that it bought and has not brought home is forgotten when it ends."""
    for attempt_id in list(runtime.bought):
        try:
            await attempt_on_record(runtime, attempt_id)
        except (DeliveryDelayed, *LEDGER_AWAY) as error:
            logger.error("%s", describe_error(error))


async def _write_anew(runtime: Runtime, attempt_id: str) -> Attempt:
    spooled = runtime.bought.get(attempt_id)
    if spooled is None:
        raise KeyError(f"no attempt {attempt_id}")
    logger.error("the ledger has forgotten what it had recorded, it is written anew: %s", spooled.detail)
    recorded = await record_outcome(runtime.ledger, runtime.spool, spooled.known, spooled.outcome)
    if recorded is None:
        raise DeliveryDelayed(f"the ledger has forgotten {spooled.detail}; the next run goes on from the spool")
    return recorded
