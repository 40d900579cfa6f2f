"""The process that sends: what outlives whom, what is said and seen of it, and what it leaves behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.states import Failure, State
from dailies.ledger import Owner
from tests.crash.test_owners import sender_of
from tests.e2e.forks import KILLED, Child
from tests.e2e.harness import AIML_KEY, ONEROUTER_KEY, World, named, until
from tests.e2e.invariants import assert_invariants

ANSWER_AFTER_S = 1.0
PER_RUN = 3


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def kill_runs_at_their_answers(world: World, kills: int, luck: random.Random) -> None:
    """So many runs of a synchronous provider's clips, each killed within half a second of the answers; then one to the end."""
    rows: list[dict[str, str]] = []
    for number in range(kills):
        batch = named(*(f"{number}-{n}" for n in range(PER_RUN)))
        rows += batch
        world.csv(batch, name=f"batch-{number}.csv", provider="onerouter")
        world.sandbox.fault("create", "late", delay_s=ANSWER_AFTER_S, times=PER_RUN)
        child = world.start()
        until(partial(charged, world, len(rows)), 120)
        threading.Event().wait(ANSWER_AFTER_S + luck.uniform(-0.5, 0.5))
        with suppress(ProcessLookupError):
            child.signal(signal.SIGKILL)
        assert child.wait(60) in (KILLED, 0)
    until(lambda: not any(attempt.state is State.SUBMITTING for attempt in world.attempts()), 60)
    world.csv(rows, name="all.csv", provider="onerouter")
    result = assert_invariants(world)
    assert result and result.code == 0, result and result.json
    lost = len(rows) - len({attempt.clip_key for attempt in world.attempts() if attempt.delivered})
    too_many = len(world.charges()) - len(rows)
    print(
        f"{kills} kills within half a second of the answer, {len(rows)} clips: {lost} lost, {too_many} charges too many"
    )
    assert (lost, too_many) == (0, 0)


def charged(world: World, count: int) -> bool:
    """Whether the provider has charged so many clips."""
    return len(world.charges()) == count


def test_a_run_killed_around_the_answer_of_a_synchronous_provider_loses_no_clip_and_buys_none_twice(
    world: World,
) -> None:
    """Six kills; `make production` does two hundred."""
    kill_runs_at_their_answers(world, 6, random.Random(20261126))


@pytest.mark.production
@pytest.mark.timeout(0)
def test_two_hundred_runs_killed_around_the_answer_lose_no_clip_and_buy_none_twice(world: World) -> None:
    """With luck of its own each time."""
    kill_runs_at_their_answers(world, 200, random.Random())


def test_a_sender_that_is_killed_leaves_a_doubt_and_another_one_buys_the_rest(each_world: World) -> None:
    """The flow goes on; what was in the sender's hand is in doubt at once and not bought again."""
    each_world.csv(named("a", "b"), provider="onerouter")
    each_world.sandbox.fault("create", "late", delay_s=20, times=1)
    child = each_world.start("run", str(each_world.prompts), "--json", "--in-flight", "1")
    until(lambda: len(each_world.charges()) == 1)
    os.kill(sender_of(each_world), signal.SIGKILL)
    assert child.wait(60) == 1, child.text("stderr")
    assert "Traceback" not in child.text("stderr")
    assert sorted(attempt.state for attempt in each_world.attempts()) == [State.IN_DOUBT, State.STORED]
    assert_invariants(each_world)
    assert len(each_world.posts()) == 2


def test_a_sender_that_is_told_to_end_finishes_what_it_has_and_another_one_buys_the_rest(world: World) -> None:
    """Nothing is lost and nothing is in doubt."""
    world.csv(named("a", "b"), provider="onerouter")
    world.sandbox.fault("create", "late", delay_s=3, times=1)
    child = world.start("run", str(world.prompts), "--json", "--in-flight", "1")
    until(lambda: len(world.charges()) == 1)
    sender = sender_of(world)
    os.kill(sender, signal.SIGTERM)
    assert child.wait(60) == 0, child.text("stderr")
    assert not lives(sender)
    assert_invariants(world)
    assert len(world.posts()) == 2


