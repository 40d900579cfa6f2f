"""Every interleaving of two workers, lost answers, crashes, expiring leases and a person, over the product's own table.

One clip and a provider that charges whenever it accepts. A person buys again, says "never charged", and takes that back;
a lost result is shown again, or bought again; a create is repeated with the same key while the key's life lasts. The rules
of the product have no violation; each rule that is left out or turned round has one, and the shortest way to it is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import pytest

from dailies.domain import states
from dailies.domain.states import MOVES, Failure, State, check_move


class Key(IntEnum):
    """The provider's memory of an attempt's key: never seen, within its life, perhaps forgotten, forgotten."""

    NEW, KNOWN, OLD, GONE = range(4)


class Attempt(NamedTuple):
    """As much of an attempt as the protocol depends on; `generation` is the number of a charge, 0 for none."""

    no: int
    state: State = State.SUBMITTING
    failure: Failure | None = None
    epoch: int = 1
    leased: bool = True
    generation: int = 0
    provider: str = "aiml"
    key: Key = Key.NEW


class Worker(NamedTuple):
    """A worker before its POST (`claimed`), with an id in hand (`answered`), or between two halves of storing."""

    at: str = "idle"
    attempt: int = -1
    epoch: int = 0
    generation: int = 0


class World(NamedTuple):
    """Everything at one moment. `charges` is the provider's own list: the attempt of each charge; `wrong` are the attempts
    that a person declared free although they had been charged, while that word stood and could be acted upon."""

    attempts: tuple[Attempt, ...] = ()
    workers: tuple[Worker, ...] = (Worker(), Worker())
    charges: tuple[int, ...] = ()
    objects: frozenset[int] = frozenset()
    bought_again: int = 0
    words: int = 0
    declared_free: frozenset[int] = frozenset()
    wrong: frozenset[int] = frozenset()
    crashes: int = 0
    id_thrown_away: bool = False
    cancels: int = 0
    cancelled: bool = False
    bought_cancelled: bool = False


@dataclass(frozen=True)
class Rules:
    """The product's decisions, of which a mutant replaces one; and how far to look."""

    may_claim: Callable[[tuple[Attempt, ...]], bool] = states.may_claim
    on_answer: Callable[[State], State] = states.on_answer
    on_dead_owner: Callable[[State], State] = states.on_dead_owner
    on_lost_answer: State = State.IN_DOUBT
    takes_id: Callable[[Attempt, Worker], bool] = lambda attempt, _worker: not attempt.generation
    refusal_is_proof: Callable[[Attempt], bool] = lambda _attempt: True
    sends: Callable[[Attempt, Worker], bool] = lambda attempt, worker: (
        attempt.state is State.SUBMITTING and attempt.epoch == worker.epoch and attempt.leased
    )
    may_take_back: Callable[[list[Attempt]], bool] = lambda others: not any(a.state in states.LIVE for a in others)
    store_before_row: bool = False
    provider_knows_retries: bool = False
    repeats: tuple[Key, ...] = ()
    max_attempts: int = 3
    max_charges: int = 3
    max_crashes: int = 2
    max_bought_again: int = 1
    max_words: int = 1
    max_cancels: int = 0
    max_epoch: int = 3


Step = tuple[str, World]


def moved(world: World, number: int, after: State, **changes: object) -> World:
    """The world after one attempt has moved, as far as the table allows it."""
    before = world.attempts[number]
    if after is not before.state:
        check_move(before.state, after)
        failure = Failure.NOT_SENT if after is State.FAILED else None
        before = before._replace(state=after, failure=failure)
    return changed(world, number, before._replace(**changes))  # type: ignore[arg-type]


def changed(world: World, number: int, attempt: Attempt) -> World:
    attempts = world.attempts
    return world._replace(attempts=(*attempts[:number], attempt, *attempts[number + 1 :]))


def now(world: World, worker: int, becomes: Worker) -> World:
    """The world after one worker has gone on; workers are alike, so their order is not kept."""
    return world._replace(workers=tuple(sorted((world.workers[1 - worker], becomes))))


