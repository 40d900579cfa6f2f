"""Which model and which providers a row gets: by its own cells, else by what the run was told, else by the defaults."""

from __future__ import annotations

from typing import Any

import pytest

from dailies.errors import BadRow, BadRows
from dailies.registry import provider_names
from dailies.settings import DEFAULT_MODEL
from tests.unit.planned import CATALOG, plan

SEEDANCE, KLING = "bytedance/seedance-2-0", "klingai/video-v3-pro-image-to-video"
URL = "https://x.example/a.png"
HEAD = "id,prompt,image,model,provider"
OPEN = f"{HEAD}|a,a cat,{URL},,"


def refused(csv: str = OPEN, **asked: Any) -> tuple[BadRow, ...]:
    with pytest.raises(BadRows) as caught:
        plan(csv, **asked)
    return caught.value.rows


def made_by(csv: str, **asked: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.clip.model, row.providers) for row in plan(csv, **asked).rows]


def test_a_row_is_made_as_it_says_else_as_the_run_says_else_by_default() -> None:
    rows = f"{HEAD}|a,a cat,{URL},{SEEDANCE},fal|b,a dog,{URL},,"
    assert made_by(rows) == [(SEEDANCE, ("fal",)), (DEFAULT_MODEL, ("aiml",))]
    assert made_by(rows, model=KLING, provider="runware") == [(SEEDANCE, ("fal",)), (KLING, ("runware",))]


def test_a_model_by_a_providers_own_name_is_made_there() -> None:
    name = CATALOG.find(SEEDANCE).offer_at("fal").name
    assert made_by(f"{HEAD}|a,a cat,{URL},{name},") == [(SEEDANCE, ("fal",))]


def test_where_nothing_names_a_provider_it_is_the_first_of_all_that_has_the_model() -> None:
    for model in CATALOG:
        if "image" not in model.kinds or model.image.sizes or len(model.offers) < 2:
            continue
        first = next(name for name in provider_names() if name in model.offers)
        assert made_by(f"{HEAD}|a,a cat,{URL},{model.id},") == [(model.id, (first,))]


@pytest.mark.parametrize(("asked", "column", "reason"), [
    ({"provider": "fall,aiml"}, "--provider", "'fall' is not a provider; there are "),
    ({"draft": True, "final": True}, "--draft", "and --final are two things: drafts first, then what was kept of them in full"),
    ({"final": True, "only": "retake"}, "--final",
     "makes what was kept, and --only retake what was sent back: say one of them"),
    ({"model": "seedanse"}, "--model", "seedanse"),
])  # fmt: skip
def test_what_the_command_line_gets_wrong_is_said_of_the_whole_file(asked: Any, column: str, reason: str) -> None:
    said = refused(f"{HEAD}|a,a cat,{URL},{SEEDANCE},fal", **asked)
    assert [(bad.row, bad.column) for bad in said] == [(0, column)] and reason in said[0].reason


def test_a_wrong_word_is_the_rows_where_its_cell_has_it_and_the_files_where_none_has() -> None:
    """A wrong default would else be said of every row."""
    own = refused(f"{HEAD}|a,a cat,{URL},seedanse,|b,a dog,{URL},{SEEDANCE},fall")
    assert [(bad.row, bad.column, bad.id) for bad in own] == [(2, "model", "a"), (3, "provider", "b")]
    assert "seedanse" in own[0].reason and own[1].reason.startswith("'fall' is not a provider; there are aiml, ")
    assert own[1].reason.endswith(", and cheapest")
    theirs = refused(f"{HEAD}|a,a cat,{URL},,|b,a dog,{URL},,", model="seedanse")
    assert [(bad.row, bad.column) for bad in theirs] == [(0, "--model"), (0, "model")]


def test_a_provider_that_does_not_have_the_model_is_said_of_the_row_whoever_named_it() -> None:
    without = next(name for name in provider_names() if name not in CATALOG.find(DEFAULT_MODEL).offers)
    (own,) = refused(f"{HEAD}|a,a cat,{URL},,{without}")
    (theirs,) = refused(OPEN, provider=f"aiml,{without}")
    assert (own.row, own.column, own.id) == (theirs.row, theirs.column, theirs.id) == (2, "provider", "a")
    assert own.reason == theirs.reason and f"{without} does not offer {DEFAULT_MODEL}" in own.reason


def test_a_row_without_a_prompt_is_told_beside_whatever_else_is_wrong_with_it() -> None:
    said = refused(f"{HEAD}|a,,{URL},seedanse,|b,a dog,{URL},,")
    assert [(bad.row, bad.column) for bad in said] == [(2, "model"), (2, "prompt")]
    assert (said[1].reason, said[1].cure) == ("is empty", "fill it in")


def test_who_does_not_make_it_as_the_row_asks_makes_it_a_bad_row_unless_others_are_compared() -> None:
    head = f"{HEAD},watermark"
    (bad,) = refused(f"{head}|a,a cat,{URL},{SEEDANCE},'aiml,fal',true".replace("'", '"'))
    assert (bad.row, bad.column) == (2, "watermark") and "fal has no option watermark" in bad.reason
    compared = f"{head}|a,a cat,{URL},{SEEDANCE},'cheapest,fal,aiml',true".replace("'", '"')
    assert made_by(compared) == [(SEEDANCE, ("aiml",))]
    (none,) = refused(f"{head}|a,a cat,{URL},{SEEDANCE},'cheapest,fal',true".replace("'", '"'))
    assert (none.row, none.column) == (2, "watermark"), "of those to compare somebody has to make it"