def test_what_is_parked_when_its_flow_dies_is_set_free(world: World) -> None:
    """A provider that is busy has charged nothing: the clip is not in doubt, and the next run buys it."""
    world.csv(1)
    world.sandbox.fault("create", "busy", retry_after="25", times=1)
    child = world.start()
    until(lambda: len(world.posts()) == 1 and sender_of(world))
    threading.Event().wait(0.3)  # the answer travels to the sender
    child.signal(signal.SIGKILL)
    until(lambda: [a.state for a in world.attempts()] == [State.FAILED])
    assert world.attempts()[0].failure is Failure.BUSY
    result = assert_invariants(world)
    assert result and result.code == 0 and len(world.charges()) == 1


def a_run(world: World, **how: Any) -> Child:
    """`dailies run --json` in a child that starts its sender as in production, once it has sent its one create, to a synchronous
    provider that takes four seconds."""
    world.csv(named("a"), provider="onerouter")
    world.sandbox.fault("create", "late", delay_s=4, times=1)
    command = ("run", str(world.prompts), "--json")
    run = world.services.forks.start(command, world.environ, world.folder, sender=True, **how)
    until(lambda: len(world.charges()) == 1, 90)
    return run


def test_the_sender_has_a_session_of_its_own_no_console_and_no_key_where_others_could_read_it(world: World) -> None:
    """And it leaves nothing behind: no process, no file."""
    run = a_run(world)
    sender = sender_of(world)
    assert sender != run.pid and os.getsid(sender) == sender
    seen = Path(f"/proc/{sender}/environ").read_bytes() + Path(f"/proc/{sender}/cmdline").read_bytes()
    assert b"dailies.sender" in seen
    assert AIML_KEY.encode() not in seen and ONEROUTER_KEY.encode() not in seen
    assert {os.readlink(f"/proc/{sender}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}
    shown = world.command("status", "--json").json["unfinished"]
    assert [entry["sender_pid"] for entry in shown] == [sender]
    assert f"being sent by process {sender} since" in shown[0]["next"]
    assert "by process" in world.command("status").stdout
    assert run.wait(60) == 0
    until(lambda: not lives(sender))
    assert not list(world.home.glob("sender-*"))
    assert_invariants(world)


def test_a_living_sender_is_nobodys_to_resolve(world: World) -> None:
    """A person who is in a hurry is refused, and the answer is recorded."""
    run = a_run(world)
    [attempt] = world.attempts()
    refused = world.command("resolve", attempt.id, "--resubmit")
    assert refused.code == 2 and "the process that sent it is there" in refused.stderr, refused.stderr
    assert world.command("collect").code in (0, 1)
    assert [a.state for a in world.attempts()] == [State.SUBMITTING]
    assert run.wait(60) == 0
    assert_invariants(world)


@pytest.mark.engine
def test_a_run_whose_console_is_gone_goes_on(world: World) -> None:
    """As when the worker that reads its lines has died: a broken pipe ends nothing, with every line of Prefect's on it. By an
    interpreter of its own, which reads what Prefect is to log as it starts."""
    world.csv(named("a"), provider="onerouter")
    world.sandbox.fault("create", "late", delay_s=4, times=1)
    chatty = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG", "PREFECT_LOGGING_LEVEL": "DEBUG"}
    with subprocess.Popen(
        [sys.executable, "-m", "dailies", "run", str(world.prompts), "--json"], cwd=world.folder,
        env={**world.environ, **chatty}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as run:  # fmt: skip
        try:
            until(lambda: len(world.charges()) == 1, 90)
            assert run.stderr
            run.stderr.close()
            assert run.wait(90) == 0
        finally:
            run.kill()
    assert [attempt.state for attempt in world.attempts()] == [State.STORED]
    assert_invariants(world)


def test_a_closed_terminal_under_nohup_ends_nothing(world: World) -> None:
    """SIGHUP that is ignored stays ignored."""
    run = a_run(world, nohup=True)
    run.signal(signal.SIGHUP)
    assert run.wait(60) == 0
    assert_invariants(world)


def test_a_run_that_is_killed_with_its_whole_process_group_leaves_its_sender_alive(world: World) -> None:
    """As a Prefect runner does that started it in a session of its own."""
    run = a_run(world, session=True)
    sender = sender_of(world)
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == KILLED
    assert lives(sender) and Owner.parse(world.attempts()[0].owner).pid == sender
    until(lambda: [attempt.state for attempt in world.attempts()] == [State.COMPLETED])
    until(lambda: not lives(sender))
    result = assert_invariants(world)
    assert result and result.code == 0 and len(world.charges()) == 1
