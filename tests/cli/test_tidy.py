"""`dailies tidy`: what is left over goes, by age and by size; what is paid for and not home never does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dailies.cli import tidy
from dailies.cli.app import main
from dailies.domain.states import State
from dailies.forget.leftovers import Leftover, too_old_or_too_much
from dailies.ledger import Ledger
from dailies.storage.probe import NAME, STAMP
from dailies.storage.s3 import StoreTrouble
from tests.ledger.factories import bring_to, open_ledger, plan

NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=40), NOW - timedelta(days=2)
DIGEST = "ab" * 32


class Store:
    """A bucket that holds two probes, or that does not answer."""

    away = False
    keys: set[str]

    def names(self, bucket: str, prefix: str) -> Iterator[str]:
        """What lies below a prefix."""
        if Store.away:
            raise StoreTrouble("503")
        return iter(sorted(key for key in Store.keys if key.startswith(prefix)))

    def delete(self, bucket: str, key: str) -> None:
        """Remove one object."""
        Store.keys.remove(key)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of its own, and a store that is a set."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "DAILIES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tidy, "S3", Store)
    monkeypatch.setattr(Store, "away", False)
    old, young = OLD.strftime(STAMP), NOW.strftime(STAMP)
    Store.keys = {f"smiles/{NAME}{old}-0a0a0a0a", f"smiles/{NAME}{young}-0b0b0b0b", "smiles/clip.mp4"}
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def put(path: Path, changed_at: datetime = OLD, content: bytes = b"x") -> Path:
    """A file that was last changed then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed_at.timestamp(), changed_at.timestamp()))
    os.utime(path.parent, (changed_at.timestamp(), changed_at.timestamp()))
    return path


def ledger_in(home: Path) -> Ledger:
    """The ledger that the command will open."""
    return open_ledger(f"sqlite:///{home / 'ledger.db'}")


def tidied(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    """What the command says that it removed."""
    assert main(["tidy", "--yes", "--json", *words]) == 0
    found: list[Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_download_goes_only_when_its_clip_is_home_or_there_never_was_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ledger_in(home)
    states = list(State)
    keys = plan(ledger, len(states))
    files = {
        state: put(home / "downloads" / f"{bring_to(ledger, state, key).id}.{DIGEST}.mp4")
        for state, key in zip(states, keys, strict=True)
    }
    ledger.close()
    stranger = put(home / "downloads" / f"{'0a' * 8}.{'0b' * 12}.{DIGEST}")
    gone = {entry["path"] for entry in tidied(capsys) if entry["kind"] == "download"}
    assert gone == {str(files[State.STORED]), str(files[State.FAILED])}
    assert stranger.exists()
    assert {state for state, path in files.items() if path.exists()} == set(states) - {State.STORED, State.FAILED}


def test_what_nothing_needs_goes_and_what_is_young_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = ledger_in(home)
    plan(ledger)
    ledger.close()
    old = {
        put(home / "images" / "source-1"),
        put(home / "cache" / "models.json"),
        put(home / "downloads" / "x.part", NOW - timedelta(hours=2)),
        put(home / "sender-7.log"),
        put(home / "reports" / "monday" / "report.html").parent,
    }
    put(home / "reports" / "tuesday" / "report.html", YOUNG)
    young = {
        put(home / "images" / "source-2", YOUNG),
        put(home / "downloads" / "y.part", NOW),
        put(home / "reports" / "tuesday" / "credits.csv"),
        put(home / "spool" / "a.json"),
        home / "ledger.db",
    }
    os.utime(home / "reports" / "tuesday", (YOUNG.timestamp(), YOUNG.timestamp()))
    assert main(["tidy", "--dry-run", "--json"]) == 0
    listed = {entry["path"] for entry in json.loads(capsys.readouterr().out)}
    assert all(path.exists() for path in old) and len(Store.keys) == 3
    gone = {entry["path"] for entry in tidied(capsys)}
    assert gone == listed == {*map(str, old), f"s3://clips/smiles/{NAME}{OLD.strftime(STAMP)}-0a0a0a0a"}
    assert not any(path.exists() for path in old) and all(path.exists() for path in young)
    assert len(Store.keys) == 2
    assert tidied(capsys) == []


def test_without_a_terminal_and_without_yes_nothing_is_touched(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = put(home / "images" / "source-1")
    assert main(["tidy"]) == main(["tidy", "--json"]) == 2
    assert old.exists() and "Nothing was removed" in capsys.readouterr().err


def test_a_folder_elsewhere_that_a_link_leads_to_is_left_alone(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = put(tmp_path / "elsewhere" / "holiday.jpg")
    (home / "reports").mkdir()
    (home / "reports" / "linked").symlink_to(elsewhere.parent)
    (home / "images").symlink_to(elsewhere.parent)
    assert tidied(capsys) == [] and elsewhere.exists()


def test_a_store_that_does_not_answer_is_said_and_stops_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_in(home)
    plan(ledger)
    ledger.close()
    monkeypatch.setattr(Store, "away", True)
    old = put(home / "images" / "source-1")
    assert main(["tidy", "--yes"]) == 0
    assert not old.exists() and "s3://clips/smiles was left out" in capsys.readouterr().err


def test_by_size_the_oldest_go_first_and_what_is_in_use_never() -> None:
    def one(days: float, size_bytes: int) -> Leftover:
        return Leftover("image", f"{days:g}", size_bytes, NOW - timedelta(days=days))

    found = [one(0.5, 100), one(3, 10), one(20, 10), one(10, 10)]
    month = timedelta(days=30)

    def names(most: int | None) -> list[str]:
        return [one.where for one in too_old_or_too_much(found, NOW, month, most)]

    assert names(None) == names(130) == []
    assert names(129) == ["20"]
    assert names(110) == ["20", "10"]
    assert names(0) == ["20", "10", "3"]
    assert [one.where for one in too_old_or_too_much(found, NOW, timedelta(days=5), 110)] == ["20", "10"]


def test_what_a_run_needs_by_the_time_of_the_yes_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question stands as long as nobody answers it."""
    old, used = (put(home / "images" / name) for name in ("old.png", "used.png"))

    def yes() -> str:
        os.utime(used)
        return "y\n"

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True, readline=yes))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["tidy", "--older-than", "30d"]) == 0
    assert "Remove 2" in capsys.readouterr().err and used.exists() and not old.exists()
