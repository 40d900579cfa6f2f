"""`dailies retry`: many clips again, shown and priced before anything is bought."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from dailies.cli.ahead import server_ahead
from dailies.cli.command_settings import settings_here
from dailies.cli.run import log_to_stderr, run_order
from dailies.cli.screen import say
from dailies.cli.tables import names_within_batches, table
from dailies.domain.commands import command
from dailies.domain.counting import how_many
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.retry import Again, Kind, to_retry
from dailies.errors import BadInput
from dailies.ledger import Ledger, MovedMeanwhile
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.runtime import make_home, open_ledger

FEW = 5


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
        if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise BadInput(
                "retry buys again: say --yes, or --dry-run to only look. Nothing was bought.", trouble="nobody-to-ask"
            )
        order = _order(ledger, name, found)

        def release(plan: Plan) -> None:
            again = _as_planned(found, plan, order)
            if not as_json:
                _show(again, False)
            _confirm(again, yes)
            _release(ledger, again)

        log_to_stderr()
        with server_ahead(settings.home, order) as ahead:
            return asyncio.run(run_order(settings, order, as_json, True, ahead, release))
    finally:
        ledger.close()


def _release(ledger: Ledger, again: Sequence[Again]) -> None:
    """Let these be bought. What moved while the question stood is no longer what was asked about, and is left as it is."""
    for one in again:
        try:
            ledger.resubmit(one.attempt.id, f"a person wants it again ({one.kind})", one.attempt)
        except MovedMeanwhile as error:
            say(f"{one.row.batch}/{one.row.id} is {error.attempt.state} by now: it is not bought again")


def _as_planned(found: Sequence[Again], plan: Plan, order: BatchRequest) -> list[Again]:
    """The clips at the prices of today. Raises BadInput for a row that is another clip now: a run buys that, not a retry."""
    changed = [again.row.id for again in found if again.row.clip_key not in plan.quotes]
    if changed:
        names = ", ".join(changed[:FEW]) + (", …" if len(changed) > FEW else "")
        raise BadInput(
            f"{plan.source} was changed since: {names} asks for another clip than the one that was not made. Nothing was "
            f"bought. What it asks for now is bought by {order.but(ids=None).as_command()}"
        )
    return [replace(one, row=one.row._replace(usd_quoted=plan.quotes[one.row.clip_key])) for one in found]


def _found(ledger: Ledger, batch: str | None, kinds: Sequence[Kind]) -> tuple[str, list[Again]]:
    """The batch and its clips to be bought again; the only batch that has any where none is named. Raises BadInput."""
    names = ledger.batches()
    if batch is not None and batch not in names:
        raise BadInput(f"the ledger knows no batch {batch!r}. Nothing was bought.", trouble="which-one")
    found = {name: to_retry(ledger.rows(name), kinds) for name in ([batch] if batch else names)}
    having = [name for name, some in found.items() if some]
    if len(having) > 1:
        each = "\n".join(
            f"  {command('retry', '--batch', name)}    ({how_many(len(found[name]), 'clip')})" for name in having
        )
        raise BadInput(f"several batches have such clips; say which. Nothing was bought.\n{each}", trouble="which-one")
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
    return BatchRequest.from_asked(asked).but(batch=batch, ids=out.getvalue())


def _show(found: Sequence[Again], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_entry(again) for again in found], ensure_ascii=False))
        return
    names = names_within_batches([(a.attempt.id, a.row.batch, a.row.id, a.row.clip.take) for a in found])
    rows = [
        [again.row.batch, names[again.attempt.id], str(again.kind), show_usd(again.usd), again.attempt.error or ""]
        for again in found
    ]
    if rows:
        table(["batch", "clip", "why", "quoted", "what happened"], rows, ["quoted"])
    print(f"{how_many(len(found), 'clip')} to buy again, {show_usd(sum_usd(again.usd for again in found))}")


def _entry(again: Again) -> dict[str, object]:
    return {
        "id": again.row.id, "batch": again.row.batch, "clip_key": again.row.clip_key, "attempt": again.attempt.id,
        "kind": str(again.kind), "usd_quoted": float(again.usd), "usd_charged": float(again.usd_paid),
        "error": again.attempt.error,
    }  # fmt: skip


def _confirm(found: Sequence[Again], yes: bool) -> None:
    """Say what is charged twice, and ask. Raises BadInput when the answer is no."""
    paid = sum_usd(again.usd_paid for again in found)
    if paid:
        say(f"{show_usd(paid)} was charged for these already: buying them again is a second charge")
    if yes:
        return
    usd = show_usd(sum_usd(again.usd for again in found))
    print(f"Buy {how_many(len(found), 'clip')} again for at most {usd}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was bought", trouble="not-approved")
