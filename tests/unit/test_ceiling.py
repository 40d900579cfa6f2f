"""What a provider allows at once is learned from what it refuses: little is lost, and few requests are wasted."""

from __future__ import annotations

import anyio
import pytest

from benchmarks.ceilings import Limit, Pace, Simulated
from dailies.domain.ceiling import ANSWERS_WITHIN_S, LONGEST_PACE_S, RISEN, UNANSWERED_FIRST, Ceiling
from dailies.runtime.limiter import AdaptiveLimiter

PACES = {"life": Pace(), "compressed": Pace(18, 0.35, 0.3, 0.8), "long waits": Pace(retry_after_s=30)}


def turns(first: int, then: int, at_s: float) -> Limit:
    """A limit that changes."""
    return lambda now: first if now < at_s else then


@pytest.mark.parametrize("allowed", [1, 3, 7, 20, 50])
@pytest.mark.parametrize("pace", PACES.values(), ids=PACES)
def test_a_limit_that_nobody_told_costs_hardly_any_throughput_and_few_refusals(allowed: int, pace: Pace) -> None:
    """After the first minute: 95 % of what a program makes that was told, and one create in twenty refused."""
    for seed in range(2):
        found = Simulated(lambda _: allowed, pace, most=60, seed=seed).run(250)
        told = Simulated(lambda _: allowed, pace, seed=seed, known=True).run(250)
        assert found.share >= 0.95 * told.share
        assert found.refusals <= 0.05


