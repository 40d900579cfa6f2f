"""How the latest run of a batch was asked for, so that what a person would type again is known."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """One column, empty for batches of earlier versions."""
    op.add_column("batch", sa.Column("asked", sa.JSON))
