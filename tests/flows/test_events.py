"""Custom events: which there are, what automations find in them, and that they stay few."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest
import yaml
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker

import tasks
from dailies.domain.records import Attempt
from dailies.errors import (
    BadInput,
    Busy,
    DailiesError,
    DeliveryDelayed,
    GenerationFailed,
    MaybeCharged,
    Misconfigured,
    NotSent,
    Refused,
    ResultLost,
    Stopped,
)
from dailies.ledger import Caps, Ledger
from dailies.planning.request import BatchRequest
from dailies.prefect_api import verdicts
from dailies.runtime import Runtime, open_runtime
from dailies.settings import load_settings
from dailies.steps import recover as steps
from dailies.steps.budgets import Budget
from dailies.steps.create import AlreadyTaken, BudgetReached
from dailies.steps.poll import Overdue
from dailies.steps.start import begin_batch
from deployments.deploy import HERE
from tasks.engine import events
from tasks.engine.asking import SUSPENDED
from tests.e2e.harness import World
from tests.ledger.factories import a_dead_owner

pytestmark = pytest.mark.engine  # the stand-in would tell nobody

TABLE = [
    (MaybeCharged("x"), "in-doubt"),
    (Overdue("x"), "overdue"),
    (Refused("x"), "failed"),
    (NotSent("x"), "failed"),
    (Busy("x"), "failed"),
    (GenerationFailed("x"), "failed"),
    (ResultLost("x"), "failed"),
    (DeliveryDelayed("x"), None),
    (Stopped("x"), None),
    (BudgetReached("x"), None),
    (AlreadyTaken("x"), None),
    (Misconfigured("x"), None),
    (BadInput("x"), None),
]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Any]]]:
    """What was sent to Prefect's event stream, in order."""
    AssertingEventsClient.reset()
    worker = EventsWorker.instance(AssertingEventsClient)
    monkeypatch.setattr(EventsWorker, "instance", lambda *_: worker)

    def events_sent() -> list[Any]:
        worker.wait_until_empty()
        return [event for client in AssertingEventsClient.all for event in client.events]

    yield events_sent
    worker.drain()


@pytest.mark.parametrize(("error", "news"), TABLE, ids=[type(error).__name__ for error, _ in TABLE])
def test_an_error_is_worth_an_event_only_where_a_clip_came_to_an_end_or_money_is_in_doubt(
    error: DailiesError, news: str | None
) -> None:
    assert events.event_name_of(error) == news


