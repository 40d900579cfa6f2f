"""The report of a span of days, a provider, a model or a batch, written to S3 for people to open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import anyio.to_thread

from dailies.domain.clips import slug
from dailies.domain.records import BatchRow
from dailies.report.credits import Credits, credits_of
from dailies.report.links import PRESIGNED, beside, from_base, presigned, report_key
from dailies.report.page import PageFacts
from dailies.report.reconcile import Reconciliation, reconciliation_csv
from dailies.report.refund import claims_of, refund_files
from dailies.report.select import Choice, chosen
from dailies.report.write import PAGE, Store, drawing, figure_files
from dailies.steps.deliver import NoDestination
from dailies.steps.reconcile import books_of, learn_charges
from dailies.storage.s3 import parse_s3_uri
from dailies.studio import Studio

FOLDER = "_reports"
"""Below the destination; no batch can have this name, because slugs have no underscore."""


@dataclass(frozen=True, slots=True)
class Period:
    """What a scheduled report is about and where it goes; `to` None means DAILIES_TO."""

    choice: Choice
    to: str | None = None
    link_base: str | None = None
    reconcile: bool = False

    @property
    def title(self) -> str:
        """Its name in the UI, and its folder's."""
        return " ".join(part for part in (self.choice.title, self.choice.words.replace(" · ", " ")) if part)


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """What was made; `uri` is None when S3 refused it."""

    credits: Credits
    uri: str | None
    books: Reconciliation | None

    @property
    def sentence(self) -> str:
        """The figures, and how the ledgers agree."""
        totals = self.credits.totals.sentence()
        return f"{totals} · {self.books.sentence()}" if self.books else totals


async def report_period(studio: Studio, period: Period) -> PeriodReport:
    """Make the report and put it into `s3://bucket/prefix/_reports/…`. Raises BadInput, Misconfigured, AccountUnavailable."""
    to = period.to or studio.settings.dailies_to
    if not to:
        raise NoDestination("nothing says where the report goes: set DAILIES_TO or pass `to`")
    bucket, prefix = parse_s3_uri(to)
    rows = await anyio.to_thread.run_sync(_rows, studio)
    books = await books_of(studio.settings, rows, period.choice) if period.reconcile else None
    learned = await anyio.to_thread.run_sync(learn_charges, studio.ledger, books) if books else 0
    if learned:
        rows = await anyio.to_thread.run_sync(_rows, studio)
    folder = report_key(prefix, FOLDER, slug(period.title, "report"))
    return await anyio.to_thread.run_sync(_put, studio, period, rows, books, bucket, folder)


def _rows(studio: Studio) -> list[BatchRow]:
    return [row for name in studio.ledger.batches() for row in studio.ledger.rows(name)]


def _put(
    studio: Studio, period: Period, rows: list[BatchRow], books: Reconciliation | None, bucket: str, folder: str
) -> PeriodReport:
    choice = period.choice
    rows = chosen([row for row in rows if choice.batch in (None, row.batch)], choice)
    credits = credits_of(choice.title, rows)
    now, s3 = datetime.now(UTC), studio.s3()
    if period.link_base == PRESIGNED:
        link = presigned(s3, Path(FOLDER))
    else:
        link = from_base(period.link_base) if period.link_base else beside(bucket, folder)
    store = Store(s3, bucket, folder)
    for name, content in chain(figure_files(credits, None), refund_files(claims_of(rows, books), now).items()):
        store.take(name, content)
    if books:
        store.take("reconciliation.csv", reconciliation_csv(books).encode())
    store.take(PAGE, drawing(credits, PageFacts(now, None, choice.words, "", books))(link))
    return PeriodReport(credits, store.uri, books)
