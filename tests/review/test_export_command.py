"""`dailies export` as a person types it: kept clips out of a real bucket, under names of their own."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shlex
import sys
import zipfile
from pathlib import Path

import boto3
import pytest

from dailies.cli.app import main
from dailies.domain.verdicts import Said, Word
from tests.e2e.harness import s3_client
from tests.review.conftest import Studio


@pytest.fixture
def round_(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Three takes, of which two are kept, in a process that looks at this studio."""
    for name, value in studio.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.chdir(studio.folder)
    first, _, fox = studio.shoot([("sunrise", ""), ("sunrise", "2"), ("fox", "")])
    ledger = studio.ledger()
    ledger.judge({first: Said(Word.KEEP), fox: Said(Word.KEEP)}, "Ana")
    ledger.close()
    return studio


def export(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The command on batch monday: exit code and stdout."""
    capsys.readouterr()
    code = main(["export", "--batch", "monday", *words])
    return code, capsys.readouterr().out


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def films(studio: Studio) -> set[str]:
    return {digest(path.read_bytes()) for path in studio.folder.glob("film-*.mp4")}


def test_a_zip_holds_the_kept_clips_and_their_list(round_: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = export(capsys, "--kept", "--as", "zip", "--to", "out.zip", "--name", "{campaign} {id} {take}", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["missing"] == 0 and answer["file"] == str(round_.folder / "out.zip")
    with zipfile.ZipFile("out.zip") as archive:
        assert archive.testzip() is None
        names = [one["name"] for one in answer["clips"]]
        assert sorted(archive.namelist()) == sorted(["clips.csv", *names]) and len(names) == 2
        assert {digest(archive.read(name)) for name in names} <= films(round_)
        rows = [*csv.DictReader(io.StringIO(archive.read("clips.csv").decode()))]
    assert [row["file"] for row in rows] == names and {row["verdict"] for row in rows} == {"keep"}
    assert not [path for path in round_.folder.iterdir() if "part" in path.name or path.name.startswith(".dailies")]


@pytest.mark.parametrize("kind", ["otio", "edl"])
def test_a_timeline_lies_beside_its_clips(round_: Studio, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    otio = pytest.importorskip("opentimelineio")
    code, _ = export(capsys, "--kept", "--as", kind, "--to", "handover/")
    assert code == 0
    file = round_.folder / "handover" / f"monday.{kind}"
    timeline = otio.adapters.read_from_file(str(file))
    clips = list(timeline.find_clips())
    assert [clip.name for clip in clips] == ["sunrise_1", "fox_1"]
    assert {path.name for path in (file.parent / "monday clips").iterdir()} == {"sunrise_1.mp4", "fox_1.mp4"}
    assert all(clip.duration().to_seconds() > 0 for clip in clips)
    assert export(capsys, "--kept", "--as", kind, "--to", "handover/")[0] == 0, "again: what is there stays"


def test_a_list_needs_no_store(
    round_: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert export(capsys, "--as", "csv")[0] == 0
    rows = [*csv.DictReader(io.StringIO((round_.folder / "monday.csv").read_text()))]
    assert [row["file"] for row in rows] == ["sunrise_1.mp4", "sunrise_2.mp4", "fox_1.mp4"]


def test_one_name_for_two_clips_writes_nothing(round_: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that is named instead works as it stands."""
    before = sorted(round_.folder.iterdir())
    assert main(["export", "--batch", "monday", "--as", "zip", "--name", "{id}", "--to", "never/out.zip"]) == 2
    assert sorted(round_.folder.iterdir()) == before
    program, *words = shlex.split(capsys.readouterr().err.split("Tell them apart: ")[1].splitlines()[0])
    assert program == "dailies" and main(words) == 0
    with zipfile.ZipFile("monday.zip") as archive:
        assert len(archive.namelist()) == 4


def test_a_clip_that_is_gone_is_named_and_the_rest_is_there(round_: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    client = s3_client(round_.s3_url)
    gone = client.list_objects_v2(Bucket=round_.bucket, Prefix="clips/monday/fox-")["Contents"]
    for entry in gone:
        client.delete_object(Bucket=round_.bucket, Key=entry["Key"])
    code, out = export(capsys, "--kept", "--as", "zip", "--to", "out.zip", "--json")
    assert code == 1 and [bool(one["error"]) for one in json.loads(out)["clips"]] == [False, True]
    with zipfile.ZipFile("out.zip") as archive:
        assert sorted(archive.namelist()) == ["clips.csv", "sunrise_1.mp4"]


def test_a_file_of_other_bytes_is_not_overwritten(round_: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("opentimelineio")
    mine = Path("monday clips") / "fox_1.mp4"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert export(capsys, "--kept", "--as", "otio")[0] == 1
    assert mine.read_bytes() == b"mine"


def test_without_its_library_a_timeline_says_what_to_install(
    round_: Studio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    assert main(["export", "--batch", "monday", "--as", "edl"]) == 2
    assert "dailies-video[otio]" in capsys.readouterr().err
