"""`dailies status --watch`: a batch that is made elsewhere, shown as its own run shows it."""

from __future__ import annotations

import asyncio

from dailies.catalog import Catalog, load_catalog
from dailies.cli.command_settings import settings_here
from dailies.cli.progress import Watch, Watched, show
from dailies.cli.screen import say
from dailies.domain.records import BatchRow
from dailies.domain.takes import told_apart
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.runtime import make_home, open_ledger
from dailies.steps.purchase import usual_of


def run_watch(batch: str | None) -> int:
    """Show a batch, the latest one where none is named, until all of it has come to an end or Ctrl-C."""
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        watched = _watched(ledger, load_catalog(settings.dailies_models), batch, settings.dailies_in_flight)
        watch = Watch(ledger, watched)
        say(f"{watched.batch}: {len(watched.names)} clips (Ctrl-C ends the watching, not the run)")
        asyncio.run(show(watch, until_over=True))
        say(f"{watched.batch} · {watch.line}")
    except KeyboardInterrupt:
        return 0
    finally:
        ledger.close()
    return 0


def _watched(ledger: Ledger, catalog: Catalog, batch: str | None, in_flight: int) -> Watched:
    name = batch or next(iter(ledger.batches()), None)
    rows = [row for row in ledger.each_row(name) if not row.retired] if name else []
    if name is None or not rows:
        raise BadInput(
            f"the ledger knows no batch {batch!r}" if batch else "the ledger knows no batch yet", trouble="which-one"
        )
    usual: dict[object, float] = {}

    def usual_s(row: BatchRow) -> float:
        clip = row.clip
        kind = (row.providers[0], clip.model, clip.resolution, clip.duration_s)
        if kind not in usual:
            usual[kind] = usual_of(ledger, catalog, kind)[0]
        return usual[kind]

    return Watched(
        name,
        told_apart([(row.clip_key, row.id, row.clip.take, True) for row in rows]),
        {row.clip_key: usual_s(row) for row in rows},
        in_flight,
    )
