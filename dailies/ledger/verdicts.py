"""The record of verdicts: appended to, never changed. A clip's latest entry is what stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.verdicts import NOTHING_SAID, Comment, Said, Verdict, said_since, undo_of
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.transitions import Transitions

LATE = timedelta(seconds=30)
"""Entries of other machines may become visible a little after entries with a higher number."""


class Verdicts(Transitions):
    """What people say of clips. `by` is who says it, never empty."""

    def judge(self, said: Mapping[str, Said], by: str | Mapping[str, str]) -> list[Verdict]:
        """Put verdicts on record by clip_key, all or none. What already stands in the same words is not said again.

        Raises KeyError for a clip that is not on record.
        """
        with self._write() as connection:
            self._require_clips(connection, list(said))
            standing = r.verdicts_of(connection, list(said))
            news = {key: one for key, one in said.items() if not _stands(standing.get(key), one)}
            return [
                self._say(connection, key, by if isinstance(by, str) else by[key], one) for key, one in news.items()
            ]

    def undo_verdict(self, clip_key: str, by: str, seen: int | None = None) -> Verdict | None:
        """Undo the latest verdict on a clip that still stands; None when there is none.

        With the latest entry that was `seen`, nothing is undone where somebody else has said something since.
        """
        with self._write() as connection:
            history = r.verdict_history(connection, clip_key)
            undo = None if seen is not None and said_since(history, seen, by) else undo_of(history)
            return self._say(connection, clip_key, by, undo[1], undo[0]) if undo else None

    def comment(self, clip_key: str, by: str, second: float, text: str) -> Comment:
        """Put a comment about a moment of a clip on record. Raises KeyError for a clip that is not on record."""
        values: dict[str, Any] = {"clip_key": clip_key, "at": self.now(), "author": by, "second": second, "text": text}
        with self._write() as connection:
            self._require_clips(connection, [clip_key])
            found = connection.execute(t.comment.insert().values(**values).returning(t.comment.c.id)).scalar_one()
        return Comment(id=found, **values)

    def verdict_history(self, clip_key: str) -> list[Verdict]:
        """Everything that was said of a clip, undos too, oldest first."""
        with self._read() as connection:
            return r.verdict_history(connection, clip_key)

    def comments(self, clip_key: str) -> list[Comment]:
        """All comments on a clip in the order of its moments."""
        c = t.comment.c
        with self._read() as connection:
            found = connection.execute(sa.select(t.comment).where(c.clip_key == clip_key).order_by(c.second, c.id))
            return [Comment(**row) for row in found.mappings()]

    def verdicts_after(self, number: int) -> list[Verdict]:
        """Entries with a higher id than this, and those of the last moments again: whoever follows along misses none."""
        c = t.verdict.c
        lately = (c.id > number) | (c.at > self.now() - LATE)
        with self._read() as connection:
            found = connection.execute(sa.select(t.verdict).where(lately).order_by(c.id)).mappings()
            return [r.to_verdict(row) for row in found]

    def _say(self, connection: Connection, clip_key: str, by: str, said: Said, undoes: int | None = None) -> Verdict:
        values: dict[str, Any] = {"clip_key": clip_key, "at": self.now(), "author": by, "undoes": undoes}
        words = {"word": str(said.word), "note": said.note, "prompt": said.prompt}
        insert = t.verdict.insert().values(**values, **words).returning(t.verdict.c.id)
        return Verdict(id=connection.execute(insert).scalar_one(), **values, said=said)

    def _require_clips(self, connection: Connection, keys: list[str]) -> None:
        for start in range(0, len(keys), r.CHUNK):
            chunk = keys[start : start + r.CHUNK]
            found = set(connection.execute(sa.select(t.clip.c.clip_key).where(t.clip.c.clip_key.in_(chunk))).scalars())
            for key in chunk:
                if key not in found:
                    raise KeyError(f"no clip {key}")


def _stands(verdict: Verdict | None, said: Said) -> bool:
    return said == (verdict.said if verdict else NOTHING_SAID)
