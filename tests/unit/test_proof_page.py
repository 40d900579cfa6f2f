"""The table of `make proof` says what became of each case, adds up, and shows what must not be."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.crash.proof_page import LINES, Case, as_html, as_json, main

AT = datetime(2026, 11, 27, tzinfo=UTC)
GOOD = Case("answer lost", "after-post", "aiml", "sqlite", 2, 1, 3, 2, 0, 0, 1)
BAD = replace(GOOD, provider="onerouter", charges=3, double=1)


def test_it_adds_up_and_names_the_commit() -> None:
    told = json.loads(as_json([BAD, GOOD], "abc123", AT))
    assert told["commit"] == "abc123" and told["cases"] == [asdict(GOOD), asdict(BAD)]
    assert (told["sums"]["charges"], told["sums"]["double"], told["sums"]["doubts"]) == (5, 1, 2)


def test_what_must_be_zero_and_is_not_stands_out() -> None:
    assert "class=bad>" not in as_html([GOOD], "abc123", AT)
    page = as_html([GOOD, BAD], "<abc>", AT)
    assert page.count("class=bad>") == 1 and "1 double" in page and "&lt;abc&gt;" in page


def test_it_fails_where_money_was_lost_or_nothing_was_tried(tmp_path: Path) -> None:
    assert main(tmp_path) == 1
    for case, code in ((GOOD, 0), (replace(GOOD, lost=1), 1)):
        (tmp_path / LINES).mkdir()
        (tmp_path / LINES / "one.json").write_text(json.dumps(asdict(case)))
        assert main(tmp_path) == code and (tmp_path / "index.html").exists() and not (tmp_path / LINES).exists()