def steps(world: World, rules: Rules) -> Iterator[Step]:
    """Everything that can happen next."""
    for number, worker in enumerate(world.workers):
        match worker.at:
            case "idle":
                yield from idle(world, number, rules)
            case "claimed":
                yield from post(world, number, rules)
            case "answered":
                yield record(world, number, rules)
            case "storing":
                yield store_second_half(world, number, rules)
        if worker.at != "idle" and world.crashes < rules.max_crashes:
            yield f"crash while {worker.at}", now(world, number, Worker())._replace(crashes=world.crashes + 1)
    for number, attempt in enumerate(world.attempts):
        if attempt.state is State.SUBMITTING and attempt.leased:
            yield "lease runs out", changed(world, number, attempt._replace(leased=False))
        if attempt.key in (Key.KNOWN, Key.OLD):
            yield "its key grows old", changed(world, number, attempt._replace(key=Key(attempt.key + 1)))
        yield from settle(world, number, rules)
    yield from unwanted(world, rules)


def unwanted(world: World, rules: Rules) -> Iterator[Step]:
    """A person does not want a clip that was not sent, or surely cost nothing; or wants it again after all."""
    ended = [number for number, attempt in enumerate(world.attempts) if attempt.failure is Failure.CANCELLED]
    if world.cancelled and ended:  # else a late answer came to it: that is paid, and comes home
        number = ended[-1]
        again = changed(world, number, world.attempts[number]._replace(failure=Failure.SETTLED_FREE))
        yield "person: wants it again", again._replace(cancelled=False)
    elif not world.cancelled and world.cancels < rules.max_cancels and states.may_claim(world.attempts):
        said = world._replace(cancels=world.cancels + 1, cancelled=True)
        last = len(world.attempts) - 1
        if last >= 0 and world.attempts[last].state is State.FAILED:
            yield "person: cancels", changed(said, last, said.attempts[last]._replace(failure=Failure.CANCELLED))
        elif last + 1 < rules.max_attempts:
            new = Attempt(last + 2, State.FAILED, Failure.CANCELLED, leased=False)
            yield "person: cancels", said._replace(attempts=(*said.attempts, new))


def idle(world: World, worker: int, rules: Rules) -> Iterator[Step]:
    """T1; recovery; and T3 and the first half of T4 for whatever is paid."""
    if len(world.attempts) < rules.max_attempts and rules.may_claim(world.attempts):
        new = len(world.attempts)
        claimed = world._replace(attempts=(*world.attempts, Attempt(new + 1)))
        claimed = claimed._replace(bought_cancelled=world.bought_cancelled or world.cancelled)
        yield "claim", now(claimed, worker, Worker("claimed", new, 1))
    for number, attempt in enumerate(world.attempts):
        if attempt.state is State.SUBMITTING and not attempt.leased and attempt.epoch < rules.max_epoch:
            after = rules.on_dead_owner(attempt.state)
            reaped = moved(world, number, after, epoch=attempt.epoch + 1, leased=after is attempt.state)
            takes = Worker("claimed", number, attempt.epoch + 1) if after is attempt.state else Worker()
            yield f"reap → {after}", now(reaped, worker, takes)
        others = tuple(a for other, a in enumerate(world.attempts) if other != number)
        young = attempt.key in rules.repeats and attempt.epoch < rules.max_epoch
        if attempt.state is State.IN_DOUBT and young and rules.may_claim(others):  # claimed like T1
            again = moved(world, number, State.SUBMITTING, epoch=attempt.epoch + 1, leased=True)
            yield "repeat", now(again, worker, Worker("claimed", number, attempt.epoch + 1))
        if attempt.state is State.SUBMITTED:
            yield "poll: ready", moved(world, number, State.COMPLETED)
            yield "poll: failed", moved(world, number, State.FAILED, failure=Failure.GENERATION)
        if attempt.state is State.COMPLETED:
            yield "no URL any more", moved(world, number, State.RESULT_LOST)
        if attempt.state is State.RESULT_LOST:
            yield "shown again", moved(world, number, State.COMPLETED)
        if attempt.state is State.STORED:  # somebody deleted it, and the listing of the next run shows that
            yield "gone from S3", moved(gone(world, attempt.generation), number, State.COMPLETED)
        if attempt.state in (State.COMPLETED, State.ORPHANED) and attempt.generation not in world.objects:
            yield store_first_half(world, number, worker, rules)


