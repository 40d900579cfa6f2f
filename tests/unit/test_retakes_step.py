"""What was sent back, made again: as its batch was asked for, by the ledger alone, under the round's own budget."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.money import show_usd
from dailies.domain.states import State
from dailies.domain.verdicts import Said, Word
from dailies.errors import BadInput
from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.steps.retakes import batches_sent_back, retakes_asked, several_sent_back, start_retakes
from dailies.steps.start import plan_batch, start_batch
from tests.ledger.factories import FakeClock, a_clip, a_row, bring_to, claim, store
from tests.unit.beginnings import ways_open
from tests.unit.steps_bench import Bench

MODEL = "alibaba/wan-2-7-t2v"
SIZE = 1_234_567


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from ways_open(sqlite_url, tmp_path, clock)


def delivered(bench: Bench, name: str = "smiles", *sent_back: str) -> Batch:
    """A batch of two rows whose clips are in S3, some of them sent back."""
    sheet = bench.folder / f"{name}.csv"
    sheet.write_text(f"id,prompt,model\ndawn,a cat in {name},{MODEL}\ndusk,a dog in {name},{MODEL}\n")
    request = BatchRequest(prompts=str(sheet), to="s3://clips/smiles", budget_usd=Decimal(50))
    batch: Batch = bench.run(start_batch, request, bench.run(plan_batch, request))
    for row in batch.plan.rows:
        bought = bench.ledger.mark_submitted(claim(bench.ledger, row.clip.key, batch=name).id, f"video {row.clip.key}")
        attempt = store(bench.ledger, bench.ledger.record_completed(bought, "https://cdn.example/clip.mp4"))
        bench.shelf.lay(str(attempt.s3_uri).removeprefix("s3://clips/"), bytes(SIZE))
    keys = {row.id: row.clip.key for row in batch.plan.rows}
    bench.ledger.judge({keys[row_id]: Said(Word.RETAKE) for row_id in sent_back}, "me")
    sheet.unlink()
    return batch


def asked(bench: Bench, name: str = "smiles", **said: Any) -> BatchRequest:
    """The request for a batch's retakes."""
    return BatchRequest(**retakes_asked(bench.ledger, name, {"only": "retake"} | said))


def quote(batch: Batch) -> Decimal:
    return sum((usd for usd in batch.plan.quotes.values() if usd), Decimal(0)) / 2


def test_the_batches_with_something_sent_back_are_found(bench: Bench) -> None:
    """The latest first, or the one that is named; a keeper is not sent back, nor is what nobody has looked at."""
    for name, ids in (("first", ("dawn",)), ("second", ()), ("third", ("dusk",))):
        batch = delivered(bench, name, *ids)
        bench.ledger.judge({batch.plan.rows[0].clip.key: Said(Word.KEEP)} if name == "second" else {}, "me")
        bench.clock.advance(60)
    assert batches_sent_back(bench.ledger) == ["third", "first"]
    assert batches_sent_back(bench.ledger, "first") == ["first"] and batches_sent_back(bench.ledger, "second") == []
    with pytest.raises(BadInput) as error:
        batches_sent_back(bench.ledger, "fourth")
    assert error.value.trouble == "which-one"
    assert str(error.value) == "the ledger knows no batch 'fourth'. Nothing was bought."


def test_retakes_are_asked_for_as_their_batch_was(bench: Bench) -> None:
    """What is said now comes first, unless it says nothing; the name is the batch's own."""
    delivered(bench)
    found = retakes_asked(
        bench.ledger, "smiles", {"only": "retake", "take": "c", "to": None, "draft": False, "batch": "x"}
    )
    assert (found["only"], found["take"], found["to"]) == ("retake", "c", "s3://clips/smiles")
    assert (found["batch"], found["draft"], found["budget_usd"]) == ("smiles", False, Decimal(50))


def test_a_batch_of_a_version_that_noted_nothing_is_to_be_named_by_its_file(bench: Bench) -> None:
    bench.batch(rows=(a_row(1, a_clip()),))
    with pytest.raises(BadInput) as error:
        retakes_asked(bench.ledger, "smiles", {})
    assert str(error.value) == (
        "batch smiles was made by an earlier version, which did not note how it was asked for: name its CSV. "
        "Nothing was bought."
    )


def test_what_was_sent_back_is_a_batch_to_make(bench: Bench) -> None:
    """One more take of each, without its file."""
    before = delivered(bench, "smiles", "dawn")
    batch = bench.run(start_retakes, asked(bench), None)
    assert batch is not None and batch.caps.batch_usd == 50
    new = [row for row in batch.plan.rows if row.clip.key not in before.rows]
    assert [(row.id, row.clip.prompt, row.clip.take) for row in new] == [("dawn", "a cat in smiles", "2")]
    assert len(bench.ledger.rows("smiles")) == 3


def test_where_nothing_was_sent_back_nothing_is_made(bench: Bench) -> None:
    delivered(bench)
    assert bench.run(start_retakes, asked(bench), Decimal(100)) is None


def test_a_round_spends_no_more_than_is_left_of_it(bench: Bench) -> None:
    """Beside what the batch has cost already; to the cent, and only for what is still to be bought."""
    before = delivered(bench, "smiles", "dawn", "dusk")
    needed, counted = 2 * quote(before), bench.ledger.counted("smiles")
    with pytest.raises(BadInput) as error:
        bench.run(start_retakes, asked(bench), needed - Decimal("0.01"))
    assert str(error.value) == (
        f"smiles: its retakes come to {show_usd(needed)}, and the round's budget leaves "
        f"{show_usd(needed - Decimal('0.01'))}. Nothing of them was bought"
    )
    batch = bench.run(start_retakes, asked(bench), needed)
    assert batch is not None and batch.caps.batch_usd == counted + needed
    bring_to(bench.ledger, State.SUBMITTED, next(k for k in batch.rows if k not in before.rows))
    left = needed / 2
    again = bench.run(start_retakes, asked(bench), left)
    assert again is not None and again.caps.batch_usd == bench.ledger.counted("smiles") + left


def test_the_lower_of_the_batch_s_and_the_round_s_budget_holds(bench: Bench) -> None:
    delivered(bench, "smiles", "dawn")
    batch = bench.run(start_retakes, asked(bench), Decimal(1000))
    assert batch is not None and batch.caps.batch_usd == 50


def test_which_of_several_is_meant_is_for_a_person_to_say() -> None:
    error = several_sent_back(["smiles", "frowns"])
    assert error.trouble == "which-one" and str(error) == (
        "several batches have clips that were sent back; say which. Nothing was bought.\n"
        "  dailies run --only retake --batch smiles\n  dailies run --only retake --batch frowns"
    )
