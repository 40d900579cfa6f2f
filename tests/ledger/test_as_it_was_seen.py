"""What is decided rests on what was read: an attempt that moves right after somebody asked whether its owner lives is left as
it is by then. Runs on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from dailies.cli.retry import _release
from dailies.domain.creates import Accepted
from dailies.domain.records import Attempt
from dailies.domain.retry import Kind, to_retry
from dailies.domain.states import Failure, State
from dailies.errors import BadInput
from dailies.forget.wanted import refuse_unsettled, wanted_of
from dailies.ledger import Ledger, MovedMeanwhile, Owner, Unclaimed
from dailies.providers.base import Look, LookKind
from dailies.steps.resolve import Word, settle_all, settle_charged, settle_one
from tests.e2e.harness import until
from tests.ledger.factories import (
    NO_CAPS,
    USD,
    FakeClock,
    MakeLedger,
    a_dead_owner,
    all_attempts,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    open_ledger,
    plan,
)
from tests.ledger.test_requests import LIFE, in_doubt

Move = Callable[[Ledger, Attempt], object]


def sent_again_and_lost_again(ledger: Ledger, doubt: Attempt) -> Attempt:
    """In doubt as before, by a later request of which nobody has said a word."""
    assert isinstance(ledger.claim_again(doubt.id, LIFE), tuple)
    return ledger.mark_in_doubt(doubt.id, "its answer was lost as well")


MOVES: dict[str, Move] = {
    "found": lambda ledger, doubt: ledger.mark_submitted(doubt.id, Accepted("gen-1")),
    "told free by its sender": lambda ledger, doubt: ledger.mark_not_charged(doubt.id, Failure.NOT_SENT, "refused"),
    "being sent again": lambda ledger, doubt: ledger.claim_again(doubt.id, LIFE),
    "sent again and lost again": sent_again_and_lost_again,
    "given up by somebody else": lambda ledger, doubt: ledger.resubmit(doubt.id, "another person"),
}


def moving(ledger: Ledger, question: str, move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the attempt that is asked about move right after the question was answered; once."""
    asked = getattr(ledger, question)
    moved: list[str] = []

    def answered(attempt: Attempt) -> bool:
        said: bool = asked(attempt)
        if not moved:
            moved.append(attempt.id)
            move(ledger, attempt)
        return said

    monkeypatch.setattr(ledger, question, answered)


