"""Clips that are not wanted any more: what costs nothing yet, what a provider stops, and that only an end is an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from dailies.domain.creates import Accepted
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import Failure, State
from dailies.ledger import LostOwnership
from dailies.providers.base import Look, LookKind
from dailies.registry import declared
from dailies.steps import cancel
from dailies.steps.cancel import NOTE, Cancelled, Wish, cancel_all, cancels, entry, rules, wishes
from tests.ledger.factories import USD, FakeClock, a_row, claim
from tests.unit.steps_bench import FAILED, GENERATING, READY, Bench, bench_on, row_of


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(cancel, "LOOKS_AFTER_S", (0.0, 0.0, 0.0))
    yield from bench_on(sqlite_url, tmp_path, clock)


def rows(bench: Bench) -> list[BatchRow]:
    return list(bench.ledger.rows("smiles"))


def waiting(bench: Bench, provider: str = "fal", count: int = 1) -> Attempt:
    """A clip that waits at a provider, the first of a batch."""
    batch = bench.batch(rows=tuple(row_of(a_row(n), (provider,)) for n in range(1, count + 1)))
    attempt = claim(bench.ledger, batch.plan.rows[0].clip.key)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = ?", (provider,))
    return bench.ledger.mark_submitted(attempt.id, Accepted("video_1", handle="queue/video_1"))


def cancelled(bench: Bench, *wanted: Wish) -> list[Cancelled]:
    """Cancel these, or all that can be."""
    opened: list[str] = []

    def provider(name: str) -> Any:
        opened.append(name)
        return bench.vendor

    async def all_of_them() -> list[Cancelled]:
        return await cancel_all(bench.ledger, cast(Any, provider), wanted or wishes(rows(bench)))

    found = anyio.run(all_of_them)
    assert set(opened) <= {"fal"}
    return found


# What can be cancelled


def test_what_was_not_sent_and_what_waits_where_it_can_be_stopped_may_be_cancelled(bench: Bench) -> None:
    attempt = waiting(bench, count=3)
    first, *others = rows(bench)
    assert wishes([first, *others]) == [Wish(first, bench.again(attempt)), *(Wish(row, None) for row in others)]
    assert wishes([first, first]) == [Wish(first, bench.again(attempt))], "once, though it is a row of two batches"


@pytest.mark.parametrize("change", [{"retired": True}, {"forgotten": True}])
def test_what_is_no_row_any_more_is_not(bench: Bench, change: dict[str, bool]) -> None:
    bench.batch(2)
    away, stays = rows(bench)
    assert wishes([away._replace(**change), stays]) == [Wish(stays, None)]  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [State.SUBMITTING, State.IN_DOUBT, State.COMPLETED, State.STORED, State.SUBMITTED])
def test_what_is_under_way_or_has_ended_is_not(bench: Bench, state: State) -> None:
    """Nor what waits at a provider that has nothing like it."""
    bench.attempt(state)
    assert wishes(rows(bench)) == []


def test_only_some_providers_cancel() -> None:
    assert [name for name in declared() if cancels(name)] == [n for n, one in declared().items() if one.cancels]
    assert not cancels("gone") and cancels("fal") and not cancels("aiml")


def test_what_it_means_is_said_of_each_provider_that_will_be_asked(bench: Bench) -> None:
    attempt = waiting(bench, count=2)
    first, second = rows(bench)
    asked = [
        Wish(first, attempt),
        Wish(second, None),
        Wish(first, attempt),
        Wish(first, attempt._replace(provider="gone")),
    ]
    fal = declared()["fal"]
    assert rules(asked) == [f"{fal.title}: {fal.cancel_rule}"] and rules([Wish(second, None)]) == []


def test_a_wish_has_the_quote_of_its_attempt_else_of_its_row(bench: Bench) -> None:
    attempt = waiting(bench)._replace(usd_quoted=Decimal(3))
    (row,) = rows(bench)
    assert (Wish(row, attempt).usd_quoted, Wish(row, None).usd_quoted) == (Decimal(3), USD)


# What was not sent


def test_what_was_not_sent_is_put_on_record_as_not_wanted_for_nothing(bench: Bench) -> None:
    """Nobody is asked; a row that names no provider too."""
    batch = bench.batch(2)
    first, second = rows(bench)
    wanted = [Wish(first, None), Wish(second._replace(providers=()), None)]
    found = cancelled(bench, *wanted)
    assert found == [Cancelled(wish, State.FAILED, None, NOTE, Decimal(0)) for wish in wanted]
    for row, provider in zip(batch.plan.rows, ("aiml", ""), strict=True):
        (ended,) = bench.ledger.attempts(row.clip.key)
        assert (ended.failure, ended.error, ended.provider) == (Failure.CANCELLED, NOTE, provider)
        assert ended.batch == "smiles"
    assert bench.vendor.asked == []


def test_what_is_sent_in_this_moment_is_left_alone(bench: Bench) -> None:
    batch = bench.batch()
    wish = Wish(rows(bench)[0], None)
    claim(bench.ledger, batch.plan.rows[0].clip.key)
    assert cancelled(bench, wish) == [Cancelled(wish, State.SUBMITTING, None, "it was sent in this moment")]


# What waits at a provider


@pytest.mark.parametrize("agrees", [False, None])
def test_a_provider_that_does_not_agree_is_told_of(bench: Bench, agrees: bool | None) -> None:
    attempt = waiting(bench)
    bench.vendor.agrees = agrees
    (found,) = cancelled(bench)
    assert (found.state, found.agreed, found.usd_charged) == (State.SUBMITTED, False, None)
    assert found.detail == "fal does not cancel it: it runs or has ended, and comes home"
    assert bench.vendor.asked == [("cancel", "queue/video_1")] and bench.again(attempt).state is State.SUBMITTED
    assert bench.notes(attempt)[-1] == "cancel: fal does not cancel it"


@pytest.mark.parametrize("charged", [None, Decimal("0.3")])
def test_what_ends_unmade_costs_what_the_provider_says(bench: Bench, charged: Decimal | None) -> None:
    """Nothing where it says nothing. Its own end is the end, for which it is looked a few times."""
    attempt = waiting(bench)
    bench.vendor.agrees, bench.vendor.looks = True, [GENERATING, replace(FAILED, usd_charged=charged)]
    (found,) = cancelled(bench)
    usd = charged or Decimal(0)
    assert found == Cancelled(found.wish, State.FAILED, True, FAILED.detail, usd)
    now = bench.again(attempt)
    assert (now.state, now.error, now.usd_charged) == (State.FAILED, FAILED.detail, usd)
    assert bench.vendor.asked == [("cancel", "queue/video_1"), *[("look", "queue/video_1")] * 2]
    assert "cancel: fal agreed to cancel it" in bench.notes(attempt)


def test_what_is_made_all_the_same_comes_home(bench: Bench) -> None:
    attempt = waiting(bench)
    bench.vendor.agrees, bench.vendor.looks = True, [replace(READY, credits_used=7)]
    (found,) = cancelled(bench)
    words = "it was made all the same, and comes home"
    assert found == Cancelled(found.wish, State.COMPLETED, True, words, READY.usd_charged)
    now = bench.again(attempt)
    assert (now.result_url, now.usd_charged, now.credits_used) == (READY.url, READY.usd_charged, 7)


@pytest.mark.parametrize("look", [GENERATING, Look(LookKind.READY)])
def test_a_yes_alone_is_no_end(bench: Bench, look: Look) -> None:
    """Nor is a result without an address."""
    attempt = waiting(bench)
    bench.vendor.agrees, bench.vendor.looks = True, [look]
    (found,) = cancelled(bench)
    assert found == Cancelled(found.wish, State.SUBMITTED, True, "agreed; it is looked at until it has ended", None)
    assert len(bench.vendor.asked) == 4 and bench.again(attempt).state is State.SUBMITTED


def test_an_end_that_somebody_else_has_seen_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it cost; it is not looked at further."""
    attempt = waiting(bench)
    bench.vendor.agrees = True
    note = bench.ledger.noted

    def noted(attempt_id: str, words: str) -> None:
        note(attempt_id, words)
        bench.ledger.generation_failed(attempt, "stopped", Decimal("0.2"))

    monkeypatch.setattr(bench.ledger, "noted", noted)
    (found,) = cancelled(bench)
    assert (found.state, found.agreed, found.usd_charged) == (State.FAILED, True, Decimal("0.2"))
    assert len(bench.vendor.asked) == 2


