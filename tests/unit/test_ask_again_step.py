"""`resolve --ask-again`: a doubt settled on a person's word, from the ledger alone, as a run of its batch would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.clips import Image, Row
from dailies.domain.provider import SettledBy, Settling
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import BadInput, DailiesError, MaybeCharged, NotSent
from dailies.ledger import Caps
from dailies.planning.batch import Batch
from dailies.planning.plan import SentFile
from dailies.planning.request import BatchRequest
from dailies.registry import declared
from dailies.runtime import Runtime
from dailies.steps import ask_again as step
from dailies.steps.ask_again import ask_again
from tests.ledger.factories import IMAGE, USD, FakeClock, a_clip, a_row
from tests.unit.steps_bench import Bench, bench_on

SHA = "ab" * 32


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


class Settled:
    """What settling comes to, and what was to be settled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcome: Attempt | Exception = MaybeCharged("nobody knows")
        self.asked: list[tuple[Batch, Row]] = []
        monkeypatch.setattr(step, "settle_clip", self.settle)

    async def settle(self, runtime: Runtime, batch: Batch, row: Row) -> Attempt:
        assert isinstance(runtime, Runtime)
        self.asked.append((batch, row))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Settled:
    return Settled(monkeypatch)


def doubt_at(bench: Bench, provider: str = "higgsfield", batch: Batch | None = None) -> Attempt:
    """A doubt whose sender has died."""
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = ?, owner = 'elsewhere|1|1|n'", (provider,))
    bench.clock.advance(3600)
    return bench.again(attempt)


def refused(bench: Bench, attempt: Attempt) -> str:
    with pytest.raises(BadInput) as error:
        bench.run(ask_again, attempt)
    return str(error.value)


# What is said


def test_a_doubt_that_is_settled_is_to_be_brought_home(bench: Bench, settled: Settled) -> None:
    attempt = doubt_at(bench)
    settled.outcome = attempt._replace(state=State.SUBMITTED, generation_id="video_1")
    found, said = bench.run(ask_again, attempt)
    assert found == settled.outcome
    assert said == f"attempt {attempt.id[:8]} is submitted as video_1: dailies collect brings it home"


@pytest.mark.parametrize("stays", [MaybeCharged("nobody knows"), NotSent("no connection")])
def test_a_doubt_that_stays_is_told_as_it_is_then(bench: Bench, settled: Settled, stays: Exception) -> None:
    attempt = doubt_at(bench)
    bench.ledger.noted(attempt.id, "asked")
    settled.outcome = stays
    found, said = bench.run(ask_again, attempt._replace(error="as it was seen"))
    assert found == bench.again(attempt) and said == f"attempt {attempt.id[:8]} stays in doubt: {stays}"


