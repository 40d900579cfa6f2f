"""`dailies retry`: many clips again, shown and priced before anything is bought."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from dailies.cli.command_settings import settings_here
from dailies.cli.run import log_to_stderr, run_order
from dailies.cli.screen import say
from dailies.cli.tables import table
from dailies.domain.commands import command
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.retry import Again, Kind, to_retry
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.order import BatchRequest
from dailies.runtime import make_home, open_ledger


def run_retry(batch: str | None, kinds: Sequence[Kind], dry_run: bool, yes: bool, as_json: bool) -> int:
    """Show what would be bought again, ask, release it, and run those rows. Exit codes as for `run`."""
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        name, found = _found(ledger, batch, kinds or tuple(Kind))
        if dry_run or not found:
            _show(found, as_json)
            return 0
        order = _order(ledger, name, found)
        if not as_json:
            _show(found, False)
        _confirm(found, yes)
        for again in found:
            ledger.resubmit(again.attempt.id, f"a person wants it again ({again.kind})")
    finally:
        ledger.close()
    log_to_stderr()
    return asyncio.run(run_order(settings, order, as_json, yes=True))


def _found(ledger: Ledger, batch: str | None, kinds: Sequence[Kind]) -> tuple[str, list[Again]]:
    """The batch and its clips to be bought again; the only batch that has any where none is named. Raises BadInput."""
    names = ledger.batches()
    if batch is not None and batch not in names:
        raise BadInput(f"the ledger knows no batch {batch!r}")
    found = {name: to_retry(ledger.rows(name), kinds) for name in ([batch] if batch else names)}
    having = [name for name, some in found.items() if some]
    if len(having) > 1:
        each = "\n".join(f"  {command('retry', '--batch', name)}    ({len(found[name])} clips)" for name in having)
        raise BadInput(f"several batches have such clips; say which. Nothing was bought.\n{each}")
    return (having[0], found[having[0]]) if having else (batch or "", [])


def _order(ledger: Ledger, batch: str, found: Sequence[Again]) -> BatchRequest:
    """The batch's own run again, for these rows only. Raises BadInput where it is not known how it was asked for."""
    asked = ledger.batch_asked(batch)
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([again.row.id for again in found])
    if not asked:
        raise BadInput(
            f"batch {batch} was made by an earlier version, which did not note how it was asked for: run it once more, then "
            "retry. Nothing was bought."
        )
    return replace(BatchRequest.from_asked(asked), batch=batch, ids=out.getvalue())


def _show(found: Sequence[Again], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_entry(again) for again in found], ensure_ascii=False))
        return
    rows = [
        [again.row.batch, again.row.id, str(again.kind), show_usd(again.usd), again.attempt.error or ""]
        for again in found
    ]
    if rows:
        table(["batch", "clip", "why", "quoted", "what happened"], rows, ["quoted"])
    print(f"{len(found)} clips to buy again, {show_usd(sum_usd(again.usd for again in found))}")


def _entry(again: Again) -> dict[str, object]:
    return {
        "id": again.row.id, "batch": again.row.batch, "clip_key": again.row.clip_key, "attempt": again.attempt.id,
        "kind": str(again.kind), "usd_quoted": float(again.usd), "usd_charged": float(again.usd_paid),
        "error": again.attempt.error,
    }  # fmt: skip


def _confirm(found: Sequence[Again], yes: bool) -> None:
    """Ask on a terminal. Raises BadInput when the answer is no, and where nobody can be asked."""
    paid = sum_usd(again.usd_paid for again in found)
    if paid:
        say(f"{show_usd(paid)} was charged for these already: buying them again is a second charge")
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput("retry buys again: say --yes, or --dry-run to only look. Nothing was bought.")
    usd = show_usd(sum_usd(again.usd for again in found))
    print(f"Buy {len(found)} clips again for at most {usd}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was bought")
