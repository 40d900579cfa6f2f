"""A ledger in DAILIES_HOME that is not the configured one, and that knows of money which the configured one does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from dailies.domain.commands import COLLECT, LEDGER_COPY, of_ledger
from dailies.domain.money import NANO, ZERO, show_usd
from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger.address import shown
from dailies.ledger.engine import BUSY_TIMEOUT_MS
from dailies.ledger.reader import Reader
from dailies.ledger.seal import SEALED

UNSETTLED = (State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.IN_DOUBT, State.ORPHANED, State.RESULT_LOST)
"""What another ledger may not forget: paid or maybe paid, and not home."""
PAID = "SELECT id, clip_key, usd_quoted FROM attempt WHERE s3_uri IS NULL AND (failure IS NULL OR state <> 'orphaned') AND state IN "


@dataclass(frozen=True, slots=True)
class Unsettled:
    """One attempt that is on record in the file beside."""

    attempt_id: str
    clip_key: str
    usd_quoted: Decimal


def refuse_unsettled_beside(home: Path, ledger: Reader) -> None:
    """Raise Misconfigured while a ledger in DAILIES_HOME holds paid clips or doubts that the configured ledger does not know:
    they would be bought again."""
    file = home / "ledger.db"
    if not file.is_file() or _is_it(file, ledger):
        return
    unknown = [a for a in unsettled_in(file) if not ledger.knows(a.attempt_id)]
    if not unknown:
        return
    clips = len({a.clip_key for a in unknown})
    dollars = show_usd(sum((a.usd_quoted for a in unknown), ZERO))
    cure = (
        f"Move it there first: {LEDGER_COPY}"
        if ledger.is_empty()
        else f"Bring them home first: {of_ledger(f'sqlite:///{file}', COLLECT)}"
    )
    raise Misconfigured(
        f"the ledger {file} holds {'1 clip' if clips == 1 else f'{clips} clips'} ({dollars} at risk) paid for or in doubt, "
        f"of which the configured ledger {shown(ledger.engine.url)} knows nothing: buying now could pay twice. "
        f"Nothing was bought. {cure}",
        trouble="ledger-elsewhere",
    )


def unsettled_in(file: Path) -> list[Unsettled]:
    """Attempts in a SQLite ledger of any version that are paid for, or maybe, and not at home. It is only read.

    Empty for one that was sealed, because all of it stands elsewhere. Raises Misconfigured for a file that can't be read.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA query_only=ON")
            return list(_unsettled(connection))
    except sqlite3.Error as error:
        raise Misconfigured(
            f"there is a ledger {file} beside the configured one, and it can't be read ({error}): nobody knows what it paid "
            "for. Nothing was bought. Mend it, or move it out of DAILIES_HOME",
            trouble="ledger-elsewhere",
        ) from error


def _unsettled(connection: sqlite3.Connection) -> Iterable[Unsettled]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"meta", "attempt"} <= tables:
        return
    if connection.execute("SELECT 1 FROM meta WHERE name = ?", (SEALED,)).fetchone():
        return
    places = ", ".join("?" * len(UNSETTLED))
    for attempt_id, clip_key, nanos in connection.execute(f"{PAID} ({places})", [str(state) for state in UNSETTLED]):
        yield Unsettled(attempt_id, clip_key, nanos * NANO)


def _is_it(file: Path, ledger: Reader) -> bool:
    url = ledger.engine.url
    if url.get_backend_name() != "sqlite" or not url.database:
        return False
    return Path(url.database).exists() and file.samefile(url.database)
