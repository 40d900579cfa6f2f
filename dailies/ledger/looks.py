"""The record of looks at footage: what each found, beside the attempt whose clip it was."""

from __future__ import annotations

import sqlalchemy as sa

from dailies.domain.marks import Marks
from dailies.ledger import tables as t
from dailies.ledger.transitions import Transitions


class Looks(Transitions):
    """Keeps marks. They move no state and no money, and need no owner: whoever has looked may say so."""

    def record_marks(self, attempt_id: str, marks: Marks) -> None:
        """Put what a look found at a delivered clip on record; a later look's word replaces it."""
        mine = (t.attempt.c.id == attempt_id) & t.attempt.c.s3_uri.is_not(None)
        with self._write() as connection:
            connection.execute(sa.update(t.attempt).where(mine).values(marks=marks.record()))
