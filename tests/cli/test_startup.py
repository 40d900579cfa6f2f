"""A command does not load what it does not use: it would pay for that at every start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from dailies.cli.check import Checked

LOADED = """
import contextlib, io, json, sys
from dailies.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
heavy = ("prefect", "boto3", "botocore", "pandas", "av", "sqlalchemy", "PIL", "jinja2", "uvicorn", "moto", "httpx")
print(json.dumps([code, [name for name in heavy if name in sys.modules]]))
"""


def loaded(home: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code of a command, and which of the heavy packages it had loaded at its end."""
    settings = {
        "HOME": str(home), "DAILIES_HOME": str(home), "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
        "AIML_BASE_URL": "http://127.0.0.1:9", "AIML_API_KEY": "k",
    }  # fmt: skip
    environ = {"PATH": os.environ["PATH"], **settings}
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, env=environ, cwd=home, check=True, capture_output=True, text=True)
    code, names = json.loads(done.stdout)
    return code, names


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded(tmp_path, "--help") == (0, [])


def test_a_check_of_files_on_disk_loads_neither_engine_nor_store_nor_decoder(tmp_path: Path) -> None:
    Image.new("RGB", (1280, 720)).save(tmp_path / "frame.png")
    (tmp_path / "prompts.csv").write_text("prompt,image,resolution\na door opens,frame.png,720p\n")
    assert loaded(tmp_path, "check", "prompts.csv", "--json") == (2, ["sqlalchemy", "PIL", "httpx"])


def test_the_outcome_of_a_check_is_never_written_out() -> None:
    """asyncio.run writes out its result as it ends, which for ten thousand rows is a second of the processor."""
    assert Checked.__repr__ is object.__repr__