def as_it_is(ledger: Ledger, attempt: Attempt) -> tuple[object, ...]:
    """All that a decision could change, with the last event."""
    last = ledger.history(attempt.id)[-1]
    return ledger.attempt(attempt.id), last.before, last.after, last.note


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("word", [Word.NOT_CHARGED, Word.RESUBMIT])
def test_a_word_about_one_changes_nothing_that_moved_while_it_was_weighed(
    ledger: Ledger, word: Word, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after: list[tuple[object, ...]] = []

    def move(ledger: Ledger, attempt: Attempt) -> None:
        MOVES[how](ledger, attempt)
        after.append(as_it_is(ledger, attempt))

    doubt = in_doubt(ledger)
    moving(ledger, "sender_lives", move, monkeypatch)
    with pytest.raises(BadInput, match="Nothing was changed"):
        settle_one(ledger, doubt, word)
    assert [as_it_is(ledger, doubt)] == after
    assert_counters_are_sums(ledger)


@pytest.mark.parametrize("how", MOVES)
def test_a_word_about_many_leaves_out_what_moved_since_it_was_shown(ledger: Ledger, how: str) -> None:
    """The question stands for minutes on a terminal."""
    shown = in_doubt(ledger)
    MOVES[how](ledger, shown)
    before = as_it_is(ledger, shown)
    assert settle_all(ledger, (shown,), Word.NOT_CHARGED) == []
    assert as_it_is(ledger, shown) == before


@pytest.mark.parametrize("how", MOVES)
def test_an_id_by_hand_is_not_given_to_what_moved_while_the_provider_was_asked(ledger: Ledger, how: str) -> None:
    doubt = in_doubt(ledger)
    after: list[tuple[object, ...]] = []

    class Asked:
        """The provider shows the generation; the attempt moves before it has answered."""

        async def finished(self, *_: object) -> list[Any]:
            MOVES[how](ledger, doubt)
            after.append(as_it_is(ledger, doubt))
            return []

        async def look(self, _: str) -> Look:
            return Look(LookKind.GENERATING)

    runtime: Any = SimpleNamespace(ledger=ledger, provider=lambda _: Asked())
    with pytest.raises(BadInput, match="Nothing was changed"):
        anyio.run(settle_charged, runtime, doubt, "gen-2")
    assert [as_it_is(ledger, doubt)] == after


def test_what_a_sender_took_up_again_is_not_put_in_doubt(
    make_ledger: MakeLedger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease had run out when somebody looked; it renewed it, or recorded the answer, before they wrote."""
    sleeper, other = make_ledger(an_owner(nonce="sleeper")), make_ledger(an_owner("elsewhere"))
    renewed, told = (claim(sleeper, key) for key in plan(sleeper, 2))
    clock.advance(301)

    write = other._reap_one

    def woken_before(attempt: Attempt) -> None:
        assert other.is_dead(attempt)
        sleeper.renew()
        sleeper.mark_submitted(told.id, Accepted("gen-1"))
        write(attempt)

    monkeypatch.setattr(other, "_reap_one", woken_before)
    other.reap()
    states = {a.id: a.state for a in all_attempts(other)}
    assert states == {renewed.id: State.SUBMITTING, told.id: State.SUBMITTED}


def test_what_is_paid_and_was_taken_over_meanwhile_is_not_taken_over_again(make_ledger: MakeLedger) -> None:
    left = bring_to(make_ledger(a_dead_owner()), State.SUBMITTED)
    first, second = make_ledger(an_owner(nonce="first")), make_ledger(an_owner(nonce="second"))
    assert first.is_dead(left) and second.is_dead(left)
    assert first.take_over(left)
    assert second.take_over(left) is None
    found = second.attempt(left.id)
    assert found and Owner.parse(found.owner) == first.owner


def test_a_repeat_is_not_claimed_for_what_moved_while_its_sender_was_looked_for(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = in_doubt(ledger)
    moving(ledger, "sender_lives", sent_again_and_lost_again, monkeypatch)
    assert ledger.claim_again(doubt.id, LIFE) is Unclaimed.TAKEN
    assert ledger.history(doubt.id)[-1].note == "its answer was lost as well"


def test_a_retry_leaves_what_moved_since_it_was_shown(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Lost, and shown again while the question stood: buying it would be a second charge."""
    lost = bring_to(ledger, State.RESULT_LOST)
    again = to_retry(ledger.rows("smiles"), [Kind.LOST])
    assert [one.attempt.id for one in again] == [lost.id]
    shown = Accepted("", "https://cdn.example/again.mp4")
    reopened = ledger.reopen(lost.id, "shown again", shown)
    _release(ledger, again)
    assert ledger.attempt(lost.id) == reopened
    assert "is completed by now" in capsys.readouterr().err


def test_what_was_claimed_while_the_question_stood_is_not_forgotten(ledger: Ledger) -> None:
    """It was never bought when it was asked about; by the time of the yes a run is paying for it."""
    [key] = plan(ledger)
    wanted = wanted_of(ledger, [key])
    refuse_unsettled(wanted, wanted.attempts)
    claim(ledger, key)
    with pytest.raises(BadInput, match="smiles/row-1"):
        ledger.mark_forgotten(wanted.keys, lambda attempts: refuse_unsettled(wanted, attempts))
    assert ledger.forgotten() == frozenset()


def test_what_is_marked_forgotten_is_claimed_by_nobody(ledger: Ledger) -> None:
    [key] = plan(ledger)
    ledger.mark_forgotten([key])
    assert ledger.claim(key, "smiles", "aiml", USD, NO_CAPS, "d") is Unclaimed.TAKEN


def test_what_is_being_forgotten_is_not_claimed_by_who_waits_for_it(postgres_url: str) -> None:
    """A claim that begins while a clip is being forgotten waits for that, and sees it then. On SQLite one writes at a time."""
    ledger, run = open_ledger(postgres_url), open_ledger(postgres_url)
    [key] = plan(ledger)
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def waits() -> bool:
        with run.engine.connect() as connection:
            return bool(connection.execute(waiting).scalar())

    with ThreadPoolExecutor(1) as pool:
        claims: list[Future[object]] = []

        def claimed_meanwhile(_: object) -> None:
            claims.append(pool.submit(run.claim, key, "smiles", "aiml", USD, NO_CAPS, "d"))
            until(waits)

        ledger.mark_forgotten([key], claimed_meanwhile)
        assert claims[0].result(30) is Unclaimed.TAKEN
    ledger.close()
    run.close()


def test_moved_is_said_with_what_it_is_by_now(ledger: Ledger) -> None:
    doubt = in_doubt(ledger)
    free = ledger.resolve_free(doubt.id, "somebody else", doubt)
    with pytest.raises(MovedMeanwhile) as moved:
        ledger.resubmit(doubt.id, "too late", doubt)
    assert moved.value.attempt == free
    assert ledger.resubmit(free.id, "wanted again", free._replace(error="whatever it says")).failure
