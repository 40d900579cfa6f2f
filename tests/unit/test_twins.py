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
