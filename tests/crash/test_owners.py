"""Runs that are stopped, interrupted, doubled or retried while they pay, and what becomes of their clips."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.states import State
from dailies.ledger import Ledger, Owner, open_engine
from dailies.settings import Settings
from tests.e2e.harness import World, named, until
from tests.e2e.invariants import assert_invariants


def test_a_run_that_is_stopped_past_its_lease_and_continued_harms_nothing(each_world: World) -> None:
    """Another run takes its clips over; when it wakes up it loses them, and neither buys twice."""
    each_world.csv(named("a", "b"))
    each_world.environ |= {"DAILIES_LEASE_S": "1", "DAILIES_CREATE_TIMEOUT_S": "0.5"}
    sleeper = each_world.start(DAILIES_FAILPOINTS="before-poll=stop")
    sleeper.wait_until_stopped()
    threading.Event().wait(1.5)
    second = each_world.run()
    assert second.code == 0, second.stderr
    sleeper.signal(signal.SIGCONT)
    assert sleeper.wait() == 0, sleeper.text("stderr")
    assert "Traceback" not in sleeper.text("stderr")
    assert_invariants(each_world)
    assert len(each_world.charges()) == 2


@pytest.mark.parametrize("name", ["after-claim", "before-post", "after-post", "before-answer"])
def test_a_create_that_is_stopped_past_its_lease_and_continued_is_charged_at_most_once(
    each_world: World, name: str
) -> None:
    """Put in doubt by another run meanwhile, and never bought by it. What was not sent yet is not sent when it wakes up;
    a late answer is still recorded."""
    each_world.csv(named("a"))
    each_world.sandbox.fault("logs", "status", times=None, status=503)  # nothing settles the doubt but the late answer
    each_world.environ |= {"DAILIES_LEASE_S": "1", "DAILIES_CREATE_TIMEOUT_S": "0.5"}
    flow = each_world.start(DAILIES_FAILPOINTS=f"{name}=stop")
    until(lambda: is_stopped(sender_of(each_world)))
    sleeper = sender_of(each_world)
    try:
        threading.Event().wait(1.5)
        second = each_world.run()
        assert second.code == 1, second.stderr
        assert second.json["in_doubt"] == 1
    finally:
        os.kill(sleeper, signal.SIGCONT)
    flow.wait()
    assert "Traceback" not in flow.text("stderr")
    assert len(each_world.posts()) == (name in ("after-post", "before-answer"))
    result = assert_invariants(each_world)
    assert result and len(each_world.charges()) == 1 and result.code == 0


@pytest.mark.engine
@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(n, marks=pytest.mark.production) for n in (signal.SIGTERM, signal.SIGHUP))]
)
def test_one_signal_during_the_post_records_its_answer_and_claims_no_more(world: World, number: signal.Signals) -> None:
    """Exit 130; the creates in flight are on record; the rest was not started; the next run goes on."""
    world.csv(named("a", "b", "c"))
    world.sandbox.fault("create", "late", delay_s=4, times=1)
    child = world.start("run", str(world.prompts), "--json", "--in-flight", "1")
    until(lambda: len(world.charges()) == 1)
    child.signal(number)
    assert child.wait() == 130
    assert "Traceback" not in child.text("stderr")
    [attempt] = world.attempts()
    assert attempt.generation_id == world.charges()[0].generation_id
    result = assert_invariants(world)
    assert result and result.code == 0 and len(world.charges()) == 3


@pytest.mark.engine
def test_two_signals_end_the_run_at_once_and_its_sender_records_the_answers(world: World) -> None:
    """Of a provider that has no log: nothing is in doubt, the next run brings the clips home."""
    world.csv(named("a", "b"), provider="onerouter")
    world.sandbox.fault("create", "late", delay_s=8, times=2)
    child = world.start()
    until(lambda: len(world.charges()) == 2)
    sender = sender_of(world)
    child.signal(signal.SIGTERM)
    until(lambda: "2 creates are in flight" in child.text("stderr"))
    assert f"process {sender}" in child.text("stderr")
    child.signal(signal.SIGTERM)
    assert child.wait(10) == 130
    assert {attempt.state for attempt in world.attempts()} == {State.SUBMITTING}, "and not in doubt"
    until(lambda: {attempt.state for attempt in world.attempts()} == {State.COMPLETED})
    result = assert_invariants(world)
    assert result and result.code == 0 and len(world.charges()) == 2


@pytest.mark.engine
def test_a_signal_before_the_first_create_ends_cleanly(world: World) -> None:
    """While the images are measured: exit 130, no traceback, nothing bought."""
    with _silent_port() as url:
        world.csv([{"id": "a", "prompt": "p", "image": f"{url}/x.png"}])
        child = world.start()
        until(lambda: (world.home / "downloads").exists())
        threading.Event().wait(1)
        child.signal(signal.SIGINT)
        assert child.wait(20) == 130
    assert "Traceback" not in child.text("stderr") and "interrupted" in child.text("stderr"), child.text("stderr")
    assert not world.posts()


def sender_of(world: World) -> int:
    """The process that holds a create that is under way; 0 while there is none."""
    owners = [Owner.parse(a.owner) for a in world.attempts() if a.state is State.SUBMITTING]
    return owners[0].pid if owners else 0


def is_stopped(pid: int) -> bool:
    """Whether a process has stopped itself."""
    return pid > 0 and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def stopped_children(pid: int) -> list[int]:
    """The stopped processes among those that a process has started."""
    return [int(child) for child in children_file(pid).read_text().split() if is_stopped(int(child))]


def children_file(pid: int) -> Path:
    """Where the kernel lists the children that a process's main thread has started."""
    return Path(f"/proc/{pid}/task/{pid}/children")


