"""The version of dailies that wrote the first ledgers, taken from the repository's history and run as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIRST = "48f82a2"
"""The last commit before there were migrations."""


def code_of_the_first_version(folder: Path) -> Path:
    """Its code, in a folder. Skips the test, visibly, where the history is not there."""
    done = subprocess.run(["git", "archive", FIRST, "dailies"], cwd=HERE.parents[1], capture_output=True)
    if done.returncode:
        pytest.skip(f"{FIRST} is not in this repository's history: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def first_version(code: Path, command: str, url: str) -> subprocess.Popen[str]:
    """`first_version.py` as a process with that code; it is spoken to by stdin and stdout."""
    environ = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    script = str(HERE / "first_version.py")
    return subprocess.Popen(
        [sys.executable, script, command, url],
        env=environ,
        cwd=code,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def written_by_the_first_version(code: Path, url: str) -> str:
    """A ledger with one clip in every state. Returns its URL."""
    done = first_version(code, "write", url)
    said, _ = done.communicate(timeout=120)
    assert (done.returncode, said.strip()) == (0, "written")
    return url
