"""A batch without its file: the sheet that its rows on record come to asks for the very clips that were made."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from dailies.domain.clips import Clip, Image
from dailies.domain.records import BatchRow
from dailies.planning.from_record import sheet_on_record

IMAGE = Image("https://x.example/a.png", 1280, 720, "png", 9, None)
CLIP = Clip("bytedance/seedance-2-0", "a {cat}", IMAGE, "720p", "16:9", 5, "warm", {"seed": 7, "watermark": True})


def on_record(number: int = 3, clip: Clip = CLIP, **changes: Any) -> BatchRow:
    row = BatchRow(
        "monday",
        number,
        f"row-{number}",
        clip,
        clip.key,
        ("aiml", "fal"),
        Decimal(1),
        {"campaign": "spring", "seed": "8"},
    )
    return row._replace(**changes)


def test_a_row_is_written_as_it_was_made() -> None:
    (raw,) = sheet_on_record([on_record()], {}).rows
    assert dict(raw.cells) == {
        "id": "row-3", "prompt": "a {cat}", "image": "https://x.example/a.png", "model": "bytedance/seedance-2-0",
        "provider": "aiml,fal", "resolution": "720p", "aspect_ratio": "16:9", "duration": "5", "take": "warm",
    }  # fmt: skip
    assert dict(raw.labels) == {"campaign": "spring", "seed": "7", "watermark": "True"}, "what the clip has comes first"
    assert (raw.number, raw.sheet_row) == (3, 4)
    assert sheet_on_record([], {}).on_record


def test_what_a_clip_leaves_to_its_model_is_an_empty_cell() -> None:
    bare = replace(CLIP, resolution=None, aspect_ratio=None, duration_s=None, take="", options={})
    (raw,) = sheet_on_record([on_record(clip=bare)], {}).rows
    assert [raw.cells[name] for name in ("resolution", "aspect_ratio", "duration", "take")] == ["", "", "", ""]


def test_rows_that_left_the_file_or_were_forgotten_and_further_takes_are_none_of_it() -> None:
    take = replace(CLIP, take="2")
    rows = [on_record(1), on_record(2, retired=True), on_record(3, forgotten=True), on_record(4, take), on_record(5)]
    assert [row.number for row in sheet_on_record(rows, {take.key: CLIP.key}).rows] == [1, 5]


def test_a_row_without_a_number_is_counted() -> None:
    (first, second) = sheet_on_record([on_record(0), on_record(0)], {}).rows
    assert [(raw.number, raw.sheet_row) for raw in (first, second)] == [(1, 2), (2, 3)]