def test_what_somebody_takes_over_in_this_moment_is_looked_at_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(bench)
    bench.vendor.agrees, bench.vendor.looks = True, [FAILED]
    failed, lost = bench.ledger.generation_failed, [LostOwnership("somebody")]

    def generation_failed(*asked: Any) -> Attempt:
        if lost:
            raise lost.pop()
        return failed(*asked)

    monkeypatch.setattr(bench.ledger, "generation_failed", generation_failed)
    assert cancelled(bench)[0].state is State.FAILED and len(bench.vendor.asked) == 3


def test_what_the_ledger_forgets_meanwhile_is_as_it_was_known(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting(bench)
    bench.vendor.agrees = True
    monkeypatch.setattr(bench.ledger, "attempt", lambda _: None)
    (found,) = cancelled(bench)
    assert (found.state, found.agreed, found.usd_charged) == (State.SUBMITTED, True, None)
    assert len(bench.vendor.asked) == 2


def test_a_line_of_the_answer_says_all_of_it(bench: Bench) -> None:
    attempt = waiting(bench)
    (row,) = rows(bench)
    whose = {"id": "row-1", "batch": "smiles", "take": "", "clip_key": row.clip_key}
    assert entry(Cancelled(Wish(row, attempt), State.FAILED, True, "stopped", Decimal("0.5"))) == {
        **whose, "attempt": attempt.id, "provider": "fal", "state": "failed", "agreed": True, "detail": "stopped",
        "usd_quoted": 1.26, "usd_charged": 0.5,
    }  # fmt: skip
    assert entry(Cancelled(Wish(row._replace(usd_quoted=None), None), State.FAILED, None, NOTE)) == {
        **whose, "attempt": None, "provider": None, "state": "failed", "agreed": None, "detail": NOTE,
        "usd_quoted": None, "usd_charged": None,
    }  # fmt: skip
