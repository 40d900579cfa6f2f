"""The files of a report, on disk and in S3: figures exact, private, whole, and none of them able to fail a run."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import boto3
import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from dailies.cli import main as cli
from dailies.domain.clip_line import COLUMNS
from dailies.domain.clips import clip_name
from dailies.domain.states import State
from dailies.errors import BadInput, Misconfigured
from dailies.ledger import Ledger, Owner, open_engine
from dailies.media.posters import Still
from dailies.media.video import inspect
from dailies.report import page as page_module
from dailies.report.cells import safe_cell
from dailies.report.credits import Credits, answer_json, credits_of, csv_pieces, dump
from dailies.report.facts import facts_of
from dailies.report.gather import gather_posters
from dailies.report.select import Selection
from dailies.report.sidecars import sidecar
from dailies.report.tables import parquet_pieces
from dailies.report.write import Disk, Places, figure_files, write_report
from dailies.runtime import Runtime
from dailies.steps.period import Period, report_period
from dailies.steps.posters import keep_poster, posters_folder
from dailies.storage.s3 import S3
from tests.ledger.factories import bring_to, claim, plan
from tests.report.factories import a_batch_row, credits, gradient, mixed_rows, real_clip

NAMES = {"report.html", "credits.csv", "credits.parquet", "summary.json"}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An S3 server with a bucket `studio`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("ENDPOINT_URL_S3", f"http://{host}:{port}"),
        ("ACCESS_KEY_ID", "x"),
        ("SECRET_ACCESS_KEY", "x"),
        ("REGION", "us-east-1"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    try:
        httpx.post(f"http://{host}:{port}/moto-api/reset")  # its buckets are the process's
        store = S3()
        boto3.client("s3").create_bucket(Bucket="studio")
        yield store
    finally:
        server.stop()


def keys(s3: S3) -> set[str]:
    """Every key in the bucket."""
    return {entry["Key"] for entry in s3.client.list_objects_v2(Bucket="studio").get("Contents", [])}


def test_the_same_report_is_on_disk_and_beside_the_clips(tmp_path: Path, s3: S3) -> None:
    written = write_report(credits(mixed_rows(12)), tmp_path / "r", s3, "studio", "clips/monday")
    assert {path.name for path in (tmp_path / "r").iterdir()} == NAMES
    assert keys(s3) == {f"clips/monday/{name}" for name in NAMES}
    assert written.uri == "s3://studio/clips/monday/report.html"
    head = s3.client.head_object(Bucket="studio", Key="clips/monday/report.html")
    assert head["ContentType"] == "text/html; charset=utf-8"


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    write_report(credits(mixed_rows(3)), tmp_path / "r", None)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "r").iterdir()} == {0o600}
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


def test_a_page_that_can_not_be_drawn_leaves_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "charts_of", lambda *_: 1 / 0)
    write_report(credits(mixed_rows(3)), tmp_path / "r", None)
    assert {path.name for path in (tmp_path / "r").iterdir()} == NAMES - {"report.html"}


def test_a_folder_that_can_not_be_written_still_leaves_the_report_in_s3(tmp_path: Path, s3: S3) -> None:
    (tmp_path / "r").write_text("a file where the folder should be")
    with pytest.raises(Misconfigured, match="The ledger holds all figures"):
        write_report(credits(mixed_rows(3)), tmp_path / "r", s3, "studio", "clips/monday")
    assert "clips/monday/report.html" in keys(s3)


def test_the_page_is_done_with_before_pyarrow_takes_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, usual = list[str](), Disk.take

    def noted(self: Disk, name: str, pieces: Iterable[bytes]) -> Path | None:
        names.append(name)
        return usual(self, name, pieces)

    monkeypatch.setattr(Disk, "take", noted)
    write_report(credits(mixed_rows(3)), tmp_path / "r", None)
    assert names == ["credits.csv", "summary.json", "report.html", "credits.parquet"]


def test_parquet_has_the_columns_of_the_csv_with_exact_money_and_utc_times() -> None:
    rows = [
        a_batch_row(1, labels={"campaign": "spring", "state": "draft"}),
        a_batch_row(2, None),
        a_batch_row(3, usd_charged=Decimal("0.000000001")),
    ]
    figures = credits(rows)
    table = pq.read_table(io.BytesIO(b"".join(parquet_pieces(figures))))
    header = next(csv.reader(io.StringIO(b"".join(csv_pieces(figures)).decode())))
    assert table.column_names == header == [*COLUMNS, "campaign", "own_state"]
    assert table["usd_charged"].to_pylist() == [Decimal("1.26"), None, Decimal("0.000000001")]
    assert str(table.schema.field("created_at").type) in ("timestamp[s, tz=UTC]", "timestamp[ms, tz=UTC]")
    assert pd.read_parquet(io.BytesIO(b"".join(parquet_pieces(figures))))["attempts"].tolist() == [1, 0, 1]


def by_the_cell(figures: Credits) -> str:
    """`credits.csv` in the plainest way: line by line, cell by cell."""
    own, out = [*dict.fromkeys(name for labels in figures.labels for name in labels)], io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *own])
    for line, labels in zip(figures.lines, figures.labels, strict=True):
        cells = [getattr(line, name) for name in COLUMNS]
        writer.writerow([safe_cell(cell) for cell in (*cells, *(labels.get(name, "") for name in own))])
    return out.getvalue()


def test_figures_in_pieces_are_the_figures_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailies.report.blocks.BLOCK", 7)
    monkeypatch.setattr("dailies.report.blocks.LOOSE", 1)
    retired = a_batch_row(9, labels={"campaign": 'é, "quoted"\n'})._replace(retired=True)
    for rows in ([], [a_batch_row(1), a_batch_row(2, None)], [a_batch_row(1), retired], [*mixed_rows(40), retired]):
        figures = credits(rows)
        files = dict(figure_files(figures, Path("/reports/monday")))
        assert files["credits.csv"] == by_the_cell(figures).encode()
        assert files["summary.json"] == (dump(answer_json(figures, "/reports/monday")) + "\n").encode()


def test_an_empty_report_has_a_parquet_file_too() -> None:
    assert pq.read_table(io.BytesIO(b"".join(parquet_pieces(credits([]))))).num_rows == 0


def test_two_columns_of_the_team_never_share_a_header() -> None:
    figures = credits([a_batch_row(1, labels={"state": "a", "own_state": "b"})])
    header = next(csv.reader(io.StringIO(b"".join(csv_pieces(figures)).decode())))
    assert len(header) == len(set(header)) == len(COLUMNS) + 2


def test_a_poster_is_kept_beside_its_clip_and_in_the_report_folder(tmp_path: Path, s3: S3) -> None:
    real_clip(tmp_path / "clip.mp4", (320, 180))
    row = a_batch_row(7)
    assert row.attempt
    still = Still()
    inspect(tmp_path / "clip.mp4", still.take)
    keep_poster(s3, row.attempt, row, still, posters_folder(Places(tmp_path), row.batch, None))
    name = f"{clip_name(row.id, row.clip_key)}.webp"
    with Image.open(tmp_path / "reports" / "monday" / "posters" / name) as picture:
        assert (picture.format, picture.size) == ("WEBP", (320, 180))
    assert keys(s3) == {f"clips/monday/{name}"}


def test_a_poster_that_can_not_be_cut_is_no_error(tmp_path: Path, s3: S3) -> None:
    row = a_batch_row(7)
    assert row.attempt
    keep_poster(s3, row.attempt, row, Still(), posters_folder(Places(tmp_path), row.batch, None))
    assert keys(s3) == set()


def test_a_later_report_finds_posters_on_this_disk_and_else_in_s3(tmp_path: Path, s3: S3) -> None:
    here, there, nowhere = (a_batch_row(n) for n in (1, 2, 3))
    folder = tmp_path / "home" / "reports" / "monday" / "posters"
    folder.mkdir(parents=True)
    (folder / f"{clip_name(here.id, here.clip_key)}.webp").write_bytes(b"here")
    s3.put_bytes(
        "studio", f"clips/monday/{clip_name(there.id, there.clip_key)}.webp", gradient((4, 4), 1), "image/webp"
    )
    lines = credits([here, there, nowhere]).lines
    assert gather_posters(lines, tmp_path / "out", Places(tmp_path / "home"), s3) == 2
    assert len(list((tmp_path / "out" / "posters").iterdir())) == 2


# The command.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAILIES_HOME whose ledger has a stored clip, a lost one, one in doubt and one not bought."""
    for name in [name for name in os.environ if name.startswith(("DAILIES_", "AIML_", "ONEROUTER_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("DAILIES_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(open_engine(f"sqlite:///{home / 'ledger.db'}"), Owner.this_process())
    clips = plan(ledger, 4)
    for state, clip_key in zip((State.STORED, State.RESULT_LOST), clips, strict=False):
        bring_to(ledger, state, clip_key)
    ledger.mark_in_doubt(claim(ledger, clips[2]).id, "answer lost")
    ledger.close()
    return home


def test_the_command_prints_sums_by_a_column_of_the_team(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["report", "--batch", "smiles", "--group-by", "campaign"]) == 0
    printed = capsys.readouterr().out
    assert "campaign" in printed and "spring" in printed and "1 of 4 delivered" in printed


def test_what_counts_against_the_caps_over_all_batches_stands_in_it_where_there_are_caps(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `status`, for people and as JSON; without a cap nothing is said."""
    assert cli(["report", "--json"]) == 0
    assert "budgets" not in json.loads(capsys.readouterr().out)
    monkeypatch.setenv("DAILIES_MONTHLY_BUDGET_USD", "9")
    monkeypatch.setenv("DAILIES_COLUMN_BUDGETS", "campaign=spring:2")
    assert cli(["report", "--json"]) == 0
    budgets = json.loads(capsys.readouterr().out)["budgets"]
    assert [(one["name"], one["usd_cap"]) for one in budgets] == [("month", 9), ("campaign=spring", 2)]
    assert cli(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["budgets"] == budgets
    assert cli(["report"]) == 0
    assert f"monthly budget: ${budgets[0]['usd_counted']:.2f} of $9.00" in capsys.readouterr().out


def test_the_command_writes_the_page_and_the_refund_pack(
    home: Path, tmp_path: Path, s3: S3, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["report", "--out", "out", "--refund-pack", "--json", "--link-base", "presigned"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["in_doubt"], len(answer["refunds"])) == (4, 1, 1)
    assert {path.name for path in (tmp_path / "out").iterdir()} == NAMES | {
        "posters",
        "refund-aiml.txt",
        "refund-pack.zip",
    }
    assert "X-Amz" not in (tmp_path / "out" / "credits.csv").read_text()


def test_the_command_writes_the_refund_pack_alone_into_the_usual_folder(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["report", "--batch", "smiles", "--refund-pack"]) == 0
    assert "1 charges to ask back, $1.26" in capsys.readouterr().out
    assert {path.name for path in (home / "reports" / "smiles").iterdir()} == {"refund-aiml.txt", "refund-pack.zip"}


@pytest.mark.parametrize(("options", "words"), [
    (["--since", "yesterday"], "not a day"), (["--batch", "none"], "no batch"), (["--group-by", "colour"], "no such column"),
    (["--out", "o", "--link-base", "javascript:alert(1)"], "--link-base"), (["--reconcile"], "AIML_API_KEY"),
    (["--reconcile", "--provider", "onerouter"], "publishes no ledger"),
    (["--provider", "aimil"], "--provider aimil: no provider is called so; did you mean aiml? There are "),
    (["--provider", "nobody", "--reconcile"], "no provider is called so. There are "),
    (["--model", "sora-2-pro-i2"], "did you mean openai/sora-2-pro-i2v"),
    (["--since", "2026-11-02", "--until", "2026-11-01"], "exchange the two days")])  # fmt: skip
def test_what_can_not_be_reported_is_refused_with_a_reason(
    home: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["report", *options]) == 2
    assert words in capsys.readouterr().err


def test_a_span_of_another_year_is_empty(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["report", "--since", "2020-01-01", "--until", "2020-12-31", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 0


def test_a_name_that_is_known_chooses_though_nothing_was_bought_there(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that is not installed any more is on record; a model may be called as a provider calls it."""

    def rows(*words: str) -> int:
        assert cli(["report", *words, "--json"]) == 0
        return int(json.loads(capsys.readouterr().out)["rows"])

    every = rows("--provider", "aiml")
    assert every and rows("--provider", "fal") == 0 and rows("--model", "SORA-2-PRO-I2V") == every
    assert rows("--model", "alibaba/wan-2-7-t2v") == 0 and rows("--model", "openai/sora-2-pro-image-to-video") == every
    monkeypatch.setattr("dailies.report.known.provider_names", lambda: ("fal",))
    assert rows("--provider", "aiml") == every


def test_a_scheduled_report_of_a_name_that_nobody_has_is_refused(ledger: Ledger) -> None:
    settings = SimpleNamespace(dailies_to="s3://studio/clips")
    runtime = cast(Runtime, SimpleNamespace(ledger=ledger, settings=settings))
    with pytest.raises(BadInput, match="did you mean aiml"):
        asyncio.run(report_period(runtime, Period(Selection(provider="aimil"))))


def test_a_scheduled_report_goes_below_the_destination(tmp_path: Path, s3: S3, ledger: Ledger) -> None:
    bring_to(ledger, State.STORED)
    settings = SimpleNamespace(dailies_to="s3://studio/clips")
    runtime = cast(Runtime, SimpleNamespace(ledger=ledger, settings=settings, s3=lambda: s3, home=tmp_path))
    report = asyncio.run(report_period(runtime, Period(Selection(provider="aiml"))))
    assert report.uri == "s3://studio/clips/_reports/all-batches-aiml/report.html"
    assert {key.rpartition("/")[2] for key in keys(s3)} == NAMES
    assert report.sentence.startswith("1 of 1 delivered")


def test_half_a_letter_in_an_old_record_keeps_no_file_from_being_written(tmp_path: Path) -> None:
    """A spreadsheet can hold half of an emoji, and UTF-8 has no such thing."""
    half = "smile \ud83d"
    rows = [a_batch_row(n, id=half, labels={half: half}) for n in (1, 2)]
    write_report(credits_of("monday", rows), tmp_path, None)
    assert {path.name for path in tmp_path.iterdir()} == NAMES
    for name in NAMES - {"credits.parquet", "report.html"}:
        assert "smile ?" in (tmp_path / name).read_text(encoding="utf-8")
    assert pq.read_table(tmp_path / "credits.parquet").column("smile ?").to_pylist() == ["smile ?"] * 2
    assert b"smile ?" in sidecar(facts_of(rows[0]))
