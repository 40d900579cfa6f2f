"""There is one live ledger: one that was copied away is sealed, by the database itself, against whoever still has it open."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.commands import LEDGER_COPY
from dailies.errors import Misconfigured
from dailies.ledger.tables import meta, metadata

SEALED, INCOMING = "sealed", "incoming"
"""Names in `meta`: where a ledger was copied to; of which ledger (by its id) this one is a copy that is not finished."""


def refuse_closed(where: str, found: dict[str, str], incoming_from: str | None = None) -> None:
    """Raise Misconfigured for a ledger that was copied away, and for a copy that is not finished (but for its own copier).

    `where` is the ledger's address without its password, `found` what it says of itself.
    """
    if SEALED in found:
        password = " (with its password)" if "***" in found[SEALED] else ""
        raise Misconfigured(
            f"the ledger {where} was copied to {found[SEALED]} and is sealed. Nothing was bought. "
            f"Set DAILIES_LEDGER_URL to that address{password}",
            trouble="ledger-elsewhere",
        )
    if INCOMING in found and found[INCOMING] != incoming_from:
        raise Misconfigured(
            f"the ledger {where} is a copy that was not finished. Nothing was bought. "
            f"Say the same `{LEDGER_COPY}` again; until then the ledger that it comes from is the live one",
            trouble="ledger-elsewhere",
        )


def seal(connection: Connection, copied_to: str) -> None:
    """Let nothing be written here any more: by us, or by an older version that has it open. `copied_to` holds no password."""
    connection.execute(meta.insert().values(name=SEALED, value=copied_to))
    words = f"this ledger was copied to {copied_to} and is sealed".replace("'", "''")
    for statement in _sqlite(words) if connection.dialect.name == "sqlite" else _postgres(words):
        connection.execute(sa.text(statement.replace(":", "\\:")))


def mark_incoming(connection: Connection, source_id: str) -> None:
    """Say that this ledger is a copy that is not finished yet."""
    connection.execute(sa.delete(meta).where(meta.c.name == INCOMING))
    connection.execute(meta.insert().values(name=INCOMING, value=source_id))


def unmark_incoming(connection: Connection) -> None:
    """From here on this ledger is the live one."""
    connection.execute(sa.delete(meta).where(meta.c.name == INCOMING))


def _sqlite(words: str) -> list[str]:
    return [
        f"CREATE TRIGGER sealed_{table.name}_{act} BEFORE {act} ON {table.name} BEGIN SELECT RAISE(ABORT, '{words}'); END"
        for table in metadata.sorted_tables
        for act in ("INSERT", "UPDATE", "DELETE")
    ]


def _postgres(words: str) -> list[str]:
    function = (
        "CREATE FUNCTION ledger_is_sealed() RETURNS trigger LANGUAGE plpgsql AS "
        f"$sealed$ BEGIN RAISE EXCEPTION USING MESSAGE = '{words}'; END $sealed$"
    )
    return [function] + [
        f"CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OR DELETE ON {table.name} "
        "FOR EACH ROW EXECUTE FUNCTION ledger_is_sealed()"
        for table in metadata.sorted_tables
    ]
