"""A command does not load what it does not use: it would pay for that at every start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dailies.cli.app import LATE
from dailies.cli.check import Checked
from dailies.cli.commands import batch

LOADED = """
import contextlib, io, json, sys
from dailies.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
heavy = ("prefect", "boto3", "botocore", "pandas", "av", "sqlalchemy", "PIL", "jinja2", "uvicorn", "moto", "httpx", "markdown_it")
heavy += ("dailies.planning.request",)
print(json.dumps([code, [name for name in heavy if name in sys.modules]]))
"""


AT_THE_BEGINNING = """
import json, sys
from dailies.cli import ahead, main
def begin(self):
    print(json.dumps([name for name in ("prefect", "sqlalchemy", "httpx", "boto3", "jinja2") if name in sys.modules]))
    raise SystemExit
ahead.Ahead.begin = begin
main(sys.argv[1:])
"""


def environment(home: Path) -> dict[str, str]:
    """All that a command sees of it: a provider that nobody answers for."""
    settings = {
        "HOME": str(home), "DAILIES_HOME": str(home), "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
        "AIML_BASE_URL": "http://127.0.0.1:9", "AIML_API_KEY": "k",
    }  # fmt: skip
    return {"PATH": os.environ["PATH"], **settings}


def loaded(home: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code of a command, and what of the heavy it had loaded at its end."""
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, env=environment(home), cwd=home, check=True, capture_output=True, text=True)
    code, names = json.loads(done.stdout)
    return code, names


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded(tmp_path, "--help") == (0, [])


def test_what_takes_no_csv_does_not_make_the_options_of_what_does(tmp_path: Path) -> None:
    assert loaded(tmp_path, "show", "--help") == (0, ["markdown_it"])
    assert "dailies.planning.request" in loaded(tmp_path, "run", "--help")[1]


@pytest.mark.parametrize("name", LATE)
def test_a_command_that_is_loaded_late_is_listed_with_its_own_words(name: str) -> None:
    assert LATE[name] == getattr(batch, name).__doc__


def test_a_check_of_files_on_disk_loads_neither_engine_nor_store_nor_decoder(tmp_path: Path) -> None:
    Image.new("RGB", (1280, 720)).save(tmp_path / "frame.png")
    (tmp_path / "prompts.csv").write_text("prompt,image,resolution\na door opens,frame.png,720p\n")
    assert loaded(tmp_path, "check", "prompts.csv", "--json") == (
        2,
        ["sqlalchemy", "PIL", "httpx", "dailies.planning.request"],
    )


def test_a_run_begins_its_server_before_it_loads_the_rest_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "prompts.csv").write_text("prompt\na door opens\n")
    command = [sys.executable, "-c", AT_THE_BEGINNING, "run", "prompts.csv"]
    done = subprocess.run(command, env=environment(tmp_path), cwd=tmp_path, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == []


def test_the_outcome_of_a_check_is_never_written_out() -> None:
    """asyncio.run writes out its result as it ends, which for ten thousand rows is a second of the processor."""
    assert Checked.__repr__ is object.__repr__
