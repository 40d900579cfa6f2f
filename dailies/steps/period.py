"""The report of a span of days, a provider, a model or a batch, written to S3 for people to open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import anyio.to_thread

from dailies.domain.clips import slug
from dailies.domain.records import BatchRow
from dailies.domain.text import as_utf8
from dailies.ledger.calling import ledger_call
from dailies.report.credits import Credits, credits_of
from dailies.report.known import with_known_names
from dailies.report.links import PRESIGNED, beside, from_base, links_end, presigned, report_key
from dailies.report.page import PageFacts, Ways
from dailies.report.reconcile import Reconciliation, reconciliation_csv
from dailies.report.refund import refund_claims, refund_files
from dailies.report.runs import runs_of
from dailies.report.select import Selection, chosen
from dailies.report.write import PAGE, Store, drawing, figure_files, whole
from dailies.runtime import Runtime
from dailies.steps.deliver import NoDestination
from dailies.steps.reconcile import learn_charges, reconciliation_of
from dailies.storage.s3 import parse_s3_uri

FOLDER = "_reports"
"""Below the destination; no batch can have this name, because slugs have no underscore."""


@dataclass(frozen=True, slots=True)
class Period:
    """What a scheduled report is about and where it goes; `to` None means DAILIES_TO."""

    selection: Selection
    to: str | None = None
    link_base: str | None = None
    reconcile: bool = False

    @property
    def title(self) -> str:
        """Its name in the UI, and its folder's."""
        return " ".join(part for part in (self.selection.title, self.selection.detail.replace(" · ", " ")) if part)


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """What was made; `uri` is None when S3 refused it."""

    credits: Credits
    uri: str | None
    reconciliation: Reconciliation | None

    @property
    def sentence(self) -> str:
        """The figures, and how the ledgers agree."""
        totals = self.credits.totals.sentence()
        return f"{totals} · {self.reconciliation.sentence()}" if self.reconciliation else totals


async def report_period(runtime: Runtime, period: Period) -> PeriodReport:
    """Make the report and put it into `s3://bucket/prefix/_reports/…`. Raises BadInput, Misconfigured, AccountUnavailable."""
    to = period.to or runtime.settings.dailies_to
    if not to:
        raise NoDestination("nothing says where the report goes: set DAILIES_TO or pass `to`")
    bucket, prefix = parse_s3_uri(to)
    period = replace(period, selection=await ledger_call(_known, runtime, period.selection))
    rows = await ledger_call(_rows, runtime)
    reconciliation = await reconciliation_of(runtime.settings, rows, period.selection) if period.reconcile else None
    learned = await ledger_call(learn_charges, runtime.ledger, reconciliation) if reconciliation else 0
    if learned:
        rows = await ledger_call(_rows, runtime)
    folder = report_key(prefix, FOLDER, slug(period.title, "report"))
    return await anyio.to_thread.run_sync(_put, runtime, period, rows, reconciliation, bucket, folder)


def _known(runtime: Runtime, selection: Selection) -> Selection:
    return with_known_names(selection, runtime.ledger, lambda: runtime.catalog)


def _rows(runtime: Runtime) -> list[BatchRow]:
    return [row for name in runtime.ledger.batches() for row in runtime.ledger.rows(name)]


def _put(
    runtime: Runtime,
    period: Period,
    rows: list[BatchRow],
    reconciliation: Reconciliation | None,
    bucket: str,
    folder: str,
) -> PeriodReport:
    selection = period.selection
    rows = chosen([row for row in rows if selection.batch in (None, row.batch)], selection)
    credits = credits_of(selection.title, rows)
    now, s3 = datetime.now(UTC), runtime.s3()
    if period.link_base == PRESIGNED:
        link = presigned(s3, Path(FOLDER))
    else:
        link = from_base(period.link_base) if period.link_base else beside(bucket, folder)
    store = Store(s3, bucket, folder)
    for name, content in chain(
        figure_files(credits, None), refund_files(refund_claims(rows, reconciliation), now).items()
    ):
        store.take(name, content)
    if reconciliation:
        store.take("reconciliation.csv", as_utf8(reconciliation_csv(reconciliation)))
    facts = PageFacts(
        now,
        runs_of(runtime.ledger, dict.fromkeys(row.batch for row in rows)),
        selection.detail,
        Ways.of(selection.batch, links_end(now) if period.link_base == PRESIGNED else None),
        reconciliation,
    )
    store.take(PAGE, whole(drawing(credits, facts)(link)))
    return PeriodReport(credits, store.uri, reconciliation)
