"""The brake on doubt as pure decisions: a table of outcomes, and histories under a clock that moves only when told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.brake import (
    AT_ONCE_FIRST,
    DOUBTS_IN_A_ROW,
    FIRST_PROBE_S,
    GIVEN_UP_FOR_S,
    LONGEST_WAIT_S,
    PROBES,
    Brake,
    CreateResult,
    GivenUp,
    Go,
    Hold,
    Phase,
    after,
    may_send,
    ramp,
)
from dailies.runtime.limiter import AdaptiveLimiter

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
OPEN = Brake()
LOST, ACCEPTED = CreateResult.IN_DOUBT, CreateResult.ACCEPTED


def later(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def ask(
    brake: Brake, at: float = 0.0, began: float = -1.0, unanswered: int = 0, at_once: int | None = None, lives: bool = True
) -> Go | Hold | GivenUp:  # fmt: skip
    """Whether a create may be sent at this second after noon."""
    return may_send(brake, later(at), began_at=later(began), unanswered=unanswered, at_once=at_once, probe_lives=lives)


def doubted(times: int, brake: Brake = OPEN) -> Brake:
    """The brake after so many lost answers at noon."""
    for number in range(times):
        brake = after(brake, f"a{number}", LOST, NOON)
    return brake


def probing(brake: Brake, at: float) -> Brake:
    """The brake with a probe under way."""
    granted = ask(brake, at)
    assert isinstance(granted, Go) and granted.probe
    return replace(granted.brake, probe="probe")


# Three in a row


def test_two_lost_answers_halt_nothing_and_the_third_halts_claiming_for_ten_seconds() -> None:
    assert doubted(2).phase is Phase.OPEN and isinstance(ask(doubted(2)), Go)
    assert doubted(3).phase is Phase.HALTED
    assert ask(doubted(3), 4) == Hold(6.0, Phase.HALTED, 3)
    assert ask(doubted(3), 10) == Go(doubted(3), probe=True)


def test_an_accepted_create_between_them_breaks_the_row() -> None:
    brake = after(doubted(2), "b", ACCEPTED, NOON)
    assert brake == Brake() and doubted(2, brake).phase is Phase.OPEN


@pytest.mark.parametrize("outcome", sorted(set(CreateResult) - {LOST, ACCEPTED}))
def test_what_surely_cost_nothing_neither_counts_nor_breaks_the_row(outcome: CreateResult) -> None:
    """A refusal proves that somebody reads requests, not that a clip would be made."""
    brake = after(doubted(2), "b", outcome, NOON)
    assert brake == doubted(2) and doubted(1, brake).phase is Phase.HALTED


def test_lost_answers_of_creates_that_were_under_way_put_the_probe_off() -> None:
    brake = after(doubted(3), "late", LOST, later(7))
    assert brake.probes == 0 and ask(brake, 10) == Hold(7.0, Phase.HALTED, 4)


# Probes


def test_one_probe_at_a_time() -> None:
    brake = probing(doubted(3), 10)
    assert brake.phase is Phase.PROBING
    held = ask(brake, 11)
    assert isinstance(held, Hold) and held.phase is Phase.PROBING


def test_waits_double_and_after_five_lost_probes_it_is_given_up() -> None:
    brake, at, waits = doubted(3), FIRST_PROBE_S, []
    for _ in range(PROBES):
        brake = after(probing(brake, at), "probe", LOST, later(at))
        held = ask(brake, at)
        if isinstance(held, Hold):
            waits.append(held.wait_s)
            at += held.wait_s
    assert waits == [20, 40, 80, 160]
    assert ask(brake, at) == GivenUp(DOUBTS_IN_A_ROW + PROBES)


def test_a_later_run_begins_with_one_probe_and_not_with_fifty() -> None:
    brake = given_up(at=100)
    assert ask(brake, 101, began=99) == GivenUp(8), "who was there does not begin anew"
    held = ask(brake, 101, began=100.5)
    assert isinstance(held, Hold) and held.phase is Phase.HALTED and held.wait_s == 9
    tomorrow = ask(brake, 86_400, began=86_399)
    assert isinstance(tomorrow, Go) and tomorrow.probe and tomorrow.brake.probes == 0
    first = replace(tomorrow.brake, probe="probe")
    assert isinstance(ask(first, 86_400, began=86_399), Hold), "one, until its answer is there"
    assert isinstance(ask(first, 86_400, began=-1), Hold)


def test_a_run_that_goes_on_for_long_tries_again_too() -> None:
    assert isinstance(ask(given_up(at=100), 100 + GIVEN_UP_FOR_S, began=0), Go)


def test_a_clock_that_was_set_back_keeps_no_run_from_its_probe() -> None:
    """Nobody waits an hour for a moment that was written down by a clock that was an hour fast."""
    assert isinstance(ask(given_up(at=3600), 20, began=10), Go)
    assert isinstance(ask(replace(doubted(3), not_before=later(3600)), 20), Go)


def given_up(at: float) -> Brake:
    """The brake whose last probe was lost then."""
    return replace(doubted(8), probes=PROBES, given_up_at=later(at), not_before=later(at + FIRST_PROBE_S))


@pytest.mark.parametrize(("asks_s", "waits_s"), [(0, 10), (7, 10), (45, 45), (10**9, LONGEST_WAIT_S)])
def test_the_doubtful_answers_retry_after_is_the_least_wait(asks_s: float, waits_s: float) -> None:
    assert ask(after(doubted(2), "c", LOST, NOON, asks_s)) == Hold(waits_s, Phase.HALTED, 3)


def test_a_probes_retry_after_counts_too() -> None:
    brake = after(probing(doubted(3), 10), "probe", LOST, later(10), 70)
    assert ask(brake, 10) == Hold(70, Phase.HALTED, 4)


@pytest.mark.parametrize("outcome", [CreateResult.REFUSED, CreateResult.BUSY, CreateResult.STOPPED])
def test_a_probe_that_was_refused_opens_nothing_and_makes_way_for_the_next(outcome: CreateResult) -> None:
    brake = after(probing(doubted(3), 10), "probe", outcome, later(11))
    assert brake.phase is Phase.HALTED and brake.probes == 0 and isinstance(ask(brake, 11), Go)


def test_a_probe_that_could_not_be_sent_is_lost_like_one_in_doubt() -> None:
    brake = after(probing(doubted(3), 10), "probe", CreateResult.NOT_SENT, later(11))
    assert brake.probes == 1 and ask(brake, 11) == Hold(20, Phase.HALTED, 3)


def test_a_probe_whose_process_died_does_not_stop_the_brake_for_ever() -> None:
    granted = ask(probing(doubted(3), 10), 12, lives=False)
    assert isinstance(granted, Go) and granted.probe


def test_the_accepted_probe_opens_it() -> None:
    assert after(probing(doubted(3), 10), "probe", ACCEPTED, later(11)) == Brake()


# The ramp


def test_claims_ramp_up_from_five_and_double_each_second() -> None:
    assert [ramp(at) for at in (0, 0.9, 1, 2, 3.5)] == [AT_ONCE_FIRST, 5, 10, 20, 40]
    assert ramp(-5) == 5 and ramp(10**6) == ramp(10**7)


def test_no_more_are_unanswered_than_may_be_at_once() -> None:
    assert isinstance(ask(Brake(), unanswered=4, at_once=5), Go)
    held = ask(Brake(), unanswered=5, at_once=5)
    assert isinstance(held, Hold) and held.phase is Phase.OPEN


def test_after_a_doubt_no_more_are_under_way_than_make_a_row() -> None:
    assert isinstance(ask(doubted(1), unanswered=1, at_once=40), Go)
    assert isinstance(ask(doubted(1), unanswered=2, at_once=40), Hold)
    assert isinstance(ask(doubted(2), unanswered=1, at_once=40), Hold)


def accept(clip: str, limiter: AdaptiveLimiter) -> None:
    with limiter.create(clip) as request:
        request.accepted()


def test_the_ramp_of_a_run_is_climbed_once_a_create_is_accepted_and_begins_again_when_an_answer_was_lost_or_the_brake_is_on() -> (
    None
):
    async def history() -> None:
        at = 0.0
        limiter = AdaptiveLimiter(20, clock=lambda: at)
        at = 60.0
        assert limiter.creates_at_once() == 5, "time alone proves nothing: a gateway's 504 comes after a minute"
        accept("one", limiter)
        at = 61.0
        accept("two", limiter)
        at = 62.0
        assert limiter.creates_at_once() == 20
        limiter.doubted()
        at = 70.0
        assert limiter.creates_at_once() == 5
        accept("three", limiter)
        at = 71.0
        assert limiter.creates_at_once() == 10
        limiter.doubted()
        for accepted, at_once in ((7, 5), (7, 5), (8, 5)):
            await limiter.take_turn()
            limiter.pass_turn(Hold(0.0, Phase.OPEN, 0, accepted))
            assert limiter.creates_at_once() == at_once
        at = 73.0
        assert limiter.creates_at_once() == 20, "what another process had accepted proves as much"
        await limiter.take_turn()
        limiter.pass_turn(Hold(0.0, Phase.HALTED, 3))
        assert limiter.creates_at_once() == 5

    anyio.run(history)


def test_nobody_asks_before_the_time_that_a_hold_names() -> None:
    async def history() -> None:
        at = 0.0
        limiter = AdaptiveLimiter(20, clock=lambda: at)
        await limiter.take_turn()
        limiter.pass_turn(Hold(30.0, Phase.HALTED, 3))
        with anyio.move_on_after(0.01) as waited:
            await limiter.take_turn()
        assert waited.cancelled_caught
        at = 30.0
        with anyio.fail_after(5):
            await limiter.take_turn()  # the one that gave up has left the turn to others
        limiter.pass_turn()
        assert limiter.held is None

    anyio.run(history)


# Histories


@dataclass
class Provider:
    """A provider that answers or loses answers, as many processes meet it, with the brake between them."""

    at_once: int | None
    brake: Brake = OPEN
    now: float = 0.0
    sent: int = 0
    lost: int = 0
    under_way: list[str] = field(default_factory=list)

    def claim(self) -> bool:
        granted = ask(
            self.brake, self.now, unanswered=len(self.under_way), at_once=self.at_once,
            lives=self.brake.probe in self.under_way,
        )  # fmt: skip
        if not isinstance(granted, Go):
            return False
        self.sent += 1
        attempt = f"c{self.sent}"
        self.under_way.append(attempt)
        if granted.probe:
            self.brake = replace(granted.brake, probe=attempt)
        return True

    def end(self, place: int, outcome: CreateResult) -> None:
        attempt = self.under_way.pop(place % len(self.under_way))
        self.brake = after(self.brake, attempt, outcome, later(self.now))
        self.lost += outcome is LOST


@given(st.lists(st.tuples(st.integers(0, 39), st.floats(0, 7)), max_size=120), st.integers(1, 40))
def test_a_provider_that_loses_every_answer_gets_no_more_than_the_ramp_and_the_probes(
    steps: list[tuple[int, float]], at_once: int
) -> None:
    """However many processes ask and in whichever order answers are lost."""
    provider = Provider(at_once)
    for place, seconds in steps:
        while provider.claim():
            pass
        if provider.under_way:
            provider.end(place, LOST)
        provider.now += seconds
        assert provider.sent <= max(at_once, DOUBTS_IN_A_ROW) + PROBES


@given(st.lists(st.tuples(st.integers(0, 39), st.sampled_from(CreateResult), st.floats(0, 400)), max_size=80))
def test_whatever_happened_an_accepted_create_opens_the_brake_and_time_alone_lets_a_probe_go(
    steps: list[tuple[int, CreateResult, float]],
) -> None:
    provider = Provider(at_once=20)
    for place, outcome, seconds in steps:
        provider.claim()
        if provider.under_way:
            provider.end(place, outcome)
        provider.now += seconds
    assert after(provider.brake, "one", ACCEPTED, later(provider.now)).phase is Phase.OPEN
    provider.under_way.clear()  # every process has died
    provider.now += LONGEST_WAIT_S + GIVEN_UP_FOR_S
    assert provider.claim()


def test_the_fifth_lost_probe_gives_up_and_the_next_run_waits_as_the_first_did() -> None:
    brake = Brake(doubts=7, probes=PROBES - 1, probe="probe")
    lost = after(brake, "probe", LOST, NOON)
    assert lost == Brake(8, PROBES, later(FIRST_PROBE_S), None, NOON)
    assert isinstance(ask(lost, FIRST_PROBE_S, began=0), GivenUp), "who began at that very moment had begun"
    assert isinstance(ask(lost, FIRST_PROBE_S, began=0.1), Go)


def test_people_read_why_nothing_is_sent() -> None:
    words = "fal's last 3 answers were lost: nothing more is sent there; one create is"
    assert Hold(1.0, Phase.PROBING, 3).describe("fal") == f"{words} being tried"
    assert Hold(9.6, Phase.HALTED, 3).describe("fal") == f"{words} tried in 10 s"
