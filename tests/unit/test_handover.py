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


def test_a_clip_may_be_named_by_the_first_of_its_digits() -> None:
    assert names(batch(a_take(1, "fox")), "{clip_key}") == [a_take(1, "fox").clip_key[:12]]


def refusal(credits: Credits, template: str = "{id}_{take}", kept: bool = False) -> str:
    """Why nothing is handed over."""
    with pytest.raises(BadInput) as refused:
        names(credits, template, kept)
    return str(refused.value)


def test_a_name_that_stands_for_nothing_is_refused_with_those_there_are() -> None:
    assert refusal(batch(a_take(1, "fox", labels={"campaign": "spring"})), "{client}_{id}") == (
        "--name: {client} stands for nothing; there are {campaign}, {id}, {take}, {batch}, {row}, {clip_key}, {model}, "
        "{provider}, {resolution}, {aspect_ratio}, {duration_s}, {verdict}. Nothing was written."
    )


def test_two_clips_of_one_name_are_refused_and_named() -> None:
    twice = batch(a_take(1, "fox"), a_take(1, "fox", "2"), a_take(2, "owl"), a_take(2, "owl", "2"), a_take(3, "elk"))
    assert refusal(twice, "{id}") == (
        "--name gives several clips the same name. Nothing was written.\n"
        "  fox: fox take 1, fox take 2\n"
        "  owl: owl take 1, owl take 2\n"
        "Tell them apart: dailies export --batch monday --as zip --name '{row}_{id}_{take}'"
    )
    assert "sunrise take 1, sunrise take 2, sunrise take 10, fox take 1" in refusal(ROUND, "clip")


@pytest.mark.parametrize(("count", "more"), [(5, ""), (7, "\n  and 2 more")])
def test_of_many_names_that_are_given_twice_a_few_are_shown(count: int, more: str) -> None:
    rows = [a_take(number, f"fox-{number}", take) for number in range(1, count + 1) for take in ("", "2")]
    said = refusal(batch(*rows), "{id}")
    assert said.count(": fox-") == 5 and f"  fox-5: fox-5 take 1, fox-5 take 2{more}\nTell them apart" in said


def test_capitals_alone_tell_no_files_apart() -> None:
    with pytest.raises(BadInput, match="same name"):
        names(batch(a_take(1, "Fox"), a_take(2, "fox")))


def test_nothing_to_hand_over_says_how_to_choose() -> None:
    look = "Nothing was written. Look at them: dailies review --batch monday"
    assert refusal(batch(a_take(1, "fox", word=None)), kept=True) == f"no clip of batch monday is kept. {look}"
    assert refusal(batch(a_batch_row(1, State.SUBMITTED))) == f"no clip of batch monday is delivered. {look}"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("../../etc/passwd", "etc-passwd"), ("a\\b:c*?", "a-b-c"), ("con", "_con"), ("LPT1.txt", "_LPT1.txt"), ("  ", "clip"),
        (".hidden", "hidden"), ("-rf", "rf"), ("märchen  ☀", "märchen ☀"), ("x" * 400, "x" * MOST_BYTES),
        ("a \x80 b", "a b"), ("e\u200b\u0301", "é"), ("x" * 178 + "-yz", "x" * 178 + "-y"), ("x" * 179 + "-z", "x" * 179),
        ("x" * 179 + "yz", "x" * 179 + "y"), ("x" * 178 + "ä ä", "x" * 178 + "ä"),
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
    text = clips_list(handed(batch(a_take(1, "fox")), False, "=1+{id}", "csv"))
    assert text.count("\n") == 2 and "\r" not in text
    (row,) = csv.DictReader(io.StringIO(text))
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
