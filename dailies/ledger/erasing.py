"""What a person asked to forget: prompts and images leave the record; money, ids, digests and states stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.records import Attempt
from dailies.ledger import tables as t
from dailies.ledger.plan import CHUNK, upsert
from dailies.ledger.rows import attempts_of
from dailies.ledger.transitions import Transitions

MASK = "[forgotten]"


class Erasing(Transitions):
    """Forgetting clips. Methods block and are safe to call from several threads."""

    def forgotten(self, clip_keys: Iterable[str] | None = None) -> frozenset[str]:
        """Those of the clips (of all clips, where none are named) that a person asked to forget."""
        query = sa.select(t.erased.c.clip_key)
        with self._read() as connection:
            if clip_keys is None:
                return frozenset(connection.execute(query).scalars())
            if connection.execute(query.limit(1)).first() is None:
                return frozenset()  # as in most ledgers; ten thousand are asked for at once
            keys = sorted(set(clip_keys))
            chunks = (keys[i : i + CHUNK] for i in range(0, len(keys), CHUNK))
            found = (connection.execute(query.where(t.erased.c.clip_key.in_(chunk))).scalars() for chunk in chunks)
            return frozenset(key for some in found for key in some)

    def texts_of_others(self, clip_keys: Iterable[str]) -> frozenset[str]:
        """Prompts, texts of options and image sources of all other clips."""
        mine, found = set(clip_keys), set[str]()
        query = sa.select(t.clip.c.clip_key, t.clip.c.prompt, t.clip.c.image, t.clip.c.options)
        with self._read() as connection:
            for key, prompt, image, options in connection.execute(query, execution_options={"yield_per": CHUNK}):
                if key not in mine:
                    found |= {prompt, image, *(value for value in (options or {}).values() if isinstance(value, str))}
        return frozenset(found)

    def words_said_of(self, clip_keys: Iterable[str]) -> frozenset[str]:
        """What people wrote about clips when they looked at them: notes, prompts for retakes, comments."""
        keys = sorted(set(clip_keys))
        found: set[str] = set()
        with self._read() as connection:
            for start in range(0, len(keys), CHUNK):
                some = keys[start : start + CHUNK]
                verdicts = sa.select(t.verdict.c.note, t.verdict.c.prompt).where(t.verdict.c.clip_key.in_(some))
                comments = sa.select(t.comment.c.text).where(t.comment.c.clip_key.in_(some))
                found.update(text for row in connection.execute(verdicts) for text in row)
                found.update(connection.execute(comments).scalars())
        return frozenset(found - {""})

    def pictures_of_others(self, clip_keys: Iterable[str]) -> frozenset[str]:
        """Digests of the images of all other clips, as they lay there and as they were sent."""
        mine = set(clip_keys)
        lay = sa.select(t.clip.c.clip_key, t.clip.c.image_sha256)
        sent = sa.select(t.attempt.c.clip_key, t.attempt.c.image_sha256)
        with self._read() as connection:
            pairs = [*connection.execute(lay), *connection.execute(sent)]
        return frozenset(digest for key, digest in pairs if digest and key not in mine)

    def mark_forgotten(
        self, clip_keys: Sequence[str], may_go: Callable[[Iterable[Attempt]], None] = lambda _: None
    ) -> None:
        """From now on nothing of these clips is bought or adopted, though their record is not cleaned yet.

        `may_go` is told all their attempts while nobody can claim one of them, and refuses by raising; nothing is changed then.
        """
        keys = sorted(clip_keys)
        with self._write() as connection:
            for start in range(0, len(keys), CHUNK):
                some = keys[start : start + CHUNK]
                clips = sa.select(t.clip.c.clip_key).where(t.clip.c.clip_key.in_(some)).order_by(t.clip.c.clip_key)
                connection.execute(clips.with_for_update()).all()
            may_go([attempt for _, attempts in attempts_of(connection, keys) for attempt in attempts])
            upsert(connection, t.erased, [{"clip_key": key, "erased_at": self.now()} for key in clip_keys])

    def _is_erased(self, connection: Connection, clip_key: str) -> bool:
        return (
            connection.execute(sa.select(t.erased.c.clip_key).where(t.erased.c.clip_key == clip_key)).scalar()
            is not None
        )

    def erase(self, clip_keys: Sequence[str], without: Callable[[str], str]) -> None:
        """Take prompts, images and addresses of results off the record, in one transaction. `without` takes them out of the
        providers' own words. Doing it again changes nothing."""
        with self._write() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
            upsert(connection, t.erased, [{"clip_key": key, "erased_at": self.now()} for key in clip_keys])
            for start in range(0, len(clip_keys), CHUNK):
                self._erase(connection, clip_keys[start : start + CHUNK], without)

    def _erase(self, connection: Connection, keys: Sequence[str], without: Callable[[str], str]) -> None:
        clips = connection.execute(sa.select(t.clip.c.clip_key, t.clip.c.options).where(t.clip.c.clip_key.in_(keys)))
        for key, options in clips.all():
            numbers = {name: value for name, value in (options or {}).items() if not isinstance(value, str)}
            nothing = {"prompt": "", "image": "", "image_made": None, "image_seen": None, "options": numbers}
            connection.execute(sa.update(t.clip).where(t.clip.c.clip_key == key).values(**nothing))
        connection.execute(sa.update(t.verdict).where(t.verdict.c.clip_key.in_(keys)).values(note="", prompt=""))
        connection.execute(sa.update(t.comment).where(t.comment.c.clip_key.in_(keys)).values(text=""))
        mine = t.attempt.c.clip_key.in_(keys)
        connection.execute(sa.update(t.attempt).where(mine).values(result_url=None))
        attempts = sa.select(t.attempt.c.id).where(mine)
        connection.execute(sa.delete(t.request).where(t.request.c.attempt_id.in_(attempts)))
        _rewrite(connection, t.attempt.c.error, t.attempt.c.id, mine, without)
        _rewrite(connection, t.event.c.note, t.event.c.id, t.event.c.attempt_id.in_(attempts), without)


def _rewrite(
    connection: Connection, column: sa.Column[Any], key: sa.Column[Any], where: sa.ColumnElement[bool],
    without: Callable[[str], str],
) -> None:  # fmt: skip
    rows = connection.execute(sa.select(key, column).where(where & column.is_not(None))).all()
    changed = [{"of": of, "text": new} for of, text in rows if (new := without(text)) != text]
    if changed:
        put = sa.update(column.table).where(key == sa.bindparam("of")).values({column.name: sa.bindparam("text")})
        connection.execute(put, changed)