def gone(world: World, generation: int) -> World:
    return world._replace(objects=world.objects - {generation})


def store_first_half(world: World, number: int, worker: int, rules: Rules) -> Step:
    attempt = world.attempts[number]
    at = Worker("storing", number, attempt.epoch, attempt.generation)
    if rules.store_before_row:
        return "row: stored", now(to_stored(world, number), worker, at)
    return "upload", now(world._replace(objects=world.objects | {attempt.generation}), worker, at)


def store_second_half(world: World, worker: int, rules: Rules) -> Step:
    at = world.workers[worker]
    if rules.store_before_row:
        return "upload", now(world._replace(objects=world.objects | {at.generation}), worker, Worker())
    return "row: stored", now(to_stored(world, at.attempt), worker, Worker())


def to_stored(world: World, number: int) -> World:
    return moved(world, number, State.STORED) if world.attempts[number].state is State.COMPLETED else world


def post(world: World, worker: int, rules: Rules) -> Iterator[Step]:
    """The create: accepted, accepted and the answer lost, lost before it arrived, or refused; or not sent, being too old."""
    at = world.workers[worker]
    attempt = world.attempts[at.attempt]
    if not rules.sends(attempt, at):
        yield "too old to send", now(world, worker, Worker())
        return
    if rules.repeats and at.epoch > 1 and attempt.key not in rules.repeats:
        yield "too late to repeat", now(moved(world, at.attempt, State.IN_DOUBT), worker, Worker())
        return
    if rules.repeats:
        attempt = attempt._replace(key=max(attempt.key, Key.KNOWN))
        world = changed(world, at.attempt, attempt)
    known = [number for number, charge in enumerate(world.charges, 1) if charge == at.attempt]
    again = bool(known) and (rules.provider_knows_retries or Key.NEW < attempt.key < Key.GONE)
    if again or len(world.charges) < rules.max_charges:
        accepted = world if again else world._replace(charges=(*world.charges, at.attempt))
        generation = known[0] if again else len(accepted.charges)
        yield "POST: accepted", now(accepted, worker, at._replace(at="answered", generation=generation))
        for name, lost in (("charged, answer lost", accepted), ("free, answer lost", world)):
            if attempt.state is State.SUBMITTING:
                lost = moved(lost, at.attempt, rules.on_lost_answer)
            yield f"POST: {name}", now(lost, worker, Worker())
    if not again or rules.repeats:  # of a repeat a 422 may mean that the key is used
        refused = world
        if attempt.state in (State.SUBMITTING, State.IN_DOUBT):
            after = State.FAILED if rules.refusal_is_proof(attempt) else State.IN_DOUBT
            refused = moved(world, at.attempt, after)
        yield "POST: refused", now(refused, worker, Worker())


def record(world: World, worker: int, rules: Rules) -> Step:
    """T2."""
    at = world.workers[worker]
    attempt = world.attempts[at.attempt]
    done = now(world, worker, Worker())
    if rules.takes_id(attempt, at):
        return "id recorded", answered(done, at.attempt, at.generation, rules)
    return "id not recorded", done._replace(id_thrown_away=world.id_thrown_away or attempt.generation != at.generation)


def answered(world: World, number: int, generation: int, rules: Rules) -> World:
    attempt = world.attempts[number]
    return moved(world, number, rules.on_answer(attempt.state), generation=generation, epoch=attempt.epoch + 1)


