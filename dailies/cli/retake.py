"""`dailies run --only retake` without a CSV: the batch is made as it was asked for, and only what was sent back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from typing import Any

from dailies.cli.batch_options import request_of
from dailies.cli.command_settings import settings_here
from dailies.cli.run import log_to_stderr, no_retakes, run_order
from dailies.errors import BadInput
from dailies.hangup import outlasting_the_terminal
from dailies.planning.request import BatchRequest
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings
from dailies.steps.retakes import batches_sent_back, retakes_asked, several_sent_back


@outlasting_the_terminal()
def run_retakes(asked: Mapping[str, Any], json: bool, yes: bool, approve_above: Decimal | None = None) -> int:
    """Make what was sent back in the batch that is named, or the only one that has any, by the ledger's rows."""
    settings = settings_here()
    request = retakes_on_record(asked, settings)
    if request is None:
        return no_retakes("", json)
    log_to_stderr()
    return asyncio.run(run_order(settings, request, json, yes, None, approve_above=approve_above, on_record=True))


def retakes_on_record(asked: Mapping[str, Any], settings: Settings) -> BatchRequest | None:
    """The request for the retakes of the batch that is named, or of the only one that has any; None where none has any.

    What the command line says comes before what was asked for the batch. Raises BadInput.
    """
    if asked.get("only") is None:
        raise BadInput("name the CSV. Nothing was bought.", trouble="no-file")
    make_home(settings.home)
    named = asked.get("batch")
    with closing(open_ledger(settings)) as ledger:
        having = batches_sent_back(ledger, named)
        if named is None and len(having) > 1:
            raise several_sent_back(having)
        if named is None and not having:
            return None
        return request_of(retakes_asked(ledger, named or having[0], asked))
