"""By what a provider is asked for a job, where its id alone is not enough: the addresses that its answer gave."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """One more column, empty: those who answered before are asked by their ids."""
    op.add_column("attempt", sa.Column("handle", sa.Text))
