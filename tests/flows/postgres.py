"""A Postgres that Prefect's server accepts.

Its migrations create the extension pg_trgm, which the wheel that the ledger's tests use does not have. So an installed
Postgres is used where there is one (CI installs it), on a port and in a folder of the test's own; else Prefect keeps to
SQLite, and the ledger is on Postgres all the same.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.databases import administration
from tests.flows.factory import free_port

SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def installed() -> Path | None:
    """The folder of an installed Postgres' programs, if it has pg_trgm."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    for programs in [*homes, *([Path(found).resolve().parent] if found else [])]:
        share = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
        if (Path(share.stdout.strip()) / "extension" / "pg_trgm.control").exists():
            return programs
    return None


@dataclass(frozen=True)
class Postgres:
    """A running server: the psycopg URL of each database, and what stops it as an operator does (connections are ended)."""

    urls: dict[str, str]
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def installed_postgres(*databases: str) -> Iterator[dict[str, str]]:
    """Start it with these databases. Yields their psycopg URLs; an empty dict where none is installed."""
    with running_postgres(*databases) as server:
        yield server.urls if server else {}


@contextmanager
def running_postgres(*databases: str, certificate: tuple[Path, Path] | None = None) -> Iterator[Postgres | None]:
    """Start it with these databases, with TLS where a certificate and its key are given. Yields None where none is installed."""
    programs = installed()
    if programs is None:
        yield None
        return
    user = _ordinary_user()
    folder = Path(tempfile.mkdtemp(prefix="dailies-postgres-"))
    if user:
        shutil.chown(folder, user.pw_name)
    data, port = folder / "data", free_port()
    settings = [*SETTINGS, "listen_addresses=127.0.0.1", *_with_tls(folder, certificate, user)]
    options = " ".join(f"-c {setting}" for setting in settings) + f" -p {port} -k {folder}"

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments], check=True, cwd=folder, user=user.pw_name if user else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    try:
        call("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "--encoding=UTF8")
        start = ("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        call(*start)
        try:
            urls = {name: f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name}" for name in databases}
            _create(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres", databases)
            stop = ("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
            yield Postgres(urls, lambda: call(*stop), lambda: call(*start))
        finally:
            call("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _with_tls(folder: Path, certificate: tuple[Path, Path] | None, user: pwd.struct_passwd | None) -> list[str]:
    if certificate is None:
        return []
    for file in certificate:
        copied = folder / file.name
        shutil.copy(file, copied)
        copied.chmod(0o600)
        if user:
            shutil.chown(copied, user.pw_name)
    chain, key = (folder / file.name for file in certificate)
    return ["ssl=on", f"ssl_cert_file={chain}", f"ssl_key_file={key}"]


def _ordinary_user() -> pwd.struct_passwd | None:
    """Whom to be, since Postgres refuses to run as root; None for who is not root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _create(url: str, databases: tuple[str, ...]) -> None:
    with administration(url) as connection:
        for name in databases:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