def settle(world: World, number: int, rules: Rules) -> Iterator[Step]:
    """The provider's log, and a person: buy again, or a word that it was never charged (which may be wrong, and may be
    taken back)."""
    attempt = world.attempts[number]
    charged = number in world.charges
    if attempt.state in (State.IN_DOUBT, State.SUPERSEDED) and charged and not attempt.generation:
        yield "found in the log", answered(world, number, world.charges.index(number) + 1, rules)
    if attempt.state in (State.IN_DOUBT, State.RESULT_LOST) and world.bought_again < rules.max_bought_again:
        again = world._replace(bought_again=world.bought_again + 1)
        yield "person: buy again", moved(again, number, State.SUPERSEDED)
    if attempt.state is State.IN_DOUBT and world.words < rules.max_words:
        free = world._replace(words=world.words + 1, declared_free=world.declared_free | {number})
        free = free._replace(wrong=world.wrong | {number}) if charged else free
        yield "person: never charged", moved(free, number, State.FAILED)
    others = [a for other, a in enumerate(world.attempts) if other != number]
    declared = number in world.declared_free and attempt.state is State.FAILED and not attempt.generation
    if declared and rules.may_take_back(others):
        acted_upon = any(charge > number for charge in world.charges)  # then it stays what the second charge stands on
        taken = world._replace(declared_free=world.declared_free - {number})
        taken = taken if acted_upon else taken._replace(wrong=world.wrong - {number})
        taken = taken._replace(cancelled=taken.cancelled and attempt.failure is not Failure.CANCELLED)  # a later word
        yield "person: takes that back", moved(taken, number, State.IN_DOUBT)


def violation(world: World) -> str | None:
    """What must never be, in any world."""
    if len(world.charges) > 1 + world.bought_again + len(world.wrong):
        return "paid twice without a decision"
    if sum(attempt.state in states.LIVE for attempt in world.attempts) > 1:
        return "two live attempts of one clip"
    if world.id_thrown_away:
        return "an id in hand was thrown away"
    if world.bought_cancelled:
        return "bought although a person had cancelled it"
    if any(worker.at != "idle" for worker in world.workers):
        return None
    for generation, number in enumerate(world.charges, 1):
        attempt = world.attempts[number]
        doubtful = attempt.state in (State.SUBMITTING, State.IN_DOUBT, State.SUPERSEDED)
        if attempt.generation not in (0, generation):
            return "a charge has no row"
        if not attempt.generation and not doubtful and number not in world.declared_free:
            return "a charge is neither known nor in doubt"
    if any(a.state is State.STORED and a.generation not in world.objects for a in world.attempts):
        return "stored, and not there"
    return None


def explore(rules: Rules, until: str | None = None) -> tuple[set[World], dict[str, list[str]]]:
    """All worlds that can come to be (`until` a violation is found), and for each violation the shortest way to it."""
    start = World()
    came_from: dict[World, Step | None] = {start: None}
    waiting, found = deque([start]), dict[str, list[str]]()
    while waiting and until not in found:
        world = waiting.popleft()
        for name, after in steps(world, rules):
            if after in came_from:
                continue
            came_from[after] = (name, world)
            wrong = violation(after)
            if wrong is None:
                waiting.append(after)
            elif wrong not in found:
                found[wrong] = way_to(after, came_from)
    return set(came_from), found


def way_to(world: World, came_from: dict[World, Step | None]) -> list[str]:
    way: list[str] = []
    while (step := came_from[world]) is not None:
        way.append(step[0])
        world = step[1]
    return way[::-1]


@pytest.fixture(scope="module")
def explored() -> tuple[set[World], dict[str, list[str]]]:
    """The worlds of the product's own rules."""
    return explore(Rules())


@pytest.fixture(scope="module")
def repeated() -> tuple[set[World], dict[str, list[str]]]:
    """The worlds in which a doubt is sent again with its key."""
    return explore(REPEATS)


def test_the_rules_of_the_product_have_no_violation(explored: tuple[set[World], dict[str, list[str]]]) -> None:
    _, found = explored
    assert found == {}


def test_the_exploration_is_not_empty_and_makes_every_move_of_the_table(
    explored: tuple[set[World], dict[str, list[str]]], repeated: tuple[set[World], dict[str, list[str]]]
) -> None:
    worlds, _ = explored
    moves = moves_of(worlds, Rules()) | moves_of(repeated[0], REPEATS)
    assert moves == {(before, after) for before, all_after in MOVES.items() for after in all_after}
    assert len(worlds) > 10_000


def moves_of(worlds: set[World], rules: Rules) -> set[tuple[State, State]]:
    """Every move that is made from any of these worlds."""
    return {
        (before.state, after.state)
        for world in worlds
        for _name, following in steps(world, rules)
        for before, after in zip(world.attempts, following.attempts, strict=False)
        if before.state is not after.state
    }


