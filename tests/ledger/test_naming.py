"""CLIP as people name it."""

from __future__ import annotations

import pytest

from dailies.domain.takes import Link
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger.naming import clip_named, clips_named
from tests.ledger.factories import a_clip, a_row


def _plan(ledger: Ledger, batch: str, *rows: tuple[str, str, str]) -> list[str]:
    planned = [a_row(n, a_clip(prompt, take=take), id=row_id) for n, (row_id, prompt, take) in enumerate(rows, 1)]
    ledger.plan(batch, "x.csv", "s3://b", planned, {row.clip.key: None for row in planned})
    return [row.clip.key for row in planned]


def test_a_key_its_first_digits_and_batch_and_id_are_understood(ledger: Ledger) -> None:
    one, two = _plan(ledger, "monday", ("sunrise", "one", ""), ("a/b", "two", ""))
    assert {clip_named(ledger, text) for text in (one, one[:12], one[:20], "monday/sunrise")} == {one}
    assert clip_named(ledger, "monday/a/b") == two
    assert clip_named(ledger, "sunrise", batch="monday") == one


def test_takes_of_one_row_are_candidates_until_one_is_named(ledger: Ledger) -> None:
    _, warm, cold = _plan(ledger, "monday", ("x", "one", ""), ("sunrise", "one", "warm"), ("sunrise", "one", "cold"))
    with pytest.raises(BadInput, match="2 clips are called so") as refused:
        clip_named(ledger, "monday/sunrise")
    assert "monday/sunrise/warm" in str(refused.value) and cold in str(refused.value)
    assert clip_named(ledger, "monday/sunrise/warm") == warm


def test_take_1_is_the_row_as_it_stands_and_is_shown_so(ledger: Ledger) -> None:
    base, second = a_row(1, a_clip("one"), id="sunrise"), a_row(2, a_clip("one", take="2"), id="sunrise")
    link = Link(base.clip.key, 2, second.clip.key)
    ledger.plan(
        "monday", "x.csv", "s3://b", [base, second], dict.fromkeys((base.clip.key, second.clip.key)), takes=[link]
    )
    with pytest.raises(BadInput) as refused:
        clip_named(ledger, "monday/sunrise")
    assert f"monday/sunrise/1    {base.clip.key}" in str(refused.value)
    assert clip_named(ledger, "monday/sunrise/1") == base.clip.key
    assert clip_named(ledger, "monday/sunrise/2") == second.clip.key


@pytest.mark.parametrize("text", ["", "sunrise", "monday", "monday/", "0123456789ab", "abc", "monday/sun%", "/"])
def test_what_names_none_is_refused(text: str, ledger: Ledger) -> None:
    (key,) = _plan(ledger, "monday", ("sunrise", "one", ""))
    with pytest.raises(BadInput, match="no such clip"):
        clip_named(ledger, text)
    with pytest.raises(BadInput, match="no such clip"):
        clip_named(ledger, key[:11])


def test_a_clip_of_two_batches_is_one(ledger: Ledger) -> None:
    (key,) = _plan(ledger, "monday", ("sunrise", "one", ""))
    _plan(ledger, "tuesday", ("other-id", "one", ""))
    assert [*clips_named(ledger, key[:12])] == [key]
