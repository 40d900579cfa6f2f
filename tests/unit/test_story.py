"""The main flow's story of one clip, told without an engine: which of its providers is asked, and when it is delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

import tasks
from dailies.domain.next_step import Step
from dailies.runtime.batches import Batches
from flows import generate, shared
from tasks import NotDone
from tasks.engine.clip_task import clip_task

REFUSED = NotDone("refused")


class Told:
    """What the story has its tasks do, with doubles that answer as they are told."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, steps: Mapping[str, list[Step]], answers: Mapping[str, Any] | None = None
    ) -> None:
        self.did: list[str] = []
        self.answers = {"poll_until_ready": "attempt", "deliver": "s3://clips/1.mp4", **(answers or {})}
        left = {provider: list(steps) for provider, steps in steps.items()}

        async def step_for(_runtime: object, _key: str, provider: str) -> Step:
            return left[provider].pop(0) if len(left[provider]) > 1 else left[provider][0]

        async def speaking_attempt(*_: object) -> str:
            return "attempt"

        monkeypatch.setattr(generate, "step_for", step_for)
        monkeypatch.setattr(generate, "speaking_attempt", speaking_attempt)
        for name in (
            "create",
            "take_over",
            "settle",
            "resolve_in_doubt",
            "reopen",
            "wait_for_owner",
            "poll_until_ready",
            "deliver",
        ):
            monkeypatch.setattr(tasks, name, self._task(name))

    def _task(self, name: str) -> Any:
        async def task(*args: str) -> Any:
            provider = args[-1] if name == "create" else ""
            self.did.append(f"{name} {provider}".strip())
            return self.answers.get(f"{name} {provider}".strip(), self.answers.get(name, "attempt"))

        return task

    def of(self, halted: tuple[str, ...] = (), shutdown: bool = False) -> list[str]:
        """Tell it for a clip with two providers."""
        event = anyio.Event()
        if shutdown:
            event.set()
        limiter = SimpleNamespace(generating=lambda _key: None)
        runtime: Any = SimpleNamespace(
            shutdown=event, halted_providers=dict.fromkeys(halted, "no key"), limiter=lambda _provider: limiter
        )
        row: Any = SimpleNamespace(id="clip-1", providers=("aiml", "onerouter"), clip=SimpleNamespace(key="k"))

        @asynccontextmanager
        async def slot(_provider: str, _row: object) -> AsyncIterator[None]:
            yield

        run: Any = SimpleNamespace(runtime=runtime, batch=SimpleNamespace(name="monday"), slot=slot)
        anyio.run(generate.make_clip, run, row)
        return self.did


BOTH_BUY = {"aiml": [Step.BUY], "onerouter": [Step.BUY]}
MADE = ["poll_until_ready", "deliver"]


def test_a_clip_is_bought_polled_and_delivered_at_its_first_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Told(monkeypatch, BOTH_BUY).of() == ["create aiml", *MADE]


def test_one_that_surely_cost_nothing_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Told(monkeypatch, BOTH_BUY, {"create aiml": REFUSED}).of() == ["create aiml", "create onerouter", *MADE]


def test_a_create_in_doubt_ends_it_because_the_ledger_lets_no_other_provider_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = {"aiml": [Step.BUY, Step.SETTLE], "onerouter": [Step.SETTLE]}
    told = Told(monkeypatch, steps, {"create aiml": REFUSED, "settle": REFUSED})
    assert told.of() == ["create aiml", "settle"]


def test_a_provider_that_is_halted_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Told(monkeypatch, BOTH_BUY).of(halted=("aiml",)) == ["create onerouter", *MADE]


def test_nothing_is_bought_once_the_run_is_being_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Told(monkeypatch, BOTH_BUY).of(shutdown=True) == []


def test_what_is_not_ready_is_not_delivered_and_not_bought_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch, BOTH_BUY, {"poll_until_ready": NotDone("overdue")})
    assert told.of() == ["create aiml", "poll_until_ready"]


@pytest.mark.parametrize(
    ("step", "did"),
    [
        (Step.COLLECT, ["take_over", *MADE]),
        (Step.SETTLE, ["settle", *MADE]),
        (Step.REOPEN, []),
        (Step.NOTHING, []),
    ],
)
def test_what_was_paid_for_earlier_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, step: Step, did: list[str]) -> None:
    assert Told(monkeypatch, {"aiml": [step], "onerouter": [step]}).of() == did


def test_another_runs_work_is_waited_for_and_then_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch, {"aiml": [Step.FOLLOW], "onerouter": [Step.BUY]}, {"wait_for_owner": Step.COLLECT})
    assert told.of() == ["wait_for_owner", "take_over", *MADE]


def test_a_run_that_was_faster_at_the_claim_is_seen_through(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {"aiml": [Step.BUY, Step.FOLLOW, Step.FOLLOW], "onerouter": [Step.BUY]}
    told = Told(
        monkeypatch, steps, {"create aiml": NotDone("somebody else was faster"), "wait_for_owner": Step.COLLECT}
    )
    assert told.of() == ["create aiml", "wait_for_owner", "take_over", *MADE]


@pytest.mark.parametrize(
    ("step", "did"),
    [
        (Step.COLLECT, ["take_over", *MADE]),
        (Step.SETTLE, ["resolve_in_doubt", *MADE]),
        (Step.REOPEN, ["reopen", *MADE]),
        (Step.FOLLOW, []),
        (Step.BUY, []),
        (Step.NOTHING, []),
    ],
)
def test_what_another_batch_left_is_finished_and_never_bought(
    monkeypatch: pytest.MonkeyPatch, step: Step, did: list[str]
) -> None:
    told = Told(monkeypatch, BOTH_BUY)

    async def needed(*_: object) -> Step:
        return step

    monkeypatch.setattr(shared, "attempt_step_for", needed)
    runtime: Any = None
    left: Any = SimpleNamespace(label="clip-9", attempt_id="attempt", batch="tuesday")
    anyio.run(shared.finish, runtime, left)
    assert told.did == did


def test_a_task_is_called_again_for_what_asks_for_it_alone() -> None:
    @clip_task(retry_on=(TimeoutError,), name="look", retries=3)
    async def look() -> str:
        return "ready"

    again: Any = look.task.retry_condition_fn
    states = [SimpleNamespace(data=error) for error in (TimeoutError(), ValueError(), None)]
    assert [again(look.task, None, state) for state in states] == [True, False, False]
    assert (look.task.retries, look.with_retries(7, [1.0]).task.retries) == (3, 7)


def test_the_registry_knows_a_batch_by_its_name_and_by_what_was_asked_for() -> None:
    row: Any = SimpleNamespace(id="clip-1")
    asked: Any = SimpleNamespace(batch_name="monday", to=None)
    batch: Any = SimpleNamespace(name="monday", request=asked, rows={"k": row})
    batches = Batches()
    batches.add(batch)
    assert batches["monday"] is batch and batches.get("tuesday") is None
    assert batches.row("k") is row and batches.row("other") is None
    assert batches.asked_for(asked) is batch
    assert batches.asked_for(SimpleNamespace(batch_name="monday", to="s3://elsewhere")) is None  # type: ignore[arg-type]
