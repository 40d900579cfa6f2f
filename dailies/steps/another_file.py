"""Refuses another file under a batch's name, and a new batch in another one's folder, and says how to call it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from dailies.domain.clips import batch_folder, free_name, sharing_folder
from dailies.domain.sources import is_another_file, located
from dailies.errors import BadInput
from dailies.ledger.calling import ledger_call
from dailies.planning.plan import Plan
from dailies.runtime import Runtime


async def refuse_another_file(runtime: Runtime, plan: Plan) -> None:
    """Raise BadInput where the batch was made from another file, none of whose clips this one asks for, or is new and would
    have another batch's folder. Those that share one already are known both, and go on.

    T0 asks once more, because two files may be planned at the same moment.
    """
    batches = await ledger_call(runtime.ledger.batches)
    if plan.batch not in batches and (other := sharing_folder(plan.batch, batches)):
        raise another_batchs_folder(plan, other, batches)
    source = located(plan.source)
    recorded = await ledger_call(runtime.ledger.batch_source, plan.batch)
    known = await ledger_call(runtime.ledger.known_clips, plan.batch)
    asked = [*(row.clip.key for row in plan.rows), *(take.base_key for take in plan.takes), *plan.replaced]
    if recorded and is_another_file(recorded, source, known, asked):
        raise another_files_batch(plan, recorded, batches)


def another_files_batch(plan: Plan, recorded: str, batches: Sequence[str]) -> BadInput:
    """The refusal, with both files and a name for this one."""
    source = located(plan.source)
    return BadInput(
        f"the batch {plan.batch} is another file's: {recorded}, and {source} asks for none of its clips. Nothing was bought. "
        f"Give this one a name of its own: --batch {shlex.quote(free_name(_name_for(source), batches))}",
        trouble="batch-name",
    )


def another_batchs_folder(plan: Plan, other: str, batches: Sequence[str]) -> BadInput:
    """The refusal, with both batches and a name for this one."""
    return BadInput(
        f"the batch {plan.batch} would have the folder {batch_folder(plan.batch)}, in S3 and at home, which is that of another "
        f"batch: {other}. Each would write its report over the other's. Nothing was bought. "
        f"Give this one a name whose plain letters are its own: --batch {free_name(plan.batch, batches)}",
        trouble="batch-name",
    )


def _name_for(source: str) -> str:
    """`acme/prompts.csv` as `acme-prompts`."""
    path = PurePosixPath(source)
    return f"{path.parent.name}-{path.stem}"
