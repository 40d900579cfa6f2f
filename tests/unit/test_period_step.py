"""A scheduled report: of which rows it tells, where in S3 it goes, how its page finds the clips, and what it learns first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.report.credits import Credits
from dailies.report.links import Linker, Links, beside, links_end
from dailies.report.page import PageFacts, Ways
from dailies.report.reconcile import Entry, Reconciliation, Verdict
from dailies.report.select import Selection
from dailies.runtime import Runtime
from dailies.steps import period
from dailies.steps.deliver import NoDestination
from dailies.steps.period import Period, PeriodReport, report_period
from dailies.storage.s3 import StoreTrouble
from tests.ledger.factories import NOON, FakeClock, a_row
from tests.unit.steps_bench import Bench, bench_on

EVERYTHING = Period(Selection())
FILES = {"credits.csv", "summary.json", "credits.parquet", "report.html"}


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.settings = {"dailies_to": "s3://films/season"}
        yield bench


class Drawn:
    """The page as it is asked for, without being drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(period, "drawing", self.drawing)

    def drawing(self, credits: Credits, facts: PageFacts) -> Any:
        self.credits, self.facts = credits, facts
        return self.draw

    def draw(self, link: Linker) -> Iterator[bytes]:
        self.link = link
        yield b"the page"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    return Drawn(monkeypatch)


def names(bench: Bench, bucket: str, folder: str) -> set[str]:
    """What lies in a folder; nothing lies elsewhere."""
    assert all(where == bucket and key.startswith(f"{folder}/") for where, key in bench.shelf.objects)
    return {key.removeprefix(f"{folder}/") for _, key in bench.shelf.objects}


def test_it_goes_to_the_settings_place(bench: Bench) -> None:
    bench.attempt(State.STORED)
    found = bench.run(report_period, EVERYTHING)
    assert found.uri == "s3://films/season/_reports/all-batches/report.html" and found.reconciliation is None
    assert names(bench, "films", "season/_reports/all-batches") == FILES
    assert found.sentence.startswith("1 of 1 delivered") and found.sentence == found.credits.totals.sentence()


def test_it_goes_where_it_is_told_to_in_a_folder_named_by_what_it_is_about(bench: Bench) -> None:
    bench.batch()
    chosen = Selection(batch="smiles", provider="aiml", model="openai/sora-2-pro-i2v")
    found = bench.run(report_period, Period(chosen, "s3://other/place"))
    assert found.uri == "s3://other/place/_reports/smiles-aiml-openai-sora-2-pro-i2v/report.html"


def test_a_name_without_a_letter_that_can_be_written_is_report(bench: Bench) -> None:
    bench.ledger.plan("猫", "cats.csv", "s3://films/season", [a_row()], {a_row().clip.key: None})
    found = bench.run(report_period, Period(Selection(batch="猫")))
    assert found.uri == "s3://films/season/_reports/report/report.html"


def test_without_a_place_there_is_none(bench: Bench) -> None:
    bench.settings = {}
    with pytest.raises(NoDestination) as error:
        bench.run(report_period, EVERYTHING)
    assert str(error.value) == "nothing says where the report goes: set DAILIES_TO or pass `to`"


def test_a_store_that_refuses_it_is_told_by_no_address(bench: Bench) -> None:
    bench.shelf.trouble = [StoreTrouble("HTTP 503")]
    found = bench.run(report_period, EVERYTHING)
    assert found.uri is None and found.credits.totals.rows == 0


def two_batches(bench: Bench) -> None:
    bench.batch()
    other = a_row(2)
    bench.ledger.plan("frowns", "frowns.csv", "s3://clips/frowns", [other], {other.clip.key: None})


@pytest.mark.parametrize(("batch", "ids"), [(None, ["row-2", "row-1"]), ("smiles", ["row-1"]), ("frowns", ["row-2"])])
def test_it_tells_of_the_chosen_rows(bench: Bench, drawn: Drawn, batch: str | None, ids: list[str]) -> None:
    """And how to go on with each batch that they are of."""
    two_batches(bench)
    bench.run(report_period, Period(Selection(batch=batch, provider="aiml")))
    assert sorted(line.id for line in drawn.credits.lines) == sorted(ids)
    assert drawn.credits.batch == (batch or "all batches") and drawn.facts.span == "aiml"
    assert set(drawn.facts.runs) == ({batch} if batch else {"smiles", "frowns"})
    assert abs(datetime.now(UTC) - drawn.facts.made_at) < timedelta(minutes=1)
    assert drawn.facts.ways == Ways.of(batch) and drawn.facts.reconciliation is None


