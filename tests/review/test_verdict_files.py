"""`dailies review --export` and `--import` as a person types them: they serve nothing, and take a file whole or not at all."""

from __future__ import annotations

import csv
import getpass
import io
import json
from pathlib import Path

import pytest

from dailies.cli.app import main
from dailies.domain.states import State
from dailies.ledger import Ledger
from dailies.review import aftermath
from tests.ledger.factories import bring_to, open_ledger, plan


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAILIES_HOME with two delivered clips of one batch, and no Prefect anywhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "DAILIES_LEDGER_URL", "DAILIES_REVIEWER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "no-profiles.toml"))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(aftermath, "keep_all_sidecars", lambda *_: None)  # there is no store here
    (tmp_path / "home").mkdir()
    with_ledger = ledger_of(tmp_path)
    for key in plan(with_ledger, 2):
        bring_to(with_ledger, State.STORED, key)
    with_ledger.engine.dispose()
    return tmp_path


def ledger_of(folder: Path) -> Ledger:
    return open_ledger(f"sqlite:///{folder / 'home' / 'ledger.db'}")


def exported(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["review", "--export", "-"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_a_file_of_verdicts_is_taken_in_and_comes_out_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "v.csv"
    file.write_text("id,take,verdict,note,prompt\nrow-1,1,keep,lovely,\nrow-2,,retake,too dark,brighter light\n")
    assert main(["review", "--batch", "smiles", "--import", str(file)]) == 0
    first, second = exported(capsys)
    assert (first["id"], first["verdict"], first["note"], first["prompt"]) == ("row-1", "keep", "lovely", "")
    assert (second["verdict"], second["note"], second["prompt"]) == ("retake", "too dark", "brighter light")
    assert first["by"] == getpass.getuser() and first["at"].endswith("+00:00") and first["seconds"] == "4"


def test_what_was_exported_is_imported_without_saying_anything_twice(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "v.csv").write_text("batch,id,verdict,by\nsmiles,row-1,reject,Chidi\n")
    assert main(["review", "--import", "v.csv"]) == 0
    assert main(["review", "--export", "out.csv"]) == 0
    assert main(["review", "--import", "out.csv"]) == 0
    assert "0 verdicts are new" in capsys.readouterr().err
    assert exported(capsys)[0]["by"] == "Chidi"


def test_one_unknown_word_refuses_the_whole_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "v.csv").write_text("batch,id,verdict\nsmiles,row-1,keep\nsmiles,row-2,kepe\n")
    assert main(["review", "--import", "v.csv"]) == 2
    assert "'kepe'" in capsys.readouterr().err
    assert [line["verdict"] for line in exported(capsys)] == ["", ""]


def test_an_unknown_batch_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "--batch", "nobody", "--export", "-"]) == 2
    assert main(["review", "--batch", "nobody", "--no-browser"]) == 2
    assert capsys.readouterr().out == ""


def test_who_judges_is_a_setting(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAILIES_REVIEWER", "Ana")
    (home / "v.csv").write_text("batch,id,verdict\nsmiles,row-1,keep\n")
    assert main(["review", "--import", "v.csv"]) == 0
    assert exported(capsys)[0]["by"] == "Ana"


def test_the_report_tells_verdicts_and_dollars_per_kept_second(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_ledger = ledger_of(home)
    for row in with_ledger.rows("smiles"):
        assert row.attempt is not None
        with_ledger.record_charged(row.attempt.id, row.attempt.usd_quoted, None)
    with_ledger.close()
    (home / "v.csv").write_text("batch,id,verdict\nsmiles,row-1,keep\nsmiles,row-2,reject\n")
    assert main(["review", "--import", "v.csv"]) == 0
    capsys.readouterr()
    assert main(["report", "--batch", "smiles"]) == 0
    assert "1 kept, $0.63 a kept second" in capsys.readouterr().out
    assert main(["report", "--batch", "smiles", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {clip["id"]: clip["verdict"] for clip in answer["clips"]} == {"row-1": "keep", "row-2": "reject"}
    assert answer["usd_per_kept_second"] == 2 * 1.26 / 4
