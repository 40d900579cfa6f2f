"""The history of local runs, in the local Prefect server's own database: what may go, and how it goes.

Only the file below DAILIES_HOME is opened, and only while no run and no server use it; a server elsewhere is never asked. What the
ledger needs is never in it. Importing this module doesn't import Prefect.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dailies.forget.leftovers import Leftover
from dailies.ledger.scrub import vacuum
from dailies.prefect_api.server import SERVER_LOCK, USERS_LOCK, open_lock
from dailies.prefect_api.waiting import DATABASE
from dailies.system import try_lock, unlock

KIND = "run in Prefect's history"
PATIENCE_S = 5.0
RUN_OF = {
    "flow_run": "id",
    "flow_run_state": "flow_run_id",
    "task_run": "flow_run_id",
    "task_run_state": "(SELECT flow_run_id FROM task_run WHERE task_run.id = task_run_id)",
    "log": "flow_run_id",
    "artifact": "flow_run_id",
}
"""Where Prefect keeps what it knows of a run, and of which run a line is. States, tasks and inputs go with their run by themselves."""
EMPTY_BYTES = 1_300_000
"""What the file takes with nothing in it."""
COPIED = "task_run_id, flow_run_id, type, data, description, metadata_, created, updated"


class HistoryInUse(Exception):
    """A run or a server uses the database, or somebody else has it open: nothing was removed."""


def history_of(home: Path) -> Path | None:
    """The database of this home's local server, if it ever had one. Links are nobody's to follow."""
    database = home / "prefect" / DATABASE
    linked = database.is_symlink() or database.parent.is_symlink()
    return database if database.is_file() and not linked else None


def runs_in(database: Path) -> list[Leftover]:
    """Every run of the history that is over, the longest ago first; `size_bytes` is its share of the file, about.

    A run that was killed never ended there. Nobody uses the database, so it is as old as its last state. Raises HistoryInUse, and
    sqlite3.Error where this is no database of Prefect's that we know.
    """
    with _alone(database.parent), closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT id, name, coalesce(end_time, state_timestamp, created) AS heard_at FROM flow_run "
            "WHERE state_type IS NULL OR state_type <> 'SCHEDULED' ORDER BY heard_at, id"
        ).fetchall()
        bytes_of = _bytes_of(connection) if found else {}
    share = max(database.stat().st_size - EMPTY_BYTES, 0) / (sum(bytes_of.values()) or 1)
    return [
        Leftover(
            KIND, f"{database}#{run}: {name}", int(bytes_of.get(run, 0) * share), _time(heard_at), database, run_id=run
        )
        for run, name, heard_at in found
    ]


def remove_runs(database: Path, run_ids: Collection[str]) -> None:
    """Remove runs with their tasks, states, logs, artifacts and events, then make the file smaller. Blocks.

    A run or server that begins meanwhile waits. Raises HistoryInUse, with nothing removed; sqlite3.Error where the disk is full or
    the file is not as we know it: what was removed by then stays removed, and the same can be said again.
    """
    with _alone(database.parent), closing(sqlite3.connect(database, PATIENCE_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # refused while any other process has it open
        connection.execute("PRAGMA foreign_keys=ON")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise HistoryInUse(f"{error}: something else has it open") from error
        connection.execute("CREATE TEMP TABLE going (id TEXT PRIMARY KEY)")
        connection.executemany("INSERT INTO going VALUES (?)", [(run,) for run in run_ids])
        _delete(connection)
        connection.execute("COMMIT")
        vacuum(connection)


def _delete(connection: sqlite3.Connection) -> None:
    events = "SELECT event_id FROM event_resources WHERE resource_id IN (SELECT 'prefect.flow-run.' || id FROM going)"
    connection.execute(f"CREATE TEMP TABLE told AS {events}")
    connection.execute("DELETE FROM events WHERE id IN (SELECT event_id FROM told)")
    connection.execute("DELETE FROM event_resources WHERE event_id IN (SELECT event_id FROM told)")
    connection.execute("DELETE FROM flow_run WHERE id IN (SELECT id FROM going)")
    connection.execute("DELETE FROM log WHERE flow_run_id IN (SELECT id FROM going)")
    connection.execute("DELETE FROM artifact WHERE flow_run_id IN (SELECT id FROM going)")
    connection.execute(
        f"UPDATE artifact_collection SET (latest_id, {COPIED}) = (SELECT id, {COPIED} FROM artifact "  # noqa: S608 - our own names
        "WHERE artifact.key = artifact_collection.key ORDER BY created DESC LIMIT 1) "
        "WHERE latest_id NOT IN (SELECT id FROM artifact) AND key IN (SELECT key FROM artifact)"
    )
    connection.execute("DELETE FROM artifact_collection WHERE latest_id NOT IN (SELECT id FROM artifact)")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep servers from starting here, and know that no run is under way. Raises HistoryInUse.

    The users' lock is only looked at: whoever comes meanwhile takes its share and waits for the server's.
    """
    server, users = open_lock(folder / SERVER_LOCK), open_lock(folder / USERS_LOCK)
    try:
        if not (try_lock(server) and try_lock(users)):
            raise HistoryInUse("a run or the local Prefect server is using it")
        unlock(users)
        yield
    finally:
        os.close(users)
        os.close(server)


def _bytes_of(connection: sqlite3.Connection) -> dict[str, int]:
    """How many bytes the lines of each run hold. Events and indexes are not counted."""
    sums: dict[str, int] = {}
    for table, run in RUN_OF.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        length = " + ".join(f'ifnull(length(CAST("{column}" AS BLOB)), 0)' for column in columns)
        of_runs = f"SELECT {run}, sum({length}) FROM {table} GROUP BY 1"  # noqa: S608 - names of ours and of the file itself
        for run_id, size in connection.execute(of_runs):
            sums[run_id] = sums.get(run_id, 0) + size
    return sums


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
