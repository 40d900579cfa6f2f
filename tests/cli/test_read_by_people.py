"""What a person reads without `--json`: each command that only looks, on clips that came home, failed, are in doubt, or are forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from dailies.cli.app import main
from dailies.domain.states import State
from tests.ledger.factories import bring_to, open_ledger, plan

HOME, FAILED, DOUBT, PLANNED, FORGOTTEN = "row-1", "row-2", "row-3", "row-4", "row-5"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAILIES_HOME with one batch, and no Prefect anywhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "DAILIES_LEDGER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "no-profiles.toml"))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    ledger = open_ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    keys = plan(ledger, 5)
    for key, state in zip(keys, (State.STORED, State.FAILED, State.IN_DOUBT), strict=False):
        bring_to(ledger, state, key)
    bring_to(ledger, State.STORED, keys[4])
    ledger.mark_forgotten([keys[4]])
    ledger.close()
    return tmp_path


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(arguments) == 0
    return "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (HOME, ["state: stored", "usd_quoted: $1.26", "submitted"]),
        (FAILED, ["state: failed", "usd_quoted: $1.26", "error: "]),
        (DOUBT, ["state: in_doubt", "usd_quoted: $1.26"]),
        (PLANNED, ["state: planned", "usd_quoted: $1.26"]),
        (FORGOTTEN, ["state: stored", "usd_quoted: $1.26", "forgotten"]),
    ],
)
def test_all_that_is_known_of_a_clip(row: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = read(capsys, "show", f"smiles/{row}")
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status", [DOUBT]),
        ("status --batch smiles", [DOUBT]),
        ("report", ["$"]),
        ("report --batch smiles", ["smiles"]),
        ("report --group-by model", ["$"]),
        ("retry --dry-run --batch smiles", []),
        ("review --export -", [HOME]),
        ("tidy --dry-run", ["0 would be removed"]),
        ("models show openai/sora-2-pro-i2v", ["$"]),
    ],
)
def test_what_only_looks_is_read_to_its_end(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = read(capsys, *command.split())
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("command", ["status", "report", "retry --dry-run", "watch", "forget --yes"])
def test_a_batch_that_is_not_on_record_is_no_good_news(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["status", "--watch"] if command == "watch" else command.split()
    assert main([*words, "--batch", "smile"]) == 2
    assert "the ledger knows no batch 'smile'" in capsys.readouterr().err
