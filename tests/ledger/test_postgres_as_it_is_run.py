"""Postgres as companies run it: roles with little, a schema of its own, failover, TLS, and a known number of connections."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Thread

import anyio
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from dailies.cli.ledger import run_status
from dailies.domain.creates import Accepted, KnownAttempt
from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger import Spool, open_engine, record
from dailies.ledger.engine import POOLED
from tests.e2e.forks import ROOT
from tests.ledger.factories import bring_to, claim, open_ledger, plan

ROLES = (ROOT / "deployments" / "postgres" / "roles.sql").read_text()


def sql(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Say something to the database in plain SQL, whole scripts too. Returns the last answer's rows."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


As = Callable[[str], str]


@pytest.fixture
def roles(postgres_url: str) -> Iterator[As]:
    """The database with the roles that are shipped, the ledger made by its owner; the address of each role."""

    def as_role(name: str) -> str:
        return make_url(postgres_url).set(username=f"dailies_{name}").render_as_string(hide_password=False)

    sql(postgres_url, ROLES)
    open_engine(as_role("owner")).dispose()
    sql(postgres_url, ROLES)
    yield as_role
    sql(postgres_url, *(f"DROP OWNED BY dailies_{name} CASCADE" for name in ("worker", "reader", "owner")))


def test_a_worker_s_role_makes_every_move_and_rewrites_nothing(roles: As) -> None:
    ledger = open_ledger(roles("worker"))
    states = list(State)
    for state, key in zip(states, plan(ledger, len(states)), strict=True):
        bring_to(ledger, state, key)
    ledger.renew()
    ledger.try_to_write()
    ledger.close()
    for forbidden in (
        "CREATE TABLE dailies.mine (a int)", "DROP TABLE dailies.event", "DELETE FROM dailies.attempt",
        "UPDATE dailies.event SET note = ''", "DELETE FROM dailies.event", "UPDATE dailies.meta SET value = '0'",
        "INSERT INTO dailies.erased SELECT clip_key, now() FROM dailies.clip", "CREATE TABLE public.mine (a int)",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql(roles("worker"), forbidden)


def test_a_schema_of_its_own_holds_all_of_it(roles: As, postgres_url: str) -> None:
    found = sql(
        postgres_url, "SELECT schemaname, count(*) FROM pg_tables WHERE tablename IN ('meta', 'attempt') GROUP BY 1"
    )
    assert found == [("dailies", 2)]


def test_a_reader_s_role_shows_the_status_and_writes_nothing(
    roles: As, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger(roles("worker"))
    bring_to(ledger, State.IN_DOUBT)
    ledger.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAILIES_LEDGER_URL", roles("reader"))
    monkeypatch.setenv("PREFECT_API_URL", "")
    assert run_status(None, json=True) == 0
    assert '"in_doubt"' in capsys.readouterr().out
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        sql(roles("reader"), "UPDATE dailies.attempt SET usd_charged = 0")


@pytest.mark.parametrize(
    ("role", "setting", "value"),
    [
        ("worker", "statement_timeout", "1min"),
        ("worker", "lock_timeout", "30s"),
        ("worker", "idle_in_transaction_session_timeout", "1min"),
        ("reader", "statement_timeout", "2min"),
    ],
)
def test_a_statement_that_hangs_is_ended_by_the_server(roles: As, role: str, setting: str, value: str) -> None:
    assert sql(roles(role), f"SHOW {setting}") == [(value,)]


def test_a_failover_is_a_ledger_that_is_away_and_no_answer_is_lost(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was connected to only reads now: an answer in hand waits in the spool, and the connection is given up, or every
    later write would go to the old primary."""
    monkeypatch.setattr(record, "RETRY_S", (0.0,))
    ledger, spool = open_ledger(postgres_url), Spool(tmp_path / "spool")
    attempt = claim(ledger, plan(ledger)[0])
    name = make_url(postgres_url).database
    others = (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )
    sql(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on", others)
    told = anyio.run(record.record_outcome, ledger, spool, KnownAttempt(attempt), Accepted("gen-1"))
    assert told is None and len(spool) == 1
    sql(postgres_url, "SET default_transaction_read_only = off", f"ALTER DATABASE {name} RESET ALL")
    assert anyio.run(record.drain_spool, ledger, spool) == 1
    found = ledger.attempt(attempt.id)
    assert found and (found.state, found.generation_id) == (State.SUBMITTED, "gen-1")
    ledger.close()


def test_a_run_holds_no_more_connections_than_its_page_says(postgres_url: str) -> None:
    ledger = open_ledger(postgres_url)
    all_of_them, at_once, most = Barrier(2 * POOLED), list[int](), list[int]()

    def busy(first: bool) -> None:
        with ledger.engine.connect() as connection, connection.begin():
            at_once.append(1)
            most.append(len(at_once))
            connection.execute(sa.text("SELECT 1"))
            if first:
                all_of_them.wait(60)
            at_once.pop()

    with ThreadPoolExecutor(2 * POOLED) as pool:
        list(pool.map(busy, [True] * 2 * POOLED))
    with ThreadPoolExecutor(6 * POOLED) as pool:
        list(pool.map(busy, [False] * 6 * POOLED))
    assert max(most) == 2 * POOLED
    ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dailies'"
    assert sql(postgres_url, ours) == [(POOLED,)], "what is not needed any more is given back"
    assert (POOLED, 2 * POOLED) == (4, 8)
    page = " ".join((ROOT / "docs" / "operations.md").read_text().split())
    assert "A run holds four connections, eight when it is busy" in page
    ledger.close()


@pytest.mark.parametrize(("mode", "goes_on"), [("require", False), ("verify-full", False), ("prefer", True)])
def test_a_tls_mode_in_the_address_holds(mode: str, goes_on: bool) -> None:
    """A server that has no TLS is told nothing more, where the address asks for TLS."""
    heard: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.settimeout(10)
                    connection.recv(8)  # may we have TLS?
                    connection.sendall(b"N")
                    heard.append(connection.recv(1024))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        with pytest.raises(Misconfigured, match="can't be opened"):
            open_engine(f"postgresql://me@127.0.0.1:{port}/ledger?sslmode={mode}&gssencmode=disable")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert any(heard) is goes_on
