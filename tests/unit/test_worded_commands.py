"""The commands that outputs suggest, word for word."""

from __future__ import annotations

import pytest

from dailies.domain import commands as c


@pytest.mark.parametrize(("line", "words"), [
    (c.command("run", None, "my prompts.csv"), "dailies run 'my prompts.csv'"),
    (c.command("run", "two\nlines"), "dailies run 'two lines'"),
    (c.command("run", "it's"), """dailies run 'it'"'"'s'"""),
    (c.word("a\tb\x07c"), "'a b c'"),
    (c.word(""), "''"),
    (c.of_ledger("sqlite:////a b", c.COLLECT), "DAILIES_LEDGER_URL='sqlite:////a b' dailies collect"),
    (c.resolve("0123456789abcdef"), "dailies resolve 01234567"),
    (c.resolve("0123456789abcdef", "--charged", "g 1"), "dailies resolve 01234567 --charged 'g 1'"),
    (c.refund_pack("a b"), "dailies report --batch 'a b' --refund-pack"),
    (c.show_model("google/veo"), "dailies models show google/veo"),
    (c.check_with_model("google/veo"), "dailies check prompts.csv --model google/veo"),
    (c.review(), "dailies review"),
    (c.review("a b"), "dailies review --batch 'a b'"),
    (c.import_verdicts("v.csv"), "dailies review --import v.csv"),
    (c.fetch(None), "dailies fetch --to clips"),
    (c.fetch("b", "films"), "dailies fetch --batch b --to films"),
    (c.export_names("b", "otio", "{id}"), "dailies export --batch b --as otio --name '{id}'"),
    (c.retakes(None), "dailies run --only retake"),
    (c.retakes("b"), "dailies run --only retake --batch b"),
])  # fmt: skip
def test_each_is_said_so(line: str, words: str) -> None:
    assert line == words
