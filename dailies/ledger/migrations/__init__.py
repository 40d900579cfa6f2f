"""How a ledger's schema came to be, step by step, for SQLite and Postgres (run by Alembic, from `ledger/upgrade.py`).

To change the tables: change `ledger/tables.py`, and add `versions/vNNNN_what_it_is_for.py` with the next number and the
number before it as `down_revision`. `tests/ledger/test_migrations.py` fails until both lead to the same schema.

- A migration only adds: a table, an index, a column that is nullable or has a server default (the same in `tables.py`). It
  renames, drops and tightens nothing, because a worker of the version before may hold a paid request at this moment and
  must still record its answer. So SQLite needs no batch mode.
- What can't be so stands in `ALONE`: it is put off until no owner has a live lease.
- The chain is one line. When another migration was landed first, take the next number.
- It runs inside one transaction together with all others that are due; it opens and commits nothing itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa

FOLDER = Path(__file__).parent
NUMBERS = sorted(
    int(found[1]) for path in (FOLDER / "versions").iterdir() if (found := re.match(r"v(\d{4})_", path.name))
)
BASELINE = 1
"""The schema of the ledgers that were written before there were migrations; they hold no table of Alembic's."""
HEAD = NUMBERS[-1]
"""The schema that this version of dailies writes."""
OLDEST_THAT_MAY_OPEN = HEAD
"""The oldest schema whose programs may open what this version writes. Lower it when it is known (and tested) that they may."""
ALONE: frozenset[int] = frozenset()
"""Migrations that a program of the schema before could not work beside."""

version_table = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, made here too so that a new ledger need not load Alembic."""


def revision(schema: int) -> str:
    """A schema's number as Alembic has it."""
    return f"{schema:04}"
