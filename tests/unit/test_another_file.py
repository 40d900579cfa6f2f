"""Which file is a batch's own."""

from __future__ import annotations

import os

import pytest

from dailies.domain.sources import is_another_file, located, same_file


@pytest.mark.parametrize(
    ("recorded", "source", "same"),
    [
        ("/srv/acme/prompts.csv", "/srv/acme/prompts.csv", True),
        ("/srv/acme/prompts.csv", "/srv/zeta/prompts.csv", False),
        ("s3://studio/acme/prompts.csv", "s3://studio/acme/prompts.csv", True),
        ("s3://studio/acme/prompts.csv", "s3://studio/zeta/prompts.csv", False),
        ("s3://studio/prompts.csv", "/srv/prompts.csv", False),
        ("prompts.csv", "/srv/acme/prompts.csv", True),  # typed in some folder, by an earlier version: who knows
        ("./acme/prompts.csv", "/srv/acme/prompts.csv", True),
        ("acme/prompts.csv", "/srv/zeta/prompts.csv", False),
        ("../../acme/prompts.csv", "/srv/acme/prompts.csv", True),
        (".acme/.prompts.csv", "/srv/.acme/.prompts.csv", True),
        ("prompts", "/srv/myprompts", False),
        ("s3://studio/prompts.csv", "s3://other/s3:/studio/prompts.csv", False),
        ("/srv/prompts.csv", "/disk/srv/prompts.csv", False),
    ],
)
def test_a_file_is_known_by_where_it_lies(recorded: str, source: str, same: bool) -> None:
    assert same_file(recorded, source) is same


def test_a_path_is_the_same_from_whichever_folder_it_is_typed() -> None:
    assert located("prompts.csv") == located("./x/../prompts.csv") == os.path.join(os.getcwd(), "prompts.csv")
    assert located("s3://studio/a/../b.csv") == "s3://studio/a/../b.csv"


@pytest.mark.parametrize(
    ("recorded", "known", "asked", "another"),
    [
        ("/srv/acme/prompts.csv", {"a"}, {"b"}, True),
        ("/srv/acme/prompts.csv", {"a", "b"}, {"b", "c"}, False),  # moved: one clip in common
        ("/srv/zeta/prompts.csv", {"a"}, {"b"}, False),  # edited where it lies
        ("/srv/acme/prompts.csv", set(), {"b"}, False),  # planned, and nothing of it is left
        ("", {"a"}, {"b"}, False),  # only adopted: nobody knows its file
    ],
)
def test_a_batch_is_another_files_where_they_have_nothing_in_common(
    recorded: str, known: set[str], asked: set[str], another: bool
) -> None:
    assert is_another_file(recorded, "/srv/zeta/prompts.csv", known, asked) is another
