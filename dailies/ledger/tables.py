"""The tables and the constraints that enforce the protocol even against our own mistakes.

A change here needs a migration: see `migrations/__init__.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from dailies.domain.money import NANO, ZERO
from dailies.domain.states import LIVE, WITH_ID, State


@lru_cache(10_000)
def _dollars(billionths: int | None) -> Decimal | None:
    """Of ten thousand charges few differ."""
    return None if billionths is None else (billionths * NANO).normalize() + ZERO  # sums may pass to_usd's limit


class Usd(TypeDecorator[Decimal]):
    """Dollars as whole billionths, exact in both databases (SQLite has no decimals)."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        return None if value is None else int(value / NANO)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        return _dollars


class Words(TypeDecorator[Any]):
    """A small JSON object as a batch has many that are alike: each is read once, and shared. Nobody changes it."""

    impl = sa.JSON
    cache_ok = True

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        read = self.impl_instance.dialect_impl(dialect).result_processor(dialect, coltype)
        return read and lru_cache(10_000)(read)  # none where the driver reads JSON by itself


class Utc(TypeDecorator[datetime]):
    """Aware UTC datetimes; SQLite forgets the zone, so it is put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a zone reached the ledger")
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        return _moment if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _moment(text: str | None) -> datetime | None:
    """What SQLite keeps as text. One call instead of SQLAlchemy's three: half of a record's cost are its moments."""
    if text is None:
        return None
    if len(text) == len("2026-01-01 00:00:00.000000"):
        return datetime.fromisoformat(text + "+00:00")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _in(column: str, states: frozenset[State]) -> str:
    names = ", ".join(f"'{state}'" for state in sorted(states))
    return f"{column} IN ({names})"


metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

clip = sa.Table(
    "clip",
    metadata,
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
    sa.Column("options", Words, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("identity", sa.Text),  # what the key would be by today's rules (identity.py)
    sa.Column("image_made", sa.Text),
    sa.Column("image_seen", sa.Text),
    sa.Index("clip_by_identity", "identity"),
)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("planned_at", Utc, nullable=False),
    sa.Column("asked", sa.JSON),  # how the latest run of all of it was asked for: what a person would type again
    sa.Column("approved_clips", sa.Integer),  # what a person has said yes to, all its runs together
    sa.Column("approved_usd", Usd),
)

batch_row = sa.Table(
    "batch_row",
    metadata,
    sa.Column("batch", sa.Text, sa.ForeignKey("batch.name"), primary_key=True),
    sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("row_id", sa.Text, nullable=False),
    sa.Column("providers", sa.Text, nullable=False),
    sa.Column("usd_quoted", Usd),
    sa.Column("labels", Words, nullable=False),
    sa.Column("retired", sa.Boolean, nullable=False),
    sa.Index("batch_row_by_clip", "clip_key"),
)

copy = sa.Table(
    "copy",
    metadata,
    sa.Column("batch", sa.Text, sa.ForeignKey("batch.name"), primary_key=True),
    sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), primary_key=True),
    sa.Column("s3_uri", sa.Text, nullable=False),
    sa.Column("copied_at", Utc, nullable=False),
)
"""Clips that a batch has from another place in S3, copied there without a charge."""

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False),
    sa.Column("no", sa.Integer, nullable=False),
    sa.Column("batch", sa.Text, sa.ForeignKey("batch.name"), nullable=False),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("kind", sa.Text),  # model, resolution and duration: clips of one kind take about as long (history.py)
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("lease_until", Utc, nullable=False),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("image_sha256", sa.Text),
    sa.Column("generation_id", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("usd_quoted", Usd, nullable=False),
    sa.Column("usd_reserved", Usd),  # where that is more than its quote: its kind was charged more before
    sa.Column("usd_charged", Usd),
    sa.Column("credits_used", sa.BigInteger),
    sa.Column("result_url", sa.Text),
    sa.Column("handle", sa.Text),  # by what the provider is asked, where that is more than its id
    sa.Column("s3_uri", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("mismatch", sa.Text),
    sa.Column("marks", sa.JSON(none_as_null=True)),  # what a look found (domain/marks.py); NULL: nobody has looked
    sa.Column("origin", sa.JSON(none_as_null=True)),  # what the file says of itself (domain/origin.py); NULL: not asked
    sa.Column("polls", sa.Integer, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("submitted_at", Utc),
    sa.Column("generating_at", Utc),  # the last look that found it still generating
    sa.Column("completed_at", Utc),
    sa.Column("stored_at", Utc),
    sa.Column("updated_at", Utc, nullable=False),
    sa.UniqueConstraint("clip_key", "no", name="attempt_number"),
    sa.UniqueConstraint("provider", "generation_id", name="one_row_per_generation"),
    sa.CheckConstraint(f"NOT ({_in('state', WITH_ID)}) OR generation_id IS NOT NULL", name="later_states_have_an_id"),
    sa.CheckConstraint(
        "state <> 'stored' OR (s3_uri IS NOT NULL AND sha256 IS NOT NULL AND size_bytes IS NOT NULL)",
        name="stored_has_key_digest_size",
    ),
    sa.CheckConstraint(_in("state", frozenset(State)), name="known_state"),
    sa.Index("attempt_by_batch", "batch"),
    sa.Index("attempt_by_kind", "provider", "kind", "completed_at"),
)

sa.Index(
    "one_live_attempt_per_clip",
    attempt.c.clip_key,
    unique=True,
    sqlite_where=sa.text(_in("state", LIVE)),
    postgresql_where=sa.text(_in("state", LIVE)),
)

UNFINISHED = frozenset({State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.IN_DOUBT, State.ORPHANED})
"""States that recovery looks at (an orphan only until it is stored)."""

IS_UNFINISHED = sa.text(_in("state", UNFINISHED))
"""The partial index's own words. A query must repeat them: with bound parameters alone SQLite scans the whole table."""

