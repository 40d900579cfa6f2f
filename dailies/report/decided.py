"""What was decided of a batch's clips, as a table and a sentence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dailies.domain.clip_line import Line, line_of
from dailies.domain.money import show_usd
from dailies.domain.records import BatchRow
from dailies.domain.verdicts import Word

MOST_ROWS = 5000


def decided_lines(rows: Iterable[BatchRow]) -> list[Line]:
    """The lines of delivered clips, in the order of the CSV."""
    return [line for row in rows if (line := line_of(row)).counted and line.s3_uri]


def decided_table(lines: Sequence[Line], most: int = MOST_ROWS) -> list[dict[str, str]]:
    """The verdicts as the Prefect UI's table shows them; clips that nobody has decided are left out."""
    return [
        {
            "clip": line.id, "take": line.take or "1", "verdict": line.verdict or "", "by": line.verdict_by or "",
            "note": line.verdict_note or "", "charged": show_usd(line.usd_charged),
        }
        for line in lines
        if line.verdict
    ][:most]  # fmt: skip


def decided_sentence(lines: Sequence[Line]) -> str:
    """`31 of 40 decided · 20 keep · 8 retake · 3 reject`."""
    count = Counter(line.verdict for line in lines if line.verdict)
    words = [f"{count[word]} {word}" for word in (Word.KEEP, Word.RETAKE, Word.REJECT) if count[word]]
    return " · ".join([f"{count.total()} of {len(lines)} decided", *words])
