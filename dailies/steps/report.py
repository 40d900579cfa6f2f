"""The end of a run: the figures and the page of its batch, written to disk and beside the clips."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread

from dailies.errors import Misconfigured
from dailies.report.credits import Credits, credits_of
from dailies.report.links import links_end, wherever
from dailies.report.page import PageFacts, Ways
from dailies.report.runs import runs_of
from dailies.report.write import Extras, Written, report_folder, write_report
from dailies.runtime import Runtime
from dailies.steps.forgotten import write_all_anew
from dailies.steps.to_disk import fetch_all

logger = logging.getLogger("dailies.report")


def batch_credits(runtime: Runtime, batch: str) -> Credits:
    """The figures of a batch, or of the part of it in hand, as the ledger has them now; of rows that left the CSV only the
    money counts."""
    job = runtime.job if runtime.job and runtime.job.plan.batch == batch else None
    before = job.delivered_before if job else None
    part = job.rows if job and job.order.partial else None
    rows = runtime.ledger.each_row(batch)
    credits = credits_of(batch, (row for row in rows if part is None or row.clip_key in part), before)
    return replace(credits, unknown_statuses=tuple(runtime.ledger.unknown_statuses()))


def final_credits(runtime: Runtime) -> Credits:
    """The figures of the batch in hand, as its report told them; from the ledger where no report was written."""
    return runtime.figures or batch_credits(runtime, runtime.the_job.plan.batch)


async def report_job(runtime: Runtime) -> tuple[Credits, Written]:
    """Write the report of the batch in hand. A folder that can't be written is a log line: every clip is delivered."""
    job = runtime.the_job
    await write_all_anew(runtime)
    credits = await anyio.to_thread.run_sync(batch_credits, runtime, job.plan.batch)
    runtime.figures = credits
    if job.order.keep_local:
        await anyio.to_thread.run_sync(_fetch_earlier, runtime, credits, Path(job.order.keep_local).expanduser())
    folder = report_folder(runtime.home, job.order.title, job.order.report_dir)
    return credits, await anyio.to_thread.run_sync(_write, runtime, credits, folder)


def _fetch_earlier(runtime: Runtime, credits: Credits, folder: Path) -> None:
    """What was delivered before this run goes into `--keep-local` too. Trouble is a log line: every clip is in S3."""
    earlier = [line for line in credits.lines if line.counted and line.clip_key in runtime.the_job.delivered_before]
    try:
        for one in fetch_all(runtime.s3(), earlier, folder) if earlier else []:
            if one.problem:
                logger.error("%s: %s", one.id, one.problem)
    except Misconfigured as error:
        logger.error("%s", error)


def _write(runtime: Runtime, credits: Credits, folder: Path) -> Written:
    job = runtime.the_job
    clips = Path(job.order.keep_local).expanduser().absolute() if job.order.keep_local else None
    now = datetime.now(UTC)
    facts = PageFacts(now, runs_of(runtime.ledger, [job.plan.batch]), ways=Ways.of(job.plan.batch, links_end(now)))
    extras = Extras(wherever(runtime.s3(), folder, clips), facts)
    s3 = None if job.order.partial else runtime.s3()  # beside the clips lies the report of the whole batch
    try:
        return write_report(credits, folder, s3, job.bucket, job.prefix, extras)
    except Misconfigured as error:
        logger.error("%s", error)
        return Written(folder, None)
