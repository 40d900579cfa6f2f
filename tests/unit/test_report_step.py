"""The end of a run: figures by the ledger, written here and beside the clips, and no trouble with them fails a paid batch."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.planning.batch import Batch
from dailies.report.links import PRESIGNED_S, links_end
from dailies.report.page import Ways
from dailies.report.write import Extras, Written
from dailies.steps import report
from dailies.steps.report import batch_credits, final_credits, report_batch
from dailies.steps.report_places import report_places
from dailies.steps.stills import MOST, MOST_BYTES, stills_markdown
from dailies.storage.s3 import StoreTrouble
from tests.ledger.factories import FakeClock, a_row, bring_to
from tests.unit.steps_bench import Bench, bench_on

CLIP = b"a clip"


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def stored(bench: Bench, batch: Batch, at: int = 0) -> Attempt:
    """A clip that was delivered, and lies in the store."""
    clip_key = batch.plan.rows[at].clip.key
    attempt = bring_to(bench.ledger, State.COMPLETED, clip_key)
    uri = f"s3://clips/smiles/smiles/{at}.mp4"
    bench.shelf.lay(f"smiles/smiles/{at}.mp4", CLIP)
    return bench.ledger.record_stored(attempt.id, uri, hashlib.sha256(CLIP).hexdigest(), len(CLIP))


# The figures


def test_the_figures_are_those_of_the_whole_batch(bench: Bench) -> None:
    """What came before the run is told apart; a word that our table lacks is told of."""
    batch = bench.batch(2)
    attempt = stored(bench, batch)
    bench.ledger.saw_status("aiml", "marinating")
    credits = batch_credits(bench.runtime(), replace(batch, delivered_before=frozenset({attempt.clip_key})))
    assert [line.id for line in credits.lines] == ["row-1", "row-2"] and credits.batch == "smiles"
    assert credits.totals.already_delivered == 1 and [one.status for one in credits.unknown_statuses] == ["marinating"]
    assert batch_credits(bench.runtime(), batch).totals.already_delivered == 0


def test_of_a_part_they_are_its_rows_alone(bench: Bench) -> None:
    whole = bench.batch(2)
    part = replace(bench.batch(rows=whole.plan.rows[1:], on_record=False), request=whole.request.but(limit=1))
    assert [line.id for line in batch_credits(bench.runtime(), part).lines] == ["row-2"]


def test_of_rows_that_left_the_sheet_the_money_counts(bench: Bench) -> None:
    whole = bench.batch(2)
    stored(bench, whole, 1)
    batch = bench.batch(rows=whole.plan.rows[:1])
    found = batch_credits(bench.runtime(), batch)
    assert [(line.id, line.counted) for line in found.lines] == [("row-1", True), ("row-2", False)]


def test_once_reported_they_are_those_that_the_report_told(bench: Bench) -> None:
    batch = bench.batch()
    assert final_credits(bench.runtime(), batch).totals.delivered == 0
    bench.run(report_batch, batch)
    stored(bench, batch)
    assert final_credits(bench.runtime(), batch).totals.delivered == 0
    bench.batches.reported.clear()
    assert final_credits(bench.runtime(), batch).totals.delivered == 1


# Where they are written


def test_a_report_lies_at_home_and_beside_the_clips(bench: Bench) -> None:
    batch = bench.batch()
    stored(bench, batch)
    credits, written = bench.run(report_batch, batch)
    folder = bench.folder / "reports" / "smiles"
    assert written == Written(folder, "s3://clips/smiles/smiles/report.html") and credits.totals.rows == 1
    for name in ("credits.csv", "summary.json", "report.html"):
        assert (folder / name).stat().st_size and ("clips", f"smiles/smiles/{name}") in bench.shelf.objects
    assert json.loads((folder / "summary.json").read_text())["batch"] == "smiles"


def test_the_report_of_a_part_lies_at_home_alone(bench: Bench) -> None:
    """In a folder of its own; beside the clips lies that of the whole batch."""
    batch = bench.batch(request={"rows": "1"})
    _, written = bench.run(report_batch, batch)
    assert written.uri is None and bench.shelf.objects == {}
    assert written.folder is not None and written.folder.name.startswith("smiles-rows-1")
    assert (written.folder / "credits.csv").exists()


def test_where_reports_lie_is_asked_once_for_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names may come to the same folder: then the ledger gives one of them another."""
    asked: list[str] = []

    def report_folders() -> dict[str, str]:
        asked.append("asked")
        return {"smiles!": "smiles-2"}

    monkeypatch.setattr(bench.ledger, "report_folders", report_folders)
    for _ in range(2):
        places = bench.run(report_places, "smiles!")
        assert places.here("smiles!") == bench.folder / "reports" / "smiles-2" and asked == ["asked"]
    assert bench.run(report_places, "grins").here("grins") == bench.folder / "reports" / "grins" and len(asked) == 2


