"""The credits report of a batch: files, S3, and the artifacts of the Prefect UI."""

from __future__ import annotations

import logging
from uuid import UUID

import anyio
from prefect import task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE

from dailies.domain.clips import slug
from dailies.errors import describe_error
from dailies.report.credits import table_rows, totals_markdown
from dailies.report.decided import decided_sentence, decided_table
from dailies.runtime import current_runtime
from dailies.steps.report import report_batch
from dailies.steps.stills import stills_markdown
from tasks.engine.states import best_effort_ui

logger = logging.getLogger("dailies.report")
MOVED_WITHIN_S, MOVED_EVERY_S = 5.0, 1.0


@task(name="report", task_run_name="report · {title}", cache_policy=NO_CACHE, persist_result=False)
async def report(title: str, batch: str) -> str:
    """Write the report of a batch. Returns the sentence that sums it up. `title` names what the run made of it."""
    runtime = current_runtime()
    credits, written = await report_batch(runtime, runtime.batches[batch])
    with best_effort_ui("the report"):
        key = slug(title, "batch")
        await acreate_table_artifact(table_rows(credits), key=f"clips-{key}", description=credits.totals.sentence())
        totals = totals_markdown(credits, written.uri) + await stills_markdown(runtime, credits)
        await acreate_markdown_artifact(totals, key=f"totals-{key}", description="what was made and what it cost")
    if verdicts := decided_table(lines := [line for line in credits.lines if line.counted and line.s3_uri]):
        with best_effort_ui("the verdicts"):
            table = f"verdicts-{slug(batch, 'batch')}"
            await acreate_table_artifact(verdicts, key=table, description=decided_sentence(lines))
    return credits.totals.sentence()


class Progress:
    """A progress artifact that is moved as clips come to an end: one update at a time and a second, the latest figure, never
    backwards.

    A bar that can't be shown or moved stops nobody; whoever moves it goes on with something else meanwhile.
    """

    def __init__(self, batch: str, total: int, counts: str = "that came to an end") -> None:
        self._batch, self._total, self._counts = batch, max(total, 1), counts
        self._done, self._shown = 0, 0
        self._id: UUID | None = None
        self._moving = False
        self._full = anyio.Event()

    async def start(self) -> None:
        """Show an empty bar."""
        key, words = f"progress-{slug(self._batch, 'batch')}", f"clips of {self._batch} {self._counts}"
        with best_effort_ui("the progress"):
            self._id = await acreate_progress_artifact(0.0, key=key, description=words)

    async def more(self, clips: int = 1) -> None:
        """So many clips more have come so far."""
        await self.at(self._done + clips)

    async def at(self, done: int) -> None:
        """So many clips have come so far. While somebody moves the bar already, it is moved to here with it."""
        self._done = done
        if done >= self._total:
            self._full.set()
        if self._moving or self._id is None:
            return
        self._moving = True
        try:
            while (percent := min(100, int(100 * self._done / self._total))) > self._shown:
                self._shown = percent
                with anyio.fail_after(MOVED_WITHIN_S):
                    await aupdate_progress_artifact(self._id, progress=float(percent))
                with anyio.move_on_after(MOVED_EVERY_S):
                    await self._full.wait()
        except Exception as error:  # noqa: BLE001 - what is shown must never stop what is paid for
            logger.debug("the progress bar stays where it is: %s", describe_error(error))
        finally:
            self._moving = False
