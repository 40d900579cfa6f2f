"""What was sent back, as a batch to make: by the ledger's rows, as the batch was asked for, under the round's own budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from dailies.domain.commands import retakes
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.verdicts import Word
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.runtime import Runtime
from dailies.steps.clips_on_record import taken_clips
from dailies.steps.start import plan_batch, start_batch


def batches_sent_back(ledger: Ledger, batch: str | None = None) -> list[str]:
    """The batches, or only this one, in which a clip is sent back, the latest first. Blocks. Raises BadInput."""
    names = ledger.batches()
    if batch is not None and batch not in names:
        raise BadInput(f"the ledger knows no batch {batch!r}. Nothing was bought.", trouble="which-one")
    return [name for name in ([batch] if batch else names) if _sent_back(ledger, name)]


def retakes_asked(ledger: Ledger, batch: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the request for a batch's retakes: what is `said` now comes before what was asked for the batch. Blocks.

    Raises BadInput for a batch of a version that did not note how it was asked for.
    """
    before = ledger.batch_asked(batch)
    if not before:
        raise BadInput(
            f"batch {batch} was made by an earlier version, which did not note how it was asked for: name its CSV. "
            "Nothing was bought."
        )
    whole = BatchRequest.from_asked(before).but(batch=batch).model_dump()
    return {**whole, **{name: value for name, value in said.items() if value not in (None, False)}, "batch": batch}


async def start_retakes(runtime: Runtime, request: BatchRequest, left_usd: Decimal | None) -> Batch | None:
    """Plan the retakes of one batch and put them on record; None where nothing is to be made.

    `left_usd` is what the round may still spend, beside the budgets that hold anyway. Raises BadInput where that is not
    enough, before anything of the batch is bought, and whatever else refuses a batch.
    """
    plan = await plan_batch(runtime, request, on_record=True)
    if not plan.rows:
        return None
    batch = await start_batch(runtime, request, plan)
    if left_usd is None:
        return batch
    taken = await taken_clips(runtime, plan)
    needed = sum_usd(plan.quotes[row.clip.key] for row in plan.rows if row.clip.key not in taken)
    if needed > left_usd:
        raise BadInput(
            f"{batch.name}: its retakes come to {show_usd(needed)}, and the round's budget leaves {show_usd(left_usd)}. "
            "Nothing of them was bought"
        )
    cap = await ledger_call(runtime.ledger.counted, batch.name) + left_usd
    return replace(batch, caps=replace(batch.caps, batch_usd=_lower(batch.caps.batch_usd, cap)))


def several_sent_back(names: Iterable[str]) -> BadInput:
    """Why a person has to say which batch is meant."""
    each = "\n".join(f"  {retakes(name)}" for name in names)
    return BadInput(
        f"several batches have clips that were sent back; say which. Nothing was bought.\n{each}", trouble="which-one"
    )


def _lower(cap: Decimal | None, other: Decimal) -> Decimal:
    return other if cap is None else min(cap, other)


def _sent_back(ledger: Ledger, batch: str) -> bool:
    return any(row.verdict and row.verdict.said.word is Word.RETAKE for row in ledger.each_row(batch))