@pytest.mark.parametrize("minutes", [2, 4])
@pytest.mark.parametrize("allowed", [3, 7, 20])
def test_a_few_minutes_too_see_no_more_than_one_create_in_twenty_refused(allowed: int, minutes: int) -> None:
    """As many clips as a provider makes in so long, five times as fast as in life: what `benchmarks/limits.py` buys."""
    pace = Pace(clip_s=18, create_s=0.5, lag_s=1.5)
    for seed in range(8):
        run = Simulated(lambda _: allowed, pace, most=60, seed=seed).run(allowed * minutes * 60 // 19)
        assert run.refusals <= 0.05


@pytest.mark.parametrize(("first", "then"), [(20, 7), (7, 3), (20, 3), (20, 1)])
def test_a_limit_that_falls_in_mid_run_is_followed_at_once(first: int, then: int) -> None:
    for seed in range(2):
        run = Simulated(turns(first, then, 600), seed=seed).run(400, since_s=600 + 60)
        assert run.share >= 0.95
        assert run.refusals <= 0.05


@pytest.mark.parametrize(("first", "then"), [(20, 7), (50, 7)])
def test_the_fall_itself_is_found_with_few_refusals(first: int, then: int) -> None:
    """Of forty minutes, a quarter before the fall: its refusals are counted in."""
    for seed in range(4):
        run = Simulated(turns(first, then, 600), seed=seed).run(round((first * 600 + then * 1800) / 96))
        assert run.refusals <= 0.05
        assert run.share >= 0.95


@pytest.mark.parametrize(("first", "then"), [(7, 20), (3, 7), (3, 20)])
def test_a_limit_that_rises_in_mid_run_is_found_by_probes_that_few_refusals_pay_for(first: int, then: int) -> None:
    """A rise can't be seen without asking for more: within some thirty creates it is, and a minute later all of it is used."""
    rises_at = 600.0
    thirty_creates_s = 2 * 30 * 90 / first
    for seed in range(2):
        run = Simulated(turns(first, then, rises_at), seed=seed)
        told = run.run(700, since_s=rises_at + thirty_creates_s + 60)
        assert told.share >= 0.93
        assert told.refusals <= 0.05


@pytest.mark.parametrize(("per_s", "at_least"), [(2.0, 0.95), (1.0, 0.8), (0.25, 0.25)])
def test_a_provider_that_counts_requests_by_the_second_is_not_taken_for_one_with_few_places(
    per_s: float, at_least: float
) -> None:
    """Of what its rate allows, or fifty places; few places would be a hundredth of it."""
    told = Simulated(lambda _: 1000, Pace(per_s=per_s, retry_after_s=max(2, 1 / per_s))).run(300, since_s=120)
    seconds = told.possible_s / 1000
    assert told.creates - told.refused >= at_least * min(per_s, 50 / 96) * seconds


def test_without_a_refusal_as_many_are_under_way_as_are_asked_for() -> None:
    run = Simulated(lambda _: 1000, Pace(clip_s=1e6, create_s=1))
    told = run.run(50, since_s=0)
    assert (told.refused, run.ceiling.held) == (0, 50)
    assert run.now <= 7


def test_answers_that_come_with_the_clip_hold_nobody_back_for_long() -> None:
    ceiling, now = Ceiling(40), 0.0
    for _ in range(40):
        at = ceiling.room_at(now)
        assert at is not None
        now = max(now, at)
        ceiling.send(now)
    assert ceiling.room_at(now) is None
    assert now <= 6 * ANSWERS_WITHIN_S


def test_a_refusal_while_others_are_being_made_and_unanswered_leaves_their_places() -> None:
    ceiling = Ceiling(50)
    for at in range(8):
        last = ceiling.send(10.0 * at)
    ceiling.refused(last, 71.0, 2.0)
    assert ceiling.proven == 7


def test_who_was_refused_alone_lets_the_next_ones_try() -> None:
    """Without a clip of ours there a refusal says nothing of how many are allowed."""
    ceiling = Ceiling(50)
    ceiling.refused(ceiling.send(0.0), 1.0, 2.0)
    for held in range(1, 10):
        assert ceiling.room_at(held * 2.0) == held * 2.0
        ceiling.accepted(ceiling.send(held * 2.0), held * 2.0 + 1)
        ceiling.hold()
    assert ceiling.proven == 9


def test_who_was_refused_goes_first_and_a_place_that_is_left_lets_it() -> None:
    async def history() -> None:
        limiter, sent = AdaptiveLimiter(50), list[str]()
        async with anyio.create_task_group() as group:
            async with limiter.slot("held"):
                with limiter.create("held") as first:
                    await first.room()
                    first.accepted()

                async def buy(name: str, refused: bool) -> None:
                    async with limiter.slot(name):
                        with limiter.create(name) as request:
                            await request.room()
                            if refused:
                                request.refused(0.0)
                                await request.room()
                            sent.append(name)
                            request.accepted()

                group.start_soon(buy, "refused", True)
                await anyio.wait_all_tasks_blocked()
                limiter.ceiling._credit = 0  # no probe
                group.start_soon(buy, "new", False)
                await anyio.wait_all_tasks_blocked()
                assert sent == []
            await anyio.wait_all_tasks_blocked()
        assert sent == ["refused", "new"]

    anyio.run(history)


def test_a_create_that_ends_otherwise_makes_room_for_another() -> None:
    async def history() -> None:
        limiter = AdaptiveLimiter(50)
        for number in range(3 * UNANSWERED_FIRST):
            async with limiter.slot(str(number)):
                with limiter.create(str(number)) as request:
                    with anyio.fail_after(5):
                        await request.room()
        assert (limiter.ceiling.unanswered, limiter.ceiling.held) == (0, 0)

    anyio.run(history)


def holding(count: int, most: int = 50) -> Ceiling:
    """Where so many creates were accepted, one after the other, and none was refused yet."""
    ceiling = Ceiling(most)
    for number in range(count):
        ceiling.accepted(ceiling.send(-1000.0 + number), -999.5 + number)
        ceiling.hold()
    return ceiling


def full_at(count: int) -> Ceiling:
    """Where so many are held and one more was refused at 10 s, with the word to wait for two."""
    ceiling = holding(count)
    ceiling.refused(ceiling.send(9.0), 10.0, 2.0)
    return ceiling


def test_the_first_creates_go_out_together_and_the_next_one_when_the_oldest_is_no_news_any_more() -> None:
    ceiling = Ceiling(50)
    for number in range(UNANSWERED_FIRST):
        assert ceiling.room_at(number / 10) == number / 10
        ceiling.send(number / 10)
    assert ceiling.room_at(0.5) == 0.0 + ANSWERS_WITHIN_S
    ceiling.send(ANSWERS_WITHIN_S)
    assert ceiling.room_at(ANSWERS_WITHIN_S) == 0.1 + ANSWERS_WITHIN_S


def test_who_holds_many_sends_half_as_many_more_at_once_and_never_more_than_are_asked_for() -> None:
    ceiling = holding(20)
    for _ in range(10):
        assert ceiling.room_at(0.0) == 0.0
        ceiling.send(0.0)
    assert ceiling.room_at(0.0) == ANSWERS_WITHIN_S
    assert holding(4, most=5).room_at(0.0) == 0.0 and holding(5, most=5).room_at(0.0) is None


def test_after_a_refusal_one_more_is_tried_when_the_provider_said_and_while_it_is_nobody_else() -> None:
    ceiling = full_at(3)
    assert (ceiling.proven, ceiling.refused_at, ceiling.found) == (3, 3, True)
    assert ceiling.room_at(10.0) == 12.0
    probe = ceiling.send(12.0)
    assert probe.probe and ceiling.room_at(12.0) is None
    ceiling.accepted(probe, 13.0)
    ceiling.hold()
    assert (ceiling.proven, ceiling.refused_at) == (4, 4)
    assert ceiling.room_at(13.0) == 13.0 + 0.8 * 2.0, "sooner, as it was taken"


def test_probes_that_are_accepted_one_after_another_wait_for_nothing_any_more() -> None:
    """The limit has risen. One of them that is refused ends that."""
    ceiling, now = full_at(3), 12.0
    for taken in range(1, RISEN + 3):
        assert ceiling.room_at(now) == now
        ceiling.accepted(ceiling.send(now), now + 1)
        ceiling.hold()
        at = ceiling.room_at(now + 1)
        assert at is not None and (at <= now + 1) == (taken >= RISEN)
        now = at
    ceiling.refused(ceiling.send(now), now + 1, 2.0)
    assert ceiling.room_at(now + 1) == now + 1 + 2.0


def test_each_probe_that_is_refused_doubles_the_wait_until_none_can_be_paid_for() -> None:
    ceiling = full_at(3)
    for sent_at, next_at in ((12.0, 13.0 + 4.0), (17.0, 18.0 + 8.0)):
        assert ceiling.room_at(sent_at) == sent_at
        ceiling.refused(ceiling.send(sent_at), sent_at + 1, 2.0)
        assert ceiling.proven == 3
        assert ceiling.room_at(sent_at + 1) == (next_at if sent_at == 12.0 else None)


def test_a_wait_that_a_provider_asks_for_is_kept_up_to_a_bound() -> None:
    ceiling = holding(3)
    ceiling.refused(ceiling.send(9.0), 10.0, 3600.0)
    assert ceiling.room_at(10.0) == 10.0 + LONGEST_PACE_S


def test_a_place_that_comes_free_is_used_at_once_and_one_that_is_refused_there_says_that_the_limit_fell() -> None:
    ceiling = full_at(10)
    assert ceiling.room_at(11.0) == 12.0
    ceiling.ended()
    assert (ceiling.held, ceiling.room_at(11.0)) == (9, 11.0)
    ceiling.refused(ceiling.send(11.0), 11.5, 0.0)
    assert ceiling.proven == 6, "three quarters of what is held"
    assert ceiling.room_at(12.0) is None, "what is held above it runs out first"
    for _ in range(4):
        ceiling.ended()
    assert ceiling.room_at(12.0) == 12.0
    ceiling.refused(ceiling.send(12.0), 12.5, 0.0)
    assert ceiling.proven == 2, "and then the half"
    for _ in range(4):
        ceiling.ended()
    ceiling.accepted(ceiling.send(13.0), 13.5)
    ceiling.hold()
    for held in range(2, 5):  # up to where it was refused at last, it is asked for more without a credit
        assert (ceiling.held, ceiling.room_at(14.0)) == (held, 14.0)
        ceiling.accepted(ceiling.send(14.0), 14.5)
        ceiling.hold()


def test_what_was_on_its_way_when_a_refusal_came_is_no_further_news() -> None:
    ceiling = holding(5)
    early, late = ceiling.send(9.0), ceiling.send(9.1)
    ceiling.refused(early, 10.0, 2.0)
    before = ceiling.room_at(10.5)
    ceiling.refused(late, 10.5, 2.0)
    assert (ceiling.proven, before) == (5, None) and ceiling.room_at(10.5) == 12.5, "it waits from the latest one on"


def test_whoever_was_refused_too_often_sends_one_by_one() -> None:
    """Three credits are spent; each further create waits until the one before it is no news."""
    ceiling = full_at(20)
    for at in (20.0, 30.0, 40.0, 50.0):
        ceiling.ended()
        ceiling.refused(ceiling.send(at), at + 1, 2.0)
    for _ in range(ceiling.held - ceiling.proven + 2):
        ceiling.ended()
    assert ceiling.room_at(60.0) == 60.0
    ceiling.send(60.0)
    assert ceiling.room_at(60.5) == 60.0 + ANSWERS_WITHIN_S


def test_what_ended_in_another_way_says_nothing() -> None:
    ceiling = full_at(3)
    ceiling.dropped(ceiling.send(12.0))
    assert (ceiling.unanswered, ceiling.proven, ceiling.room_at(12.0)) == (0, 3, 12.0)
