"""The version of dailies that wrote the first ledgers, taken from the repository's history and run as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from dailies.ledger.engine import connect
from dailies.ledger.migrations import BASELINE, version_table
from dailies.ledger.upgrade import run_migrations

HERE = Path(__file__).parent
FIRST = "48f82a2"
"""The last commit before there were migrations."""
WITH_A_SENDER = "adde6be"
"""A later one, whose paid requests are sent by a process of their own: schema 11."""


DUMP = HERE / "data" / "first_ledger.sql"
"""What `first_version.py write` had written, for where the history is not there: rows only, as both databases read them."""


def code_of_the_first_version(folder: Path, commit: str = FIRST) -> Path:
    """Its code (or a later commit's), in a folder. Skips the test, visibly, where the history is not there."""
    done = subprocess.run(
        ["git", "archive", commit, "dailies", "flows", "tasks"], cwd=HERE.parents[1], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"{commit} is not in this repository's history: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    metadata = folder / "dailies-0.1.0.dist-info"  # it asks for its own version, under the name that it had
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dailies\nVersion: 0.1.0\n")
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


def read_from_the_dump(url: str) -> str:
    """The same ledger from the file in the repository. Returns its URL."""
    engine = connect(url)
    with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        run_migrations(connection, BASELINE)
        version_table.drop(connection)  # the first version knew nothing of it
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        for statement in DUMP.read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('event_id_seq', (SELECT max(id) FROM event))")
    engine.dispose()
    return url
