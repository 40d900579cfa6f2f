"""Which parts of a large batch still need a run, by the ledger."""

from __future__ import annotations

from dailies.domain.next_step import Step, next_step
from dailies.domain.states import State
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.planning.shards import Shard, split
from dailies.runtime import Runtime


async def open_shards(runtime: Runtime, batch: Batch, size: int) -> list[Shard]:
    """The shards of a batch that hold a clip with something left to do; none when all is at an end."""
    ledger, found = runtime.ledger, []
    for shard in split(batch.plan.rows, size):
        attempts = await ledger_call(ledger.attempts_of, shard.clip_keys)
        steps = (next_step(attempts.get(key, ()), {str(ledger.owner)}, ledger.is_dead) for key in shard.clip_keys)
        if any(step is not Step.NOTHING for step in steps):
            found.append(shard)
    return found


def stored_of(runtime: Runtime, batch: str) -> int:
    """How many attempts of a batch have brought their clip to S3."""
    return runtime.ledger.counts(batch).get(State.STORED, 0)
