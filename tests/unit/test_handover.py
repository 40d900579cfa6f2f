"""Names that people chose: safe on every system, one clip each, and refused before anything is written."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.records import BatchRow
from dailies.domain.states import State
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.errors import BadInput
from dailies.report.credits import Credits, credits_of
from dailies.report.handover import MOST_BYTES, clips_list, handed, safe_name
from dailies.report.timeline import LOWEST_FPS, Media, timeline_text
from tests.ledger.factories import NOON
from tests.report.factories import a_batch_row


def a_take(number: int, name: str, take: str = "", word: Word | None = Word.KEEP, **changes: Any) -> BatchRow:
    """A delivered take, with what was said of it."""
    row = a_batch_row(number, State.STORED, id=name, prompt=f"{name} {take}", clip={"take": take}, **changes)
    said = Verdict(number, row.clip_key, NOON, "Ana", Said(word)) if word is not None else None
    return row._replace(verdict=said)


def batch(*rows: BatchRow) -> Credits:
    return credits_of("monday", rows)


def names(credits: Credits, template: str = "{id}_{take}", kept: bool = False) -> list[str]:
    return [one.name for one in handed(credits, kept, template, "zip")]


ROUND = batch(
    a_take(2, "fox", word=None),
    a_take(1, "sunrise", "10"),
    a_take(1, "sunrise", "2", Word.REJECT),
    a_take(1, "sunrise"),
)


def test_clips_come_in_the_order_of_the_csv_take_by_take() -> None:
    assert names(ROUND) == ["sunrise_1", "sunrise_2", "sunrise_10", "fox_1"]


def test_only_what_was_kept_is_handed_over_if_asked() -> None:
    assert names(ROUND, kept=True) == ["sunrise_1", "sunrise_10"]


def test_a_column_of_the_teams_own_and_braces_may_stand_in_a_name() -> None:
    assert names(ROUND, "{{{campaign}}} {row} {id} {take}")[0] == "{spring} 1 sunrise 1"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{id}", "sunrise take 1, sunrise take 2"),
        ("clip", "same name"),
        ("{client}_{id}", "{client} stands for nothing"),
    ],
)
def test_two_clips_of_one_name_are_refused_and_named(template: str, said: str) -> None:
    with pytest.raises(BadInput, match="Nothing was written") as refused:
        names(ROUND, template)
    assert said in str(refused.value)


def test_capitals_alone_tell_no_files_apart() -> None:
    with pytest.raises(BadInput, match="same name"):
        names(batch(a_take(1, "Fox"), a_take(2, "fox")))


def test_nothing_to_hand_over_says_how_to_choose() -> None:
    with pytest.raises(BadInput, match="dailies review --batch monday"):
        names(batch(a_take(1, "fox", word=None)), kept=True)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("../../etc/passwd", "etc-passwd"), ("a\\b:c*?", "a-b-c"), ("con", "_con"), ("LPT1.txt", "_LPT1.txt"), ("  ", "clip"),
        (".hidden", "hidden"), ("-rf", "rf"), ("märchen  ☀", "märchen ☀"), ("x" * 400, "x" * MOST_BYTES),
    ],
)  # fmt: skip
def test_a_name_is_no_path(text: str, safe: str) -> None:
    assert safe_name(text) == safe


@given(st.text())
def test_any_text_becomes_a_file_name(text: str) -> None:
    name = safe_name(text)
    assert (
        name and len(name.encode()) <= MOST_BYTES + 1 and not set(name) & set('/\\:*?"<>|\0\n') and name[0] not in ".-"
    )
    assert safe_name(name) in (name, f"_{name}")


def test_the_list_is_safe_for_spreadsheets() -> None:
    (row,) = csv.DictReader(io.StringIO(clips_list(handed(batch(a_take(1, "fox")), False, "=1+{id}", "csv"))))
    assert row["file"] == "'=1+fox.mp4" and row["id"] == "fox" and row["usd_charged"] == "1.26"


def test_a_timeline_holds_the_clips_whole_one_after_another() -> None:
    otio = pytest.importorskip("opentimelineio")
    first, second, *_ = handed(ROUND, False, "{id}_{take}", "otio")
    pairs = [(first, Media("monday clips/sunrise_1.mp4", 30.0, 4.0)), (second, None)]
    timeline = otio.adapters.read_from_string(timeline_text("monday", pairs, "otio"), "otio_json")
    one, other = timeline.find_clips()
    assert (one.name, one.duration().to_seconds(), one.media_reference.target_url) == (
        "sunrise_1", 4.0, "monday%20clips/sunrise_1.mp4",
    )  # fmt: skip
    assert one.metadata["dailies"]["clip_key"] == first.line.clip_key
    assert other.media_reference.is_missing_reference and other.duration().to_seconds() == 4.0


@pytest.mark.parametrize("fps", [5.0, 10.0, 16.0, 23.976, 24.0, 24000 / 1001, 25.0, 30.0])
def test_an_edl_has_one_rate_that_time_code_knows(fps: float) -> None:
    otio = pytest.importorskip("opentimelineio")
    pairs = [(one, Media(f"{one.name}.mp4", fps, 5.0)) for one in handed(ROUND, False, "{id}_{take}", "edl")]
    text = timeline_text("monday", pairs, "edl")
    assert text.count("* FROM CLIP NAME:") == 4 and "sunrise_10" in text
    read = otio.adapters.read_from_string(
        text, "cmx_3600", rate=otio.opentime.RationalTime.nearest_smpte_timecode_rate(max(fps, LOWEST_FPS))
    )
    assert len(list(read.find_clips())) == 4


def test_half_a_letter_keeps_no_timeline_from_being_written() -> None:
    pytest.importorskip("opentimelineio")
    row = a_take(1, "fox")._replace(id="fox \ud83d")
    text = timeline_text("monday \ud83d", [(one, None) for one in handed(batch(row), False, "{id}", "otio")], "otio")
    assert "fox ?" in text and "monday ?" in text