def test_a_doubt_that_the_ledger_forgets_meanwhile_is_told_as_it_was(
    bench: Bench, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = doubt_at(bench)
    monkeypatch.setattr(bench.ledger, "attempt", lambda _: None)
    assert bench.run(ask_again, attempt)[0] == attempt and len(settled.asked) == 1


def test_trouble_leaves_it_as_it_is(bench: Bench, settled: Settled) -> None:
    settled.outcome = DailiesError("nothing is in doubt about row-1")
    assert refused(bench, doubt_at(bench)) == "nothing is in doubt about row-1. Nothing was changed"


# What there is nothing to ask about


def test_what_is_in_no_doubt_is_refused(bench: Bench, settled: Settled) -> None:
    attempt = bench.attempt()
    said = refused(bench, attempt)
    assert said == f"attempt {attempt.id[:8]} is submitted: there is nothing to resolve. Nothing was changed"


def test_a_doubt_whose_sender_lives_is_left_to_it(
    bench: Bench, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = doubt_at(bench)
    monkeypatch.setattr(bench.ledger, "sender_lives", lambda one: one == attempt)
    assert "is not settled yet: the process that sent it is there" in refused(bench, attempt)
    assert settled.asked == []


@pytest.mark.parametrize("provider", ["aiml", "gone"])
def test_a_provider_that_has_nothing_to_ask_is_named(
    bench: Bench, settled: Settled, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = replace(declared()["aiml"], settling=Settling())
    monkeypatch.setattr(step, "declaration", lambda name: None if name == "gone" else mute)
    attempt = doubt_at(bench, provider)
    assert refused(bench, attempt) == (
        f"{provider} has nothing that could be asked for attempt {attempt.id[:8]}: look at its own pages, then say "
        f"dailies resolve {attempt.id[:8]}. Nothing was changed"
    )


@pytest.mark.parametrize("way", [SettledBy.OWN_ID, SettledBy.SAME_KEY])
def test_either_way_of_asking_is_enough(
    bench: Bench, settled: Settled, way: SettledBy, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(declared()["aiml"], settling=Settling((way,)))
    monkeypatch.setattr(step, "declaration", lambda _: one)
    bench.run(ask_again, doubt_at(bench))
    assert len(settled.asked) == 1


@pytest.mark.parametrize("why", ["bought since", "no row", "no place"])
def test_an_attempt_that_does_not_speak_for_its_clip_is_refused(
    bench: Bench, settled: Settled, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = doubt_at(bench)
    if why == "bought since":
        later = attempt._replace(id="f" * 32, no=attempt.no + 1, state=State.SUBMITTED)
        monkeypatch.setattr(bench.ledger, "attempts", lambda _: (attempt._replace(state=State.SUPERSEDED), later))
    elif why == "no row":
        with bench.ledger.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM batch_row")
    else:
        monkeypatch.setattr(bench.ledger, "batch_destination", lambda _: None)
    said = refused(bench, attempt)
    assert said == f"attempt {attempt.id[:8]} does not speak for its clip any more. Nothing was changed"
    assert settled.asked == []


# The batch of its own


def test_its_clip_is_a_batch_of_its_own(bench: Bench, settled: Settled) -> None:
    """To be made at its provider, at its quote, for the place of its batch, under no cap."""
    attempt = doubt_at(bench)
    bench.run(ask_again, attempt)
    ((batch, row),) = settled.asked
    assert (batch.name, batch.destination, batch.caps) == ("smiles", "s3://clips/smiles", Caps())
    assert batch.plan.rows == (row,) and dict(batch.plan.quotes) == {attempt.clip_key: USD}
    assert (row.id, row.number, row.providers, row.labels) == ("row-1", 1, ("higgsfield",), {"campaign": "spring"})
    assert row.clip.key == attempt.clip_key == row.clip.known_as
    assert batch.request == BatchRequest(prompts="smiles", batch="smiles") and batch.plan.source == "smiles"
    assert (batch.plan.files, batch.plan.further_files) == ({}, {})


def test_of_a_clip_of_several_batches_it_is_the_attempt_s(bench: Bench, settled: Settled) -> None:
    row = bench.batch().plan.rows[0]
    bench.ledger.plan("angry", "angry.csv", "s3://clips/angry", [replace(row, id="other")], {row.clip.key: Decimal(9)})
    bench.run(ask_again, doubt_at(bench))
    ((batch, found),) = settled.asked
    assert (batch.name, found.id) == ("smiles", "row-1")


def asked_as(bench: Bench, settled: Settled, prompts: str, image: Image = IMAGE, **options: Any) -> Batch:
    """The batch of a doubt whose own batch was asked for with this file."""
    planned = bench.batch(rows=(a_row(1, a_clip(image=image, options=options)),), on_record=False)
    request = BatchRequest(prompts=prompts, batch="smiles", draft=True)
    plan = planned.plan
    bench.ledger.plan("smiles", prompts, "s3://clips/smiles", plan.rows, plan.quotes, False, request.asked())
    bench.run(ask_again, doubt_at(bench, batch=planned))
    return settled.asked[0][0]


def test_it_is_asked_for_as_its_batch_was(bench: Bench, settled: Settled) -> None:
    batch = asked_as(bench, settled, "/studio/smiles.csv")
    assert batch.request.draft and batch.plan.source == "/studio/smiles.csv"


def test_files_lie_beside_its_csv_and_are_those_of_the_record(
    bench: Bench, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    references = f"side.png#sha256={SHA}|https://x.example/a.png|more/hat.png#sha256={'cd' * 32}"
    batch = asked_as(
        bench, settled, "~/studio/smiles.csv", IMAGE._replace(source="cat.png", sha256=SHA), seed=7,
        last_image=f"end.png#sha256={SHA}", reference_images=references,
    )  # fmt: skip
    folder, key = Path("/home/me/studio"), batch.plan.rows[0].clip.key
    assert batch.plan.files == {key: SentFile(folder / "cat.png", SHA)}
    assert batch.plan.further_files == {
        (key, "last_image"): SentFile(folder / "end.png", SHA),
        (key, "reference_images.0"): SentFile(folder / "side.png", SHA),
        (key, "reference_images.2"): SentFile(folder / "more/hat.png", "cd" * 32),
    }


@pytest.mark.parametrize(
    ("prompts", "image"),
    [
        ("/studio/a.csv", IMAGE), ("/studio/a.csv", IMAGE._replace(source="cat.png")),
        ("/studio/a.csv", IMAGE._replace(source="s3://b/cat.png", sha256=SHA)),
        ("/studio/a.csv", IMAGE._replace(source="", sha256=SHA)),
        ("/studio/a.csv", IMAGE._replace(source="cat.png", sha256=SHA, made="upright")),
        ("s3://studio/a.csv", IMAGE._replace(source="cat.png", sha256=SHA)),
    ],
)  # fmt: skip
def test_what_was_no_file_beside_it_or_was_made_of_one_is_none(
    bench: Bench, settled: Settled, prompts: str, image: Image
) -> None:
    batch = asked_as(bench, settled, prompts, image, last_image="end.png")
    assert (batch.plan.files, batch.plan.further_files) == ({}, {})


def test_beside_a_sheet_in_s3_no_file_lies(bench: Bench, settled: Settled) -> None:
    batch = asked_as(bench, settled, "s3://studio/a.csv", last_image=f"end.png#sha256={SHA}")
    assert batch.plan.further_files == {}
