"""The commands that outputs suggest, word for word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dailies.domain import commands as c


@pytest.mark.parametrize(("line", "words"), [
    (lambda: c.command("run", None, "my prompts.csv"), "dailies run 'my prompts.csv'"),
    (lambda: c.command("run", "two\nlines"), "dailies run 'two lines'"),
    (lambda: c.command("run", "it's"), """dailies run 'it'"'"'s'"""),
    (lambda: c.word("a\tb\x07c"), "'a b c'"),
    (lambda: c.word(""), "''"),
    (lambda: c.of_ledger("sqlite:////a b", c.COLLECT), "DAILIES_LEDGER_URL='sqlite:////a b' dailies collect"),
    (lambda: c.resolve("0123456789abcdef"), "dailies resolve 01234567"),
    (lambda: c.resolve("0123456789abcdef", "--charged", "g 1"), "dailies resolve 01234567 --charged 'g 1'"),
    (lambda: c.refund_pack("a b"), "dailies report --batch 'a b' --refund-pack"),
    (lambda: c.show_model("google/veo"), "dailies models show google/veo"),
    (lambda: c.check_with_model("google/veo"), "dailies check prompts.csv --model google/veo"),
    (lambda: c.review(), "dailies review"),
    (lambda: c.review("a b"), "dailies review --batch 'a b'"),
    (lambda: c.import_verdicts("v.csv"), "dailies review --import v.csv"),
    (lambda: c.fetch(None), "dailies fetch --to clips"),
    (lambda: c.fetch("b", "films"), "dailies fetch --batch b --to films"),
    (lambda: c.export_names("b", "otio", "{id}"), "dailies export --batch b --as otio --name '{id}'"),
    (lambda: c.retakes(None), "dailies run --only retake"),
    (lambda: c.retakes("b"), "dailies run --only retake --batch b"),
])  # fmt: skip
def test_each_is_said_so(line: Callable[[], str], words: str) -> None:
    assert line() == words