def test_an_event_names_clip_batch_provider_and_model_so_that_automations_can_tell_them_apart(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        (row, *_) = runtime.batches["batch"].plan.rows
        clip = events.Subject(row.id, "batch", row.clip.key, "aiml")
        events.emit(runtime, "in-doubt", clip, {"error": "the answer was lost"})

    _in_runtime(world, told)
    (event,) = sent()
    assert event.event == "dailies.clip.in-doubt"
    assert event.resource.id.startswith("dailies.clip.") and event.resource.name == "clip-1"
    roles = {related.role: related.id for related in event.related}
    assert roles["provider"] == "dailies.provider.aiml" and roles["batch"] == "dailies.batch.batch"
    assert roles["model"] == "dailies.model.openai-sora-2-pro-i2v"
    assert event.payload == {"error": "the answer was lost"}


def test_what_was_bought_says_what_it_may_cost_and_no_address_that_opens_it(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        row, now = runtime.batches["batch"].plan.rows[0], runtime.ledger.now()
        attempt = Attempt(
            "a1", row.clip.key, 1, "batch", "aiml", "submitted", "me|1|1|1", 1, now, now, Decimal("1.26"),  # type: ignore[arg-type]
            generation_id="g1", result_url="https://cdn.example/clip.mp4?sig=secret",
        )  # fmt: skip
        events.emit_attempt(runtime, "bought", row.id, "batch", attempt)

    _in_runtime(world, told)
    (event,) = sent()
    assert event.payload["usd"] == "1.26" and event.payload["quoted"] is True
    assert "sig=" not in event.model_dump_json()


def test_a_budget_that_is_used_up_is_told_once_however_many_clips_it_stops(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        for row in runtime.batches["batch"].plan.rows:
            clip = events.Subject(row.id, "batch", row.clip.key, "aiml")
            events.emit_error(runtime, BudgetReached(f"{row.id}: used up"), clip)

    _in_runtime(world, told)
    assert [event.event for event in sent()] == ["dailies.budget.reached"]


def test_a_brake_that_is_put_on_and_opened_again_is_told_once_each_time(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        keys, ledger = [row.clip.key for row in runtime.batches["batch"].plan.rows], runtime.ledger
        attempts = [ledger.claim(key, "batch", "aiml", Decimal(1), Caps(), "digest") for key in keys]
        for attempt in attempts[:3]:
            assert isinstance(attempt, Attempt)
            ledger.mark_in_doubt(attempt.id, "lost")
            await events.emit_brake(runtime, "batch", "aiml")
            await events.emit_brake(runtime, "batch", "aiml")
        runtime.halted_providers["aiml"] = "its last 8 answers were lost"
        await events.emit_brake(runtime, "batch", "aiml")
        runtime.halted_providers.clear()
        assert isinstance(attempts[3], Attempt)
        ledger.mark_submitted(attempts[3].id, "gen-1")
        await events.emit_brake(runtime, "batch", "aiml")

    _in_runtime(world, told, rows=4)
    seen = sent()
    assert [event.event.rpartition(".")[2] for event in seen] == ["halted", "given-up", "resumed"]
    assert {event.resource.id for event in seen} == {"dailies.provider.aiml"}
    assert seen[1].payload == {"says": "its last 8 answers were lost"}


def test_a_doubt_that_a_dead_process_left_is_told_once_by_whoever_finds_it(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        (row, *_) = runtime.batches["batch"].plan.rows
        dead = Ledger(runtime.ledger.engine, a_dead_owner(), lambda _: 300.0)
        assert isinstance(dead.claim(row.clip.key, "batch", "aiml", Decimal(1), Caps(), "digest"), Attempt)
        await steps.recover(runtime)  # a command, or a run that only waits for another, may find it first
        for _ in range(2):
            await tasks.recover.fn()  # as runs and `collect` begin

    _in_runtime(world, told)
    (event,) = sent()
    assert event.event == "dailies.clip.in-doubt" and event.resource.name == "clip-1"
    assert "dailies status" in event.payload["error"] and event.payload["usd"] == "1"


def test_a_doubt_that_a_run_has_told_is_not_told_again_when_the_run_is_gone(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        (row, *_) = runtime.batches["batch"].plan.rows
        attempt = runtime.ledger.claim(row.clip.key, "batch", "aiml", Decimal(1), Caps(), "digest")
        assert isinstance(attempt, Attempt)
        runtime.ledger.mark_in_doubt(attempt.id, "lost")
        await events.emit_doubt(runtime, MaybeCharged("lost"), events.Subject(row.id, "batch", row.clip.key, "aiml"))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(runtime.ledger, "is_dead", lambda _: True)
            await events.emit_untold(runtime)

    _in_runtime(world, told)
    assert [event.event for event in sent()] == ["dailies.clip.in-doubt"]


def test_a_paid_clip_that_is_not_home_is_told_of_before_its_result_ends(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        (row, *_), ledger, start = runtime.batches["batch"].plan.rows, runtime.ledger, runtime.ledger.now()
        attempt = ledger.claim(row.clip.key, "batch", "aiml", Decimal(1), Caps(), "digest")
        assert isinstance(attempt, Attempt)
        ledger.record_completed(ledger.mark_submitted(attempt.id, "gen-1"), "https://cdn.example/x.mp4?sig=secret")
        with pytest.MonkeyPatch.context() as patched:
            for minutes in (1, 31, 40, 46, 58, 90):
                patched.setattr(ledger, "_clock", lambda m=minutes: start + timedelta(minutes=m))
                await events.emit_untold(runtime)

    _in_runtime(world, told)
    found = sent()
    assert [event.event for event in found] == ["dailies.clip.expiring"] * 2
    assert "may end in 2" in found[0].payload["error"] and "dailies collect" in found[0].payload["error"]
    assert found[0].payload["generation"] == "gen-1" and "secret" not in found[0].model_dump_json()


def test_a_budget_that_a_batch_nearly_uses_up_is_told_before_anything_is_bought(
    world: World, sent: Callable[[], list[Any]]
) -> None:
    async def told(runtime: Runtime) -> None:
        await events.emit_budgets(runtime, runtime.batches["batch"])

    _in_runtime(world, told, budget_usd=Decimal("100"))
    assert sent() == []
    _in_runtime(world, told, budget_usd=Decimal("2.60"))
    (event,) = sent()
    assert event.event == "dailies.budget.nearly-spent" and "$2.60" in event.payload["says"]
    assert world.posts() == []


@pytest.mark.parametrize(("expected", "nearly"), [("0.79", False), ("0.80", True), ("1.20", True)])
def test_a_budget_is_nearly_spent_from_four_fifths_on(expected: str, nearly: bool) -> None:
    assert Budget("day", "budget per UTC day", Decimal(1), Decimal(expected)).nearly_spent is nearly


def test_every_event_that_an_automation_waits_for_is_one_that_runs_send() -> None:
    waited = {
        name for text in yaml.safe_load((HERE / "automations.yaml").read_text()) for name in text["trigger"]["expect"]
    }
    ours = {name for name in waited if name.startswith("dailies.")}
    judged = {f"dailies.clip.{name}" for name in verdicts.NAMES.values()}
    sent = (
        {f"dailies.clip.{news}" for _, news in TABLE if news}
        | judged
        | {
            "dailies.clip.expiring",
            "dailies.budget.nearly-spent",
            "dailies.budget.reached",
            SUSPENDED,
        }
    )
    assert ours <= sent


def _in_runtime(
    world: World, act: Callable[[Runtime], Coroutine[Any, Any, None]], budget_usd: Decimal | None = None, rows: int = 2
) -> None:
    """Plan a batch of a few clips in a runtime, and act in it."""
    order = BatchRequest(prompts=str(world.csv(rows)), budget_usd=budget_usd)

    async def acted() -> None:
        async with open_runtime(load_settings(dotenv=False)) as runtime:
            runtime.batches.add(await begin_batch(runtime, order))
            await act(runtime)

    with world.here():
        anyio.run(acted)
