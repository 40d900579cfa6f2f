"""`dailies run`, from its first moment: a Prefect server begins to start before the rest of the program is loaded."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from dailies.cli.ahead import server_ahead
from dailies.cli.command_settings import settings_here
from dailies.hangup import outlasting_the_terminal
from dailies.memory import loading
from dailies.planning.request import BatchRequest


@outlasting_the_terminal()
def run_batch(order: BatchRequest, json: bool, yes: bool, approve_above: Decimal | None = None) -> int:
    """Plan, ask, make, report. Returns the exit code. With `approve_above` it is asked in the Prefect UI, above so much."""
    settings = settings_here({"dailies_in_flight": order.in_flight})
    with server_ahead(settings.home, order) as ahead:
        with loading():
            from dailies.cli.run import log_to_stderr, run_order
        log_to_stderr()
        return asyncio.run(run_order(settings, order, json, yes, ahead, approve_above=approve_above))
