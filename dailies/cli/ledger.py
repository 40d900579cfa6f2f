"""`dailies status`: what the ledger knows of everything that is not at an end."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from dailies.cli.command_settings import settings_here
from dailies.cli.tables import names_within_batches, table_once
from dailies.domain.aging import left_in_words
from dailies.domain.commands import COLLECT, resolve
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.records import Attempt, BatchRow, at_risk
from dailies.domain.states import State, on_dead_owner
from dailies.domain.urgency import result_ends
from dailies.errors import BadInput
from dailies.ledger import Ledger, Owner
from dailies.providers.open import result_life
from dailies.report.credits import dump, statuses_json
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings
from dailies.steps.budgets import budgets_on_record, caps_over_all

FEW = 5


def _open(settings: Settings) -> Ledger:
    make_home(settings.home)
    return open_ledger(settings)


def run_status(batch: str | None, json: bool) -> int:
    """All attempts that are not at an end, each with what to do about it. Raises BadInput for a batch that is not on record."""
    settings = settings_here()
    ledger = _open(settings)
    try:
        if batch is not None and batch not in ledger.batches():
            raise BadInput(f"the ledger knows no batch {batch!r}", trouble="which-one")
        unfinished = [_as_it_is_found(ledger, a) for a in ledger.unfinished() if batch in (None, a.batch)]
        spooled = len(list((settings.home / "spool").glob("*.json")))
        given_up = [a for a in ledger.unsettled() if a.state is State.SUPERSEDED and batch in (None, a.batch)]
        risk = at_risk([*unfinished, *given_up])
        labels = {row.clip_key: row for row in ledger.rows_of_clips(a.clip_key for a in (*unfinished, *given_up))}
        entries = [_entry(ledger, attempt, labels.get(attempt.clip_key)) for attempt in unfinished]
        strange = statuses_json(ledger.unknown_statuses())
        budgets = budgets_on_record(ledger, caps_over_all(settings))
        abandoned = [_entry(ledger, attempt, labels.get(attempt.clip_key)) for attempt in given_up]
    finally:
        ledger.close()
    if json:
        silent = [a for a in unfinished if a.unreported]
        money = {"unreported": len(silent), "usd_unreported_quoted": sum_usd(a.usd_quoted for a in silent)}
        more = {"spooled": spooled, "usd_at_risk": risk, **money, "unknown_statuses": strange}
        capped = {"budgets": [one.entry() for one in budgets]} if budgets else {}
        print(dump({"unfinished": entries, "given_up": abandoned, **more, **capped}))
        return 0
    if spooled:
        print(f"{spooled} answers wait in the spool: {COLLECT}", file=sys.stderr)
    if abandoned:
        whose = ", ".join(f"{entry['clip']} ({str(entry['attempt'])[:8]})" for entry in abandoned)
        print(f"given up and not settled, so still at risk: {whose}", file=sys.stderr)
    for budget in budgets:
        print(budget.line, file=sys.stderr)
    if not entries:
        print("nothing is in flight, in doubt or overdue" + (f" · {show_usd(risk)} at risk" if risk else ""))
        return 0
    print_entries(entries)
    doubt = sum(entry["state"] == "in_doubt" for entry in entries)
    print(f"{len(entries)} not at an end · {doubt} in doubt · {show_usd(risk)} at risk")
    return 0


def print_entries(entries: Sequence[Mapping[str, object]]) -> None:
    """A table of attempts; on a terminal each next step stands on a line of its own."""
    columns = ["clip", "batch", "state", "provider", "generation", "quoted", "age_min", "ends", "next"]
    if sys.stdout.isatty():  # there a next step is a line of its own, to be copied whole
        columns = [name for name in columns[:-1] if name != "generation" or any(e[name] != "–" for e in entries)]
    names = names_within_batches(
        [(str(e["attempt"]), str(e["batch"]), str(e["clip"]), str(e["take"])) for e in entries]
    )
    entries = [{**entry, "clip": names[str(entry["attempt"])]} for entry in entries]
    rows = [[str(entry[name]) for name in columns] for entry in entries]
    common = table_once(columns, rows, ["quoted", "age_min", "ends"], ["batch", "provider"])
    if common:
        print(f"All of them: {common}.")
    for step in dict.fromkeys(str(entry["next"]) for entry in entries) if "next" not in columns else ():
        whose = [str(entry["clip"]) for entry in entries if entry["next"] == step]
        print(f"{', '.join(whose[:FEW])}{', …' if len(whose) > FEW else ''}: {step}")


def _as_it_is_found(ledger: Ledger, attempt: Attempt) -> Attempt:
    """An attempt as whoever comes next finds it: a create whose owner is dead may have been charged."""
    return attempt._replace(state=on_dead_owner(attempt.state)) if ledger.is_dead(attempt) else attempt


def _entry(ledger: Ledger, attempt: Attempt, row: BatchRow | None) -> dict[str, object]:
    dead = ledger.is_dead(attempt)
    sender = Owner.parse(attempt.owner) if attempt.state is State.SUBMITTING and not dead else None
    step = COLLECT if dead else "being watched"
    if sender:
        step = f"being sent by process {sender.pid} since {attempt.created_at.astimezone():%H:%M}"
    if attempt.usd_at_risk:
        step = f"{COLLECT}, then {resolve(attempt.id)}"
    ends = None if attempt.state is State.SUBMITTING else result_ends(attempt, result_life(attempt.provider))
    return {
        "attempt": attempt.id,
        "clip": row.id if row else attempt.clip_key[:12],
        "take": row.clip.take if row else "",
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
        "sender_pid": sender and sender.pid,
        "result_ends": ends and ends.isoformat(),
        "ends": left_in_words(ends, ledger.now()) if ends else "–",
        "next": step,
    }
