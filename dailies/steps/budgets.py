"""How far a batch takes its budgets, before it has bought anything: early enough for somebody to raise one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dailies.domain.caps import Caps, ColumnCap
from dailies.domain.clips import Row
from dailies.domain.money import ZERO, show_usd, sum_usd
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.planning.plan import Plan
from dailies.runtime import Runtime
from dailies.settings import Settings
from dailies.steps.clips_on_record import taken_clips

NEARLY = Decimal("0.8")  # of a cap


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap, what counts against it already, and what the batch in hand still adds to it; in dollars.

    `name` is `batch`, `day`, `month` or `client=acme`; `title` is what a message calls it.
    """

    name: str
    title: str
    cap_usd: Decimal
    counted_usd: Decimal
    column: ColumnCap | None = None
    needed_usd: Decimal = ZERO

    @property
    def expected_usd(self) -> Decimal:
        """What will count against it once the batch in hand is made."""
        return self.counted_usd + self.needed_usd

    @property
    def nearly_spent(self) -> bool:
        """Whether most of it will be gone."""
        return self.expected_usd >= NEARLY * self.cap_usd

    @property
    def line(self) -> str:
        """What counts against it now, for people."""
        return f"{self.title}: {show_usd(self.counted_usd)} of {show_usd(self.cap_usd)}"

    def entry(self) -> dict[str, object]:
        """The same, as `--json` has it."""
        return {"name": self.name, "usd_cap": self.cap_usd, "usd_counted": self.counted_usd}

    def counts(self, row: Row) -> bool:
        """Whether a row's clip counts against it."""
        return self.column is None or self.column.holds_for(row.labels)


def caps_over_all(settings: Settings) -> Caps:
    """The caps that hold over all batches."""
    return Caps(
        day_usd=settings.dailies_daily_budget_usd,
        month_usd=settings.dailies_monthly_budget_usd,
        columns=settings.dailies_column_budgets or (),
    )


def budgets_on_record(ledger: Ledger, caps: Caps, batch: str | None = None) -> list[Budget]:
    """Every cap that there is, with what counts against it now; without a batch those over all batches. Blocks."""
    found = []
    if caps.batch_usd is not None and batch is not None:
        found.append(Budget("batch", "batch budget", caps.batch_usd, ledger.counted(batch)))
    if caps.day_usd is not None:
        found.append(Budget("day", "daily budget", caps.day_usd, ledger.counted()))
    if caps.month_usd is not None:
        found.append(Budget("month", "monthly budget", caps.month_usd, ledger.counted_in_month()))
    for cap in caps.columns:
        counted = ledger.counted_in_column(cap.column, cap.value)
        found.append(Budget(cap.name, f"budget of {cap.name}", cap.usd, counted, cap))
    return found


async def budgets_of(runtime: Runtime, batch: Batch) -> list[Budget]:
    """The caps that hold for a batch: its own, the day's, the month's, those of its rows' columns, where there are any."""
    found, to_buy = await _caps_and_rows(runtime, batch)
    return with_needs(found, to_buy, batch.plan)


async def _caps_and_rows(runtime: Runtime, batch: Batch) -> tuple[list[Budget], list[Row]]:
    """The caps that there are, and the rows of a batch that are to be bought, which are asked for where there is a cap."""
    found = await ledger_call(budgets_on_record, runtime.ledger, batch.caps, batch.name)
    taken = await taken_clips(runtime, batch.plan) if found else frozenset(batch.rows)
    return found, [row for row in batch.plan.rows if row.clip.key not in taken]


def with_needs(budgets: Iterable[Budget], to_buy: Sequence[Row], plan: Plan) -> list[Budget]:
    """The budgets with what these rows would add; those by column only where a row counts. Pure."""
    found = []
    for budget in budgets:
        rows = [row for row in to_buy if budget.counts(row)]
        if rows or budget.column is None:
            needed = sum_usd(plan.quotes[row.clip.key] for row in rows)
            found.append(Budget(budget.name, budget.title, budget.cap_usd, budget.counted_usd, budget.column, needed))
    return found


async def check_budgets(runtime: Runtime, batch: Batch) -> None:
    """Refuse before the first cent when what is left to buy can't fit. Raises BadInput that says how much is missing."""
    refuse_near_names(batch.caps, batch.plan.rows)
    if all(row.clip.key in batch.delivered_before for row in batch.plan.rows):
        return
    found, to_buy = await _caps_and_rows(runtime, batch)
    for budget in with_needs(found, to_buy, batch.plan) if to_buy else ():
        if budget.expected_usd > budget.cap_usd:
            raise BadInput(
                _too_small(budget, [row for row in to_buy if budget.counts(row)], batch.plan), trouble="budget"
            )


def _too_small(budget: Budget, rows: Sequence[Row], plan: Plan) -> str:
    left, fit = budget.cap_usd - budget.counted_usd, []
    for row in rows:
        price = plan.quotes[row.clip.key] or ZERO
        if price <= left:
            left -= price
            fit.append(row.id)
    ids = ", ".join(fit[:10]) + ("…" if len(fit) > 10 else "") if fit else "none"
    return (
        f"the {budget.title} of {show_usd(budget.cap_usd)} does not cover this batch: {show_usd(budget.needed_usd)} to buy, "
        f"{show_usd(budget.counted_usd)} counted already, {show_usd(budget.expected_usd - budget.cap_usd)} missing. "
        f"Nothing was bought. These rows would fit: {ids}"
    )


def refuse_near_names(caps: Caps, rows: Iterable[Row]) -> None:
    """Raise BadInput where a row writes a capped column or value nearly as its cap does: it would not be held back. Pure."""
    for row in rows if caps.columns else ():
        for cap in caps.columns:
            if found := cap.nearly_holds_for(row.labels):
                raise BadInput(
                    f"row {row.id} says {found}, and DAILIES_COLUMN_BUDGETS says {cap.name}: write both alike. "
                    "Nothing was bought."
                )
