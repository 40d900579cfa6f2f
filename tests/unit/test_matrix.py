"""`--matrix`: every row with every combination, each under a name and a number of its own, before anything is priced."""

from __future__ import annotations

from pathlib import Path

import pytest

from dailies.errors import BadInput
from dailies.planning.matrix import MOST_ROWS, expanded
from dailies.planning.request import BatchRequest, is_file
from dailies.prompts import RawRow, Sheet, read_table, with_ids
from dailies.sheets.columns import Names
from dailies.sheets.table import Table

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
    assert found.notes == ("matrix: 2 rows of the file, with 4 combinations each: 8 rows",)


def test_a_column_of_ones_own_may_fill_prompts_and_values_may_hold_commas() -> None:
    found = expanded(SHEET, ('animal="a cat, old",dog',))
    assert [row.labels["animal"] for row in found.rows[:2]] == ["a cat, old", "dog"] and found.own_columns == (
        "animal",
    )


def test_a_prompt_is_cleaned_as_prompts_are_and_all_else_as_labels() -> None:
    found = expanded(SHEET, ("prompt=a\u00a0cat", "mood=very\u00a0calm"))
    assert (found.rows[0].cells["prompt"], found.rows[0].labels["mood"]) == ("a\u00a0cat", "very calm")


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


def table(text: str) -> Table:
    return read_table(text.encode(), "looks.csv", Names(("seed",)))


def test_each_line_of_a_file_is_one_combination() -> None:
    """Two of the four that its columns would have; an axis beside it is combined with both."""
    files = {"looks.csv": table("Model;look\nx/y;warm, dark\nz;cold\n;\n")}
    found = expanded(SHEET, ("looks.csv", "seed=1,2"), ("seed",), files)
    assert [(row.cells["model"], row.labels["look"], row.labels["seed"]) for row in found.rows[:4]] == [
        ("x/y", "warm, dark", "1"), ("x/y", "warm, dark", "2"), ("z", "cold", "1"), ("z", "cold", "2"),
    ]  # fmt: skip
    assert found.rows[0].cells["id"] == "a-x-y-warm-dark-1" and found.own_columns == ("look",)
    assert found.notes == ("matrix: 2 rows of the file, with 4 combinations each: 8 rows",)


@pytest.mark.parametrize(("text", "said"), [
    ("modle,look\na,b\n", "did you mean 'model'"), ("seed,look\n1,\n", "empty cell"), ("seed,look\n1,b\n1,b\n", "twice"),
    ("id,seed\na,1\n", "ids follow"), ("seed,look\n", "there is none"),
])  # fmt: skip
def test_what_is_no_file_of_combinations_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        expanded(SHEET, ("looks.csv",), ("seed",), {"looks.csv": table(text)})


def test_a_file_is_told_from_values() -> None:
    assert [is_file(text) for text in ("looks.csv", "s3://b/looks.csv", "a=b.csv", "seed=1,2", "seed=", "")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_a_file_is_on_record_by_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = BatchRequest(prompts="p.csv", matrix=("looks.csv", "seed=1,2")).asked()
    assert asked["matrix"] == (str(tmp_path / "looks.csv"), "seed=1,2")
