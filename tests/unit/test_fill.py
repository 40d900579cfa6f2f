"""`{column}` in a prompt: filled from the row, a missing column is a bad row, and nothing that was bought is bought anew."""

from __future__ import annotations

import pytest

from dailies.planning.fill import filled

CELLS = {"id": "a", "prompt": "self", "Animal Kind": "cat", "mood": " calm ", "empty": ""}


@pytest.mark.parametrize(("prompt", "text"), [
    ("a {Animal Kind}, {mood}", "a cat, calm"), ("{animal_kind}", "cat"), ("{id}:{empty}.", "a:."),
    ("{{mood}} is {mood}", "{mood} is calm"), ("{{{mood}}}", "{calm}"), ("a {{ b", "a { b"), ("{ mood }", "calm"),
])  # fmt: skip
def test_a_column_stands_for_its_text_and_two_braces_for_one(prompt: str, text: str) -> None:
    assert filled(prompt, CELLS) == (text, [])


@pytest.mark.parametrize("prompt", [
    "plain", "", "a { b", "a } b", "}}", "{}", '{"shot": {"lens": 35}}', '{"a": "b"}', "{\n  x: 1\n}",
])  # fmt: skip
def test_a_prompt_that_names_no_column_stays_byte_for_byte(prompt: str) -> None:
    assert filled(prompt, CELLS) == (prompt, [])


def test_a_missing_column_is_named_and_a_prompt_does_not_hold_itself() -> None:
    assert filled("{colour} {mood} {prompt}", CELLS)[1] == ["colour", "prompt"]
