"""`dailies check`: everything that can be known about a batch before a cent is spent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anyio.to_thread

from dailies.cli.answers import headline, next_command
from dailies.cli.command_settings import settings_here
from dailies.cli.screen import counting, say, tell
from dailies.cli.tables import names_in, table_once
from dailies.domain.clip_line import Line
from dailies.domain.commands import COLLECT
from dailies.domain.money import show_usd
from dailies.domain.records import BatchRow
from dailies.errors import BadInput, DailiesError, Misconfigured
from dailies.ledger.calling import ledger_call
from dailies.memory import seldom_collected
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.report.credits import Credits, clips_in, credits_of, dump, plain_totals
from dailies.runtime import Runtime, open_runtime
from dailies.settings import Settings
from dailies.steps.adopt import adopt_known
from dailies.steps.approval import to_approve
from dailies.steps.budgets import check_budgets
from dailies.steps.changes import Changed, changed_rows, changes_lines, other_content
from dailies.steps.clips_on_record import standing_of
from dailies.steps.places import look_for_delivered
from dailies.steps.purchase import Purchase, purchase_of
from dailies.steps.start import plan_batch, vetted_batch
from dailies.steps.store import store_notes

REFUSED = 2
COMMON = ("model", "provider", "size", "ratio", "length")
"""What is said once on a terminal where it is the same for all clips."""
ANY_PLACE = "s3://BUCKET/PREFIX"


@dataclass(
    frozen=True, slots=True, repr=False
)  # asyncio.run writes out its result as it ends: ten thousand rows, each twice
class Checked:
    """A plan beside what the ledger knows of its clips, what a run would buy, and why it would refuse, if it would."""

    plan: Plan
    rows: list[BatchRow]
    purchase: Purchase
    refusal: DailiesError | None
    balances: tuple[tuple[str, Decimal], ...] = ()
    changed: tuple[Changed, ...] = ()
    notes: tuple[str, ...] = ()
    beyond_approval: str = ""


def check_retakes(asked: Mapping[str, Any], json: bool) -> int:
    """What a round of retakes would buy, by the ledger's rows and without their CSV."""
    from dailies.cli.retake import (
        retakes_on_record,  # these load what only a run needs, and most checks are none of retakes
    )
    from dailies.cli.run import no_retakes

    order = retakes_on_record(asked, settings_here())
    return no_retakes("", json) if order is None else run_check(order, json, on_record=True)


def run_check(order: BatchRequest, json: bool, on_record: bool = False) -> int:
    """Check and quote a batch. Exit code 2 where the same `run` would refuse; raises what is wrong with the CSV.

    `on_record`: its rows are the ledger's, and no file is read.
    """
    with seldom_collected():
        return _run_check(order, json, on_record)


def _run_check(order: BatchRequest, json: bool, on_record: bool) -> int:
    settings = settings_here()
    order = order.but(to=order.to or settings.dailies_to)
    checked = asyncio.run(_check(settings, order, on_record))
    if on_record and not checked.plan.rows:
        from dailies.cli.run import no_retakes

        return no_retakes(checked.plan.batch, json)
    if order.final and not checked.plan.rows:
        from dailies.cli.run import no_finals

        return no_finals(checked.plan.batch, json)
    done = checked.purchase.delivered
    credits = credits_of(checked.plan.batch, checked.rows, done)
    if json:
        for piece in _answer(credits, checked):
            print(piece, end="")
        print()
    else:
        _print(credits, checked, order)
    for note in checked.notes:
        say(f"note: {note}")
    if checked.refusal:
        say(headline(checked.refusal))
        if line := next_command(checked.refusal, ("check", order.prompts)):
            say(f"Next: {line}")
        return REFUSED
    return 0


def _answer(credits: Credits, checked: Checked) -> Iterator[str]:
    """The JSON object as text, some hundred clips at a time."""
    done, rows = checked.purchase.delivered, {row.clip.key: row.sheet_row for row in checked.plan.rows}
    head = {"batch": credits.batch, **plain_totals(credits.totals), "report_dir": None}
    yield dump(head).removesuffix("}") + ', "clips": ['
    comma = ""
    for block in credits.clips.blocks():
        clips = clips_in(block)
        for clip, key in zip(clips, block.column("clip_key"), strict=True):
            verdict = "delivered" if key in done else "ok"
            clip |= {"check": verdict, "verdict": verdict, "row": rows[key], **_compared(checked.plan, key)}
        yield comma + dump(clips)[1:-1]
        comma = ", "
    yield "], " + dump(_beside(checked)).removeprefix("{")


def _beside(checked: Checked) -> dict[str, Any]:
    """What the answer has after its clips."""
    answer: dict[str, Any] = {
        "to_buy": len(checked.purchase.rows), "usd_to_buy": float(checked.purchase.usd),
        "seconds_expected": round(checked.purchase.seconds), "notes": list(checked.notes),
        "beyond_approval": checked.beyond_approval or None,
        "price_origins": dict(checked.plan.price_origins), "own_columns": list(checked.plan.own_columns),
        "changed": [
            {"id": one.row.id, "row": one.row.sheet_row, "what": list(one.what),
             "usd_quoted": None if one.usd_quoted is None else float(one.usd_quoted)} for one in checked.changed
        ],
    }  # fmt: skip
    if checked.refusal:
        line = next_command(checked.refusal, ("check", checked.plan.source))
        answer |= {"error": str(checked.refusal), "code": checked.refusal.trouble, "bad_rows": [], "next": line}
    return answer


