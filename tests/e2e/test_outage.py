"""A provider that loses answers: a few clips are in doubt, the others wait for it, and no run puts fifty at risk."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dailies.domain.brake import CreateResult, Phase
from tests.e2e.harness import World, named, until
from tests.e2e.invariants import assert_invariants

ROWS = 20
"""More than twice as many as may be in doubt."""


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes in a tenth of the time, for runs in this process."""
    monkeypatch.setattr("dailies.domain.brake.FIRST_PROBE_S", 0.5)


@contextmanager
def outage(world: World, kind: str = "status", status: int = 503, delay_s: float = 0) -> Iterator[None]:
    """From the first create on every create fails, until the third doubt has halted the claiming there."""
    world.sandbox.fault("create", kind, times=None, status=status, delay_s=delay_s)

    def halted() -> bool:
        with world.ledger() as ledger:
            return Phase.HALTED in ledger.brakes().values()

    def ends() -> None:
        until(halted)
        world.sandbox.clear_faults()

    watcher = threading.Thread(target=ends)
    watcher.start()
    yield
    watcher.join()


@pytest.mark.parametrize(
    ("kind", "status", "delay_s"), [("status", 503, 0), ("lost", 503, 0), ("html", 502, 0), ("status", 504, 6)]
)
def test_an_outage_puts_a_few_in_doubt_and_all_others_are_bought_by_the_same_run(
    brisk: None, world: World, kind: str, status: int, delay_s: float
) -> None:
    """Once all rows of a batch were in doubt: at once, or because all were sent before a gateway's 504 came."""
    world.csv(ROWS)
    with outage(world, kind, status, delay_s):
        result = world.run("--in-flight", str(ROWS))
    assert result.json["delivered"] + result.json["in_doubt"] == ROWS, "what was charged is found in the log at the end"
    assert "nothing more is sent there" in result.stderr
    with world.ledger() as ledger:
        assert ledger.brakes() == {"aiml": Phase.OPEN}
        assert 3 <= ledger.creates()["aiml", CreateResult.IN_DOUBT] <= 8
    assert_invariants(world)


def test_a_provider_that_stays_away_leaves_the_rest_not_started_and_says_so(
    brisk: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most five and the probes are in doubt; the next run begins with one probe."""
    monkeypatch.setattr("dailies.domain.brake.PROBES", 2)
    world.csv(ROWS)
    world.sandbox.fault("create", "status", times=None, status=502)
    first = world.run()
    assert first.code == 1 and 5 <= first.json["in_doubt"] <= 7
    assert first.json["not_started"] == ROWS - first.json["in_doubt"]
    assert f"{first.json['not_started']} not started: aiml" in first.stderr
    world.sandbox.clear_faults()
    world.sandbox.fault("create", "status", times=1, status=502)
    before = len(world.posts())
    command = first.stderr.rpartition("try again: dailies ")[2].splitlines()[0]
    again = world.command(*shlex.split(command), "--json")
    assert again.json["in_doubt"] == first.json["in_doubt"] + 1, "one probe was lost, and no more than it"
    assert again.json["not_started"] == 0 and len(world.posts()) - before == first.json["not_started"]
    assert_invariants(world)


def test_refusals_and_busy_answers_never_halt_anything(world: World) -> None:
    """What surely cost nothing is no doubt, however often it comes."""
    names = [f"row {n}" for n in range(9)]
    world.csv(named(*names, "good"))
    for name in names[:5]:
        world.sandbox.fault("create", "status", status=422, match=f"<{name}>")
    for name in names[5:]:
        world.sandbox.fault("create", "busy", retry_after="0", match=f"<{name}>")
    result = world.run()
    assert (result.json["failed"], result.json["delivered"], result.json["not_started"]) == (5, 5, 0)
    with world.ledger() as ledger:
        counts = {str(outcome): count for (_, outcome), count in ledger.creates().items()}
    assert counts == {"refused": 5, "busy": 4, "accepted": 5}
