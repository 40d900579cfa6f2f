"""Asking a person before much money is spent: the run waits, and the Prefect UI shows a form."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal

from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput
from pydantic import Field

from dailies.domain.counting import how_many
from dailies.domain.money import show_usd
from dailies.errors import BadInput
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.steps.approval import ToApprove, to_approve
from dailies.steps.clips_on_record import clips_on_record
from tasks.engine.asking import ask

logger = logging.getLogger("dailies.approve")
WAIT_S = 24 * 3600


class Approval(RunInput):
    """May this batch be bought?"""

    approve: bool = Field(False, description="Switch on to let this batch be bought.")
    budget_usd: float | None = Field(
        None, ge=0, description="Optional: a lower hard cap for this batch, in US dollars."
    )
    note: str = Field("", description="Who says so and why; it is kept in the run's log.")


async def approve(
    runtime: Runtime, batch: Batch, above_usd: float | None, wait_s: float = WAIT_S, *, may_leave: bool = True
) -> Batch:
    """Wait and ask when the batch is quoted above a limit, or goes beyond what was approved of it before.

    A deployment's run is suspended meanwhile and begins anew with the answer, unless it has done something that it may not
    do twice (`may_leave`). Returns the batch as it was approved, which may be with a lower cap. Raises BadInput without a yes
    in time: nothing is bought.
    """
    if above_usd is None:
        return batch
    known = await clips_on_record(runtime, batch.plan)
    asked = await to_approve(runtime, batch.plan, known, batch.request.partial)
    if not asked.needs_a_yes(Decimal(str(above_usd))):
        return batch
    usd = asked.usd
    unknown = f", {asked.unpriced} of them at an unknown price" if asked.unpriced else ""
    text = f"**{batch.name}**: {how_many(asked.clips, 'clip')} to buy, quoted {show_usd(usd)}{unknown}. Nothing is bought without a yes."
    if asked.earlier:
        text += f" The batch then comes to {asked.yes.detail}; approved were {asked.earlier.detail}."
    try:
        answer = await ask(Approval.with_initial_data(description=text), _about(batch, asked), wait_s, may_leave)
    except FlowPauseTimeout:
        logger.error(
            "nobody approved %s in time: nothing was bought", show_usd(usd)
        )  # the server words the state itself
        raise BadInput(
            f"nobody approved {show_usd(usd)} within {wait_s / 3600:g} h: nothing was bought", trouble="not-approved"
        ) from None
    if not answer.approve:
        raise BadInput(
            f"not approved{': ' + answer.note if answer.note else ''}: nothing was bought", trouble="not-approved"
        )
    logger.info("approved: %s for %d clips. %s", show_usd(usd), asked.clips, answer.note)
    approval = asked.yes
    if answer.budget_usd is not None:
        lower = Decimal(str(answer.budget_usd))
        cap = lower if batch.caps.batch_usd is None else min(lower, batch.caps.batch_usd)
        batch = replace(batch, caps=replace(batch.caps, batch_usd=cap))
        approval = replace(approval, usd=min(approval.usd, lower))
    await ledger_call(runtime.ledger.approve, batch.name, approval)
    return batch


def _about(batch: Batch, asked: ToApprove) -> str:
    """What a yes is given to: the batch, all of its clips, and what they come to."""
    clips = sorted(row.clip.key for row in batch.plan.rows)
    return "\n".join([batch.name, f"{asked.whole.usd.normalize():f}", *clips])