def test_a_repeat_with_the_same_key_while_its_life_lasts_has_no_violation(
    repeated: tuple[set[World], dict[str, list[str]]],
) -> None:
    """It is a paid request of the same attempt, claimed like any other; a refusal of it proves nothing."""
    assert repeated[1] == {}


def test_a_clip_that_a_person_cancels_is_not_bought_until_it_is_wanted_again() -> None:
    worlds, found = explore(CANCELS)
    assert found == {}
    assert any(world.cancels and not world.cancelled and len(world.charges) == 1 for world in worlds), "it is then"


def test_money_is_safe_even_when_a_dead_create_is_sent_again_to_a_provider_that_knows_retries() -> None:
    """What would change with an idempotency key: sending again is safe, as long as a refusal proves nothing by then."""
    rules = Rules(
        on_dead_owner=lambda state: state,
        provider_knows_retries=True,
        refusal_is_proof=lambda attempt: attempt.epoch == 1,
        max_attempts=2,
        max_crashes=1,
    )
    assert explore(rules)[1] == {}


REPEATS = Rules(
    repeats=(Key.NEW, Key.KNOWN),
    refusal_is_proof=lambda attempt: attempt.epoch == 1,
    max_attempts=2,
    max_crashes=1,
    max_epoch=2,
)
"""In doubt is sent again with the same key, as long as that is younger than its documented life."""

CANCELS = Rules(max_cancels=1, max_attempts=3, max_crashes=1, max_bought_again=1, max_words=1, max_epoch=2)
"""A person cancels what was not sent, at any moment, and may want it again."""


def as_if_it_were_not_sent(attempts: tuple[Attempt, ...]) -> bool:
    """May be claimed, whatever a person cancelled."""
    return states.may_claim(
        [a._replace(failure=Failure.NOT_SENT) if a.failure is Failure.CANCELLED else a for a in attempts]
    )


MUTANTS = {
    "a cancelled clip may be claimed": (
        replace(CANCELS, may_claim=as_if_it_were_not_sent),
        "bought although a person had cancelled it",
    ),
    "a lost answer is tried again": (Rules(on_lost_answer=State.FAILED), "paid twice without a decision"),
    "a dead create is planned again": (Rules(on_dead_owner=lambda _: State.FAILED), "paid twice without a decision"),
    "a dead create is sent again": (Rules(on_dead_owner=lambda state: state), "paid twice without a decision"),
    "an id is fenced by its epoch": (
        Rules(takes_id=lambda attempt, worker: not attempt.generation and attempt.epoch == worker.epoch),
        "an id in hand was thrown away",
    ),
    "an id is taken only from submitting or in doubt": (
        Rules(takes_id=lambda a, _: not a.generation and a.state in (State.SUBMITTING, State.IN_DOUBT)),
        "an id in hand was thrown away",
    ),
    "the row says stored before the object is there": (Rules(store_before_row=True), "stored, and not there"),
    "a refusal after sending again is taken as proof": (
        Rules(on_dead_owner=lambda state: state, provider_knows_retries=True, sends=lambda _attempt, _worker: True),
        "a charge is neither known nor in doubt",
    ),
    "a claim that has outlived its lease is sent all the same": (
        Rules(sends=lambda _attempt, _worker: True),
        "paid twice without a decision",
    ),
    "a word is taken back although the clip is bought again": (
        Rules(may_take_back=lambda _others: True),
        "two live attempts of one clip",
    ),
    "a key is repeated after its life": (
        replace(REPEATS, repeats=tuple(Key)),
        "paid twice without a decision",
    ),
    "a refusal of a repeat is taken as proof": (
        replace(REPEATS, refusal_is_proof=lambda _attempt: True),
        "a charge is neither known nor in doubt",
    ),
    "a clip in doubt may be claimed": (
        Rules(may_claim=lambda attempts: all(a.state in (State.IN_DOUBT, State.FAILED) for a in attempts)),
        "paid twice without a decision",
    ),
    "a paid orphan does not count": (
        Rules(may_claim=lambda attempts: not any(a.state in states.LIVE for a in attempts)),
        "paid twice without a decision",
    ),
}


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_rule_that_is_left_out_is_a_violation(name: str) -> None:
    rules, expected = MUTANTS[name]
    _, found = explore(rules, until=expected)
    assert expected in found, found
