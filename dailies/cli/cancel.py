"""`dailies cancel`: what was not sent is not wanted any more; what only waits at its provider is asked to stop."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import say
from dailies.cli.tables import table
from dailies.domain.commands import command
from dailies.domain.money import ZERO, show_usd, sum_usd
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger.naming import clip_named
from dailies.providers.base import Provider
from dailies.providers.open import open_providers
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings
from dailies.steps.cancel import Cancelled, Wish, cancel_all, entry, rules, wishes


def run_cancel(batch: str | None, clips: Sequence[str], yes: bool, as_json: bool) -> int:
    """Say what it means, ask, and cancel. Exit code 1 where a provider did not agree."""
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        wanted = _wanted(ledger, batch, clips)
        _confirm(wanted, yes)
        done = asyncio.run(_cancelled(settings, ledger, wanted)) if wanted else []
    finally:
        ledger.close()
    if as_json:
        print(json.dumps([entry(one) for one in done], ensure_ascii=False))
    else:
        _show(done)
    return 1 if any(one.agreed is False for one in done) else 0


@dataclass
class _Clients:
    settings: Settings
    opened: dict[str, Provider] = field(default_factory=dict)

    def __call__(self, name: str) -> Provider:
        if name not in self.opened:
            self.opened.update(open_providers(self.settings, [name]))
        return self.opened[name]


async def _cancelled(settings: Settings, ledger: Ledger, wanted: Sequence[Wish]) -> list[Cancelled]:
    clients = _Clients(settings)
    for wish in wanted:
        if wish.attempt:
            clients(wish.attempt.provider)  # a missing key is found before anything is touched
    try:
        return await cancel_all(ledger, clients, wanted)
    finally:
        for client in clients.opened.values():
            await client.close()


def _wanted(ledger: Ledger, batch: str | None, clips: Sequence[str]) -> list[Wish]:
    """The clips that are meant. Raises BadInput for an unknown batch or clip, and where several batches have some."""
    names = ledger.batches()
    if batch is not None and batch not in names:
        raise BadInput(f"the ledger knows no batch {batch!r}. Nothing was cancelled.", trouble="which-one")
    if clips:
        keys = [clip_named(ledger, text, batch) for text in clips]
        rows = ledger.rows_of_clips(keys)
        return wishes(row for row in rows if batch in (None, row.batch))
    found = {name: wishes(ledger.rows(name)) for name in ([batch] if batch else names)}
    having = [name for name, some in found.items() if some]
    if len(having) > 1:
        each = "\n".join(f"  {command('cancel', '--batch', name)}    ({len(found[name])} clips)" for name in having)
        raise BadInput(
            f"several batches have clips that can be cancelled; say which. Nothing was cancelled.\n{each}",
            trouble="which-one",
        )
    return found[having[0]] if having else []


def _confirm(wanted: Sequence[Wish], yes: bool) -> None:
    """State the rule of each provider, and ask. Raises BadInput when the answer is no, and where nobody can be asked."""
    waiting = sum(wish.attempt is not None for wish in wanted)
    unsent = len(wanted) - waiting
    say(f"to cancel: {unsent} not sent yet (they cost nothing), {waiting} at their provider")
    for rule in rules(wanted):
        say(rule)
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(
            "cancel asks before it touches anything: say --yes. Nothing was cancelled.", trouble="nobody-to-ask"
        )
    if not wanted:
        return
    print(f"Cancel {len(wanted)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was cancelled", trouble="not-approved")


def _show(done: Sequence[Cancelled]) -> None:
    rows = [
        [one.wish.row.batch, one.wish.row.id, str(one.state), show_usd(one.wish.usd_quoted), one.detail] for one in done
    ]
    if rows:
        table(["batch", "clip", "state", "quoted", "what happened"], rows, ["quoted"])
    print(f"{len(done)} clips, {show_usd(sum_usd(one.wish.usd_quoted or ZERO for one in done))} quoted")
