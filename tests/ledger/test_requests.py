"""The exact request of an attempt is on record before it is sent, until the attempt is settled; a repeat is claimed like T1.
Runs on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from dailies.domain.brake import DOUBTS_IN_A_ROW, GivenUp, Hold, Phase
from dailies.domain.creates import Accepted, PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import Ledger, Unclaimed
from tests.ledger.factories import NO_CAPS, USD, FakeClock, MakeLedger, an_owner, plan

LIFE = timedelta(minutes=15)
REQUEST = PaidRequest(
    "https://api.example/v1/video", {"prompt": "a cat", "n": [1, 0.5, None]}, {"Idempotency-Key": "k"}
)


def bought(ledger: Ledger, name: str = "attempt") -> tuple[Attempt, KeptRequest]:
    """An attempt whose request is on record."""
    (clip_key,) = plan(ledger)
    kept = keep(REQUEST, Reference(name, "k"), ledger.now())
    attempt = ledger.claim(clip_key, "smiles", "aiml", USD, NO_CAPS, "d", request=kept)
    assert isinstance(attempt, Attempt)
    return attempt, kept


def in_doubt(ledger: Ledger) -> Attempt:
    attempt, _ = bought(ledger)
    return ledger.mark_in_doubt(attempt.id, "its answer was lost")


def test_it_is_on_record_with_the_claim_and_names_the_attempt(ledger: Ledger) -> None:
    attempt, kept = bought(ledger)
    assert attempt.id == "attempt"
    assert ledger.kept_request("attempt") == kept
    again = kept.again()
    assert again and again.content == REQUEST.content


def test_one_that_is_not_granted_leaves_none(ledger: Ledger) -> None:
    first, _ = bought(ledger)
    refused = ledger.claim(
        first.clip_key, "smiles", "aiml", USD, NO_CAPS, "d", request=keep(REQUEST, Reference("b", "k"), ledger.now())
    )
    assert refused is Unclaimed.TAKEN and ledger.kept_request("b") is None


SETTLES: dict[str, Callable[[Ledger, str], object]] = {
    "an answer": lambda ledger, attempt: ledger.mark_submitted(attempt, "generation"),
    "an answer with its address": lambda ledger, attempt: ledger.mark_submitted(
        attempt, Accepted("generation", "https://cdn.example/a.mp4")
    ),
    "a refusal": lambda ledger, attempt: ledger.mark_not_charged(attempt, Failure.REFUSED, "no"),
}
KEEPS: dict[str, Callable[[Ledger, str], object]] = {
    "a doubt": lambda ledger, attempt: ledger.mark_in_doubt(attempt, "lost"),
    "a word that it was free, which may be taken back": lambda ledger, attempt: (
        ledger.mark_in_doubt(attempt, "lost"), ledger.resolve_free(attempt, "support says so")
    ),
    "another purchase of its clip": lambda ledger, attempt: (
        ledger.mark_in_doubt(attempt, "lost"), ledger.resubmit(attempt, "a person")
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SETTLES)
def test_it_goes_with_what_settles_the_attempt(ledger: Ledger, how: str) -> None:
    attempt, _ = bought(ledger)
    SETTLES[how](ledger, attempt.id)
    assert ledger.kept_request(attempt.id) is None


@pytest.mark.parametrize("how", KEEPS)
def test_it_stays_while_the_provider_may_still_be_asked(ledger: Ledger, how: str) -> None:
    attempt, kept = bought(ledger)
    KEEPS[how](ledger, attempt.id)
    assert ledger.kept_request(attempt.id) == kept


def test_a_repeat_is_the_same_attempt_under_a_new_epoch_and_counts_once(ledger: Ledger, clock: FakeClock) -> None:
    doubt = in_doubt(ledger)
    clock.advance(200)
    again = ledger.claim_again(doubt.id, LIFE)
    assert isinstance(again, tuple)
    attempt, kept = again
    assert attempt.lease_until == clock.now + timedelta(seconds=300), "a lease of its own"
    assert (attempt.id, attempt.no, attempt.state, attempt.epoch) == (doubt.id, 1, State.SUBMITTING, doubt.epoch + 1)
    assert ledger.counted("smiles") == USD, "one possible charge, reserved once"
    assert kept.again() == REQUEST
    assert ledger.ours_for_s(attempt) > 0
    assert ledger.history(doubt.id)[-1].note == "asked again with its own key"


def test_one_repeat_at_a_time(ledger: Ledger, make_ledger: MakeLedger) -> None:
    doubt = in_doubt(ledger)
    assert isinstance(ledger.claim_again(doubt.id, LIFE), tuple)
    assert make_ledger(owner=an_owner()).claim_again(doubt.id, LIFE) is Unclaimed.TAKEN


def test_past_its_keys_life_it_is_not_repeated(ledger: Ledger, clock: FakeClock) -> None:
    """The provider may have forgotten the key: then the same request would buy another clip."""
    doubt = in_doubt(ledger)
    clock.advance(LIFE.total_seconds())
    assert ledger.claim_again(doubt.id, LIFE) is Unclaimed.TAKEN
    found = ledger.attempt(doubt.id)
    assert found and found.state is State.IN_DOUBT


def test_one_that_was_sent_in_the_future_is_not_repeated(ledger: Ledger, clock: FakeClock) -> None:
    """The clock was set back: how old its key is, nobody knows."""
    doubt = in_doubt(ledger)
    clock.advance(-1)
    assert isinstance(ledger.claim_again(doubt.id, LIFE), tuple), (
        "two machines may read the ledger's clock so differently"
    )
    ledger.mark_in_doubt(doubt.id, "its answer was lost")
    clock.advance(-3600)
    assert ledger.claim_again(doubt.id, LIFE) is Unclaimed.TAKEN


@pytest.mark.parametrize("state", ["found", "free", "given up", "without a request"])
def test_only_what_is_in_doubt_with_its_request_is_repeated(ledger: Ledger, state: str) -> None:
    if state == "without a request":
        (clip_key,) = plan(ledger)
        attempt = ledger.claim(clip_key, "smiles", "aiml", USD, NO_CAPS, "d")
        assert isinstance(attempt, Attempt)
        doubt = ledger.mark_in_doubt(attempt.id, "lost")
    else:
        doubt = in_doubt(ledger)
    if state == "found":
        ledger.resolve_found(doubt.id, "generation", "found")
    elif state == "free":
        ledger.resolve_free(doubt.id, "support says so")
    elif state == "given up":
        ledger.resubmit(doubt.id, "a person")
    assert ledger.claim_again(doubt.id, LIFE) is Unclaimed.TAKEN


def test_the_brake_holds_for_repeats_too(ledger: Ledger) -> None:
    keys = plan(ledger, DOUBTS_IN_A_ROW)
    for number, key in enumerate(keys):
        kept = keep(REQUEST, Reference(f"attempt-{number}", "k"), ledger.now())
        attempt = ledger.claim(key, "smiles", "aiml", USD, NO_CAPS, "d", request=kept)
        assert isinstance(attempt, Attempt)
        ledger.mark_in_doubt(attempt.id, "lost")
    assert isinstance(ledger.claim_again("attempt-0", LIFE), Hold | GivenUp)


def test_an_answer_to_the_repeat_opens_the_brake_and_settles_the_attempt(ledger: Ledger) -> None:
    doubt = in_doubt(ledger)
    assert isinstance(ledger.claim_again(doubt.id, LIFE), tuple)
    sold = ledger.mark_submitted(doubt.id, "generation")
    assert (sold.state, sold.generation_id) == (State.SUBMITTED, "generation")
    assert ledger.kept_request(doubt.id) is None
    assert ledger.brakes()["aiml"] is Phase.OPEN


def test_a_repeat_whose_sender_dies_is_in_doubt_again(
    ledger: Ledger, make_ledger: MakeLedger, clock: FakeClock
) -> None:
    doubt = in_doubt(ledger)
    other = make_ledger(owner=an_owner())
    assert isinstance(other.claim_again(doubt.id, LIFE), tuple)
    clock.advance(3600)
    ledger.reap()
    found = ledger.attempt(doubt.id)
    assert found and found.state is State.IN_DOUBT and ledger.kept_request(doubt.id) is not None


def test_it_is_forgotten_with_its_clip(ledger: Ledger) -> None:
    """It holds the prompt."""
    attempt, _ = bought(ledger)
    KEEPS["a word that it was free, which may be taken back"](ledger, attempt.id)
    ledger.erase([attempt.clip_key], lambda text: text)
    assert ledger.kept_request(attempt.id) is None
