"""`dailies ledger archive` and the settings of what is kept: asks, counts, compares, and says what it did."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.cli.app import main
from dailies.domain.commands import ARCHIVE
from dailies.domain.states import State
from dailies.ledger import Ledger, Owner, open_engine
from tests.ledger.factories import bring_to, open_ledger, plan

DAYS = 500


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home whose ledger holds two clips that came home long ago."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "DAILIES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    then = datetime.now(UTC) - timedelta(days=DAYS)
    ledger = Ledger(open_engine(url(tmp_path / "home")), Owner.this_process(), clock=lambda: then)
    for key in plan(ledger, 2):
        bring_to(ledger, State.STORED, key)
    ledger.close()
    return tmp_path / "home"


def url(home: Path) -> str:
    """Of the ledger in a home."""
    return f"sqlite:///{home / 'ledger.db'}"


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """The JSON of `dailies ledger archive archive`."""
    assert main([*ARCHIVE.split()[1:], "--json", *words]) == code
    return json.loads(capsys.readouterr().out)


def test_without_a_terminal_and_without_yes_nothing_is_archived(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([], ["--json"]):
        assert main([*ARCHIVE.split()[1:], *words]) == 2
    assert "Nothing was archived" in capsys.readouterr().err and not (tmp_path / "archive").exists()


def test_a_dry_run_counts_and_a_yes_does_that(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = _status(capsys)
    would = told(capsys, "--dry-run")
    assert (would["attempts"], would["usd_quoted"], would["files"]) == (2, 2.52, [])
    assert not (tmp_path / "archive").exists()
    did = told(capsys, "--yes")
    assert {**did, "files": [], "before": would["before"]} == would and len(did["files"]) == 1
    assert told(capsys, "--yes")["attempts"] == 0 and len(list((tmp_path / "archive").glob("*.parquet"))) == 1
    assert _status(capsys) == status
    assert told(capsys, "--compare") == {**{k: would[k] for k in ("attempts", "moves", "usd_quoted", "usd_charged")},
                                         "differing": []}  # fmt: skip


def test_the_page_s_commands_do_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    lines = re.findall(r"^dailies (ledger archive .*)$", page, re.MULTILINE)
    assert [main(line.split()) for line in lines] == [0, 0, 0]
    said = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in said] == ["2 attempts "] * 3
    assert (
        said[0].endswith("would be archived") and said[1].endswith("were archived") and said[2].endswith("as on record")
    )


def _status(capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["status", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_dollars_that_are_not_on_record_as_there_are_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "--yes")
    ledger = open_ledger(url(home))
    (attempt, *_) = (row.attempts[0] for row in ledger.rows("smiles"))
    ledger.record_charged(attempt.id, Decimal("9.99"), None)
    ledger.close()
    assert told(capsys, "--compare", code=1)["differing"] == [attempt.id]


def test_how_old_is_a_setting_and_an_option_wins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "--dry-run")["attempts"] == 2, "400 days, where nothing is said"
    monkeypatch.setenv("DAILIES_KEEP_HISTORY_DAYS", str(DAYS + 1))
    assert told(capsys, "--dry-run")["attempts"] == 0
    assert told(capsys, "--dry-run", "--older-than", f"{DAYS - 1}d")["attempts"] == 2


def test_what_tidy_keeps_is_a_setting_and_an_option_wins(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "images").mkdir()
    for number, days in enumerate((10, 20)):
        path, at = home / "images" / f"{number}.png", (datetime.now(UTC) - timedelta(days=days)).timestamp()
        path.write_bytes(b"x" * (1 << 20))
        os.utime(path, (at, at))

    def goes(*words: str) -> int:
        assert main(["tidy", "--dry-run", "--json", *words]) == 0
        return len([one for one in json.loads(capsys.readouterr().out) if one["kind"] == "image"])

    monkeypatch.setattr("dailies.cli.tidy._probes", lambda _ledger: [])
    assert goes() == 0
    monkeypatch.setenv("DAILIES_KEEP_DAYS", "15")
    assert (goes(), goes("--older-than", "30d"), goes("--older-than", "5d")) == (1, 0, 2)
    monkeypatch.setenv("DAILIES_KEEP_DAYS", "100")
    monkeypatch.setenv("DAILIES_KEEP_MB", "1")
    assert (goes(), goes("--keep-mb", "5"), goes("--keep-mb", "0")) == (1, 0, 2)


def test_an_archive_is_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of this name is refused before the ledger is touched."""
    (tmp_path / "history").write_text("mine")
    assert main(["ledger", "archive", str(tmp_path / "history"), "--yes"]) == 2
    said = capsys.readouterr().err
    assert "[request]" in said and "is no folder: name one" in said and (tmp_path / "history").read_text() == "mine"
