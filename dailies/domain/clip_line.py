"""One clip as a line of the credits report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from dailies.domain.clips import Clip
from dailies.domain.marks import Marks
from dailies.domain.origin import Origin
from dailies.domain.paid import Paid, paid_for
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.standing import FORGOTTEN, Outcome, outcome_so_far, standing_of
from dailies.domain.verdicts import Verdict


class Line(NamedTuple):
    """One clip in the credits report: `credits.csv` has these columns in this order, then the team's own.

    Dollars and credits that a provider did not report are None, never zero or guessed: `unreported` counts such charges,
    `usd_unreported_quoted` is what they were quoted at. A line that is not `counted` is no row of the batch (it has left
    the CSV, or its clip went on elsewhere); only its money is in the totals.
    """

    row: int
    id: str
    clip_key: str
    batch: str
    state: str
    outcome: str
    provider: str
    model: str
    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    take: str
    prompt: str
    image: str
    attempt: str | None
    attempts: int
    generation_id: str | None
    s3_uri: str | None
    sha256: str | None
    size_bytes: int | None
    usd_quoted: Decimal | None
    usd_charged: Decimal | None
    usd_at_risk: Decimal
    credits_used: int | None
    seconds: float | None
    polls: int
    created_at: str | None
    stored_at: str | None
    mismatch: str | None
    error: str | None
    unreported: int
    usd_unreported_quoted: Decimal
    counted: bool
    verdict: str | None = None
    verdict_by: str | None = None
    verdict_note: str | None = None
    marks: Marks | None = None
    c2pa: bool | None = None
    digital_source_type: str | None = None


COLUMNS = Line._fields


def line_of(row: BatchRow, delivered_before: frozenset[str] | None = None) -> Line:
    """One row of the report. Money is that of all the clip's attempts together, so that sums are whole."""
    return Line._make(column[0] for column in columns_of([row], delivered_before))


def columns_of(rows: Sequence[BatchRow], delivered_before: frozenset[str] | None = None) -> list[Sequence[Any]]:
    """Some rows of the report, at least one, column by column in the order of `COLUMNS`: a fraction of the work of so many lines."""
    asked = _by_name(BatchRow._fields, rows)
    attempts = [row.attempt for row in rows]
    sent = _by_name(Attempt._fields, [attempt or _NOTHING_SENT for attempt in attempts])
    columns: dict[str, Sequence[Any]] = {
        **_told_by_the_row(asked),
        **_told_by_the_attempt(attempts, sent),
        **_by_name(Paid._fields, map(paid_for, asked["attempts"])),
        **_told_by_the_standing(rows, attempts, delivered_before),
        "provider": [at or first[0] for at, first in zip(sent["provider"], asked["providers"], strict=True)],
        "s3_uri": [uri and (copy or uri) for uri, copy in zip(sent["s3_uri"], asked["copy_uri"], strict=True)],
        "usd_quoted": [
            mine if mine is None or then is None else then
            for mine, then in zip(asked["usd_quoted"], sent["usd_quoted"], strict=True)
        ],
        "error": [
            FORGOTTEN if forgotten else error if uri is None else None
            for forgotten, error, uri in zip(asked["forgotten"], sent["error"], sent["s3_uri"], strict=True)
        ],
    }
    return [columns[name] for name in COLUMNS]


_WORDS = {outcome: str(outcome) for outcome in Outcome}
_NOTHING_SENT = (None,) * len(Attempt._fields)


def _by_name(names: Sequence[str], records: Iterable[Iterable[Any]]) -> dict[str, Sequence[Any]]:
    return dict(zip(names, zip(*records, strict=True), strict=True))


def _told_by_the_row(asked: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The columns that are the same whatever was tried for a clip."""
    clips: Sequence[Clip] = asked["clip"]
    verdicts: Sequence[Verdict | None] = asked["verdict"]
    standing = zip(asked["counted"], asked["retired"], strict=True)
    return {
        "row": asked["number"], "id": asked["id"], "clip_key": asked["clip_key"], "batch": asked["batch"],
        **{name: [getattr(clip, name) for clip in clips] for name in _OF_THE_CLIP},
        "image": [clip.image.source for clip in clips],
        "attempts": [*map(len, asked["attempts"])],
        "counted": [counted and not retired for counted, retired in standing],
        "verdict": [(str(one.said.word) or None) if one else None for one in verdicts],
        "verdict_by": [one.author if one else None for one in verdicts],
        "verdict_note": [(one.said.note or None) if one else None for one in verdicts],
    }  # fmt: skip


def _told_by_the_standing(
    rows: Sequence[BatchRow], attempts: Sequence[Attempt | None], delivered_before: frozenset[str] | None
) -> dict[str, Sequence[Any]]:
    standings = [*map(standing_of, attempts)]
    outcomes = [outcome_so_far(one.outcome, row, delivered_before) for one, row in zip(standings, rows, strict=True)]
    return {"state": [one.state for one in standings], "outcome": [_WORDS[outcome] for outcome in outcomes]}


_OF_THE_CLIP = ("model", "prompt", "resolution", "aspect_ratio", "duration_s", "take")


def _told_by_the_attempt(
    attempts: Sequence[Attempt | None], sent: Mapping[str, Sequence[Any]]
) -> dict[str, Sequence[Any]]:
    """The columns that the attempt which speaks for a clip has; what its file says only where that is in S3."""
    home = [uri is not None for uri in sent["s3_uri"]]
    origins: list[Origin | None] = [found if here else None for found, here in zip(sent["origin"], home, strict=True)]
    seconds = [one.seconds if one else None for one in attempts]
    return {
        "attempt": sent["id"],
        **{name: sent[name] for name in ("generation_id", "sha256", "size_bytes", "mismatch")},
        "seconds": [None if some is None else round(some, 1) for some in seconds],
        **{name: [at and at.isoformat(timespec="seconds") for at in sent[name]] for name in ("created_at", "stored_at")},
        "marks": [found if here else None for found, here in zip(sent["marks"], home, strict=True)],
        "c2pa": [one.c2pa if one else None for one in origins],
        "digital_source_type": [one.digital_source_type if one else None for one in origins],
    }  # fmt: skip
