"""Runs killed at random moments, again and again; then clean runs, and a count of what was charged and lost.

`make soak` runs the long form: DAILIES_SOAK_MINUTES (default 5) and DAILIES_SOAK_SEED choose length and luck.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from dailies.failpoints import NAMES
from tests.crash.test_kill import SENDING, WHO
from tests.e2e.forks import KILLED
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants

CLIPS = 12
FAULTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("create", "lost", {}), ("create", "charged_status", {}), ("create", "busy", {"retry_after": "0"}),
    ("create", "delay", {"delay_s": 0.2}), ("poll", "status", {"status": 500}), ("poll", "reset", {}),
    ("download", "cut", {}), ("download", "expired", {}),
)  # fmt: skip


def soak(world: World, seed: int, seconds: float) -> None:
    """Kill runs for so long, finish, check, and print what happened."""
    luck = random.Random(seed)
    runs = kills = batches = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        batches += 1
        world.csv(named(*(f"{batches}-{n}" for n in range(CLIPS))), name=f"batch-{batches}.csv")
        for _ in range(luck.randint(1, 4)):
            where, kind, options = luck.choice(FAULTS)
            world.sandbox.fault(where, kind, after=luck.randrange(6), **options)  # type: ignore[arg-type]
        for _ in range(luck.randint(1, 3)):
            runs += 1
            kills += killed_somewhere(world, luck)
        world.sandbox.clear_faults()
        world.run()
        runs += 1
    assert_invariants(world)
    per_reference = Counter(charge.client_request_id for charge in world.charges())
    too_many = sum(count - 1 for count in per_reference.values())
    lost = len({c.generation_id for c in world.charges()} - {a.generation_id for a in world.attempts() if a.delivered})
    print(f"seed {seed}: {kills} kills in {runs} runs of {batches} batches, {len(world.charges())} charges")
    print(f"charges too many: {too_many}; clips lost: {lost}")
    assert (too_many, lost) == (0, 0)


def killed_somewhere(world: World, luck: random.Random) -> int:
    """One run that is killed at a step or at a moment of luck's choosing. 1 if it died of it."""
    armed = {}
    if luck.random() < 0.6:
        name = luck.choice(NAMES)
        who = luck.choice(tuple(WHO)) if name in SENDING else "sender"
        armed["DAILIES_FAILPOINTS"] = f"{name}={WHO[who]}@{luck.randint(1, CLIPS)}"
    child = world.start("run", str(world.prompts), "--json", **armed)
    if not armed:
        threading.Event().wait(luck.uniform(0.2, 2.0))
        with suppress(ProcessLookupError):
            child.signal(signal.SIGKILL)
    return child.wait(120) == KILLED


def test_runs_killed_at_random_lose_no_clip_and_buy_none_twice(world: World) -> None:
    """For a few seconds, with a seed of its own in every version of this test."""
    soak(world, seed=20261121, seconds=10)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("each_world", ["sqlite", "postgres"], indirect=True)  # both here, neither in `make production`
def test_runs_killed_at_random_for_minutes_lose_no_clip_and_buy_none_twice(each_world: World) -> None:
    """On both ledgers, for DAILIES_SOAK_MINUTES each."""
    seed = int(os.environ.get("DAILIES_SOAK_SEED") or random.SystemRandom().randrange(10**6))
    soak(each_world, seed, 60 * float(os.environ.get("DAILIES_SOAK_MINUTES", "5")))
