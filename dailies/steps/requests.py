"""How a batch was asked for, whoever makes it: a clip is finished as its own batch wants it."""

from __future__ import annotations

from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.planning.request import BatchRequest
from dailies.runtime import Runtime


async def request_of(runtime: Runtime, batch: str) -> BatchRequest | None:
    """What a batch was asked for: as this process makes it, else by its record.

    None where the record has none (an earlier version planned it) or can't be read.
    """
    made = runtime.batches.get(batch)
    if made:
        return made.request
    try:
        asked = await ledger_call(runtime.ledger.batch_asked, batch)
    except LEDGER_AWAY:
        return None
    return BatchRequest.from_asked(asked) if asked.get("prompts") else None
