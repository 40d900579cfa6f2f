"""Database rows as records, and the queries that read them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dailies.domain.clips import Clip, Image, Option
from dailies.domain.marks import Marks
from dailies.domain.origin import Origin
from dailies.domain.records import Attempt, BatchRow, Brief, Event, Lying
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
    return _attempt([row[name] for name in ATTEMPT])


def _attempt(columns: Iterable[Any]) -> Attempt:
    """The columns of `ATTEMPT`, in its order, as a record."""
    values = [*columns]
    for at, record in AS_RECORD:
        if values[at] is not None:
            values[at] = record(values[at])
    return Attempt._make(values)


STATES: Mapping[str, State] = {str(state): state for state in State}
FAILURES: Mapping[str, Failure | None] = {"": None, **{str(one): one for one in Failure}}
ATTEMPT = Attempt._fields
_DIFFERENT: Mapping[str, Callable[[Any], Any]] = {
    "batch": sys.intern, "provider": sys.intern, "owner": sys.intern, "state": STATES.__getitem__, "failure": FAILURES.__getitem__,
    "marks": Marks.of_record, "origin": Origin.of_record,
}  # fmt: skip
AS_RECORD = [(ATTEMPT.index(name), record) for name, record in _DIFFERENT.items()]
"""What a record has in another form than its row, by its place among the columns."""


@lru_cache(1000)
def _providers(listed: str) -> tuple[str, ...]:
    """Ten thousand rows name a handful of lists: each is read once."""
    return tuple(map(sys.intern, listed.split(",")))


def attempt_values(**values: Any) -> dict[str, Any]:
    """Record fields as column values (enums as their text, marks and origin as JSON)."""
    return {name: _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    if isinstance(value, (Marks, Origin)):
        return value.record()
    return str(value) if isinstance(value, (State, Failure)) else value


def to_clip(row: RowMapping) -> Clip:
    """One row of `clip` as a record."""
    return _clip(*(row[name] for name in CLIP))


CLIP = (
    "image", "image_width", "image_height", "image_format", "image_bytes", "image_sha256", "image_made", "image_seen",
    "model", "prompt", "resolution", "aspect_ratio", "duration_s", "take", "options", "clip_key",
)  # fmt: skip


def _clip(  # noqa: PLR0913 - the columns of `CLIP`, in its order
    source: str,
    width: int,
    height: int,
    form: str,
    size_bytes: int | None,
    sha256: str | None,
    made: str,
    seen: str | None,
    model: str,
    prompt: str,
    resolution: str,
    ratio: str,
    duration_s: int | None,
    take: str,
    options: Mapping[str, Option],
    key: str,
) -> Clip:
    model, resolution, ratio, take, form, made = _same_words(model, resolution, ratio, take, form, made)
    image = Image(source, width, height, form, size_bytes, sha256, made or "", seen)
    return Clip(model, prompt, image, resolution, ratio, duration_s, take, options, key)


@lru_cache(1000)
def _same_words(*words: str) -> tuple[str, ...]:
    """Ten thousand clips have a handful of models and shapes: the words of each are looked up together."""
    return tuple(map(same, words))


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
    return _brief(row["no"], row["provider"], row["state"], row["failure"], row["s3_uri"] is not None)


@lru_cache(1000)
def _brief(no: int, provider: str, state: str, failure: str | None, delivered: bool) -> Brief:
    """Ten thousand attempts stand in a handful of ways: each is made once."""
    return Brief(no, same(provider), State(state), Failure(failure) if failure else None, delivered)


BESIDE_FIGURES = frozenset({
    "owner", "epoch", "lease_until", "request_digest", "image_sha256", "result_url", "submitted_at", "updated_at",
})  # fmt: skip
"""What no figure is made of: it is for those who work on an attempt, and a third of what reading one costs."""


def attempts_of(
    connection: Connection, clip_keys: Sequence[str], unread: Collection[str] = ()
) -> Iterator[tuple[str, tuple[Attempt, ...]]]:
    """Clips with all their attempts, in the order in which they were made; a chunk of clips in memory at a time. Columns that
    stay `unread` are None."""
    c = t.attempt.c
    columns = (sa.null() if name in unread else c[name] for name in ATTEMPT)
    yield from _by_clip(connection, sa.select(c.clip_key, *columns), clip_keys, _attempt)


def briefs_of(connection: Connection, clip_keys: Sequence[str]) -> Iterator[tuple[str, tuple[Brief, ...]]]:
    """The same with only what says how a clip stands."""
    c = t.attempt.c
    thin = sa.select(c.clip_key, c.no, c.provider, c.state, c.failure, c.s3_uri.is_not(None))
    yield from _by_clip(connection, thin, clip_keys, lambda columns: _brief(*columns))


def lying(connection: Connection, clip_keys: Sequence[str]) -> Iterator[tuple[str, tuple[Lying, ...]]]:
    """The same with where each clip lies."""
    c = t.attempt.c
    thin = sa.select(c.clip_key, c.id, c.s3_uri, c.size_bytes, c.no, c.provider, c.state, c.failure)
    yield from _by_clip(connection, thin, clip_keys, _lying)


def _lying(columns: Sequence[Any]) -> Lying:
    attempt_id, uri, size_bytes, *standing = columns
    how = _brief(*standing, uri is not None)
    return Lying(attempt_id, uri, size_bytes, how.no, how.provider, how.state, how.failure)


def _by_clip(
    connection: Connection, query: sa.Select[Any], clip_keys: Sequence[str], record: Callable[[Sequence[Any]], T]
) -> Iterator[tuple[str, tuple[T, ...]]]:
    """What `record` makes of each row's further columns, after its clip_key, clip by clip."""
    for start in range(0, len(clip_keys), CHUNK):
        chosen = t.attempt.c.clip_key.in_(clip_keys[start : start + CHUNK])
        found: dict[str, list[T]] = defaultdict(list)
        ordered = query.where(chosen).order_by(t.attempt.c.clip_key, t.attempt.c.no)
        for row in connection.execute(ordered).all():
            found[row[0]].append(record(row[1:]))
        yield from ((key, tuple(attempts)) for key, attempts in found.items())


