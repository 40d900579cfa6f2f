"""Which clips are further takes of a row, and under which number."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """One more table, empty."""
    op.create_table(
        "take",
        sa.Column("base_key", sa.Text, sa.ForeignKey("clip.clip_key"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False, unique=True),
        sa.Column("answers", sa.Text),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 2", name="take_is_a_further_one"),
    )
