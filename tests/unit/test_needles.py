"""Texts that must not be found, however they are written."""

from __future__ import annotations

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.needles import FEW, HEAD, SHORTEST, Needles

PROMPT = 'A fox says "hello" & jumps\nover the fence — twice'


@pytest.mark.parametrize(
    "written",
    [
        PROMPT, json.dumps({"p": PROMPT}), json.dumps({"p": PROMPT}, ensure_ascii=False), html.escape(PROMPT),
        json.dumps(json.dumps({"p": PROMPT})), f'a,"{PROMPT.replace(chr(34), chr(34) * 2)}",b', PROMPT[: HEAD + 3],
    ],
)  # fmt: skip
def test_it_is_found_and_taken_out_as_others_write_it(written: str) -> None:
    needles = Needles()
    needles.add([PROMPT])
    assert needles.found_in(written)
    left = needles.without(written, "…")
    assert not needles.found_in(left)
    assert "fox" not in left and "fence" not in left and "…" in left


def test_what_is_too_short_or_only_similar_stays() -> None:
    needles = Needles()
    needles.add(["a" * (SHORTEST - 1), "A fox jumps over it"])
    text = "aaaaaaaa A fox jumps ove"
    assert needles.without(text, "") == text


def test_what_is_looked_for_whole_leaves_others_that_begin_like_it() -> None:
    needles, picture = Needles(), "UklGRjQAAABXRUJQ" + "x" * 50
    needles.add_whole([picture])
    other = picture[:-1] + "y"
    assert not needles.found_in(other) and needles.without(f"{other} {picture}", "-") == f"{other} -"


def test_many_are_found_as_few_are() -> None:
    needles = Needles()
    needles.add(f"prompt number {number:04} of a large batch" for number in range(FEW + 50))
    assert needles.without("so: prompt number 0007 of a large batch!", "-") == "so: -!"
    assert not needles.found_in("prompt numbe")


@given(st.text(min_size=SHORTEST, max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_nothing_of_a_whole_text_is_left(text: str, before: str, after: str) -> None:
    needles = Needles()
    needles.add([text])
    if len(text.strip()) >= SHORTEST:
        assert text not in needles.without(before + text + after, "")[len(before) :] or text in (before + after)
