"""The version of dailies that wrote the first ledgers, taken from the repository's history and run as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.engine import make_url

from dailies.ledger.engine import connect
from dailies.ledger.migrations import BASELINE, version_table
from dailies.ledger.upgrade import run_migrations
from tests.databases import administration

HERE = Path(__file__).parent
FIRST = "48f82a2"
"""The last commit before there were migrations."""
WITH_A_SENDER = "adde6be"
"""A later one, whose paid requests are sent by a process of their own: schema 11."""


DUMP = HERE / "data" / "first_ledger.sql"
"""What `first_version.py write` had written, for where the history is not there: rows only, as both databases read them."""


def code_of_the_first_version(commit: str = FIRST) -> Path:
    """Its code (or a later commit's), in a folder that is there for as long as this process. Skips the test, visibly, where the
    history is not there."""
    return Path(_code(commit).name)


@cache
def _code(commit: str) -> TemporaryDirectory[str]:
    done = subprocess.run(
        ["git", "archive", commit, "dailies", "flows", "tasks"], cwd=HERE.parents[1], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"{commit} is not in this repository's history: {done.stderr.decode().strip()}")
    folder = TemporaryDirectory(prefix="dailies-first-")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder.name, filter="data")
    metadata = Path(folder.name) / "dailies-0.1.0.dist-info"  # it asks for its own version, under the name that it had
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dailies\nVersion: 0.1.0\n")
    return folder


def first_version(code: Path, command: str, url: str) -> subprocess.Popen[str]:
    """`first_version.py` as a process with that code; it is spoken to by stdin and stdout."""
    environ = {**os.environ, "PYTHONPATH": str(code)}
    script = str(HERE / "first_version.py")
    return subprocess.Popen(
        [sys.executable, script, command, url],
        env=environ,
        cwd=code,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def written_by_the_first_version(url: str) -> str:
    """A ledger with one clip in every state: what it wrote once, put into this empty database. Returns its URL."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        shutil.copy(Path(_written_file().name) / "ledger.db", str(address.database))
        return url
    server = address.set(database="postgres")
    template = _written_database(server.render_as_string(hide_password=False))
    with administration(server) as administrator:
        administrator.exec_driver_sql(f"DROP DATABASE {address.database}")
        administrator.exec_driver_sql(f"CREATE DATABASE {address.database} TEMPLATE {template}")
    return url


@cache
def _written_file() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="dailies-first-")
    _write(f"sqlite:///{folder.name}/ledger.db")
    return folder


@cache
def _written_database(server: str) -> str:
    name = "written_by_the_first_version"
    with administration(make_url(server)) as administrator:
        administrator.exec_driver_sql(f"CREATE DATABASE {name}")
    _write(make_url(server).set(database=name).render_as_string(hide_password=False))
    return name


def _write(url: str) -> None:
    done = first_version(code_of_the_first_version(), "write", url)
    said, _ = done.communicate(timeout=120)
    assert (done.returncode, said.strip()) == (0, "written")


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
