"""The rows of a batch as its sheet had them, from the ledger alone: for what is made again without the file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dailies.domain.records import BatchRow
from dailies.prompts import RawRow, Sheet


def sheet_on_record(rows: Iterable[BatchRow], row_clips: Mapping[str, str]) -> Sheet:
    """A sheet whose rows ask for the very clips on record, further takes left out; `row_clips` names those by clip_key.

    Rows that left the CSV, or were forgotten, are no rows of it.
    """
    found = [row for row in rows if not (row.retired or row.forgotten) and row.clip_key not in row_clips]
    return Sheet(tuple(_as_written(number, row) for number, row in enumerate(found, start=1)), on_record=True)


def _as_written(number: int, row: BatchRow) -> RawRow:
    clip = row.clip
    cells = {
        "id": row.id, "prompt": clip.prompt, "image": clip.image.source, "model": clip.model, "provider": ",".join(row.providers),
        "resolution": clip.resolution or "", "aspect_ratio": clip.aspect_ratio or "",
        "duration": "" if clip.duration_s is None else str(clip.duration_s), "take": clip.take,
    }  # fmt: skip
    labels = {**row.labels, **{name: str(value) for name, value in clip.options.items()}}
    return RawRow(row.number or number, cells, labels, (row.number or number) + 1)
