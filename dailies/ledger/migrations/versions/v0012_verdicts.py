"""Verdicts and comments: what people say of a clip that they have looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two empty tables, each with an index by clip."""
    op.create_table(
        "verdict",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("word", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("undoes", sa.BigInteger),
        sa.CheckConstraint("word IN ('keep', 'retake', 'reject', '')", name="known_verdict"),
        sa.CheckConstraint("author <> ''", name="verdict_has_an_author"),
    )
    op.create_index("verdict_by_clip", "verdict", ["clip_key", "id"])
    op.create_table(
        "comment",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("second", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("comment_by_clip", "comment", ["clip_key", "id"])
