"""A doubt that arises in a run is settled there: by the free question, else by the same request with its own key, else not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import DailiesError, MaybeCharged, NotSent
from dailies.planning.batch import Batch
from dailies.providers.base import Found
from dailies.registry import declared
from dailies.steps import settle
from dailies.steps.create import AlreadyTaken
from dailies.steps.prepare import Prepared
from tests.ledger.factories import FakeClock, a_row
from tests.unit.steps_bench import Bench, bench_on, row_of

REQUEST = PaidRequest("https://api.example/v1", {"prompt": "she smiles"}, {"Idempotency-Key": "k"})


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(settle, "PAUSES_S", (0.0, 0.0, 0.0))
    yield from bench_on(sqlite_url, tmp_path, clock)


def doubt_at(bench: Bench, provider: str, kept: bool = True) -> tuple[Batch, Attempt]:
    """A clip whose create at a provider is in doubt, its request on record or not."""
    batch = bench.batch(rows=(row_of(a_row(1), (provider,)),))
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = ?", (provider,))
    on_record = keep(REQUEST, Reference(attempt.id, "key"), attempt.created_at) if kept else None

    def kept_request(attempt_id: str) -> KeptRequest | None:
        return on_record

    bench.ledger.kept_request = kept_request  # type: ignore[method-assign]
    return batch, bench.again(attempt)


class Repeats:
    """What repeats come to, and what was to be repeated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: Attempt | Exception) -> None:
        self.outcomes, self.prepared = [*outcomes], list[Prepared]()
        monkeypatch.setattr(settle, "repeat_create", self.repeat)

    async def repeat(self, runtime: Any, prepared: Prepared) -> Attempt:
        self.prepared.append(prepared)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_free_question_that_finds_it_settles_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent again."""
    batch, attempt = doubt_at(bench, "runware")
    repeats = Repeats(monkeypatch)
    bench.vendor.found = Found("video_1", True, Decimal("1.3"), None)
    found = bench.run(settle.settle_clip, batch, batch.plan.rows[0])
    assert (found.id, found.state) == (attempt.id, State.SUBMITTED) and repeats.prepared == []


def test_else_the_very_request_is_sent_again_where_its_key_makes_it_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, attempt = doubt_at(bench, "higgsfield")
    repeats = Repeats(monkeypatch, attempt)
    assert bench.run(settle.settle_clip, batch, batch.plan.rows[0]) == attempt
    (prepared,) = repeats.prepared
    assert prepared.again == (attempt.id, REQUEST) and (prepared.provider, prepared.row) == (
        "higgsfield",
        batch.plan.rows[0],
    )
    assert (prepared.usd_quoted, prepared.digest) == (attempt.usd_quoted, attempt.request_digest)


@pytest.mark.parametrize(
    "why", ["no repeats", "not on record", "too old", "other bytes", "interrupted", "gone provider"]
)
def test_a_doubt_stays_where_the_same_request_can_not_surely_be_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    names = {"no repeats": "fal", "gone provider": "gone"}
    batch, attempt = doubt_at(bench, names.get(why, "higgsfield"), kept=why != "not on record")
    repeats = Repeats(monkeypatch)
    if why == "gone provider":
        with pytest.raises((MaybeCharged, DailiesError, KeyError)):
            bench.run(settle.settle_clip, batch, batch.plan.rows[0])
        assert repeats.prepared == []
        return
    if why == "too old":
        bench.clock.advance(declared()["higgsfield"].settling.key_life.total_seconds())
    if why == "other bytes":
        other = replace(keep(REQUEST, Reference(attempt.id, "key"), attempt.created_at), sha256="0" * 64)
        bench.ledger.kept_request = lambda attempt_id: other  # type: ignore[method-assign]
    bench.interrupted = why == "interrupted"
    with pytest.raises(MaybeCharged, match="stays in doubt"):
        bench.run(settle.settle_clip, batch, batch.plan.rows[0])
    assert repeats.prepared == []


def test_to_the_last_moment_of_its_life_a_key_is_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, attempt = doubt_at(bench, "higgsfield")
    repeats = Repeats(monkeypatch, attempt)
    life = declared()["higgsfield"].settling.key_life - timedelta(seconds=1)
    bench.clock.advance(life.total_seconds())
    assert bench.run(settle.settle_clip, batch, batch.plan.rows[0]) == attempt and len(repeats.prepared) == 1


@pytest.mark.parametrize("refusal", [AlreadyTaken("somebody"), NotSent("no connection")])
def test_a_repeat_that_is_refused_says_nothing_of_the_first_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    batch, _ = doubt_at(bench, "higgsfield")
    Repeats(monkeypatch, refusal)
    with pytest.raises(MaybeCharged, match="stays in doubt"):
        bench.run(settle.settle_clip, batch, batch.plan.rows[0])


def test_without_a_doubt_there_is_nothing_to_settle(bench: Bench) -> None:
    batch = bench.batch()
    bench.attempt(State.SUBMITTED, batch)
    with pytest.raises(DailiesError, match="nothing is in doubt about row-1"):
        bench.run(settle.settle_clip, batch, batch.plan.rows[0])


def bought(bench: Bench, monkeypatch: pytest.MonkeyPatch, batch: Batch, outcome: Attempt | Exception) -> Attempt:
    """Buy the batch's row, where the create comes to this."""

    async def create(*_: object) -> Attempt:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(settle, "create_clip", create)
    row = batch.plan.rows[0]
    return bench.run(settle.buy_clip, batch, row, row.providers[0])


def test_what_is_bought_is_handed_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, attempt = doubt_at(bench, "higgsfield")
    assert bought(bench, monkeypatch, batch, attempt) == attempt and bench.vendor.asked == []


def test_a_new_doubt_is_asked_about_a_few_times(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted a moment ago may not be listed yet; the last words hold."""
    batch, attempt = doubt_at(bench, "higgsfield")
    stays = MaybeCharged("still lost")
    repeats = Repeats(monkeypatch, stays, attempt)
    assert bought(bench, monkeypatch, batch, MaybeCharged("lost")) == attempt and len(repeats.prepared) == 2
    repeats = Repeats(monkeypatch, stays, stays, stays)
    with pytest.raises(MaybeCharged, match="still lost"):
        bought(bench, monkeypatch, batch, MaybeCharged("lost"))
    assert len(repeats.prepared) == len(settle.PAUSES_S)


@pytest.mark.parametrize("why", ["a log tells later", "interrupted", "no doubt on record"])
def test_a_new_doubt_is_left_where_asking_now_tells_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    batch, attempt = doubt_at(bench, "aiml" if why == "a log tells later" else "higgsfield")
    repeats = Repeats(monkeypatch)
    bench.interrupted = why == "interrupted"
    if why == "no doubt on record":
        bench.ledger.mark_submitted(attempt.id, "video_1")
    with pytest.raises(MaybeCharged):
        bought(bench, monkeypatch, batch, MaybeCharged("lost"))
    assert repeats.prepared == [] and len(bench.vendor.asked) == (1 if why == "interrupted" else 0)
