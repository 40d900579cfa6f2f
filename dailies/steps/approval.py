"""What is to be approved before a batch is made, or goes on: on record, so that a resumed run asks only for more."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dailies.domain.approval import Approval
from dailies.domain.money import sum_usd
from dailies.ledger.calling import ledger_call
from dailies.planning.plan import Plan
from dailies.runtime import Runtime
from dailies.steps.clips_on_record import OnRecord


@dataclass(frozen=True, slots=True)
class ToApprove:
    """What is left to buy of a batch or of a `part` of it, what that makes of the whole, and what was approved of it before."""

    clips: int
    usd: Decimal
    unpriced: int
    whole: Approval
    earlier: Approval | None
    part: bool = False

    @property
    def yes(self) -> Approval:
        """What is approved of the batch once this is."""
        return self.whole.beside(self.earlier) if self.part and self.earlier else self.whole

    @property
    def beyond(self) -> str:
        """`3 clips for $3.78, beyond the 2 clips for $2.52 that were approved`; empty where nothing more is asked for."""
        if not self.clips or self.earlier is None or self.earlier.covers(self.whole):
            return ""
        return f"{self.yes.detail}, beyond the {self.earlier.detail} that were approved"

    def needs_a_yes(self, above_usd: Decimal) -> bool:
        """Whether a person is to be asked: what was approved is exceeded, or nothing was and this is much."""
        if not self.clips:
            return False
        if self.earlier is not None:
            return not self.earlier.covers(self.whole)
        return self.usd > above_usd or self.unpriced > 0


async def to_approve(runtime: Runtime, plan: Plan, known: OnRecord, part: bool = False) -> ToApprove:
    """What a yes would allow, its clips standing as is `known`. The plan is all of its batch, or a `part`."""
    quotes = [plan.quotes[row.clip.key] for row in plan.rows if row.clip.key not in known.taken]
    usd = sum_usd(quotes)
    counted = await ledger_call(runtime.ledger.counted, plan.batch)
    earlier = await ledger_call(runtime.ledger.approval, plan.batch)
    whole = Approval(len(plan.rows), counted + usd)
    return ToApprove(len(quotes), usd, sum(quote is None for quote in quotes), whole, earlier, part)
