"""Lost results and attempts that were given up are looked at again: found by an index of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

REOPENABLE = sa.text("state IN ('result_lost', 'superseded')")


def upgrade() -> None:
    """Make it."""
    op.create_index(
        "attempt_reopenable",
        "attempt",
        ["state", "created_at"],
        sqlite_where=REOPENABLE,
        postgresql_where=REOPENABLE,
    )
