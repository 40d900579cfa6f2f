"""A large batch in parts: which rows a part has, by numbers, ids or a limit, and by what two machines know that they agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dailies.domain.clips import Row
from dailies.errors import BadInput
from dailies.planning.shards import Shard, chosen, died, fingerprint, parse_rows, shard_of, share, split
from tests.ledger.factories import a_row

ROWS = [a_row(number) for number in range(1, 8)]
NAMES = {row.number: row.id for row in ROWS}


def numbers(rows: list[Row]) -> list[int]:
    return [row.number for row in rows]


@pytest.mark.parametrize(("text", "found"), [
    ("7", range(7, 8)), ("1-500", range(1, 501)), (" 3 - 3 ", range(3, 4)), ("123456789", range(123456789, 123456790)),
])  # fmt: skip
def test_rows_by_their_numbers(text: str, found: range) -> None:
    assert parse_rows(text) == found


@pytest.mark.parametrize("text", ["", "0", "2-1", "-3", "1-", "a", "1,2", "1234567890"])
def test_what_names_no_rows_is_refused_with_what_does(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_rows(text)
    assert str(caught.value) == f"rows {text!r}: say 1-500, or one number. Nothing was bought."


def test_a_part_is_chosen_by_number_by_id_and_by_how_many() -> None:
    assert chosen(ROWS, None) == ROWS
    assert numbers(chosen(ROWS, "2-4")) == [2, 3, 4]
    assert numbers(chosen(ROWS, "2-4", limit=2)) == [2, 3]
    assert numbers(chosen(ROWS, None, " row-5,row-2 , row-5", names=NAMES)) == [2, 5], "in the order of the file"
    assert numbers(chosen(ROWS, "3-7", "row-5", 1, NAMES)) == [5]
    quoted = chosen(ROWS, None, '"a, b"', names={**NAMES, 6: "a, b"})
    assert numbers(quoted) == [6], "an id that holds a comma stands in quotes"
    assert numbers(chosen(ROWS, None, "a, b", names={**NAMES, 6: "a, b"})) == [6], "or alone, as its cell has it"
    assert numbers(chosen(ROWS, None, "a,b", names={4: "a", 5: "b", 6: "a,b"})) == [4, 5], (
        "where it means no two others"
    )


THERE = "there are --rows row-1,row-2,row-3,row-4,row-5, and 2 more. Nothing was bought."


@pytest.mark.parametrize(("rows", "ids", "said"), [
    ("8-9", None, "rows 8-9: the CSV has none of these. Nothing was bought."),
    (None, "row-1,no,none", "--rows row-1,no,none: the CSV has no row with the id no, none; " + THERE),
    (None, " , ", "--rows  , : the CSV has no row with the id (none given); " + THERE),
    ("1-3", "row-4", "--rows row-4: the CSV has no row with the id row-4; did you mean --rows row-3? Nothing was bought."),
    (None, "Row-1", "--rows Row-1: the CSV has no row with the id Row-1; did you mean --rows row-1? Nothing was bought."),
])  # fmt: skip
def test_a_part_of_nothing_is_refused(rows: str | None, ids: str | None, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        chosen(ROWS, rows, ids, None, NAMES)
    assert str(caught.value) == said


def test_an_id_with_a_comma_is_named_as_it_is_typed() -> None:
    with pytest.raises(BadInput, match=r"""; did you mean --rows '"harbour, dawn"'\? Nothing was bought\.$"""):
        chosen(ROWS, None, "harbour dawn", names={4: "harbour, dawn"})


def test_shards_follow_the_file_whatever_the_order_that_its_rows_come_in() -> None:
    shards = split(list(reversed(ROWS)), 3)
    assert [shard.rows for shard in shards] == ["1-3", "4-6", "7-7"]
    assert [key for shard in shards for key in shard.clip_keys] == [row.clip.key for row in ROWS]
    assert shards == split(ROWS, 3) and [shard.rows for shard in split(ROWS, 7)] == ["1-7"]
    assert split([], 3) == []


def test_rows_that_are_not_there_leave_no_hole() -> None:
    (one,) = split([ROWS[0], ROWS[4]], 2)
    assert one == shard_of([ROWS[0], ROWS[4]]) and one.rows == "1-5"


def test_two_machines_agree_when_rows_ids_clips_and_providers_are_the_same() -> None:
    one = fingerprint(ROWS)
    assert one == fingerprint(reversed(ROWS)) and len(one) == 12 and set(one) <= set("0123456789abcdef")
    first = ROWS[0]
    others = (
        replace(first, number=9), replace(first, id="x"), replace(first, providers=("aiml", "fal")),
        replace(first, clip=replace(first.clip, prompt="x")),
    )  # fmt: skip
    assert len({fingerprint([other, *ROWS[1:]]) for other in (first, *others)}) == 5
    assert fingerprint([replace(first, labels={"a": "b"}, sheet_row=9), *ROWS[1:]]) == one, "labels are the team's own"
    assert fingerprint([a_row(1)]) == "40cf654c4cbe", "the same on every machine and by every version"


def test_a_shard_is_started_under_a_name_of_its_own_each_time() -> None:
    shard = Shard("1-3", ("k",), "0123456789ab")
    assert shard.key("monday", 0) == "dailies · monday · rows 1-3 · 0123456789ab · 0"
    assert shard.key("monday", 0) != shard.key("monday", 1)


@pytest.mark.parametrize(("in_flight", "at_once", "each"), [(10, 4, 2), (3, 4, 1), (10, 0, 10), (0, 1, 1), (8, 1, 8)])
def test_shards_share_what_may_be_in_flight_and_none_stands_still(in_flight: int, at_once: int, each: int) -> None:
    assert share(in_flight, at_once) == each


@pytest.mark.parametrize(("state", "name", "died_then"), [
    ("CRASHED", "Crashed", True), ("COMPLETED", "Interrupted", True), ("FAILED", "Failed", False),
    ("COMPLETED", None, False), ("CANCELLED", "Cancelled", False),
])  # fmt: skip
def test_a_run_that_had_its_say_is_not_started_again(state: str, name: str | None, died_then: bool) -> None:
    assert died(state, name) is died_then
