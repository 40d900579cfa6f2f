"""Which parts of a large batch still need a run, by the ledger."""

from __future__ import annotations

import anyio.to_thread

from dailies.domain.next_step import Step, next_step
from dailies.domain.states import State
from dailies.planning.shards import Shard, split
from dailies.studio import Studio


async def open_shards(studio: Studio, size: int) -> list[Shard]:
    """The shards of the batch in hand that hold a clip with something left to do; none when all is at an end."""
    ledger, found = studio.ledger, []
    for shard in split(studio.the_job.plan.rows, size):
        attempts = await anyio.to_thread.run_sync(ledger.attempts_of, shard.clip_keys)
        steps = (next_step(attempts.get(key, ()), {str(ledger.owner)}, ledger.is_dead) for key in shard.clip_keys)
        if any(step is not Step.NOTHING for step in steps):
            found.append(shard)
    return found


def stored_of(studio: Studio) -> int:
    """How many attempts of the batch in hand have brought their clip to S3."""
    return studio.ledger.counts(studio.the_job.plan.batch).get(State.STORED, 0)
