"""`{column}` in a prompt: filled from the row, a missing column is a bad row, and nothing that was bought is bought anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dailies.errors import BadRow, BadRows
from dailies.planning.fill import filled
from dailies.planning.plan import Plan
from tests.unit.planned import CATALOG, Blank, plan

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


FRAME = "https://x.example/a.png"


class Bought(Blank):
    """A ledger in which these prompts were bought, under the keys that their clips have today."""

    def __init__(self, *prompts: str) -> None:
        rows = "\n".join(f"r{n},{prompt},{FRAME},cat" for n, prompt in enumerate(prompts))
        asked = plan(f"id,prompt,image,animal\n{rows}", record=Untouched())
        self.keys = {row.clip.identity: row.clip.key for row in asked.rows}

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        return {one: self.keys[one] for one in identities if one in self.keys}

    def bought(self, clip_keys: Sequence[str]) -> frozenset[str]:
        return frozenset(clip_keys)


class Untouched(Blank):
    """A ledger in which everything was bought: nothing is filled in."""

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        return {one: one for one in identities}

    def bought(self, clip_keys: Sequence[str]) -> frozenset[str]:
        return frozenset(clip_keys)


def notes(made: Plan) -> list[str]:
    return [note for note in made.notes if "braces" in note]


def refused(csv: str, **asked: Any) -> tuple[BadRow, ...]:
    with pytest.raises(BadRows) as caught:
        plan(csv, **asked)
    return caught.value.rows


def test_each_row_is_planned_with_its_own_columns_in_its_prompt() -> None:
    """Its id among them, even one that was made from its number; a row that names none stays as it is."""
    made = plan(
        f"id,prompt,image,Animal Kind|a,a {{animal_kind}},{FRAME},cat|,a {{animal_kind}} of {{ID}},{FRAME},dog"
        f"|c,a bird,{FRAME},owl"
    )
    assert [row.clip.prompt for row in made.rows] == ["a cat", "a dog of row-02", "a bird"]
    assert notes(made) == []


def test_a_prompt_is_clean_after_its_columns_are_filled_in() -> None:
    made = plan(f"id,prompt,image,animal|a,{{animal}} a cat {{animal}},{FRAME},")
    assert made.rows[0].clip.prompt == "a cat"


def test_a_column_that_is_missing_is_a_bad_row_with_its_cure_and_nothing_else_is_said_of_its_prompt() -> None:
    assert refused(f"id,prompt,image|a,{{colour}},{FRAME}") == (
        BadRow(2, "prompt", "{colour} stands for a column, and there is none of this name", "a",
               "add the column, or write {{colour}} for the braces themselves"),
    )  # fmt: skip


def test_what_a_prompt_comes_to_is_what_its_model_must_take() -> None:
    model = "minimax/hailuo-02"
    most = CATALOG.find(model).prompt_max
    assert most
    head = f"id,prompt,image,model,text\na,{{text}},{FRAME},{model}"
    assert len(plan(f"{head},{'x' * most}").rows[0].clip.prompt) == most
    (bad,) = refused(f"{head},{'x' * (most + 1)}")
    assert (bad.row, bad.column, bad.id) == (2, "prompt", "a") and str(most) in bad.reason and bad.cure


def test_a_prompt_that_was_bought_with_its_braces_stays_and_the_others_are_filled_in() -> None:
    csv = f"id,prompt,image,animal|a,a {{animal}},{FRAME},cat|b,the {{animal}},{FRAME},cat"
    made = plan(csv, record=Bought("a {animal}"))
    assert [row.clip.prompt for row in made.rows] == ["a {animal}", "the cat"]
    assert notes(made) == [
        "row 2 (a): bought with the braces in the prompt as they stand; give the row another take to buy it filled in"
    ]


@pytest.mark.parametrize(("count", "named"), [
    (3, "row 2 (r0), row 3 (r1), row 4 (r2): bought"), (4, "row 2 (r0), row 3 (r1), row 4 (r2), …: bought"),
])  # fmt: skip
def test_of_many_the_first_three_are_named(count: int, named: str) -> None:
    rows = "\n".join(f"r{n},{{animal}} {n},{FRAME},cat" for n in range(count))
    (note,) = notes(plan(f"id,prompt,image,animal\n{rows}", record=Untouched()))
    assert note.startswith(named)
