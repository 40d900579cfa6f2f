"""What is on the page: the clips of one batch, or of all, as the ledger has them at the moment of asking."""

from __future__ import annotations

import json
from collections.abc import Iterator

from dailies.domain.records import BatchRow
from dailies.domain.verdicts import Comment, Verdict
from dailies.ledger import Ledger
from dailies.report.credits import credits_of
from dailies.report.links import Filed, Links
from dailies.report.page import page_data
from dailies.report.select import Selection, chosen


class Footage:
    """The clips that are reviewed. Safe to use from several threads; every method blocks."""

    def __init__(self, ledger: Ledger, batch: str | None) -> None:
        self._ledger, self._batch = ledger, batch
        self._rows: dict[str, BatchRow] = {}

    @property
    def title(self) -> str:
        """What is reviewed, for the head of the page."""
        return self._batch or "all batches"

    def page_data(self) -> Iterator[str]:
        """The clips as the page's script reads them, in pieces of JSON; each clip's film and poster lie beside the page."""
        names = [self._batch] if self._batch else self._ledger.batches()
        rows = chosen((row for name in names for row in self._ledger.each_row(name)), Selection(self._batch))
        credits = credits_of(self.title, rows)
        self._rows = {row.clip_key: row for row in rows}
        return page_data(credits, here)

    def __contains__(self, clip_key: str) -> bool:
        return clip_key in self._rows

    def row(self, clip_key: str) -> BatchRow | None:
        """One clip's row; also of a clip that came since the page was loaded."""
        if clip_key not in self._rows:
            found = [row for row in self._ledger.rows_of_clips([clip_key]) if self._batch in (None, row.batch)]
            self._rows |= {row.clip_key: row for row in found}
        return self._rows.get(clip_key)

    def place(self, clip_key: str) -> str | None:
        """The S3 address of a clip; None for one that is unknown or not delivered."""
        row = self.row(clip_key)
        attempt = row.attempt if row else None
        return (row.copy_uri or attempt.s3_uri) if row and attempt and attempt.delivered else None

    def csv_of(self, row: BatchRow) -> str | None:
        """The file that a row stood in, from whose folder its paths go out."""
        return self._ledger.batch_source(row.batch)


def here(line: Filed) -> Links:
    """Film and poster of a clip as the page asks for them."""
    return Links(f"clip/{line.clip_key}", f"poster/{line.clip_key}") if line.s3_uri else Links()


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """One entry of the record as the page reads it."""
    said = verdict.said
    return {
        "number": verdict.id, "clip_key": verdict.clip_key, "at": verdict.at.isoformat(timespec="seconds"),
        "by": verdict.author, "verdict": str(said.word), "note": said.note, "prompt": said.prompt,
        "undo": verdict.undoes is not None,
    }  # fmt: skip


def comment_json(comment: Comment) -> dict[str, object]:
    """One comment as the page reads it."""
    at = comment.at.isoformat(timespec="seconds")
    return {"number": comment.id, "at": at, "by": comment.author, "second": comment.second, "text": comment.text}


def dumped(value: object) -> str:
    """JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