def _compared(plan: Plan, clip_key: str) -> dict[str, Any]:
    """What each provider would ask for a clip that is made where it is cheapest; nothing for another."""
    quotes = plan.compared.get(clip_key, {})
    return {"quotes": {name: None if usd is None else float(usd) for name, usd in quotes.items()}} if quotes else {}


def _elsewhere(plan: Plan, line: Line) -> str:
    """What the clip would cost at the others: `fal $1.12, runware unknown`."""
    others = {name: usd for name, usd in plan.compared.get(line.clip_key, {}).items() if name != line.provider}
    return ", ".join(f"{name} {'unknown' if usd is None else show_usd(usd)}" for name, usd in others.items()) or "–"


def _print(credits: Credits, checked: Checked, order: BatchRequest) -> None:
    plan, purchase = checked.plan, checked.purchase
    wanted = {row.clip.key for row in purchase.rows}
    shown = {row.clip.key: row.sheet_row for row in plan.rows}
    names = names_in(credits)
    lines = [[str(shown[line.clip_key]), names[line.clip_key], line.model, line.provider, line.resolution or "–", line.aspect_ratio or "–",
              f"{line.duration_s} s" if line.duration_s else "–", show_usd(line.usd_quoted),
              "ok" if line.clip_key in wanted else _standing(line)] for line in credits.lines]  # fmt: skip
    columns = ["row", "clip", "model", "provider", "size", "ratio", "length", "quote", "verdict"]
    if plan.compared:
        columns.insert(-1, "elsewhere")
        lines = [
            [*cells[:-1], _elsewhere(plan, line), cells[-1]] for cells, line in zip(lines, credits.lines, strict=True)
        ]
    said = table_once(columns, lines, ["row", "quote"], COMMON)
    if said:
        tell(f"All of them: {said}.")
    if plan.own_columns:
        tell(f"Taken as your own columns: {', '.join(plan.own_columns)}.")
    tell(purchase.overview(len(lines)))
    for line in changes_lines(checked.changed):
        tell(line)
    if checked.beyond_approval:
        tell(f"The batch comes to {checked.beyond_approval}: run asks again.")
    origins = ", ".join(f"{count} {origin}" for origin, count in sorted(plan.price_origins.items()))
    tell(f"Prices: {origins}." + "".join(f" Balance at {name}: {show_usd(left)}." for name, left in checked.balances))
    if not checked.refusal:
        if order.to is None:
            tell("Nothing says yet where the clips go: name a bucket with --to, or in DAILIES_TO.")
        whole = order.but(to=order.to or ANY_PLACE, batch=order.batch_name)
        print(f"Go on with: {whole.as_command()}")


def _standing(line: Line) -> str:
    """Why a clip would not be bought now."""
    words = {
        "delivered": "in S3 already", "already_delivered": "in S3 already", "in_doubt": f"in doubt: {COLLECT}",
        "overdue": f"paid: {COLLECT}", "interrupted": f"paid: {COLLECT}",
        "failed": "failed earlier",
    }  # fmt: skip
    return words.get(line.outcome, line.outcome)


async def _check(settings: Settings, order: BatchRequest, on_record: bool) -> Checked:
    async with open_runtime(settings) as runtime:
        plan = await plan_batch(runtime, order, counting("images measured"), on_record)
        (refusal, seen), balances = await _refusal(runtime, order, plan), await _balances(runtime, plan)
        known = await ledger_call(runtime.ledger.attempts_of, [row.clip.key for row in plan.rows])
        rows = [
            BatchRow(
                plan.batch, row.number, row.id, row.clip, row.clip.key, row.providers, plan.quotes[row.clip.key], row.labels,
                known.get(row.clip.key, ()),
            )
            for row in plan.rows
        ]  # fmt: skip
        standing = await anyio.to_thread.run_sync(standing_of, runtime, plan, known)
        purchase = await purchase_of(runtime, plan, order.in_flight or settings.dailies_in_flight, standing)
        changed = await changed_rows(runtime, plan, purchase.rows)
        notes = (*plan.notes, *await other_content(runtime, plan), *store_notes(runtime), *seen)
        beyond = (await to_approve(runtime, plan, standing, order.partial)).beyond
        return Checked(plan, rows, purchase, refusal, balances, tuple(changed), notes, beyond)


async def _refusal(runtime: Runtime, order: BatchRequest, plan: Plan) -> tuple[DailiesError | None, tuple[str, ...]]:
    """What a run would refuse the batch for, by the run's own code, and what it would do about delivered clips that are not
    where the batch wants them; a destination that is not said yet is no reason.

    What store, spool and log know and the ledger does not is taken in as by a run, so that nothing of it counts as to buy.
    """
    try:
        batch = await vetted_batch(runtime, order, plan, order.to or "")
        if batch.bucket:
            await adopt_known(runtime, batch)
        await check_budgets(runtime, batch)
        return None, (await look_for_delivered(runtime, batch)).sentences() if batch.bucket else ()
    except (BadInput, Misconfigured) as error:
        return error, ()


async def _balances(runtime: Runtime, plan: Plan) -> tuple[tuple[str, Decimal], ...]:
    """What is left at the batch's providers, where there is a key and it can be asked."""
    asked = [name for name in plan.providers if runtime.settings.api_key(name)]
    standings = [(name, (await runtime.anonymous_client(name).account_status()).balance_usd) for name in asked]
    return tuple((name, left) for name, left in standings if left is not None)
