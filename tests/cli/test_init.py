"""`dailies init`: what it writes, what it asks, and that what it says next works."""

from __future__ import annotations

import csv
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.cli.app import main
from dailies.sandbox import Sandbox, SandboxConfig
from dailies.settings import NAMES, load_settings

FILES = {".env", "prompts.csv", "images", "images/harbour-720.png", "images/night-720.png", "images/sunrise-720.png"}
COMMAND = re.compile(r"^(dailies [^#\n]*?)(?:\s*#.*|   .*)?$", re.MULTILINE)
SECRET = "sk-typed-by-hand-1234"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(time_scale=0, api_keys=frozenset({SECRET}))) as running:
        yield running


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_without_a_terminal_it_asks_nothing_and_writes_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert names(folder) == FILES
    rows = list(csv.DictReader((folder / "prompts.csv").open(encoding="utf-8")))
    assert len(rows) == 3 and all((folder / row["image"]).is_file() for row in rows)
    said = COMMAND.findall(capsys.readouterr().out)
    assert len(said) >= 3 and {line.split()[1] for line in said} >= {"check", "run"}


def test_env_names_every_setting_commented_and_no_key_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIML_API_KEY", "sk-from-outside")
    assert main(["init"]) == 0
    text = (folder / ".env").read_text(encoding="utf-8")
    assert {line.removeprefix("# ").partition("=")[0] for line in text.splitlines()} >= set(NAMES)
    assert all(line.startswith("#") or not line for line in text.splitlines())
    assert "sk-from-outside" not in text
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    monkeypatch.delenv("AIML_API_KEY")
    assert load_settings() == load_settings(dotenv=False)


@pytest.mark.parametrize("there", sorted(FILES - {"images"}))
def test_where_one_of_its_files_is_there_nothing_is_changed(
    there: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / there).parent.mkdir(exist_ok=True)
    (folder / there).write_text("mine")
    before = names(folder)
    assert main(["init"]) == 2
    assert there in capsys.readouterr().err
    assert names(folder) == before and (folder / there).read_text() == "mine"


def typed(folder: Path, environ: dict[str, str], *answers: str) -> tuple[int, str]:
    """The exit code of `dailies init` on a terminal where these answers are typed, and all that the screen showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dailies", "init"]
    environ = {**os.environ, "DAILIES_HOME": str(folder / "home"), "TERM": "dumb", **environ}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environ, start_new_session=True
    )
    os.close(theirs)
    shown, waiting, until = b"", list(answers), time.monotonic() + 60
    while time.monotonic() < until:
        if select.select([ours], [], [], 1)[0]:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
            shown += piece
            if shown.endswith(b": ") and waiting:
                os.write(ours, f"{waiting.pop(0)}\n".encode())
    os.close(ours)
    return process.wait(timeout=10), shown.decode()


def test_on_a_terminal_a_key_is_tried_for_free_and_never_shown(folder: Path, sandbox: Sandbox) -> None:
    """A refused key is asked for again; what was said stands in `.env`."""
    code, screen = typed(folder, {"AIML_BASE_URL": sandbox.url}, "", "sk-wrong", SECRET, "nowhere", "s3://films/first")
    assert code == 0, screen
    assert SECRET not in screen and "sk-wrong" not in screen
    assert "aiml refuses this key" in screen and "The key works; balance $" in screen
    text = (folder / ".env").read_text(encoding="utf-8")
    assert f"\nAIML_API_KEY={SECRET}\n" in text and "\nDAILIES_TO=s3://films/first\n" in text
    assert sandbox.charges() == []


def test_three_answers_that_are_none_leave_nothing(folder: Path) -> None:
    code, screen = typed(folder, {}, "nobody", "nobody", "nobody")
    assert code == 2 and "nothing was written" in screen
    assert names(folder) <= {"home"}


def test_a_provider_that_lacks_the_usual_model_gets_rows_that_it_can_make(folder: Path) -> None:
    code, screen = typed(folder, {}, "onerouter", "", "")
    assert code == 0, screen
    assert "\nDAILIES_PROVIDER=onerouter\n" in (folder / ".env").read_text(encoding="utf-8")
