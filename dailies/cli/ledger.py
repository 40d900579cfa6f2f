"""`dailies status`, `report` and `resolve`: what the ledger knows, and what a person decides."""

from __future__ import annotations

import sys

from dailies.cli.here import settings_here
from dailies.cli.tables import table
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.records import Attempt, BatchRow, at_risk
from dailies.domain.states import IllegalMove, State
from dailies.errors import BadInput
from dailies.ledger import DuplicateGeneration, Ledger
from dailies.report.credits import dump
from dailies.settings import Settings
from dailies.studio import make_home, open_ledger


def _open(settings: Settings) -> Ledger:
    make_home(settings.home)
    return open_ledger(settings)


def run_status(batch: str | None, json: bool) -> int:
    """All attempts that are not at an end, each with what to do about it."""
    settings = settings_here()
    ledger = _open(settings)
    try:
        unfinished = [a for a in ledger.unfinished() if batch in (None, a.batch)]
        spooled = len(list((settings.home / "spool").glob("*.json")))
        given_up = [a for a in ledger.unsettled() if a.state is State.SUPERSEDED and batch in (None, a.batch)]
        risk = at_risk([*unfinished, *given_up])
        labels = {row.clip_key: row for row in ledger.rows_of_clips(a.clip_key for a in (*unfinished, *given_up))}
        entries = [_entry(ledger, attempt, labels.get(attempt.clip_key)) for attempt in unfinished]
        abandoned = [_entry(ledger, attempt, labels.get(attempt.clip_key)) for attempt in given_up]
    finally:
        ledger.close()
    if json:
        silent = [a for a in unfinished if a.unreported]
        money = {"unreported": len(silent), "usd_unreported_quoted": sum_usd(a.usd_quoted for a in silent)}
        print(dump({"unfinished": entries, "given_up": abandoned, "spooled": spooled, "usd_at_risk": risk, **money}))
        return 0
    if spooled:
        print(f"{spooled} answers wait in the spool: dailies collect", file=sys.stderr)
    if abandoned:
        whose = ", ".join(f"{entry['clip']} ({str(entry['attempt'])[:8]})" for entry in abandoned)
        print(f"given up and not settled, so still at risk: {whose}", file=sys.stderr)
    if not entries:
        print("nothing is in flight, in doubt or overdue" + (f" · {show_usd(risk)} at risk" if risk else ""))
        return 0
    columns = ["clip", "batch", "state", "provider", "generation", "quoted", "age_min", "next"]
    table(columns, [[str(entry[name]) for name in columns] for entry in entries], ["quoted", "age_min"])
    doubt = sum(entry["state"] == "in_doubt" for entry in entries)
    print(f"{len(entries)} not at an end · {doubt} in doubt · {show_usd(risk)} at risk")
    return 0


def _entry(ledger: Ledger, attempt: Attempt, row: BatchRow | None) -> dict[str, object]:
    step = "dailies collect" if ledger.is_dead(attempt) else "being watched"
    if attempt.usd_at_risk:
        step = f"dailies collect, then dailies resolve {attempt.id[:8]}"
    return {
        "attempt": attempt.id,
        "clip": row.id if row else attempt.clip_key[:12],
        "batch": attempt.batch,
        "state": str(attempt.state),
        "provider": attempt.provider,
        "generation": attempt.generation_id or "–",
        "quoted": show_usd(attempt.usd_quoted),
        "generation_id": attempt.generation_id,
        "usd_quoted": attempt.usd_quoted,
        "usd_charged": attempt.usd_charged,
        "usd_at_risk": attempt.usd_at_risk,
        "age_min": round((ledger.now() - attempt.created_at).total_seconds() / 60),
        "error": attempt.error,
        "next": step,
    }


def run_resolve(attempt_id: str, charged: str | None, not_charged: bool, resubmit: bool) -> int:
    """Settle an attempt by a person's word; the word stays in the ledger's history."""
    if sum((charged is not None, not_charged, resubmit)) != 1:
        raise BadInput("say one of --charged GENERATION_ID, --not-charged, --resubmit")
    ledger = _open(settings_here())
    try:
        found = ledger.attempt(attempt_id) if len(attempt_id) >= 6 else None
        if found is None:
            raise BadInput(f"no attempt {attempt_id!r} (or more than one): dailies status shows them")
        print(_resolve(ledger, found, charged, not_charged))
    except IllegalMove:
        raise BadInput(
            f"attempt {attempt_id} is {found.state if found else '?'}: there is nothing to resolve"
        ) from None
    finally:
        ledger.close()
    return 0


def _resolve(ledger: Ledger, attempt: Attempt, charged: str | None, not_charged: bool) -> str:
    who = f"attempt {attempt.id[:8]}"
    if charged is not None:
        if attempt.state not in (State.IN_DOUBT, State.SUPERSEDED, State.FAILED) or attempt.generation_id:
            raise IllegalMove(who)
        try:
            settled = ledger.resolve_found(attempt.id, charged.strip(), "a person says that it was charged")
        except DuplicateGeneration:
            raise BadInput(f"generation {charged} already belongs to another attempt") from None
        return f"{who} is {settled.state} as {charged}: dailies collect brings it home"
    if not_charged:
        ledger.resolve_free(attempt.id, "a person says that it was never charged")
        return f"{who} was not charged; the next run of batch {attempt.batch} may buy the clip again"
    moved = ledger.resubmit(attempt.id, "a person accepts the risk and lets it be bought again")
    risk = f"; {show_usd(moved.usd_at_risk)} stays at risk" if moved.usd_at_risk else ""
    return f"{who} is given up{risk}; the next run of batch {attempt.batch} buys the clip again"
