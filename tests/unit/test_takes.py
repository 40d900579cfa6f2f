"""Takes of one row: which numbers a run sees to, what answers what was sent back, and that each is a clip of its own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from dailies.cli.ledger import print_entries
from dailies.domain.clip_line import line_of
from dailies.domain.clips import Clip, Image
from dailies.domain.takes import (
    Take,
    answers_to,
    further_numbers,
    number_of_takes,
    take_clip,
    take_label,
    take_seed,
    told_apart,
)
from dailies.domain.verdicts import NOTHING_SAID, Said, Word
from dailies.planning.from_record import sheet_on_record
from dailies.planning.shards import split
from dailies.report.credits import by_urgency
from tests.ledger.factories import a_row
from tests.report.factories import a_batch_row

IMAGE = Image("cat.png", 1280, 720, "PNG", 9, "ab" * 32)
BASE = Clip("openai/sora-2-pro-i2v", "a cat", IMAGE, "720p", "16:9", 4)
KEEP, REJECT, RETAKE = Said(Word.KEEP), Said(Word.REJECT), Said(Word.RETAKE)
ONE = Take(1, "one", settled=True, delivered=True, clip=BASE)


def take(number: int, said: Said = NOTHING_SAID, **how: Any) -> Take:
    made: dict[str, Any] = {"settled": True, "delivered": True, "clip": replace(BASE, take=str(number)), **how}
    return Take(number, f"key-{number}", said, **made)


NOT_BOUGHT: dict[str, Any] = {"settled": False, "delivered": False}
FAILED: dict[str, Any] = {"settled": True, "delivered": False, "failed": True}


@pytest.mark.parametrize(("wanted", "on_record", "numbers"), [
    (1, [], []), (3, [], [2, 3]), (3, [take(2)], [2, 3]),
    (1, [take(2), take(3)], [2, 3]),  # what was bought stays in the batch and costs nothing
    (1, [take(2, **NOT_BOUGHT)], []),  # what was only planned is not bought by a run that asks for one
    (3, [take(2, REJECT), take(3, REJECT)], [2, 3]),  # whatever their verdicts
    (3, [take(4)], [2, 4]),  # a retake counts
    (2, [take(2, **FAILED)], [2]),  # one that failed for good is not made up for
])  # fmt: skip
def test_a_row_comes_to_as_many_takes_as_are_wanted(wanted: int, on_record: list[Take], numbers: list[int]) -> None:
    assert further_numbers([ONE, *on_record], wanted) == numbers


def test_a_row_with_a_keeper_gets_no_further_take_where_that_is_asked() -> None:
    assert further_numbers([replace(ONE, said=KEEP)], 3) == [2, 3]
    assert further_numbers([replace(ONE, said=KEEP)], 3, stop_when_kept=True) == []
    assert further_numbers([ONE, take(2, KEEP)], 3, stop_when_kept=True) == [2]
    assert answers_to([replace(ONE, said=RETAKE), take(2, KEEP)], stop_when_kept=True) == []
    assert len(answers_to([replace(ONE, said=RETAKE), take(2, KEEP)])) == 1, "and else it does"


def answers(*takes: Take) -> list[tuple[int, str, str | None]]:
    return [(answer.number, answer.to.key, answer.prompt) for answer in answers_to(takes)]


def test_one_further_take_answers_one_that_was_sent_back() -> None:
    sent_back = replace(ONE, said=RETAKE)
    assert answers(ONE) == [] and answers(ONE, take(2, KEEP), take(3, REJECT)) == []
    assert answers(sent_back) == [(2, "one", None)]
    assert answers(sent_back, take(2), take(3)) == [(4, "one", None)]
    assert answers(sent_back, take(2, RETAKE)) == [(3, "one", None), (4, "key-2", None)]
    assert answers(sent_back, take(2, answers="one")) == []
    assert answers(sent_back, take(2, RETAKE, answers="one")) == [(3, "key-2", None)]


def test_an_answer_that_is_not_there_yet_is_gone_on_with() -> None:
    sent_back = replace(ONE, said=RETAKE)
    not_there: dict[str, Any] = {"delivered": False}
    for how in (NOT_BOUGHT, FAILED, not_there):
        assert answers(sent_back, take(2, answers="one", **how)) == [(2, "one", None)]


def test_an_answer_that_was_not_made_is_given_anew_for_another_prompt() -> None:
    sent_back = replace(ONE, said=Said(Word.RETAKE, "too dark", "a bright cat"))
    assert answers(sent_back) == [(2, "one", "a bright cat")]
    for how in (NOT_BOUGHT, FAILED):
        assert answers(sent_back, take(2, answers="one", **how)) == [(3, "one", "a bright cat")]
    assert answers(sent_back, take(2, answers="one", settled=True, delivered=False)) == [(2, "one", "a bright cat")]


def test_the_seed_is_derived_from_the_rows_key_and_the_number() -> None:
    digest = hashlib.sha256(("ab" * 32 + "2").encode()).hexdigest()
    assert take_seed("ab" * 32, 2) == int(digest[:8], 16) // 2
    assert take_seed("ab" * 32, 2) != take_seed("ab" * 32, 3) and take_seed("ab" * 32, 2) < 2**31


def test_a_take_is_another_clip_with_a_seed_where_the_model_has_one() -> None:
    plain, seeded = take_clip(BASE, 2, BASE.prompt, False), take_clip(BASE, 2, BASE.prompt, True)
    assert (plain.take, dict(plain.options)) == ("2", {})
    assert dict(seeded.options) == {"seed": take_seed(BASE.key, 2)}
    assert len({BASE.key, plain.key, seeded.key, take_clip(BASE, 3, BASE.prompt, False).key}) == 4
    own = replace(BASE, options={"seed": 7}, take="warm")
    assert take_clip(own, 2, "b", True) == replace(own, prompt="b", take="warm-2")


def test_the_seed_of_a_clip_under_an_earlier_key_follows_from_that_key() -> None:
    earlier = replace(BASE, known_as="cd" * 32)
    made = take_clip(earlier, 2, BASE.prompt, True)
    assert made.known_as is None and made.options["seed"] == take_seed("cd" * 32, 2)


@pytest.mark.parametrize(("text", "number"), [
    ("1", 1), ("100", 100),
    ("3", 3), (" 3.0 ", 3), ("3,0", 3), ("'3", 3), ("0", None), ("-1", None), ("2.5", None), ("many", None), ("101", None), ("3s", None),
])  # fmt: skip
def test_a_cell_of_takes(text: str, number: int | None) -> None:
    assert number_of_takes(text) == number


def test_labels() -> None:
    assert (take_label("", 2), take_label("warm", 12)) == ("2", "warm-12")


def test_all_takes_of_a_row_are_in_one_shard() -> None:
    rows = [
        replace(a_row(number), clip=replace(a_row(number).clip, take=take))
        for number in (1, 2, 3)
        for take in ("", "2")
    ]
    assert [(shard.rows, len(shard.clip_keys)) for shard in split(rows, 2)] == [("1-2", 4), ("3-3", 2)]


def test_a_batch_without_rows_on_record_has_an_empty_sheet() -> None:
    assert sheet_on_record([], {}).rows == ()


def test_no_two_clips_are_called_the_same() -> None:
    """Takes of one row by their take; a clip whose row asks for another by now is one from before, and no take of it."""
    names = told_apart([
        ("k1", "sun", "", True), ("k2", "sun", "2", True), ("k3", "tower", "", True), ("k4", "tower", "", False),
        ("k5", "gull", "warm", True), ("k6", "mist", "", False), ("k7aaaaaa", "tower", "2", False), ("k8bbbbbb", "tower", "2", False),
    ])  # fmt: skip
    assert names == {
        "k1": "sun · take 1", "k2": "sun · take 2", "k3": "tower", "k4": "tower · before", "k5": "gull", "k6": "mist · before",
        "k7aaaaaa": "tower · take 2 · before k7aaaa", "k8bbbbbb": "tower · take 2 · before k8bbbb",
    }  # fmt: skip


def test_status_tells_the_takes_of_a_row_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """Two of one row in one batch; the same id in another batch is told by its batch."""
    entry = dict.fromkeys(("state", "provider", "generation", "quoted", "age_min", "ends", "next"), "x")
    entries = [
        {"attempt": at, "batch": batch, "clip": "sun", "take": take, **entry}
        for at, batch, take in (("a", "monday", ""), ("b", "monday", "2"), ("c", "tuesday", ""))
    ]
    print_entries(entries)
    shown = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert shown == ["sun · take 1", "sun · take 2", "sun"]


def test_takes_stand_in_their_order_in_every_table() -> None:
    """The ledger gives clips of one row in any order."""
    lines = [line_of(a_batch_row(1, prompt=f"p {take}", clip={"take": take})) for take in ("10", "", "2", "9")]
    assert [line.take for line in sorted(lines, key=by_urgency)] == ["", "2", "9", "10"]
