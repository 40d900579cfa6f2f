"""What stands of all that was said, and what a file of verdicts means."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dailies.domain.clip_line import line_of
from dailies.domain.records import BatchRow
from dailies.domain.states import State
from dailies.domain.verdicts import NOTHING_SAID, Said, Verdict, Word, first_take, said_since, take_meant, undo_of
from dailies.errors import BadRows
from dailies.report.credits import answer_json, credits_of
from dailies.review.sheet import COLUMNS, decided, read_verdicts, verdicts_csv
from tests.report.factories import a_batch_row, sum_of

AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
KEEP, RETAKE, REJECT = (Said(word) for word in (Word.KEEP, Word.RETAKE, Word.REJECT))


def entry(number: int, said: Said, undoes: int | None = None, clip_key: str = "c") -> Verdict:
    return Verdict(number, clip_key, AT, "Ana", said, undoes)


def judged(row: BatchRow, word: Word, note: str = "", prompt: str = "", author: str = "Ana") -> BatchRow:
    return row._replace(verdict=Verdict(1, row.clip_key, AT, author, Said(word, note, prompt)))


def takes(*labels: str, name: str = "sunrise") -> list[BatchRow]:
    return [a_batch_row(n, id=name, clip={"take": label}) for n, label in enumerate(labels, start=1)]


def said_in(text: str, rows: list[BatchRow], batch: str | None = None) -> dict[str, Said]:
    found = decided(read_verdicts(text.encode(), "v.csv"), rows, batch, "v.csv")
    return {key: one.said for key, one in found.items()}


@pytest.mark.parametrize(("history", "expected"), [
    ([], None),
    ([entry(1, KEEP)], (1, NOTHING_SAID)),
    ([entry(1, KEEP), entry(2, RETAKE)], (2, KEEP)),
    ([entry(1, KEEP), entry(2, RETAKE), entry(3, KEEP, 2)], (1, NOTHING_SAID)),
    ([entry(1, KEEP), entry(2, NOTHING_SAID, 1)], None),
    ([entry(1, KEEP), entry(2, NOTHING_SAID, 1), entry(3, REJECT)], (3, NOTHING_SAID)),
    ([entry(1, KEEP), entry(2, NOTHING_SAID)], (2, KEEP)),
])  # fmt: skip
def test_undo_goes_back_one_entry_at_a_time(history: list[Verdict], expected: tuple[int, Said] | None) -> None:
    assert undo_of(history) == expected


def test_a_prompt_goes_with_a_retake_only() -> None:
    assert Said(Word.RETAKE, prompt="slower").prompt == "slower"
    assert Said(Word.KEEP, note="n", prompt="slower") == Said(Word.KEEP, "n")


@pytest.mark.parametrize(("labels", "written", "meant"), [
    (["", "2", "3"], "1", ""), (["", "2"], "", ""), (["", "2"], "2", "2"), (["", "2"], "4", None),
    (["warm", "warm-2"], "1", "warm"), (["warm", "warm-2"], "", "warm"), (["warm", "warm-2"], "warm-2", "warm-2"),
    (["1", "1-2"], "1", "1"), (["10", "10-2"], "1", "10"), ([], "1", None),
])  # fmt: skip
def test_a_take_is_meant_by_its_label_and_the_first_by_1(labels: list[str], written: str, meant: str | None) -> None:
    assert take_meant(written, labels) == meant


def test_the_first_take_is_the_row_as_it_stands() -> None:
    assert [first_take(labels) for labels in (["2", "", "3"], ["warm-2", "warm", "warm-10"])] == ["", "warm"]


def test_the_export_has_exactly_the_columns_of_the_contract_one_line_a_delivered_take() -> None:
    rows = [
        *takes("", "2"),
        a_batch_row(3, State.FAILED, id="lost"),
        judged(a_batch_row(4, id="b"), Word.KEEP, "=good"),
    ]
    lines = list(csv.DictReader(io.StringIO(verdicts_csv(rows))))
    assert (
        tuple(lines[0])
        == COLUMNS
        == ("batch", "id", "take", "clip_key", "verdict", "note", "prompt", "by", "at", "seconds")
    )
    assert [(line["id"], line["take"], line["verdict"]) for line in lines] == [
        ("sunrise", "", ""), ("sunrise", "2", ""), ("b", "", "keep")]  # fmt: skip
    assert lines[2]["note"] == "'=good", "no spreadsheet runs it"
    assert (lines[2]["by"], lines[2]["at"], lines[2]["seconds"]) == ("Ana", "2026-11-26T09:30:00+00:00", "4")
    assert lines[0]["by"] == ""


texts = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=30).map(str.strip)


def as_read(text: str) -> str:
    """A text as files are read: composed, so that what looks the same is the same."""
    return unicodedata.normalize("NFC", text)


@given(note=texts, prompt=texts)
@example(note="", prompt="\N{CJK COMPATIBILITY IDEOGRAPH-F900}")
def test_what_is_exported_is_imported_as_it_was(note: str, prompt: str) -> None:
    row = judged(a_batch_row(), Word.RETAKE, note, prompt)
    found = decided(read_verdicts(verdicts_csv([row]).encode(), "v.csv"), [row], None, "v.csv")
    again = found[row.clip_key]
    assert again.author == "Ana"
    assert (again.said.note.split(), again.said.prompt.split()) == (as_read(note).split(), as_read(prompt).split())


def test_a_clip_is_named_by_its_key_or_by_id_with_its_batch() -> None:
    one, other = a_batch_row(1, id="a"), a_batch_row(2, id="b")
    assert said_in(f"clip_key,verdict\n{one.clip_key},keep\n", [one, other]) == {one.clip_key: KEEP}
    assert said_in("batch,id,verdict\nmonday,b,reject\n", [one, other]) == {other.clip_key: REJECT}
    assert said_in("id;verdict\nb;Keep\n", [one, other], "monday") == {other.clip_key: KEEP}
    spoken = f"\ufeffClip-Key\tVERDICT \tNote\tnote_2\n{one.clip_key}\tkeep\tfine\t\n"
    assert said_in(spoken, [one, other]) == {one.clip_key: Said(Word.KEEP, "fine")}


def test_take_1_is_also_called_1_and_the_last_line_wins() -> None:
    first, second = takes("", "2")
    text = 'id,take,verdict\nsunrise,1,reject\nsunrise,"2,0",retake\nsunrise,,keep\n'
    assert said_in(text, [first, second], "monday") == {first.clip_key: KEEP, second.clip_key: RETAKE}


def test_a_column_that_is_not_there_changes_nothing_and_an_empty_verdict_takes_back() -> None:
    row = judged(a_batch_row(id="a"), Word.RETAKE, "too dark", "brighter")
    assert said_in("id,verdict\na,retake\n", [row], "monday") == {
        row.clip_key: Said(Word.RETAKE, "too dark", "brighter")
    }
    assert said_in("id,verdict,note\na,,\n", [row], "monday") == {row.clip_key: NOTHING_SAID}


def test_a_note_is_never_a_prompt() -> None:
    row = a_batch_row(id="a")
    assert said_in("id,verdict,note\na,retake,slower\n", [row], "monday")[row.clip_key].prompt == ""


@pytest.mark.parametrize(("text", "words"), [
    ("id,verdict\nnobody,keep\n", "knows no clip 'nobody'"),
    ("clip_key,verdict\nfeedbeef,keep\n", "knows no clip 'feedbeef'"),
    ("id,verdict\nsunrise,keep\n", "the row has several takes (1, 2)"),
    ("id,take,verdict\nsunrise,3,keep\n", "the row has no take '3'"),
    ("id,take,verdict\nsunrise,1,kept\n", "'kept' is no verdict"),
    ("id,take,verdikt\nsunrise,1,keep\n", "did you mean 'verdict'"),
    ("id,verdict,Verdict\nfine,keep,reject\n", "verdict: this column is there twice ('verdict' and 'Verdict'); rename or remove one"),
    ("id,clip_key,Clip key,verdict\nfine,,,keep\n", "clip_key: this column is there twice ('clip_key' and 'Clip key')"),
    ("verdict\nkeep\n", "clip_key: neither it nor id is there"),
    ("id,verdict\n,keep\n", "names no clip"),
    ("id,verdict\nfailed,keep\n", "not delivered"),
])  # fmt: skip
def test_an_unknown_clip_or_word_refuses_the_whole_file(text: str, words: str) -> None:
    rows = [*takes("", "2"), a_batch_row(3, State.FAILED, id="failed"), a_batch_row(4, id="fine")]
    with pytest.raises(BadRows) as refused:
        said_in(text + "fine,keep\n" * text.startswith("id,verdict\n"), rows, "monday")
    assert words in str(refused.value)
    assert "no verdict was changed" in str(refused.value)


def test_an_id_without_a_batch_is_refused() -> None:
    with pytest.raises(BadRows, match="only together with its batch"):
        said_in("id,verdict\na,keep\n", [a_batch_row(id="a")])


def test_a_row_that_left_its_csv_is_meant_only_where_no_other_has_its_id() -> None:
    old, new = a_batch_row(1, id="a")._replace(retired=True), a_batch_row(2, id="a")
    assert said_in("id,verdict\na,keep\n", [old, new], "monday") == {new.clip_key: KEEP}
    assert said_in("id,verdict\na,keep\n", [old], "monday") == {old.clip_key: KEEP}


def test_dollars_per_kept_second_are_all_charges_over_the_seconds_that_were_kept() -> None:
    kept, sent_back, rejected = takes("", "2", "3")
    rows = [judged(kept, Word.KEEP), judged(sent_back, Word.RETAKE), judged(rejected, Word.REJECT)]
    totals = sum_of([line_of(row) for row in rows]).totals()
    assert (totals.kept, totals.usd_rejected) == (1, Decimal("1.26"))
    assert totals.usd_per_kept_second == Decimal("3.78") / 4
    assert sum_of([line_of(row) for row in rows[1:]]).totals().usd_per_kept_second is None


def test_the_json_tells_takes_and_verdicts_of_each_clip() -> None:
    first, second = takes("", "2")
    answer = answer_json(credits_of("monday", [judged(first, Word.KEEP), second]), None)
    assert [(clip["id"], clip["take"], clip["verdict"], clip["marks"]) for clip in answer["clips"]] == [
        ("sunrise", "", "keep", None), ("sunrise", "2", None, None)]  # fmt: skip
    assert answer["usd_per_kept_second"] == 0.63


def test_only_what_somebody_else_said_later_counts_as_said_since() -> None:
    history = [Verdict(number, "c" * 64, AT, author, KEEP) for number, author in ((3, "Ana"), (4, "Ben"), (5, "Ana"))]
    assert said_since(history, 3, "Ana") and said_since(history, 4, "Ben")
    assert not said_since(history, 4, "Ana") and not said_since(history, 5, "Ben") and not said_since([], 0, "Ana")


def test_the_tenth_take_is_not_the_first() -> None:
    assert first_take(["10", "2"]) == "2" and first_take(["b", "a", "a-2"]) == "a"
