"""What a person decides about an attempt: what is refused, what it moves, and what it says of the money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import BadInput
from dailies.providers.base import Found, Logged, Look, LookKind
from dailies.steps import resolve
from dailies.steps.resolve import Word
from tests.ledger.factories import NOON, USD, FakeClock, bring_to
from tests.unit.steps_bench import GENERATING, READY, Bench, bench_on

HOUR = timedelta(hours=1)
NOT_SHOWN = Look(LookKind.GENERATING, "no such job", transient=True)


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def doubt_in(bench: Bench, at: int = 0, count: int = 1) -> Attempt:
    return bench.attempt(State.IN_DOUBT, bench.batch(count), at)


def logged(attempt: Attempt, generation_id: str = "video_1", **changes: object) -> Logged:
    found = Found(generation_id, True, Decimal("1.3"), 1_300_000)
    return Logged(attempt.id, attempt.created_at, replace(found, **changes))  # type: ignore[arg-type]


def test_an_attempt_is_named_by_the_first_of_its_digits(bench: Bench) -> None:
    attempt = doubt_in(bench)
    for name in (attempt.id, attempt.id[:6]):
        assert resolve.attempt_named(bench.ledger, name).id == attempt.id
    with pytest.raises(BadInput, match=r"no attempt '.....' \(say at least its first 6 digits\): dailies status shows"):
        resolve.attempt_named(bench.ledger, attempt.id[:5])
    with pytest.raises(BadInput, match=r"no attempt 'zzzzzz': dailies status shows them. Nothing was changed") as error:
        resolve.attempt_named(bench.ledger, "zzzzzz")
    assert error.value.trouble == "which-one"


def test_what_begins_several_attempts_is_asked_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is one of them to the last digit."""
    one, other = doubt_in(bench, 0, 2), doubt_in(bench, 1, 2)
    monkeypatch.setattr(bench.ledger, "like", lambda prefix: [one, other])
    with pytest.raises(BadInput) as error:
        resolve.attempt_named(bench.ledger, "abcdef")
    assert f"  {one.id}  smiles  in_doubt\n  {other.id}  smiles  in_doubt" in str(error.value)
    assert error.value.trouble == "which-one"
    assert resolve.attempt_named(bench.ledger, other.id) == other