def batch_rows(
    connection: Connection, where: sa.ColumnElement[bool], unread: Collection[str] = ()
) -> Iterator[BatchRow]:
    """The rows of one or more batches with all their attempts, in the order of the CSV; a chunk in memory at a time. Of the
    attempts the columns that stay `unread` are None."""
    row, copied, erased = t.batch_row.c, t.copy.c, t.erased.c
    has_copies, has_erased, judged = (_has_rows(connection, table) for table in (t.copy, t.erased, t.verdict))
    chosen = t.batch_row.join(t.clip, t.clip.c.clip_key == row.clip_key)
    if has_copies:
        chosen = chosen.outerjoin(t.copy, (copied.batch == row.batch) & (copied.clip_key == row.clip_key))
    if has_erased:
        chosen = chosen.outerjoin(t.erased, erased.clip_key == row.clip_key)
    query = (
        sa.select(
            t.batch_row, copied.s3_uri if has_copies else sa.null(), erased.erased_at if has_erased else sa.null(),
            *(t.clip.c[name] for name in CLIP),
        )
        .select_from(chosen).where(where).order_by(row.batch, row.retired, row.number)
    )  # fmt: skip
    for rows in connection.execute(query, execution_options={"yield_per": CHUNK}).partitions():
        keys = sorted({one[1] for one in rows})
        attempts = dict(attempts_of(connection, keys, unread))
        verdicts = verdicts_of(connection, keys) if judged else {}
        for batch, key, number, row_id, providers, usd_quoted, labels, retired, copy_uri, erased_at, *clip in rows:
            yield BatchRow(
                same(batch), number, row_id, _clip(*clip), key, _providers(providers), usd_quoted, labels,
                attempts.get(key, ()), retired, copy_uri, erased_at is not None, verdict=verdicts.get(key),
            )  # fmt: skip


def _has_rows(connection: Connection, table: sa.Table) -> bool:
    """Whether there is anything in one of the tables that most ledgers have no use for: it is not looked up row by row then.

    Asked for its last key: that is a step into an index, where `LIMIT 1` would be called a scan of the table.
    """
    key = next(iter(table.primary_key.columns))
    return connection.execute(sa.select(sa.func.max(key))).scalar() is not None


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
