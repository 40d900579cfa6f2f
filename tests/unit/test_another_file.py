"""Which file is a batch's own."""

from __future__ import annotations

import os

import pytest

from dailies.steps.another_file import located, same_file


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
    ],
)
def test_a_file_is_known_by_where_it_lies(recorded: str, source: str, same: bool) -> None:
    assert same_file(recorded, source) is same


def test_a_path_is_the_same_from_whichever_folder_it_is_typed() -> None:
    assert located("prompts.csv") == located("./x/../prompts.csv") == os.path.join(os.getcwd(), "prompts.csv")
    assert located("s3://studio/a/../b.csv") == "s3://studio/a/../b.csv"
