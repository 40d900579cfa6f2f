"""Refuses another file under a batch's name, and says how to call it."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from dailies.domain.clips import slug
from dailies.domain.sources import is_another_file, located
from dailies.errors import BadInput
from dailies.ledger.calling import ledger_call
from dailies.planning.plan import Plan
from dailies.runtime import Runtime


async def refuse_another_file(runtime: Runtime, plan: Plan) -> None:
    """Raise BadInput where the batch was made from another file, none of whose clips this one asks for.

    T0 asks once more, because two files may be planned at the same moment.
    """
    source = located(plan.source)
    recorded = await ledger_call(runtime.ledger.batch_source, plan.batch)
    known = await ledger_call(runtime.ledger.known_clips, plan.batch)
    asked = [*(row.clip.key for row in plan.rows), *(take.base_key for take in plan.takes), *plan.replaced]
    if recorded and is_another_file(recorded, source, known, asked):
        raise another_files_batch(plan, recorded)


def another_files_batch(plan: Plan, recorded: str) -> BadInput:
    """The refusal, with both files and a name for this one."""
    source = located(plan.source)
    return BadInput(
        f"the batch {plan.batch} is another file's: {recorded}, and {source} asks for none of its clips. Nothing was bought. "
        f"Give this one a name of its own: --batch {shlex.quote(_name_for(source))}",
        trouble="batch-name",
    )


def _name_for(source: str) -> str:
    """`acme/prompts.csv` as `acme-prompts`."""
    path = PurePosixPath(source)
    return slug(f"{path.parent.name}-{path.stem}", "batch", limit=180)
