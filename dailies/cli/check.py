"""`dailies check`: everything that can be known about a batch before a cent is spent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

import anyio.to_thread

from dailies.cli.here import settings_here
from dailies.cli.screen import counting, say
from dailies.cli.tables import table
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.records import BatchRow
from dailies.errors import BadInput
from dailies.order import Order
from dailies.planning import Plan
from dailies.planning.plan import unpriced_message
from dailies.report.credits import answer_json, credits_of, dump
from dailies.settings import Settings
from dailies.steps.start import plan_order
from dailies.studio import Studio, open_studio


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan beside what the ledger knows of its clips."""

    plan: Plan
    rows: list[BatchRow]
    balances: tuple[tuple[str, Decimal], ...] = ()


def run_check(order: Order, json: bool) -> int:
    """Check and quote a batch. Raises what is wrong with it."""
    checked = asyncio.run(_check(settings_here(), order))
    plan = checked.plan
    done = frozenset(row.clip_key for row in checked.rows if row.attempt and row.attempt.delivered)
    credits = credits_of(plan.batch, checked.rows, done)
    to_buy = [line for line in credits.lines if line.outcome != "already_delivered"]
    if json:
        answer = answer_json(credits, None)
        answer["clips"] = [
            {**clip, "verdict": "delivered" if clip["clip_key"] in done else "ok", "row": line.row}
            for clip, line in zip(answer["clips"], credits.lines, strict=True)
        ]
        answer["notes"] = list(plan.notes)
        answer["price_origins"] = dict(plan.price_origins)
        print(dump(answer))
    else:
        lines = [[str(line.row), line.id, line.model, line.provider, line.resolution or "–", line.aspect_ratio or "–",
                  f"{line.duration_s} s" if line.duration_s else "–", show_usd(line.usd_quoted),
                  "in S3 already" if line.clip_key in done else "ok"] for line in credits.lines]  # fmt: skip
        table(
            ["row", "clip", "model", "provider", "size", "ratio", "length", "quote", "verdict"], lines, ["row", "quote"]
        )
        usd = sum_usd(line.usd_quoted for line in to_buy)
        print(f"{len(lines)} clips, {len(done)} in S3 already. To buy: {len(to_buy)} for {show_usd(usd)}.")
        origins = ", ".join(f"{count} {origin}" for origin, count in sorted(plan.price_origins.items()))
        print(
            f"Prices: {origins}." + "".join(f" Balance at {name}: {show_usd(left)}." for name, left in checked.balances)
        )
    for note in plan.notes:
        say(f"note: {note}")
    if plan.unpriced and not order.allow_unpriced:
        raise BadInput(unpriced_message(plan))
    return 0


async def _check(settings: Settings, order: Order) -> Checked:
    async with open_studio(settings, need_keys=False) as studio:
        plan = await plan_order(studio, order, counting("images measured"))
        known = await anyio.to_thread.run_sync(studio.ledger.attempts_of, [row.clip.key for row in plan.rows])
        rows = [
            BatchRow(
                plan.batch, row.number, row.id, row.clip, row.clip.key, row.providers, plan.quotes[row.clip.key], row.labels,
                known.get(row.clip.key, ()),
            )
            for row in plan.rows
        ]  # fmt: skip
        return Checked(plan, rows, await _balances(studio, plan))


async def _balances(studio: Studio, plan: Plan) -> tuple[tuple[str, Decimal], ...]:
    """What is left at the batch's providers, where there is a key and it can be asked."""
    asked = [name for name in plan.providers if studio.settings.api_key(name)]
    standings = [(name, (await studio.asking(name).standing()).balance_usd) for name in asked]
    return tuple((name, left) for name, left in standings if left is not None)
