"""Rows without an image: for models that take none, refused where one is needed; a row with one keeps its key."""

from __future__ import annotations

import pytest

from dailies.errors import BadRows
from tests.unit.planned import World, plan

TEXT, BOTH, IMAGE = "google/veo-3.1-t2v", "bytedance/seedance-2-0", "google/veo-3.1-i2v"
URL = "https://x.example/a.png"


def rows(*lines: str, head: str = "id,prompt,image,model,provider") -> str:
    return "|".join([head, *lines])


def refused(csv: str) -> list[tuple[str, str, str]]:
    with pytest.raises(BadRows) as caught:
        plan(csv)
    return [(bad.column, bad.reason, bad.cure) for bad in caught.value.rows]


def test_the_key_of_a_row_with_an_image_is_what_it_always_was() -> None:
    keys = [row.clip.key for row in plan(rows(f"a,<a>,{URL},{IMAGE},aiml", f"b,<a>,{URL},{BOTH},aiml")).rows]
    assert keys == KEYS


def test_a_row_without_an_image_is_a_clip_of_its_own() -> None:
    made = plan(rows(f"a,<a>,,{TEXT},", f"b,<a>,,{BOTH},", f"c,<a>,{URL},{BOTH},"))
    assert [bool(row.clip.image) for row in made.rows] == [False, False, True]
    assert len({row.clip.key for row in made.rows}) == 3 and not made.files


@pytest.mark.parametrize(("line", "column", "reason"), [
    (f"a,<a>,,{IMAGE},", "image", "is empty"),
    (f"a,<a>,{URL},{TEXT},", "image", f"{TEXT} takes none"),
    (f"a,<a>,,{BOTH},runware", "image", f"is empty, and runware makes {BOTH} of an image alone"),
])  # fmt: skip
def test_what_a_model_or_a_provider_does_not_take_is_a_bad_row_with_a_cure(line: str, column: str, reason: str) -> None:
    ((said_column, said_reason, cure),) = refused(rows(line))
    assert (said_column, said_reason) == (column, reason) and cure


def test_the_column_itself_may_be_missing_where_no_model_needs_it() -> None:
    head = "id,prompt,model"
    assert len(plan(rows(f"a,<a>,{TEXT}", head=head)).rows) == 1
    said = refused(rows(f"a,<a>,{TEXT}", f"b,<b>,{IMAGE}", f"c,<c>,{IMAGE}", head=head))
    assert said == [("image", "this column is missing (there are: id, prompt, model)", "add it")], (
        "and that is said once"
    )


def test_the_cheapest_is_among_those_that_make_it_without_one() -> None:
    keyed = frozenset({"aiml", "runware", "fal"})
    made = plan(rows(f"a,<a>,,{BOTH},cheapest"), World(keyed=keyed))
    assert list(*made.compared.values()) == ["aiml", "fal"]


def test_an_option_that_a_provider_does_not_name_is_a_bad_row_there() -> None:
    csv = rows(f"a,<a>,{URL},{BOTH},fal,true", head="id,prompt,image,model,provider,watermark")
    assert refused(csv) == [
        ("watermark", f"fal has no option watermark for {BOTH}", "leave it empty, or use another provider")
    ]


KEYS = [
    "6db396a104a4fef28f54a9d7806c47eac6ea252d452c94ce7cd1ffaca06325b6",
    "1632d2ef7933bce5873039e9e71b1d11172b429fa89d4684ff729c5bba2700a5",
]
"""As they were before a row could have no image."""
