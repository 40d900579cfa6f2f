"""The schema of the first ledgers. It stands for itself: `tables.py` goes on, this stays."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

UTC = sa.DateTime(timezone=True)
WITH_ID = "'completed', 'orphaned', 'result_lost', 'stored', 'submitted'"
LIVE = "state IN ('completed', 'in_doubt', 'result_lost', 'stored', 'submitted', 'submitting')"
UNFINISHED = "state IN ('completed', 'in_doubt', 'orphaned', 'submitted', 'submitting')"
KNOWN = (
    "state IN ('completed', 'failed', 'in_doubt', 'orphaned', 'result_lost', 'stored', 'submitted', 'submitting', "
    "'superseded')"
)
STORED_HAS = "state <> 'stored' OR (s3_uri IS NOT NULL AND sha256 IS NOT NULL AND size_bytes IS NOT NULL)"


def upgrade() -> None:
    """Make every table."""
    _planned()
    _attempts()
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempt.id"), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("event_by_attempt", "event", ["attempt_id"])
    op.create_table(
        "spend",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("usd_counted", sa.BigInteger, nullable=False),
    )


def _planned() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "clip",
        sa.Column("clip_key", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("image_sha256", sa.Text),
        sa.Column("image_width", sa.Integer, nullable=False),
        sa.Column("image_height", sa.Integer, nullable=False),
        sa.Column("image_format", sa.Text, nullable=False),
        sa.Column("image_bytes", sa.BigInteger),
        sa.Column("resolution", sa.Text),
        sa.Column("aspect_ratio", sa.Text),
        sa.Column("duration_s", sa.Integer),
        sa.Column("take", sa.Text, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("created_at", UTC, nullable=False),
    )
    op.create_table(
        "batch",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("planned_at", UTC, nullable=False),
    )
    op.create_table(
        "batch_row",
        sa.Column("batch", sa.Text, sa.ForeignKey("batch.name"), primary_key=True),
        sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("row_id", sa.Text, nullable=False),
        sa.Column("providers", sa.Text, nullable=False),
        sa.Column("usd_quoted", sa.BigInteger),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
    )
    op.create_index("batch_row_by_clip", "batch_row", ["clip_key"])


def _attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False),
        sa.Column("no", sa.Integer, nullable=False),
        sa.Column("batch", sa.Text, sa.ForeignKey("batch.name"), nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("kind", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("lease_until", UTC, nullable=False),
        sa.Column("request_digest", sa.Text, nullable=False),
        sa.Column("image_sha256", sa.Text),
        sa.Column("generation_id", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("usd_quoted", sa.BigInteger, nullable=False),
        sa.Column("usd_charged", sa.BigInteger),
        sa.Column("credits_used", sa.BigInteger),
        sa.Column("result_url", sa.Text),
        sa.Column("s3_uri", sa.Text),
        sa.Column("sha256", sa.Text),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("mismatch", sa.Text),
        sa.Column("polls", sa.Integer, nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("submitted_at", UTC),
        sa.Column("generating_at", UTC),
        sa.Column("completed_at", UTC),
        sa.Column("stored_at", UTC),
        sa.Column("updated_at", UTC, nullable=False),
        sa.UniqueConstraint("clip_key", "no", name="attempt_number"),
        sa.UniqueConstraint("provider", "generation_id", name="one_row_per_generation"),
        sa.CheckConstraint(f"NOT (state IN ({WITH_ID})) OR generation_id IS NOT NULL", name="later_states_have_an_id"),
        sa.CheckConstraint(STORED_HAS, name="stored_has_key_digest_size"),
        sa.CheckConstraint(KNOWN, name="known_state"),
    )
    op.create_index("attempt_by_batch", "attempt", ["batch"])
    op.create_index("attempt_by_kind", "attempt", ["provider", "kind", "completed_at"])
    live, unfinished = sa.text(LIVE), sa.text(UNFINISHED)
    op.create_index(
        "one_live_attempt_per_clip", "attempt", ["clip_key"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_index(
        "attempt_unfinished", "attempt", ["state", "owner"], sqlite_where=unfinished, postgresql_where=unfinished
    )