def test_while_the_ledger_is_away_a_report_lies_where_its_clips_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the ledger is asked again."""

    def away() -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(bench.ledger, "report_folders", away)
        assert bench.run(report_places, "smiles!").here("smiles!") == bench.folder / "reports" / "smiles"
    monkeypatch.setattr(bench.ledger, "report_folders", lambda: {"smiles!": "smiles-2"})
    assert bench.run(report_places, "smiles!").here("smiles!") == bench.folder / "reports" / "smiles-2"


def test_a_folder_for_the_report_may_be_asked_for(bench: Bench) -> None:
    _, written = bench.run(report_batch, bench.batch(request={"report_dir": str(bench.folder / "mine")}))
    assert written.folder == bench.folder / "mine" and (bench.folder / "mine" / "report.html").exists()


def test_a_report_that_can_not_be_written_is_a_line_of_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    (bench.folder / "file").write_text("")
    batch = bench.batch(request={"report_dir": str(bench.folder / "file" / "below")})
    credits, written = bench.run(report_batch, batch)
    assert (
        written == Written(None, None) == Written(bench.batches.folders[batch.name], None) and credits.totals.rows == 1
    )
    assert [r.getMessage()[:29] for r in caplog.records if r.levelno == logging.ERROR] == [
        "the report can't be written t"
    ]


class Taken:
    """What is handed to whoever writes the report."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: tuple[Any, ...] = ()
        monkeypatch.setattr(report, "write_report", self.write)

    def write(self, *asked: Any) -> Written:
        self.asked = asked
        return Written(asked[1], None)

    @property
    def extras(self) -> Extras:
        extras: Extras = self.asked[-1]
        return extras


@pytest.mark.parametrize("kept", [False, True])
def test_the_page_says_how_to_go_on_and_shows_the_clips(
    bench: Bench, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By links that are signed for a week, or to the copies that were kept."""
    taken = Taken(monkeypatch)
    monkeypatch.setenv("HOME", str(bench.folder))
    batch = bench.batch(request={"keep_local": "~/clips"} if kept else {})
    attempt = stored(bench, batch)
    if kept:
        (bench.folder / "clips").mkdir()
        (bench.folder / "clips" / "0.mp4").write_bytes(CLIP)
    credits, written = bench.run(report_batch, batch)
    facts = taken.extras.facts
    assert taken.asked[:-1] == (credits, written.folder, bench.shelf, "clips", "smiles/smiles")
    assert abs(datetime.now(UTC) - facts.made_at) < timedelta(minutes=1)
    assert facts.ways == Ways.of("smiles", links_end(facts.made_at)) and facts.ways.links_end is not None
    assert list(facts.runs) == ["smiles"] and facts.runs["smiles"].startswith("dailies run ")
    assert taken.extras.link is not None
    link = taken.extras.link(credits.lines[0]).clip
    copy = "../../clips/0.mp4"
    assert link == (copy if kept else bench.shelf.presign("clips", "smiles/smiles/0.mp4")) and attempt.s3_uri
    assert PRESIGNED_S == 7 * 24 * 3600


# What is kept on this disk


def test_what_came_before_the_run_is_kept_on_disk_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this run delivered was kept as it came."""
    monkeypatch.setenv("HOME", str(bench.folder))
    batch = bench.batch(2, request={"keep_local": "~/clips"})
    earlier, _ = stored(bench, batch), stored(bench, batch, 1)
    bench.run(report_batch, replace(batch, delivered_before=frozenset({earlier.clip_key})))
    (only,) = (bench.folder / "clips").iterdir()
    assert only.read_bytes() == CLIP and only.name.startswith("row-1")


def test_where_nothing_came_before_nothing_is_made(bench: Bench) -> None:
    batch = bench.batch(request={"keep_local": str(bench.folder / "clips")})
    stored(bench, batch)
    bench.run(report_batch, batch)
    assert not (bench.folder / "clips").exists()


@pytest.mark.parametrize(
    ("trouble", "words"), [("gone", "row-1: there is no s3://clips/smiles/smiles/0.mp4 any more"), ("disk", "")]
)
def test_trouble_with_that_is_a_line_of_the_log(
    bench: Bench, trouble: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    batch = bench.batch(request={"keep_local": str(bench.folder / "clips")})
    batch = replace(batch, delivered_before=frozenset({stored(bench, batch).clip_key}))
    if trouble == "gone":
        bench.shelf.objects.clear()
    else:
        (bench.folder / "clips").write_text("a file")
    credits, written = bench.run(report_batch, batch)
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith(words) and written.uri is not None and credits.totals.rows == 1


def test_what_the_ledger_has_forgotten_is_looked_for_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the figures know of it."""
    asked: list[object] = []

    async def write_all_anew(runtime: object) -> None:
        asked.append(runtime)

    monkeypatch.setattr(report, "write_all_anew", write_all_anew)
    bench.run(report_batch, bench.batch())
    assert len(asked) == 1 and asked[0] is not None


# The first pictures, for the Prefect UI


def test_the_first_pictures_are_in_the_page_itself(bench: Bench) -> None:
    """Of clips that are in S3; small ones, that are there. Their names are no markdown."""
    rows = tuple(a_row(n, id=f"row_{n}") for n in range(1, MOST + 4))
    batch = bench.batch(rows=rows)
    for at in range(1, len(rows)):
        stored(bench, batch, at)
        bench.clock.advance(1)
    for at, picture in {1: b"one", 2: bytes(MOST_BYTES), 3: bytes(MOST_BYTES + 1), 5: b"late"}.items():
        bench.shelf.lay(f"smiles/smiles/{at}.webp", picture)
    said = bench.run(stills_markdown, batch_credits(bench.runtime(), batch))
    assert said.startswith("\n\n![row\\_2](data:image/webp;base64,b25l) ![row\\_3](data:image/webp;base64,AAAA")
    assert said.count("](data:") == 2


@pytest.mark.parametrize("trouble", [None, StoreTrouble("it is away")])
def test_without_pictures_nothing_is_shown(bench: Bench, trouble: Exception | None) -> None:
    batch = bench.batch()
    stored(bench, batch)
    bench.shelf.trouble = [trouble] if trouble else []
    assert bench.run(stills_markdown, batch_credits(bench.runtime(), batch)) == ""
