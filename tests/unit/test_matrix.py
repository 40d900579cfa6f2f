"""`--matrix`: every row with every combination, each under a name and a number of its own, before anything is priced."""

from __future__ import annotations

import pytest

from dailies.errors import BadInput
from dailies.planning.matrix import MOST_ROWS, expanded
from dailies.prompts import RawRow, Sheet, with_ids

SHEET = Sheet((
    RawRow(1, {"id": "a", "prompt": "p", "image": "i", "model": "own"}, {"mood": "calm", "seed": "9"}, 2),
    RawRow(2, {"id": "", "prompt": "q", "image": "i"}, {}, 3),
))  # fmt: skip


def test_every_row_with_every_combination() -> None:
    found = expanded(SHEET, ("Seed=1,2", "model=x/y,z"), ("seed",))
    assert [(row.number, row.sheet_row, row.cells["id"]) for row in found.rows[:4]] == [
        (1, 2, "a-1-x-y"), (2, 2, "a-1-z"), (3, 2, "a-2-x-y"), (4, 2, "a-2-z"),
    ]  # fmt: skip
    assert [(row.labels["seed"], row.cells["model"]) for row in found.rows[4:]] == [
        ("1", "x/y"), ("1", "z"), ("2", "x/y"), ("2", "z"),
    ]  # fmt: skip
    assert found.rows[4].cells["id"] == "row-02-1-x-y" and not with_ids(found.rows)[1]
    assert found.rows[0].labels["mood"] == "calm" and found.own_columns == ()
    assert found.notes == ("matrix: 2 rows of the file become 8, 4 of each",)


def test_a_column_of_ones_own_may_fill_prompts_and_values_may_hold_commas() -> None:
    found = expanded(SHEET, ('animal="a cat, old",dog',))
    assert [row.labels["animal"] for row in found.rows[:2]] == ["a cat, old", "dog"] and found.own_columns == (
        "animal",
    )


def test_without_a_matrix_the_sheet_is_the_same() -> None:
    assert expanded(SHEET, ()) is SHEET


@pytest.mark.parametrize(("matrix", "said"), [
    (("seed",), "say a column"), (("=1",), "say a column"), (("seed=",), "say a column"), (("seed=1,1",), "twice"),
    (("seed=1,,2",), "empty"), (("seed=1", "Seed=2"), "names seed twice"), (("modle=a",), "did you mean 'model'"),
    (("id=1,2",), "ids follow"), ((f"seed={','.join(map(str, range(MOST_ROWS)))}",), "more than"),
])  # fmt: skip
def test_what_is_no_matrix_is_refused(matrix: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        expanded(SHEET, matrix, ("seed",))