sa.Index(
    "attempt_unfinished",
    attempt.c.state,
    attempt.c.owner,
    sqlite_where=IS_UNFINISHED,
    postgresql_where=IS_UNFINISHED,
)

REOPENABLE = frozenset({State.RESULT_LOST, State.SUPERSEDED})
"""Ends that are not the last word: the provider may show a lost clip again, its log what was given up."""

IS_REOPENABLE = sa.text(_in("state", REOPENABLE))

sa.Index(
    "attempt_reopenable",
    attempt.c.state,
    attempt.c.created_at,
    sqlite_where=IS_REOPENABLE,
    postgresql_where=IS_REOPENABLE,
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempt.id"), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index("event_by_attempt", "attempt_id"),
)

request = sa.Table(
    "request",
    metadata,
    sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempt.id"), primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("first_sent_at", Utc, nullable=False),
)
"""The exact request of each attempt that is not settled (domain/kept_request.py): written by T1, gone with the answer."""

spend = sa.Table(
    "spend",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("usd_counted", Usd, nullable=False),
)
"""What counts against a budget, per batch and per UTC day: always the sum of the attempts' counted dollars, moved in
the same transaction as they are."""

surcharge = sa.Table(
    "surcharge",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("usd_quoted", Usd, nullable=False),
    sa.Column("usd_charged", Usd, nullable=False),
    sa.Column("learned_at", Utc, nullable=False),
)
"""What the latest clip of a kind was charged, where a provider was ever seen to charge more than it was quoted at."""

brake = sa.Table(
    "brake",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("doubts", sa.Integer, nullable=False),
    sa.Column("probes", sa.Integer, nullable=False),
    sa.Column("not_before", Utc),
    sa.Column("probe", sa.Text),  # the attempt that is the probe, while its answer is waited for
    sa.Column("given_up_at", Utc),
)
"""How many answers a provider has lost in a row, and when the next create may be tried there (domain/brake.py)."""

creates = sa.Table(
    "creates",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
"""How many create requests were sent, by what became of them."""

store_probe = sa.Table(
    "store_probe",
    metadata,
    sa.Column("place", sa.Text, primary_key=True),  # endpoint, bucket and prefix
    sa.Column("abilities", sa.JSON, nullable=False),
    sa.Column("tried_at", Utc, nullable=False),
)
"""What each store was found to take when it was last tried: the shards of a batch go by what its dispatch found."""

seen_status = sa.Table(
    "seen_status",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("word", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("first_at", Utc, nullable=False),
    sa.Column("last_at", Utc, nullable=False),
)
"""Status words that no table of ours knew (providers/words.py), and how many looks met each: so that the table can grow."""

verdict = sa.Table(
    "verdict",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("word", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),  # of the take that is wanted instead; never made from a note
    sa.Column("undoes", sa.BigInteger),  # the entry that this one takes back, where it is an undo
    sa.CheckConstraint("word IN ('keep', 'retake', 'reject', '')", name="known_verdict"),
    sa.CheckConstraint("author <> ''", name="verdict_has_an_author"),
    sa.Index("verdict_by_clip", "clip_key", "id"),
)
"""What people said of a clip. Only ever appended to: the latest entry of a clip is what stands."""

comment = sa.Table(
    "comment",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("second", sa.Float, nullable=False),  # the moment in the clip that it is about
    sa.Column("text", sa.Text, nullable=False),
    sa.Index("comment_by_clip", "clip_key", "id"),
)
"""What people said about a moment of a clip, with its time code. Only ever appended to."""

take = sa.Table(
    "take",
    metadata,
    sa.Column("base_key", sa.Text, sa.ForeignKey("clip.clip_key"), primary_key=True),  # the row as it stands: take 1
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), nullable=False, unique=True),
    sa.Column("answers", sa.Text),  # the clip that was sent back, where this take was made because of it
    sa.Column("linked_at", Utc, nullable=False),
    sa.CheckConstraint("number >= 2", name="take_is_a_further_one"),
)
"""Further takes of a row, each number one clip. Never changed: what was once take 3 stays take 3."""

erased = sa.Table(
    "erased",
    metadata,
    sa.Column("clip_key", sa.Text, primary_key=True),
    sa.Column("erased_at", Utc, nullable=False),
)
"""Clips that a person asked to forget: nothing of them is bought, fetched or described again."""