def test_only_old_doubts_of_no_living_sender_are_settled_together(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the second; other batches and what was given up are left alone."""
    old = doubt_in(bench, 0, 4)
    lives = doubt_in(bench, 1, 4)
    bench.attempt(State.SUPERSEDED, bench.batch(4), 2)
    bench.clock.advance(3600)
    young = doubt_in(bench, 3, 4)
    monkeypatch.setattr(bench.ledger, "sender_lives", lambda attempt: attempt.id == lives.id)
    found = resolve.doubts(bench.ledger, HOUR, None)
    assert ([a.id for a in found.old], found.younger, found.sender_lives) == ([old.id], 1, 1)
    found = resolve.doubts(bench.ledger, HOUR, "smiles")
    assert ([a.id for a in found.old], found.younger, found.sender_lives) == ([old.id], 1, 1)
    assert resolve.doubts(bench.ledger, HOUR, "another") == resolve.Doubts((), 0, 0)
    assert resolve.doubts(bench.ledger, HOUR + timedelta(seconds=1), None).old == ()
    settled = resolve.settle_all(bench.ledger, (old, lives, young), Word.NOT_CHARGED)
    assert [(a.id, a.state) for a in settled] == [(old.id, State.FAILED), (young.id, State.FAILED)]
    assert bench.again(lives).state is State.IN_DOUBT


def test_what_moved_meanwhile_is_left_out_when_many_are_settled(bench: Bench) -> None:
    """Or is not on record any more."""
    moved, stays = doubt_in(bench, 0, 2), doubt_in(bench, 1, 2)
    bench.ledger.mark_submitted(moved.id, "video_late")
    settled = resolve.settle_all(bench.ledger, (moved, moved._replace(id="gone"), stays), Word.RESUBMIT)
    assert [(a.id, a.state) for a in settled] == [(stays.id, State.SUPERSEDED)]
    assert bench.again(moved).state is State.SUBMITTED


@pytest.mark.parametrize(
    ("word", "state", "words", "note"),
    [
        (Word.NOT_CHARGED, State.FAILED, "was not charged; the next run of batch smiles may buy the clip again",
         "a person says that it was never charged"),
        (Word.RESUBMIT, State.SUPERSEDED,
         "is given up; $1.26 stays at risk; the next run of batch smiles buys the clip again",
         "a person accepts the risk and lets it be bought again"),
    ],
)  # fmt: skip
def test_a_word_settles_a_doubt_and_says_what_it_means(
    bench: Bench, word: Word, state: State, words: str, note: str
) -> None:
    attempt = doubt_in(bench)
    moved, said = resolve.settle_one(bench.ledger, attempt, word)
    assert (moved.state, said) == (state, f"attempt {attempt.id[:8]} {words}") and note in bench.notes(attempt)


def test_a_lost_clip_that_is_given_up_leaves_no_money_at_risk(bench: Bench) -> None:
    """It is known to be charged."""
    attempt = bench.attempt(State.RESULT_LOST)
    _, said = resolve.settle_one(bench.ledger, attempt, Word.RESUBMIT)
    assert said == f"attempt {attempt.id[:8]} is given up; the next run of batch smiles buys the clip again"


def test_that_it_was_never_charged_can_be_taken_back(bench: Bench) -> None:
    """Not once the clip was bought again."""
    attempt = doubt_in(bench)
    free, _ = resolve.settle_one(bench.ledger, attempt, Word.NOT_CHARGED)
    taken, said = resolve.settle_one(bench.ledger, free, Word.TAKE_BACK)
    assert (taken.state, said) == (State.IN_DOUBT, f"attempt {attempt.id[:8]} is in doubt again; $1.26 at risk")
    assert "a person takes back that it was never charged" in bench.notes(attempt)
    free, _ = resolve.settle_one(bench.ledger, taken, Word.NOT_CHARGED)
    again = bring_to(bench.ledger, State.SUBMITTED, attempt.clip_key)
    with pytest.raises(BadInput) as error:
        resolve.settle_one(bench.ledger, free, Word.TAKE_BACK)
    assert str(error.value) == (
        f"attempt {attempt.id[:8]} can't be taken back: its clip was bought again since, and attempt {again.id[:8]} is "
        "submitted. Nothing was changed"
    )
    assert error.value.trouble == "not-in-doubt" and bench.again(attempt).state is State.FAILED


@pytest.mark.parametrize("state", [State.SUBMITTED, State.STORED, State.COMPLETED])
@pytest.mark.parametrize("word", [Word.NOT_CHARGED, Word.RESUBMIT, Word.TAKE_BACK])
def test_what_is_not_in_doubt_is_not_settled(bench: Bench, state: State, word: Word) -> None:
    attempt = bench.attempt(state)
    with pytest.raises(BadInput) as error:
        resolve.settle_one(bench.ledger, attempt, word)
    assert str(error.value) == f"attempt {attempt.id[:8]} is {state}: there is nothing to resolve. Nothing was changed"
    assert error.value.trouble == "not-in-doubt" and bench.again(attempt) == attempt


def test_what_moved_since_it_was_looked_at_is_not_settled(bench: Bench) -> None:
    attempt = doubt_in(bench)
    bench.ledger.mark_submitted(attempt.id, "video_late")
    with pytest.raises(BadInput) as error:
        resolve.settle_one(bench.ledger, attempt, Word.NOT_CHARGED)
    assert str(error.value).startswith(f"attempt {attempt.id[:8]} was in_doubt and is submitted by now: it moved")


def test_what_is_in_doubt_for_another_reason_since_is_not_settled(bench: Bench) -> None:
    """Somebody has sent it again meanwhile, and its answer was lost too."""
    attempt = doubt_in(bench)
    with pytest.raises(BadInput) as error:
        resolve.settle_one(bench.ledger, attempt._replace(epoch=attempt.epoch + 1), Word.NOT_CHARGED)
    assert str(error.value) == (
        f"attempt {attempt.id[:8]} was in_doubt and is in doubt for another reason by now: it moved in this moment. "
        "Nothing was changed. dailies status shows it"
    )
    assert bench.again(attempt) == attempt


def test_while_its_sender_lives_nothing_is_settled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no word, and not with an id either."""
    attempt = doubt_in(bench)
    monkeypatch.setattr(bench.ledger, "sender_lives", lambda attempt: True)
    for word in (Word.NOT_CHARGED, Word.RESUBMIT, Word.TAKE_BACK):
        with pytest.raises(BadInput) as error:
            resolve.settle_one(bench.ledger, attempt, word)
        assert error.value.trouble == "not-in-doubt" and str(error.value) == (
            f"attempt {attempt.id[:8]} is not settled yet: the process that sent it is there and may hold its answer. "
            "Nothing was changed"
        )
    with pytest.raises(BadInput, match="is not settled yet"):
        bench.run(resolve.settle_charged, attempt, "video_1")
    assert bench.again(attempt) == attempt and bench.vendor.asked == []


def test_an_id_that_the_log_shows_is_taken_with_its_cost(bench: Bench) -> None:
    """The log is asked with a margin for clocks that differ."""
    attempt = doubt_in(bench)
    bench.clock.advance(60)
    bench.vendor.log = [logged(attempt)]
    settled, said = bench.run(resolve.settle_charged, attempt, "  video_1 ")
    assert (settled.state, settled.generation_id, settled.usd_charged) == (State.SUBMITTED, "video_1", Decimal("1.3"))
    assert settled.credits_used == 1_300_000
    assert said == f"attempt {attempt.id[:8]} is submitted as video_1: dailies collect brings it home"
    assert bench.vendor.asked == [("finished", NOON - HOUR, bench.clock.now + HOUR)]
    assert any(
        n.startswith("a person says that it was charged, and the provider shows it: ") for n in bench.notes(attempt)
    )


@pytest.mark.parametrize(
    ("look", "url"), [(READY, READY.url), (replace(GENERATING, url="https://cdn.example/half"), None)]
)
def test_an_id_that_a_look_shows_is_taken(bench: Bench, look: Look, url: str | None) -> None:
    """With its address where it is ready."""
    attempt = doubt_in(bench)
    bench.vendor.looks = [look]
    settled, _ = bench.run(resolve.settle_charged, attempt, "video_1")
    assert (settled.generation_id, settled.result_url, settled.usd_charged) == ("video_1", url, look.usd_charged)
    assert settled.credits_used == look.credits_used and bench.vendor.asked[-1] == ("look", "video_1")


def test_a_log_that_does_not_tell_leads_to_a_look(bench: Bench) -> None:
    """Of others' requests, and of one of ours that did not succeed."""
    attempt = doubt_in(bench)
    bench.vendor.log = [
        replace(logged(attempt), reference="another", found=Found("video_2", True, USD, None)),
        logged(attempt, succeeded=False, failed=True),
    ]
    bench.vendor.looks = [READY]
    settled, _ = bench.run(resolve.settle_charged, attempt, "video_1")
    assert settled.generation_id == "video_1" and bench.vendor.asked[-1] == ("look", "video_1")


def test_an_id_that_nobody_shows_is_refused(bench: Bench) -> None:
    attempt = doubt_in(bench)
    bench.vendor.looks = [NOT_SHOWN]
    with pytest.raises(BadInput) as error:
        bench.run(resolve.settle_charged, attempt, "video_1")
    assert str(error.value) == (
        f"aiml does not show generation video_1 (no such job), so it can't be attempt {attempt.id[:8]}'s as far as anybody "
        "can tell now. Nothing was changed"
    )
    assert error.value.trouble == "not-in-doubt" and bench.again(attempt) == attempt


def test_an_id_that_the_log_shows_otherwise_is_refused(bench: Bench) -> None:
    """For another request, or this request with another id."""
    attempt = doubt_in(bench)
    bench.vendor.log = [replace(logged(attempt), reference="another")]
    with pytest.raises(
        BadInput, match=r"log shows generation video_1 for another request \(another\), not for"
    ) as error:
        bench.run(resolve.settle_charged, attempt, "video_1")
    assert error.value.trouble == "not-in-doubt"
    bench.vendor.log = [logged(attempt, "video_9")]
    with pytest.raises(BadInput, match=f"shows attempt {attempt.id[:8]} as generation video_9, not video_1") as error:
        bench.run(resolve.settle_charged, attempt, "video_1")
    assert error.value.trouble == "not-in-doubt" and bench.again(attempt) == attempt


def test_an_id_that_is_on_record_is_refused(bench: Bench) -> None:
    attempt, other = doubt_in(bench, 0, 2), bench.attempt(State.SUBMITTED, bench.batch(2), 1)
    with pytest.raises(BadInput) as error:
        bench.run(resolve.settle_charged, attempt, other.generation_id)
    assert str(error.value) == (
        f"generation {other.generation_id} is on record already: it is attempt {other.id[:8]} (submitted). "
        "Nothing was changed"
    )
    assert bench.vendor.asked == []


def test_an_id_that_another_attempt_takes_while_a_person_looks_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, other = doubt_in(bench, 0, 2), bench.attempt(State.SUBMITTED, bench.batch(2), 1)
    monkeypatch.setattr(bench.ledger, "attempt_of_generation", lambda provider, generation_id: None)
    bench.vendor.looks = [READY]
    with pytest.raises(BadInput) as error:
        bench.run(resolve.settle_charged, attempt, other.generation_id)
    assert str(error.value) == (
        f"generation {other.generation_id} already belongs to another attempt. Nothing was changed"
    )
    assert bench.again(attempt) == attempt


@pytest.mark.parametrize("told", ["", "  "])
def test_no_id_is_refused(bench: Bench, told: str) -> None:
    with pytest.raises(BadInput) as error:
        bench.run(resolve.settle_charged, doubt_in(bench), told)
    said = "--charged needs the generation id that the provider shows for it. Nothing was changed"
    assert str(error.value) == said


@pytest.mark.parametrize("state", [State.SUBMITTED, State.COMPLETED, State.STORED, State.RESULT_LOST, State.ORPHANED])
def test_what_has_an_id_takes_no_other(bench: Bench, state: State) -> None:
    with pytest.raises(BadInput, match=f"is {state}: there is nothing to resolve"):
        bench.run(resolve.settle_charged, bench.attempt(state), "video_1")


def test_what_was_made_and_failed_takes_no_other_id_and_what_is_being_sent_none(bench: Bench) -> None:
    batch = bench.batch(2)
    failed = bench.ledger.generation_failed(bench.attempt(State.SUBMITTED, batch), "the upstream failed")
    for attempt in (failed, bench.attempt(State.SUBMITTING, batch, 1)):
        with pytest.raises(BadInput, match=f"is {attempt.state}: there is nothing to resolve"):
            bench.run(resolve.settle_charged, attempt, "video_1")


@pytest.mark.parametrize("state", [State.SUPERSEDED, State.FAILED])
def test_what_was_given_up_or_declared_free_may_turn_out_to_be_charged(bench: Bench, state: State) -> None:
    """It comes home beside what was bought since."""
    attempt = bench.attempt(state)
    bench.vendor.looks = [READY]
    settled, _ = bench.run(resolve.settle_charged, attempt, "video_1")
    assert (settled.state, settled.generation_id) == (State.ORPHANED, "video_1")


def test_an_id_that_arrives_while_a_person_looks_is_not_overwritten(bench: Bench) -> None:
    attempt = doubt_in(bench)
    bench.ledger.mark_submitted(attempt.id, "video_late")
    bench.vendor.looks = [READY]
    with pytest.raises(BadInput, match="was in_doubt and is submitted by now"):
        bench.run(resolve.settle_charged, attempt, "video_1")
    assert bench.again(attempt).generation_id == "video_late"


def test_a_lost_clip_is_reopened_or_stays(bench: Bench) -> None:
    attempt = bench.attempt(State.RESULT_LOST)
    with pytest.raises(BadInput, match=r"it stays lost. Nothing was changed") as error:
        bench.run(resolve.reopen_lost, attempt)
    assert error.value.trouble == "not-in-doubt"
    bench.vendor.looks = [READY]
    ready, said = bench.run(resolve.reopen_lost, attempt)
    assert said == f"attempt {attempt.id[:8]} is completed again: dailies collect brings it home"
    assert ready.result_url == READY.url and isinstance(ready.completed_at, datetime)
