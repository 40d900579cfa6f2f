"""Whether the local server's database has the schema of the Prefect that is to open it, as the last server wrote down.

To look for itself, Prefect loads every upgrade that it ever had: a tenth of a start.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from dailies.prefect_api.waiting import DATABASE

SCHEMA_FILE = "schema.json"


def is_current(folder: Path) -> bool:
    """Whether this Prefect has opened this database as it is now. Where that isn't known, it isn't."""
    with suppress(OSError, ValueError, sqlite3.Error):
        return bool(json.loads((folder / SCHEMA_FILE).read_text(encoding="utf-8")) == _seen(folder))
    return False


def note_current(folder: Path) -> None:
    """Write down that this Prefect has brought the database to its schema."""
    with suppress(OSError, sqlite3.Error):  # the next start looks again
        draft = folder / f"{SCHEMA_FILE}.new"
        draft.write_text(json.dumps(_seen(folder)), encoding="utf-8")
        draft.replace(folder / SCHEMA_FILE)


def _seen(folder: Path) -> dict[str, object]:
    with closing(sqlite3.connect(f"{(folder / DATABASE).as_uri()}?mode=ro", uri=True)) as connection:
        revisions = [name for (name,) in connection.execute("SELECT version_num FROM alembic_version ORDER BY 1")]
    return {"prefect": version("prefect"), "revisions": revisions}
