"""Random histories over the real ledger, beside a model in plain Python that knows what the provider really charged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from dailies.domain.brake import GivenUp, Hold, Phase
from dailies.domain.creates import Accepted
from dailies.domain.records import Attempt
from dailies.domain.states import LIVE, MOVES, Failure, IllegalMove, State
from dailies.ledger import BoughtAgain, Ledger, open_engine
from dailies.ledger import tables as t
from dailies.ledger.rows import to_event
from tests.ledger.factories import (
    NO_CAPS,
    USD,
    FakeClock,
    all_attempts,
    an_owner,
    assert_counters_are_sums,
    plan,
    store,
)

LEASE_S = 300
EXAMPLES = {"sqlite": 40, "postgresql": 12}
workers = st.integers(0, 1)
chosen = st.randoms(use_true_random=False)


@dataclass
class Known:
    """What the model knows of one attempt."""

    clip_key: str
    state: State
    owner: int
    lease_until: datetime
    failure: Failure | None = None
    generation: str | None = None
    declared_free: bool = False


@dataclass
class Provider:
    """The oracle: who was charged, by its own list."""

    charges: dict[str, str] = field(default_factory=dict)  # generation → attempt

    def charge(self, attempt_id: str) -> str:
        generation = f"gen-{len(self.charges)}"
        self.charges[generation] = attempt_id
        return generation


class LedgerMachine(RuleBasedStateMachine):
    """Two workers on two machines, two clips, one provider, one person who decides."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__()
        with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
            for table in reversed(t.metadata.sorted_tables):
                if table is not t.meta:
                    connection.execute(sa.delete(table))
        self.clock = FakeClock()
        self.ledgers = [
            Ledger(engine, an_owner(f"machine-{number}"), lambda _: LEASE_S, self.clock) for number in range(2)
        ]
        self.keys = plan(self.ledgers[0], 2)
        self.known: dict[str, Known] = {}
        self.sending: list[str] = []
        self.in_hand: list[tuple[str, str]] = []
        self.provider = Provider()
        self.decisions: Counter[str] = Counter()

    def lease(self) -> datetime:
        return self.clock.now + timedelta(seconds=LEASE_S)

    def pick(self, random: Any, *states: State) -> str | None:
        found = [attempt_id for attempt_id, known in self.known.items() if known.state in states]
        return random.choice(found) if found else None

    # T1, the POST, T2

    @rule(worker=workers, clip=workers)
    def claim(self, worker: int, clip: int) -> None:
        key = self.keys[clip]
        tried = [known for known in self.known.values() if known.clip_key == key]
        room = not any(known.state in LIVE or known.state is State.ORPHANED for known in tried)
        last_word = tried[-1].failure if tried and tried[-1].state is State.FAILED else None
        granted = self.ledgers[worker].claim(key, "smiles", "aiml", USD, NO_CAPS, "digest")
        if isinstance(granted, Hold | GivenUp):
            assert self.ledgers[worker].brakes()["aiml"] is not Phase.OPEN
            return
        made_in_vain = any(k.state is State.FAILED and k.failure is Failure.GENERATION for k in tried)
        assert isinstance(granted, Attempt) is (room and not made_in_vain and last_word is not Failure.REFUSED)
        if isinstance(granted, Attempt):
            self.known[granted.id] = Known(key, State.SUBMITTING, worker, self.lease())
            self.sending.append(granted.id)

    @precondition(lambda self: self.sending)
    @rule(random=chosen)
    def post_accepted(self, random: Any) -> None:
        attempt_id = self.take(self.sending, random)
        self.in_hand.append((attempt_id, self.provider.charge(attempt_id)))

    @precondition(lambda self: self.sending)
    @rule(random=chosen, charged=st.booleans())
    def post_lost(self, random: Any, charged: bool) -> None:
        attempt_id = self.take(self.sending, random)
        if charged:
            self.provider.charge(attempt_id)
        self.ledgers[self.known[attempt_id].owner].mark_in_doubt(attempt_id, "answer lost")
        if self.known[attempt_id].state is State.SUBMITTING:
            self.known[attempt_id].state = State.IN_DOUBT

    @precondition(lambda self: self.sending)
    @rule(random=chosen, failure=st.sampled_from([Failure.NOT_SENT, Failure.REFUSED, Failure.BUSY]))
    def post_refused(self, random: Any, failure: Failure) -> None:
        attempt_id = self.take(self.sending, random)
        known = self.known[attempt_id]
        self.ledgers[known.owner].mark_not_charged(attempt_id, failure, "refused")
        if known.state in (State.SUBMITTING, State.IN_DOUBT):
            known.state, known.failure = State.FAILED, failure

    @precondition(lambda self: self.sending)
    @rule(random=chosen, charged=st.booleans())
    def crash_during_the_post(self, random: Any, charged: bool) -> None:
        attempt_id = self.take(self.sending, random)
        if charged:
            self.provider.charge(attempt_id)

    @precondition(lambda self: self.in_hand)
    @rule(worker=workers, random=chosen, keep=st.booleans())
    def mark_submitted(self, worker: int, random: Any, keep: bool) -> None:
        attempt_id, generation = self.take(self.in_hand, random)
        self.ledgers[worker].mark_submitted(attempt_id, generation)
        self.recorded(attempt_id, generation, worker)
        if keep:
            self.in_hand.append((attempt_id, generation))  # the commit's answer was lost: it is told again

    def recorded(self, attempt_id: str, generation: str, worker: int) -> None:
        known = self.known[attempt_id]
        if known.generation is None:
            late = known.state in (State.FAILED, State.SUPERSEDED)
            known.state = State.ORPHANED if late else State.SUBMITTED
            known.generation, known.failure, known.owner, known.lease_until = generation, None, worker, self.lease()

    @staticmethod
    def take(things: list[Any], random: Any) -> Any:
        return things.pop(random.randrange(len(things)))

    # T3, T4

    @rule(worker=workers, random=chosen, how=st.sampled_from(["ready", "failed"]))
    def poll(self, worker: int, random: Any, how: str) -> None:
        attempt = self.mine(worker, self.pick(random, State.SUBMITTED))
        if attempt is None:
            return
        known = self.known[attempt.id]
        if how == "ready":
            self.ledgers[worker].record_completed(attempt, "https://c/1", USD / 2)
            known.state = State.COMPLETED
        else:
            self.ledgers[worker].generation_failed(attempt, "error")
            known.state, known.failure = State.FAILED, Failure.GENERATION

    @rule(worker=workers, random=chosen, lost=st.booleans())
    def deliver(self, worker: int, random: Any, lost: bool) -> None:
        attempt = self.mine(worker, self.pick(random, State.COMPLETED, State.ORPHANED))
        if attempt is None:
            return
        known = self.known[attempt.id]
        if lost:
            self.ledgers[worker].result_lost(attempt, "HTTP 403")
        else:
            assert store(self.ledgers[worker], attempt).delivered
        if known.state is State.COMPLETED:
            known.state = State.RESULT_LOST if lost else State.STORED

    def mine(self, worker: int, attempt_id: str | None) -> Attempt | None:
        if attempt_id is None:
            return None
        known = self.known[attempt_id]
        found = self.ledgers[worker].attempt(attempt_id)
        assert found is not None
        taken = self.ledgers[worker].take_over(found)
        allowed = known.owner == worker or known.lease_until < self.clock.now
        assert (taken is not None) is allowed
        if taken is not None:
            known.owner, known.lease_until = worker, self.lease()
        return taken

    # Time, owners, a person

    @rule(seconds=st.sampled_from([1, 150, 301, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(worker=workers)
    def renew(self, worker: int) -> None:
        self.ledgers[worker].renew()
        for known in self.known.values():
            if known.owner == worker:
                known.lease_until = self.lease()

    @rule(worker=workers)
    def reap(self, worker: int) -> None:
        self.ledgers[worker].reap()
        for known in self.known.values():
            if known.state is State.SUBMITTING and known.lease_until < self.clock.now:
                known.state = State.IN_DOUBT

    @rule(random=chosen, how=st.sampled_from(["free", "again", "log"]))
    def settle(self, random: Any, how: str) -> None:
        attempt_id = self.pick(random, State.IN_DOUBT)
        if attempt_id is None:
            return
        known, ledger = self.known[attempt_id], self.ledgers[0]
        if how == "free":
            ledger.resolve_free(attempt_id, "support says so")
            known.state, known.failure, known.declared_free = State.FAILED, Failure.SETTLED_FREE, True
            self.decisions[known.clip_key] += 1
        elif how == "again":
            ledger.resubmit(attempt_id, "we need it")
            known.state = State.SUPERSEDED
            self.decisions[known.clip_key] += 1
        else:
            for generation, charged in self.provider.charges.items():
                if charged == attempt_id:
                    ledger.resolve_found(attempt_id, generation, "in the log")
                    self.recorded(attempt_id, generation, 0)

    @rule(random=chosen)
    def take_back(self, random: Any) -> None:
        """A person's word that it was free is taken back, unless the clip is bought again."""
        attempt_id = self.pick(random, State.FAILED)
        if attempt_id is None:
            return
        known, ledger = self.known[attempt_id], self.ledgers[1]
        live = any(k.clip_key == known.clip_key and k.state in LIVE for k in self.known.values())
        declared = known.declared_free and known.failure is Failure.SETTLED_FREE and known.generation is None
        if declared and not live:
            ledger.take_back(attempt_id, "support was wrong")
            known.state, known.failure, known.declared_free = State.IN_DOUBT, None, False
            return
        with pytest.raises(BoughtAgain if declared else IllegalMove):
            ledger.take_back(attempt_id, "support was wrong")

    @rule(random=chosen, again=st.booleans())
    def lost(self, random: Any, again: bool) -> None:
        """The provider shows a lost clip again, or a person has it bought again."""
        attempt_id = self.pick(random, State.RESULT_LOST)
        if attempt_id is None:
            return
        known = self.known[attempt_id]
        if again:
            self.ledgers[0].resubmit(attempt_id, "we need it")
            known.state = State.SUPERSEDED
            self.decisions[known.clip_key] += 1
        else:
            self.ledgers[0].reopen(attempt_id, "shown again", Accepted(known.generation or "", "https://c/2"))
            known.state, known.owner, known.lease_until = State.COMPLETED, 0, self.lease()

    # What must always hold

    @invariant()
    def every_promise_is_kept(self) -> None:
        found = {attempt.id: attempt for attempt in all_attempts(self.ledgers[0])}
        self.the_ledger_is_where_the_model_is(found)
        self.at_most_one_attempt_of_a_clip_is_live(found)
        self.a_clip_is_charged_once_and_once_more_per_decision()
        self.every_charge_is_on_record_or_in_doubt_or_in_hand(found)
        self.every_event_is_a_move_and_the_last_one_says_where_the_attempt_is()
        assert_counters_are_sums(self.ledgers[0])

    def the_ledger_is_where_the_model_is(self, found: dict[str, Attempt]) -> None:
        assert set(found) == set(self.known)
        for attempt_id, known in self.known.items():
            attempt = found[attempt_id]
            assert (attempt.state, attempt.generation_id) == (known.state, known.generation)
            assert (
                attempt.failure is known.failure or attempt.state is State.ORPHANED
            )  # an orphan may end without a clip

    @staticmethod
    def at_most_one_attempt_of_a_clip_is_live(found: dict[str, Attempt]) -> None:
        live = Counter(attempt.clip_key for attempt in found.values() if attempt.state in LIVE)
        assert all(count == 1 for count in live.values())

    def a_clip_is_charged_once_and_once_more_per_decision(self) -> None:
        charges = Counter(self.known[attempt_id].clip_key for attempt_id in self.provider.charges.values())
        assert all(count <= 1 + self.decisions[key] for key, count in charges.items())

    def every_charge_is_on_record_or_in_doubt_or_in_hand(self, found: dict[str, Attempt]) -> None:
        for generation, attempt_id in self.provider.charges.items():
            attempt = found[attempt_id]
            open_doubt = attempt.state in (State.SUBMITTING, State.IN_DOUBT, State.SUPERSEDED)
            in_hand = (attempt_id, generation) in self.in_hand
            declared = self.known[attempt_id].declared_free
            assert attempt.generation_id == generation or open_doubt or in_hand or declared

    def every_event_is_a_move_and_the_last_one_says_where_the_attempt_is(self) -> None:
        state: dict[str, State] = {}
        with self.ledgers[0].engine.connect() as connection:
            events = [to_event(row) for row in connection.execute(sa.select(t.event).order_by(t.event.c.id)).mappings()]
        for event in events:
            before = state.get(event.attempt_id)
            assert event.before is before
            allowed = {State.SUBMITTING} if before is None else {before, *MOVES[before]}
            assert event.after in allowed
            state[event.attempt_id] = event.after
        assert state == {attempt_id: known.state for attempt_id, known in self.known.items()}

    def teardown(self) -> None:
        """Once everybody is dead and recovered, nothing is left submitting."""
        self.clock.advance(1_000_000)
        self.reap(0)
        assert not any(a.state is State.SUBMITTING for a in self.ledgers[1].unfinished())
        self.every_promise_is_kept()


def test_no_history_of_two_workers_breaks_a_promise(ledger_url: str) -> None:
    engine = open_engine(ledger_url)
    try:
        run_state_machine_as_test(
            lambda: LedgerMachine(engine),  # type: ignore[arg-type]
            settings=settings(
                max_examples=EXAMPLES[engine.dialect.name],
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        engine.dispose()
