"""Where the reports of a process's batches lie."""

from __future__ import annotations

from contextlib import suppress

from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.report.write import Places
from dailies.runtime import Runtime


async def report_places(runtime: Runtime, batch: str) -> Places:
    """The ledger is asked once for a batch. While it is away a report lies where its clips do."""
    batches = runtime.batches
    if batch not in batches.report_folders:
        with suppress(*LEDGER_AWAY):
            batches.report_folders = await ledger_call(runtime.ledger.report_folders)
    return Places(runtime.home, batches.report_folders)