def linked(bench: Bench, drawn: Drawn, base: str | None) -> Links:
    """Where the page finds a clip that lies outside its folder."""
    bench.attempt(State.STORED)
    bench.run(report_period, Period(Selection(), "s3://clips/place", base))
    (line,) = drawn.credits.lines
    return drawn.link(line._replace(s3_uri="s3://clips/smiles/a.mp4"))


def test_the_page_finds_clips_of_its_bucket_beside_it(bench: Bench, drawn: Drawn) -> None:
    assert linked(bench, drawn, None).clip == "../../../smiles/a.mp4"
    (line,) = drawn.credits.lines
    assert drawn.link(line) == beside("clips", "place/_reports/all-batches")(line)
    assert drawn.facts.ways is not None and drawn.facts.ways.links_end is None


def test_the_page_finds_them_below_an_address(bench: Bench, drawn: Drawn) -> None:
    assert linked(bench, drawn, "https://cdn.example/").clip == "https://cdn.example/smiles/a.mp4"
    assert drawn.facts.ways is not None and drawn.facts.ways.links_end is None


def test_the_page_finds_them_by_signed_links_and_says_how_long(bench: Bench, drawn: Drawn) -> None:
    assert linked(bench, drawn, "presigned").clip == bench.shelf.presign("clips", "smiles/a.mp4")
    assert drawn.facts.ways is not None and drawn.facts.ways.links_end == links_end(drawn.facts.made_at)


# Against the provider's own ledger


def compared(attempt: Attempt, usd: Decimal) -> Reconciliation:
    """The provider's ledger says what an attempt cost, whose answer did not."""
    entry = Entry(
        Verdict.LEARNED, "row-1", "smiles", attempt.id, attempt.generation_id, "m", "stored", NOON,
        attempt.usd_quoted, None, usd, usd, "learned", "aiml",
    )  # fmt: skip
    return Reconciliation("aiml", NOON, NOON, NOON, (entry,))


def test_what_its_ledger_says_is_learned_before_the_figures_are_made(
    bench: Bench, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = bench.attempt(State.STORED)
    told = compared(attempt, Decimal("1.3"))
    chosen = Selection(provider="aiml")

    async def read(settings: Any, rows: Sequence[BatchRow], selection: Selection) -> Reconciliation:
        assert settings.dailies_to == "s3://films/season" and [row.attempt for row in rows] == [attempt]
        assert selection is chosen
        return told

    monkeypatch.setattr(period, "reconciliation_of", read)
    found: PeriodReport = bench.run(report_period, Period(chosen, reconcile=True))
    assert bench.again(attempt).usd_charged == Decimal("1.3") == found.credits.totals.usd_charged
    assert found.reconciliation is told and drawn.facts.reconciliation is told
    assert found.sentence == f"{found.credits.totals.sentence()} · {told.sentence()}"
    assert b"row-1" in bench.shelf.objects["films", "season/_reports/all-batches-aiml/reconciliation.csv"][0]


def test_where_nothing_is_learned_the_rows_are_read_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.attempt(State.STORED)
    read: list[object] = []
    real = period._rows

    def rows(runtime: Runtime) -> list[BatchRow]:
        read.append(runtime)
        return real(runtime)

    monkeypatch.setattr(period, "_rows", rows)

    async def nothing(*_: object) -> Reconciliation:
        return Reconciliation("aiml", NOON, NOON, NOON, ())

    monkeypatch.setattr(period, "reconciliation_of", nothing)
    found = bench.run(report_period, Period(Selection(), reconcile=True))
    assert len(read) == 1 and found.credits.totals.usd_charged is None


def test_charges_to_be_asked_back_are_beside_it(bench: Bench) -> None:
    bench.attempt(State.RESULT_LOST)
    bench.run(report_period, EVERYTHING)
    assert names(bench, "films", "season/_reports/all-batches") == FILES | {"refund-aiml.txt", "refund-pack.zip"}
