"""The report of a span of days: written to S3, and shown as artifacts."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from sqlalchemy.exc import SQLAlchemyError

from dailies.domain.clips import slug
from dailies.errors import DailiesError
from dailies.report.credits import table_rows, totals_markdown
from dailies.runtime import current_runtime
from dailies.steps.period import Period, report_period
from tasks.engine.states import best_effort_ui, failed


@task(name="period-report", task_run_name="report · {period.title}", cache_policy=NO_CACHE, persist_result=False)
async def period_report(period: Period) -> str | State[Any]:
    """Write the report of a span. Returns the sentence that sums it up; failed when S3 does not take it."""
    try:
        made = await report_period(current_runtime(), period)
    except (DailiesError, SQLAlchemyError) as error:
        return failed(error)
    with best_effort_ui("the report"):
        key = slug(period.title, "report")
        await acreate_table_artifact(table_rows(made.credits), key=f"clips-{key}", description=made.sentence)
        words = totals_markdown(made.credits, made.uri)
        await acreate_markdown_artifact(words, key=f"totals-{key}", description="what was made and what it cost")
    if made.uri is None:
        return failed(DailiesError(f"the report is not in S3; the figures are: {made.sentence}"))
    return made.sentence
