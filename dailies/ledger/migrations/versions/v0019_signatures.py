"""Clips whose identity may hold a signature that later versions know as one: it is computed anew from the record.

As after 0006 it is NULL until a batch is planned (`ledger/identity.py`): a fresh signature finds what was bought under an earlier one.
"""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Forget the identity of each clip whose addresses hold anything that may be a signature."""
    op.execute(
        "UPDATE clip SET identity = NULL WHERE identity IS NOT NULL AND prompt <> ''"
        " AND (image LIKE '%://%=%' OR CAST(options AS TEXT) LIKE '%://%=%')"
    )
