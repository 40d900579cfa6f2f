"""How far a batch takes its budgets, before it has bought anything: early enough for somebody to raise one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import anyio.to_thread

from dailies.domain.money import sum_usd
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.steps.clips_on_record import taken_clips

NEARLY = Decimal("0.8")  # of a cap


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap with what will count against it once the batch in hand is made, in dollars."""

    name: str
    cap_usd: Decimal
    expected_usd: Decimal

    @property
    def nearly_spent(self) -> bool:
        """Whether most of it will be gone."""
        return self.expected_usd >= NEARLY * self.cap_usd


async def budgets_of(runtime: Runtime, batch: Batch) -> list[Budget]:
    """The caps that hold for a batch: the batch's own and the day's, where there are any."""
    ledger = runtime.ledger
    if batch.caps.batch_usd is None and batch.caps.day_usd is None:
        return []
    taken = await taken_clips(runtime, batch.plan)
    needed = sum_usd(batch.plan.quotes[key] for key in batch.rows if key not in taken)
    counted = (
        ("batch", batch.caps.batch_usd, await anyio.to_thread.run_sync(ledger.counted, batch.name)),
        ("day", batch.caps.day_usd, await anyio.to_thread.run_sync(ledger.counted)),
    )
    return [Budget(name, cap, spent + needed) for name, cap, spent in counted if cap is not None]
