"""Two rows that come to one clip are refused, and it is said what was meant to tell them apart."""

from __future__ import annotations

import pytest

from dailies.errors import BadRows
from tests.unit.planned import plan

TAKES = "bytedance/seedance-2-0"
TAKES_NONE = "klingai/video-v3-pro-image-to-video"


def refusal(csv: str) -> str:
    with pytest.raises(BadRows) as caught:
        plan(csv)
    return str(caught.value)


def test_a_row_that_is_written_twice_is_named_with_the_first_one() -> None:
    said = refusal("id,prompt,image,mood|a,calm,a.png,x|b,calm,a.png,y")
    assert "row 3, prompt (b): asks for the same clip as row 2 (a)" in said and "takes no" not in said
    assert "give it another `take`" in said


def test_rows_told_apart_by_what_their_model_does_not_take_are_told_so() -> None:
    said = refusal(f"id,prompt,image,model,seed|a,calm,a.png,{TAKES_NONE},1|b,calm,a.png,{TAKES_NONE},2")
    assert f"row 3, seed (b): asks for the same clip as row 2 (a): {TAKES_NONE} takes no seed" in said
    assert "name a model that takes seed" in said


def test_what_its_model_takes_tells_rows_apart() -> None:
    made = plan(f"id,prompt,image,model,seed|a,calm,a.png,{TAKES},1|b,calm,a.png,{TAKES},2")
    assert len({row.clip.key for row in made.rows}) == 2


@pytest.mark.parametrize("label", ["1.0", '"1,0"', "1.00"])
def test_a_takes_number_that_a_spreadsheet_rewrote_is_that_number(label: str) -> None:
    assert [row.clip.take for row in plan(f"id,prompt,image,take|a,calm,a.png,{label}").rows] == ["1"]
    assert "asks for the same clip as row 2" in refusal(f"id,prompt,image,take|a,calm,a.png,1|b,calm,a.png,{label}")


@pytest.mark.parametrize("label", ["warm", "1.5", "v1.0", "1.000"])
def test_another_label_of_a_take_stays_as_it_is_written(label: str) -> None:
    assert [row.clip.take for row in plan(f"id,prompt,image,take|a,calm,a.png,{label}").rows] == [label]


@pytest.mark.parametrize("label", ["nan", "NULL", "None", "#N/A", "<NA>"])
def test_what_programs_write_for_nothing_names_no_take(label: str) -> None:
    assert "row 2, take (a): is " in refusal(f"id,prompt,image,take|a,calm,a.png,{label}")
