"""Status words that nobody knew: counted, so that the table of words can grow."""

from __future__ import annotations

import sqlalchemy as sa

from dailies.domain.records import SeenStatus
from dailies.ledger import tables as t
from dailies.ledger.plan import upsert
from dailies.ledger.transitions import Transitions

MOST_WORDS = 100  # of one provider; what it says beyond them is counted as one
OTHERS = "(others)"


class Statuses(Transitions):
    """Counts unknown status words."""

    def saw_status(self, provider: str, word: str) -> None:
        """Count one look that met this word."""
        now, seen = self.now(), t.seen_status
        with self._write() as connection:
            words = set(connection.execute(sa.select(seen.c.word).where(seen.c.provider == provider)).scalars())
            if word not in words and len(words) >= MOST_WORDS:
                word = OTHERS
            row = {"provider": provider, "word": word, "count": 0, "first_at": now, "last_at": now}
            upsert(connection, seen, [row])
            here = (seen.c.provider == provider) & (seen.c.word == word)
            connection.execute(sa.update(seen).where(here).values(count=seen.c.count + 1, last_at=now))

    def unknown_statuses(self) -> list[SeenStatus]:
        """Every unknown word so far, the most frequent first."""
        seen = t.seen_status
        order = sa.select(seen).order_by(seen.c.count.desc(), seen.c.provider, seen.c.word)
        with self._read() as connection:
            rows = connection.execute(order).mappings().all()
        return [SeenStatus(row["provider"], row["word"], row["count"]) for row in rows]
