"""Database rows as records, and the queries that read them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dailies.domain.clips import Clip, Image
from dailies.domain.marks import Marks
from dailies.domain.origin import Origin
from dailies.domain.records import Attempt, BatchRow, Brief, Event
from dailies.domain.states import Failure, State
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.ledger import tables as t

T = TypeVar("T")
CHUNK = 500  # parameters per IN list, below SQLite's limit


def same(text: str) -> str:
    """The one string that all records share for a word such as a model or a batch; `None` stays."""
    return text and sys.intern(text)


def to_attempt(row: RowMapping) -> Attempt:
    """One row of `attempt` as a record."""
    fields = {name: row[name] for name in Attempt.__dataclass_fields__}
    fields |= {name: same(fields[name]) for name in ("batch", "provider", "owner")}
    fields["state"] = State(fields["state"])
    fields["failure"] = Failure(fields["failure"]) if fields["failure"] else None
    fields["marks"] = Marks.of_record(fields["marks"])
    fields["origin"] = Origin.of_record(fields["origin"])
    return Attempt(**fields)


def attempt_values(**values: Any) -> dict[str, Any]:
    """Record fields as column values (enums as their text, marks and origin as JSON)."""
    return {name: _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    if isinstance(value, (Marks, Origin)):
        return value.record()
    return str(value) if isinstance(value, (State, Failure)) else value


def to_clip(row: RowMapping) -> Clip:
    """One row of `clip` as a record."""
    image = Image(
        row["image"],
        row["image_width"],
        row["image_height"],
        same(row["image_format"]),
        row["image_bytes"],
        row["image_sha256"],
        same(row["image_made"]) or "",
        row["image_seen"],
    )
    return Clip(
        same(row["model"]),
        row["prompt"],
        image,
        same(row["resolution"]),
        same(row["aspect_ratio"]),
        row["duration_s"],
        same(row["take"]),
        row["options"],
        row["clip_key"],
    )


def clip_values(clip: Clip) -> dict[str, Any]:
    """A clip as column values."""
    return {
        "clip_key": clip.key,
        "identity": clip.identity,
        "model": clip.model,
        "prompt": clip.prompt,
        "image": clip.image.source,
        "image_sha256": clip.image.sha256,
        "image_width": clip.image.width,
        "image_height": clip.image.height,
        "image_format": clip.image.format,
        "image_bytes": clip.image.size_bytes,
        "image_made": clip.image.made,
        "image_seen": clip.image.seen,
        "resolution": clip.resolution,
        "aspect_ratio": clip.aspect_ratio,
        "duration_s": clip.duration_s,
        "take": clip.take,
        "options": dict(clip.options),
    }


def to_brief(row: RowMapping) -> Brief:
    """One row of `attempt`, or the part of it that this needs, as how it stands."""
    failure = Failure(row["failure"]) if row["failure"] else None
    return Brief(row["no"], same(row["provider"]), State(row["state"]), failure, row["s3_uri"] is not None)


def attempts_of(connection: Connection, clip_keys: Sequence[str]) -> Iterator[tuple[str, tuple[Attempt, ...]]]:
    """Clips with all their attempts, in the order in which they were made; a chunk of clips in memory at a time."""
    yield from _by_clip(connection, sa.select(t.attempt), clip_keys, to_attempt)


def briefs_of(connection: Connection, clip_keys: Sequence[str]) -> Iterator[tuple[str, tuple[Brief, ...]]]:
    """The same with only what says how a clip stands."""
    c = t.attempt.c
    yield from _by_clip(
        connection, sa.select(c.clip_key, c.no, c.provider, c.state, c.failure, c.s3_uri), clip_keys, to_brief
    )


def _by_clip(
    connection: Connection, query: sa.Select[Any], clip_keys: Sequence[str], record: Callable[[RowMapping], T]
) -> Iterator[tuple[str, tuple[T, ...]]]:
    for start in range(0, len(clip_keys), CHUNK):
        chosen = t.attempt.c.clip_key.in_(clip_keys[start : start + CHUNK])
        found: dict[str, list[T]] = defaultdict(list)
        for row in (
            connection.execute(query.where(chosen).order_by(t.attempt.c.clip_key, t.attempt.c.no)).mappings().all()
        ):
            found[row["clip_key"]].append(record(row))
        yield from ((key, tuple(attempts)) for key, attempts in found.items())


def batch_rows(connection: Connection, where: sa.ColumnElement[bool]) -> Iterator[BatchRow]:
    """The rows of one or more batches with all their attempts, in the order of the CSV; a chunk in memory at a time."""
    query = (
        sa.select(t.batch_row, t.clip, t.copy.c.s3_uri.label("copy_uri"), t.erased.c.erased_at)
        .join(t.clip, t.clip.c.clip_key == t.batch_row.c.clip_key)
        .outerjoin(t.erased, t.erased.c.clip_key == t.batch_row.c.clip_key)
        .outerjoin(t.copy, (t.copy.c.batch == t.batch_row.c.batch) & (t.copy.c.clip_key == t.batch_row.c.clip_key))
        .where(where)
        .order_by(t.batch_row.c.batch, t.batch_row.c.retired, t.batch_row.c.number)
    )
    for rows in connection.execute(query, execution_options={"yield_per": CHUNK}).mappings().partitions():
        keys = sorted({row["clip_key"] for row in rows})
        attempts, verdicts = dict(attempts_of(connection, keys)), verdicts_of(connection, keys)
        for row in rows:
            yield BatchRow(
                same(row["batch"]), row["number"], row["row_id"], to_clip(row), row["clip_key"],
                tuple(map(same, row["providers"].split(","))), row["usd_quoted"], row["labels"],
                attempts.get(row["clip_key"], ()), row["retired"], row["copy_uri"], row["erased_at"] is not None,
                verdict=verdicts.get(row["clip_key"]),
            )  # fmt: skip


def attempts_in(
    connection: Connection, states: Iterable[State], index: sa.TextClause = t.IS_UNFINISHED
) -> list[Attempt]:
    """All attempts in these states, oldest first; found by a partial index, whose own words `index` repeats."""
    chosen = t.attempt.c.state.in_([str(state) for state in states]) & index
    query = sa.select(t.attempt).where(chosen).order_by(t.attempt.c.created_at)
    return [to_attempt(row) for row in connection.execute(query).mappings()]


def to_event(row: RowMapping) -> Event:
    """One row of `event` as a record."""
    before = State(row["before"]) if row["before"] else None
    return Event(row["attempt_id"], row["at"], before, State(row["after"]), row["note"], row["owner"])


def to_verdict(row: RowMapping) -> Verdict:
    """One row of `verdict` as a record."""
    said = Said(Word(row["word"]), row["note"], row["prompt"])
    return Verdict(row["id"], row["clip_key"], row["at"], row["author"], said, row["undoes"])


def verdicts_of(connection: Connection, clip_keys: Sequence[str]) -> dict[str, Verdict]:
    """What stands of each of these clips that anything was said of."""
    found: dict[str, Verdict] = {}
    c = t.verdict.c
    for start in range(0, len(clip_keys), CHUNK):
        chosen = c.clip_key.in_(clip_keys[start : start + CHUNK])
        latest = sa.select(sa.func.max(c.id)).where(chosen).group_by(c.clip_key)
        for row in connection.execute(sa.select(t.verdict).where(c.id.in_(latest))).mappings():
            found[row["clip_key"]] = to_verdict(row)
    return found


def verdict_history(connection: Connection, clip_key: str) -> list[Verdict]:
    """All that was said of one clip, oldest first."""
    query = sa.select(t.verdict).where(t.verdict.c.clip_key == clip_key).order_by(t.verdict.c.id)
    return [to_verdict(row) for row in connection.execute(query).mappings()]
