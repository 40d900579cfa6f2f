"""Every attempt with an id comes home, whichever attempt speaks for its clip, and lost is not the last word."""

from __future__ import annotations

import pytest

from dailies.domain.records import Attempt, at_risk
from dailies.domain.states import State
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import World, until
from tests.e2e.invariants import assert_invariants


def given_up(world: World) -> Attempt:
    """A create that was charged and lost its answer, and which a person gave up: its clip is bought again and stored."""
    world.csv(1)
    world.sandbox.fault("logs", "status", times=None, status=503)
    world.sandbox.fault("create", "lost")
    assert world.run().json["in_doubt"] == 1
    [attempt] = world.attempts()
    assert world.command("resolve", attempt.id, "--resubmit").code == 0
    world.resubmits = 1
    assert world.run().json["delivered"] == 1
    return attempt


def both_are_home(world: World, first: Attempt) -> None:
    """Two charges, two objects, and nothing at risk in any output."""
    attempts = {a.id: a for a in world.attempts()}
    assert sorted(a.state for a in attempts.values()) == [State.ORPHANED, State.STORED]
    assert attempts[first.id].state is State.ORPHANED and attempts[first.id].delivered
    assert len(world.clips()) == 2 and f"-{first.id[:8]}.mp4" in (attempts[first.id].s3_uri or "")
    charged = sum(charge.usd for charge in world.charges())
    report = world.command("report", "--json").json
    assert float(report["usd_charged"]) == float(charged) and report["usd_at_risk"] == 0
    status = world.command("status", "--json").json
    assert status["unfinished"] == [] and status["given_up"] == [] and status["usd_at_risk"] in (0, "$0.00")
    assert at_risk(attempts.values()) == 0
    assert_invariants(world, rerun=False)


@pytest.mark.parametrize("by", ["a person", "the provider's log"])
def test_what_was_given_up_and_is_found_again_is_collected_beside_the_clip_that_was_bought_instead(
    world: World, by: str
) -> None:
    first = given_up(world)
    risk = world.command("status", "--json").json
    assert (len(risk["given_up"]), risk["unfinished"]) == (1, [])
    assert float(risk["usd_at_risk"]) == world.command("report", "--json").json["usd_at_risk"] > 0
    if by == "a person":
        generation = next(c.generation_id for c in world.charges() if c.client_request_id == first.id)
        assert world.command("resolve", first.id, "--charged", generation).code == 0
    else:
        world.sandbox.clear_faults()
    assert world.command("collect").code == 0
    both_are_home(world, first)


def test_a_run_of_another_batch_brings_it_home_as_well(world: World) -> None:
    first = given_up(world)
    generation = next(c.generation_id for c in world.charges() if c.client_request_id == first.id)
    assert world.command("resolve", first.id, "--charged", generation).code == 0
    world.csv(1, name="other.csv")
    assert world.run().code == 0
    attempts = {a.id: a for a in world.attempts()}
    assert attempts[first.id].delivered and len(world.clips()) == 3
    assert_invariants(world, rerun=False)


def test_a_lost_clip_that_the_provider_shows_again_is_collected(world: World) -> None:
    """Nothing is bought; `run` leaves it, `collect` asks."""
    world.csv(1)
    assert world.run(DAILIES_CLIP_DEADLINE_S="60").json["delivered"] == 1
    [stored] = world.attempts()
    for key in world.clips():
        world.s3().delete_object(Bucket=world.bucket, Key=key)
    world.sql(
        "UPDATE attempt SET state = 'result_lost', s3_uri = NULL, sha256 = NULL, size_bytes = NULL, error = 'HTTP 404'"
    )
    assert world.command("collect").code == 0
    [again] = world.attempts()
    assert (again.id, again.state) == (stored.id, State.STORED) and len(world.clips()) == 1
    assert len(world.posts()) == 1
    assert_invariants(world)


FORGET = {
    "everything": ("event", "attempt", "batch_row", "clip", "batch", "spend"),
    "the attempt": ("event", "attempt", "spend"),
}


@pytest.mark.parametrize("provider", ["aiml", "onerouter"])
@pytest.mark.parametrize("what", sorted(FORGET))
def test_an_answer_to_an_attempt_that_the_ledger_has_forgotten_is_written_anew_and_comes_home(
    world: World, what: str, provider: str
) -> None:
    """A failover to an older replica while the create is under way, or a backup put back: bought once, delivered, on record."""
    world.csv(1, provider=provider)
    world.sandbox.fault("create", "late", delay_s=2)
    child = world.start()
    until(lambda: world.charges())
    world.sql(*(f"DELETE FROM {table}" for table in FORGET[what]))
    child.wait()
    world.csv(1, provider=provider)
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == 1, child.text("stderr")
    [attempt] = world.attempts()
    assert attempt.state is State.STORED and attempt.generation_id == world.charges()[0].generation_id


@pytest.mark.parametrize("what", sorted(FORGET))
def test_an_answer_that_was_on_record_and_is_forgotten_is_written_anew_by_the_run_that_bought_it(
    make_world: MakeWorld, what: str
) -> None:
    """A failover after the answer: the clip comes home in the same run, bought once."""
    world = make_world(time_scale=0.02)
    world.csv(1)
    child = world.start()
    until(lambda: any(attempt.generation_id for attempt in world.attempts()))
    world.sql(*(f"DELETE FROM {table}" for table in FORGET[what]))
    assert child.wait(60) == 0, child.text("stderr")
    [attempt] = world.attempts()
    assert attempt.state is State.STORED and attempt.generation_id == world.charges()[0].generation_id
    assert_invariants(world)
    assert len(world.posts()) == 1
