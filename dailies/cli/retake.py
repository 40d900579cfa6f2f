"""`dailies run --only retake` without a CSV: the batch is made as it was asked for, and only what was sent back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dailies.cli.batch_options import request_of
from dailies.cli.command_settings import settings_here
from dailies.cli.run import log_to_stderr, no_retakes, run_order
from dailies.domain.commands import command
from dailies.domain.verdicts import Word
from dailies.errors import BadInput
from dailies.hangup import outlasting_the_terminal
from dailies.ledger import Ledger
from dailies.planning.request import BatchRequest
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings


@outlasting_the_terminal()
def run_retakes(asked: Mapping[str, Any], json: bool, yes: bool, approve_above: Decimal | None = None) -> int:
    """Make what was sent back in the batch that is named, or the only one that has any, by the ledger's rows."""
    settings = settings_here()
    request = retakes_on_record(asked, settings)
    if request is None:
        return no_retakes("", json)
    log_to_stderr()
    run = run_order(settings, request, json, yes, approve_above=approve_above, on_record=True)
    return asyncio.run(run)


def retakes_on_record(asked: Mapping[str, Any], settings: Settings) -> BatchRequest | None:
    """The request for the retakes of the batch that is named, or of the only one that has any; None where none has any.

    What the command line says comes before what was asked for the batch. Raises BadInput.
    """
    if asked.get("only") is None:
        raise BadInput(f"name the CSV: {command('run', 'prompts.csv')}. Nothing was bought.")
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        batch = _batch(ledger, asked.get("batch"))
        if batch is None:
            return None
        before = ledger.batch_asked(batch)
    finally:
        ledger.close()
    if not before:
        raise BadInput(
            f"batch {batch} was made by an earlier version, which did not note how it was asked for: name its CSV. "
            "Nothing was bought."
        )
    said = {name: value for name, value in asked.items() if value not in (None, False)}
    whole = BatchRequest.from_asked(before).but(batch=batch).model_dump()
    return request_of({**whole, **said, "batch": batch})


def _batch(ledger: Ledger, named: str | None) -> str | None:
    names = ledger.batches()
    if named is not None:
        if named not in names:
            raise BadInput(f"the ledger knows no batch {named!r}. Nothing was bought.")
        return named
    having = [name for name in names if _sent_back(ledger, name)]
    if len(having) > 1:
        each = "\n".join(f"  {command('run', '--only', 'retake', '--batch', name)}" for name in having)
        raise BadInput(f"several batches have clips that were sent back; say which. Nothing was bought.\n{each}")
    return having[0] if having else None


def _sent_back(ledger: Ledger, batch: str) -> bool:
    return any(row.verdict and row.verdict.said.word is Word.RETAKE for row in ledger.each_row(batch))
