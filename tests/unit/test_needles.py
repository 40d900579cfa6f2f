"""Texts that must not be found, however they are written."""

from __future__ import annotations

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.needles import FEW, HEAD, SHORTEST, Needles, ways_to_write

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
    needles.add(f"{number:04} is the number of a prompt" for number in range(FEW + 50))
    assert needles.found_in("so: 0007 is the number of a prompt!") and not needles.found_in("9007 is the number of one")
    assert needles.without("so: 0007 is the number of a prompt!", "-") == "so: -!"
    assert not needles.found_in("0007 is the num")


def test_the_longest_that_stands_there_is_taken_out() -> None:
    """Whichever was named first, whole or not."""
    for long_whole in (False, True):
        needles = Needles()
        (needles.add_whole if long_whole else needles.add)(["foxglove and thistle"])
        needles.add(["foxglove"])
        (needles.add_whole if long_whole else needles.add)(["another"])
        assert needles.without("see: foxglove and thistle", "-") == "see: -"


def test_without_anything_to_look_for_there_are_none() -> None:
    needles = Needles()
    needles.add(["short"])
    assert not needles
    needles.add(["longer"])
    assert needles


def test_each_way_to_write_a_text() -> None:
    """As it is, as JSON, as JSON in JSON, as HTML with and without quotes, as CSV."""
    assert list(ways_to_write('é "a" & b')) == [
        'é "a" & b', '\\u00e9 \\"a\\" & b', 'é \\"a\\" & b', '\\\\u00e9 \\\\\\"a\\\\\\" & b', 'é \\\\\\"a\\\\\\" & b',
        "é &quot;a&quot; &amp; b", 'é "a" &amp; b', 'é ""a"" & b',
    ]  # fmt: skip


@given(st.text(min_size=SHORTEST, max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_nothing_of_a_whole_text_is_left(text: str, before: str, after: str) -> None:
    needles = Needles()
    needles.add([text])
    if len(text.strip()) >= SHORTEST:
        assert text not in needles.without(before + text + after, "")[len(before) :] or text in (before + after)