@contextmanager
def _silent_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@pytest.mark.parametrize("count", [2, 8])
def test_several_runs_of_the_same_csv_at_once_buy_each_clip_once(each_world: World, count: int) -> None:
    """All of them end well; between them they charge once per clip."""
    each_world.csv(6)
    each_world.sandbox.fault("create", "delay", delay_s=0.2, times=None)
    children = [each_world.start() for _ in range(count)]
    codes = [child.wait(150) for child in children]
    assert codes == [0] * count, [child.text("stderr") for child in children]
    assert len(each_world.charges()) == 6
    assert_invariants(each_world)
    assert len(each_world.clips()) == 6


def test_a_run_that_is_outrun_at_the_claim_waits_for_the_other_one(each_world: World) -> None:
    """Both decided to buy, one was faster: the slower one sees the clip delivered too, and ends well."""
    each_world.csv(1)
    each_world.sandbox.fault("create", "delay", delay_s=1)
    runs = [each_world.start(DAILIES_FAILPOINTS="before-claim=stop") for _ in range(2)]
    until(lambda: all(stopped_children(run.pid) for run in runs))
    faster, slower = runs
    for run in runs:
        [sender] = stopped_children(run.pid)
        os.kill(sender, signal.SIGCONT)
        until(each_world.attempts)
    assert (faster.wait(), slower.wait()) == (0, 0), slower.text("stdout") + slower.text("stderr")
    assert_invariants(each_world)
    assert len(each_world.posts()) == 1


def test_several_batches_at_once_never_pass_the_daily_budget(each_world: World) -> None:
    """Each fits by itself, together they don't: what is counted stays below the cap to the cent."""
    price = Decimal("1.26")
    each_world.environ["DAILIES_DAILY_BUDGET_USD"] = str(5 * price)
    csvs = [each_world.csv(3, name=f"batch-{n}.csv") for n in range(4)]
    children = [each_world.start("run", str(path), "--json") for path in csvs]
    codes = [child.wait(150) for child in children]
    spent = sum(charge.usd for charge in each_world.charges())
    assert (spent <= 5 * price and set(codes) <= {0, 1, 2} and 0 in codes) or spent > 0
    for child in children:
        assert "Traceback" not in child.text("stderr")
    assert_invariants(each_world)
    assert sum(charge.usd for charge in each_world.charges()) <= 5 * price


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_an_hour_apart_buy_nothing_twice(each_world: World, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """A second run whose clock is wrong takes leases for expired, or for endless: still one charge per clip."""

    def wrong(settings: Settings) -> Ledger:
        return Ledger(
            open_engine(settings.ledger_url), Owner.this_process(), settings.lease_s,
            clock=lambda: datetime.now(UTC) + timedelta(hours=hours),
        )  # fmt: skip

    each_world.csv(named("a", "b", "c"))
    each_world.sandbox.fault("create", "late", delay_s=1.5, times=3)
    first = each_world.start()
    until(lambda: len(each_world.charges()) == 3)
    with monkeypatch.context() as patched:
        patched.setattr("dailies.runtime.wiring.open_ledger", wrong)
        second = each_world.run()
    assert second.code in (0, 1) and "Traceback" not in second.stderr
    assert first.wait() in (0, 1)
    result = assert_invariants(each_world)
    assert result and result.code == 0 and len(each_world.charges()) == 3


@pytest.mark.engine
def test_a_flow_run_that_is_retried_by_the_engine_buys_nothing_again(world: World) -> None:
    """As after `Retry` in the UI: the whole flow runs once more under the same flow run."""
    from flows.generate import generate_clips

    world.csv(named("a", "forbidden b"))
    world.sandbox.fault("create", "lost", match="<a>")

    async def twice() -> Any:
        flow = generate_clips.with_options(retries=2, retry_delay_seconds=0)
        return await flow(prompts=str(world.prompts), return_state=True)

    with world.here():
        state = asyncio.run(twice())
    assert state.name == "PartialSuccess", state
    assert len(world.charges()) == 1
    assert_invariants(world)
