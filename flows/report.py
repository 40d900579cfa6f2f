"""What was made and what it cost over a span of days, put into S3 on a schedule. Buys nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from dailies.errors import describe_error
from dailies.report.select import Selection
from dailies.steps.period import Period
from flows.shared import REPORTED
from tasks.engine.run import runtime_for_run
from tasks.engine.states import show_our_logs
from tasks.period import period_report


def name_of_run() -> str:
    """The batch, or the span: what people look for in the list of runs."""
    chosen = flow_run.parameters or {}
    return f"report · {chosen.get('batch') or chosen.get('since') or 'last {} d'.format(chosen.get('days', 1))}"


@flow(name="report-clips", flow_run_name=name_of_run, persist_result=False, validate_parameters=True)
async def report_clips(  # noqa: PLR0913 - a flow's parameters are its form
    days: Annotated[int, Field(ge=1, le=3660)] = 1,
    since: date | None = None,
    until: date | None = None,
    batch: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    to: str | None = None,
    link_base: str | None = None,
    reconcile: bool = False,
) -> State[Any]:
    """Write report.html, credits.csv, credits.parquet and a refund pack below the destination, in _reports.

    Args:
        days: How many days back, when neither `since` nor `batch` is given.
        since: The first day, in UTC. Example: 2026-11-01
        until: The last day, in UTC. Empty: until now.
        batch: One batch only, whenever it was bought.
        provider: aiml or onerouter. Empty: both.
        model: One model only.
        to: Where reports go. Example: s3://studio/clips. Empty: the setting DAILIES_TO.
        link_base: Where the page finds clips: a web address that stands for the bucket, or presigned. Empty: beside it.
        reconcile: Compare with the provider's own ledger, row by row.
    """
    show_our_logs()
    start = since or (None if batch else datetime.now(UTC).date() - timedelta(days=days))
    period = Period(Selection(batch, start, until, provider, model), to, link_base, reconcile)
    try:
        async with runtime_for_run(need_keys=False):
            made: State[Any] = await period_report(period, return_state=True)  # type: ignore[misc]
            return Completed(message=await made.aresult()) if made.is_completed() else Failed(message=made.message)
    except REPORTED as error:
        return Failed(message=describe_error(error))


if __name__ == "__main__":
    from flows.shared import as_command

    as_command("report")
