"""The end of a run: the figures and the page of its batch, written to disk and beside the clips."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread

from dailies.errors import Misconfigured
from dailies.ledger.calling import ledger_call
from dailies.memory import seldom_collected
from dailies.planning.batch import Batch
from dailies.report.credits import Credits, credits_of
from dailies.report.links import links_end, wherever
from dailies.report.page import PageFacts, Ways
from dailies.report.runs import runs_of
from dailies.report.write import Extras, Places, Written, write_report
from dailies.runtime import Runtime
from dailies.steps.forgotten import write_all_anew
from dailies.steps.report_places import report_places
from dailies.steps.to_disk import fetch_all

logger = logging.getLogger("dailies.report")


def batch_credits(runtime: Runtime, batch: Batch) -> Credits:
    """The figures of a batch, or of the part that was asked for, as the ledger has them now; of rows that left the CSV only
    the money counts."""
    part = batch.rows if batch.request.partial else None
    rows = (row for row in runtime.ledger.each_row_for_figures(batch.name) if part is None or row.clip_key in part)
    credits = credits_of(batch.name, rows, batch.delivered_before)
    return replace(credits, unknown_statuses=tuple(runtime.ledger.unknown_statuses()))


def final_credits(runtime: Runtime, batch: Batch) -> Credits:
    """The figures of a batch as its report told them; from the ledger where no report was written."""
    return runtime.batches.reported.get(batch.name) or batch_credits(runtime, batch)


async def report_batch(runtime: Runtime, batch: Batch) -> tuple[Credits, Written]:
    """Write the report of a batch. A folder that can't be written is a log line: every clip is delivered."""
    with seldom_collected():
        return await _reported(runtime, batch)


async def _reported(runtime: Runtime, batch: Batch) -> tuple[Credits, Written]:
    request = batch.request
    await write_all_anew(runtime)
    credits = await ledger_call(batch_credits, runtime, batch)
    runtime.batches.reported[batch.name] = credits
    if request.keep_local:
        await anyio.to_thread.run_sync(_fetch_earlier, runtime, batch, credits, Path(request.keep_local).expanduser())
    places = await report_places(runtime, batch.name)
    folder = places.here(request.title, request.report_dir)
    written = await anyio.to_thread.run_sync(_write, runtime, batch, credits, folder, places)
    runtime.batches.folders[batch.name] = written.folder
    return credits, written


def _fetch_earlier(runtime: Runtime, batch: Batch, credits: Credits, folder: Path) -> None:
    """What was delivered before this run goes into `--keep-local` too. Trouble is a log line: every clip is in S3."""
    earlier = [line for line in credits.lines if line.counted and line.clip_key in batch.delivered_before]
    try:
        for one in fetch_all(runtime.s3(), earlier, folder) if earlier else []:
            if one.problem:
                logger.error("%s: %s", one.id, one.problem)
    except Misconfigured as error:
        logger.error("%s", error)


def _write(runtime: Runtime, batch: Batch, credits: Credits, folder: Path, places: Places) -> Written:
    request, now = batch.request, datetime.now(UTC)
    clips = Path(request.keep_local).expanduser().absolute() if request.keep_local else None
    facts = PageFacts(now, runs_of(runtime.ledger, [batch.name]), ways=Ways.of(batch.name, links_end(now)))
    extras = Extras(wherever(runtime.s3(), folder, clips), facts)
    s3 = None if request.partial else runtime.s3()  # beside the clips lies the report of the whole batch
    try:
        return write_report(credits, folder, s3, batch.bucket, places.key(batch.prefix, batch.name), extras)
    except Misconfigured as error:
        logger.error("%s", error)
        return Written(None, None)
