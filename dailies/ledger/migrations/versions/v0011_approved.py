"""What a person has approved of a batch: a run that is resumed and would exceed it asks again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Two columns, empty where nobody was asked."""
    op.add_column("batch", sa.Column("approved_clips", sa.Integer))
    op.add_column("batch", sa.Column("approved_usd", sa.BigInteger))
