"""What a provider's call to our webhook comes to: whom it means, what it is worth, and what is on record then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from dailies.domain.clips import Image
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.hooks.app import Answer, Call
from dailies.ledger import LostOwnership
from dailies.providers.base import Found, LogUnavailable, Look, LookKind
from dailies.providers.webhooks import BadSignature, CannotVerify, Told, Unreadable, reference
from dailies.settings import Settings
from dailies.steps import webhook
from dailies.steps.calls import Receiver
from dailies.steps.webhook import NOTE, CallRecorder, NotOnRecord, UnknownAttempt
from tests.ledger.factories import USD, FakeClock, a_clip, a_row, claim
from tests.unit.steps_bench import FAILED, GENERATING, READY, Bench, Vendor, bench_on, catalog

AWAY = Look(LookKind.GENERATING, "HTTP 503", transient=True)
KEY = SecretStr("k" * 32)
REQUEST = PaidRequest("https://api.example/v1", {"prompt": "she smiles"}, {})


class Caller(Vendor):
    """A provider that calls: what its log has of our creates is in `shown`, by attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, str] = {}
        self.handle: str | None = None
        self.call: Told | Exception = Told("video_1", True)

    def handle_of(self, generation_id: str, model: str) -> str | None:
        self.asked.append(("handle", generation_id, model))
        return self.handle

    async def find(self, doubt: Any) -> Found | None:
        assert doubt.request == REQUEST and doubt.reference.key == "key"
        self.asked.append(("find", doubt.reference.attempt_id))
        if isinstance(self.found, LogUnavailable) and not self.shown:
            raise self.found
        generation_id = self.shown.get(doubt.reference.attempt_id)
        return Found(generation_id, True, USD, None) if generation_id else None

    async def told(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Told:
        self.asked.append(("told", headers, body, now))
        if isinstance(self.call, Exception):
            raise self.call
        return self.call

    def questions(self, kind: str) -> list[Any]:
        return [asked[1] for asked in self.asked if asked[0] == kind]


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.vendor = Caller()
        yield bench


@pytest.fixture
def caller(bench: Bench) -> Caller:
    return cast(Caller, bench.vendor)


def recorded(bench: Bench, attempt_id: str | None, told: Told) -> str:
    """Take in one call; a model is called by its provider's name in capitals."""
    recorder = CallRecorder(bench.ledger, lambda attempt: attempt.provider.upper())
    return anyio.run(recorder.record, cast(Any, bench.vendor), attempt_id, told)


def doubts(bench: Bench, count: int = 1, kept: bool = True) -> list[Attempt]:
    """Creates whose answers are lost, the latest last, and whether their requests are on record."""
    batch, found = bench.batch(count), []
    for at in range(count):
        bench.clock.advance(600)  # until the brake lets another one pass
        found.append(bench.attempt(State.IN_DOUBT, batch, at))

    def kept_request(attempt_id: str) -> KeptRequest | None:
        return keep(REQUEST, Reference(attempt_id, "key"), bench.clock()) if kept else None

    bench.ledger.kept_request = kept_request  # type: ignore[method-assign]
    return found


# Whom it means


def test_a_call_means_the_attempt_of_our_reference(bench: Bench) -> None:
    attempt = bench.attempt()
    assert recorded(bench, attempt.id, Told(str(attempt.generation_id), False)) == "going on"
    with pytest.raises(UnknownAttempt, match=r"^no attempt has this reference$"):
        recorded(bench, "f" * 32, Told(str(attempt.generation_id), True))


def test_without_a_reference_a_signed_call_means_whoever_has_its_generation(bench: Bench) -> None:
    attempt = bench.attempt()
    assert recorded(bench, None, Told(str(attempt.generation_id), True)) == "going on"
    for nobody in (Told("video_other", True), Told(str(attempt.generation_id), False)):
        with pytest.raises(UnknownAttempt, match=r"^no attempt has this reference$"):
            recorded(bench, None, nobody)


def test_an_attempt_of_another_provider_is_not_meant(bench: Bench, caller: Caller) -> None:
    attempt = bench.attempt()
    caller.name = "fal"
    with pytest.raises(UnknownAttempt, match=r"^no attempt has this reference$"):
        recorded(bench, attempt.id, Told(str(attempt.generation_id), True))


def test_a_call_about_another_generation_than_the_one_on_record_changes_nothing(bench: Bench) -> None:
    attempt = bench.attempt()
    with pytest.raises(UnknownAttempt, match=r"^another generation is on record for this attempt$"):
        recorded(bench, attempt.id, Told("video_other", True, READY))
    assert bench.again(attempt) == attempt


# What it is worth


def test_a_signed_result_is_taken_at_its_word(bench: Bench, caller: Caller) -> None:
    """Once; the same call again changes nothing."""
    attempt = bench.attempt()
    told = Told(str(attempt.generation_id), True, READY)
    assert recorded(bench, attempt.id, told) == "ready" and caller.asked == []
    now = bench.again(attempt)
    assert (now.state, now.result_url) == (State.COMPLETED, READY.url)
    assert (now.usd_charged, now.credits_used) == (READY.usd_charged, READY.credits_used)
    assert recorded(bench, attempt.id, told) == "on record already: completed" and bench.again(attempt) == now


@pytest.mark.parametrize(
    ("signed", "look"), [(False, READY), (True, None), (True, FAILED), (True, replace(READY, url=None)), (True, GENERATING)]
)  # fmt: skip
def test_whatever_else_it_says_leads_to_a_question(
    bench: Bench, caller: Caller, signed: bool, look: Look | None
) -> None:
    """A hint, no end, a failure, a result without an address, or work in progress."""
    attempt = bench.attempt()
    caller.looks = [replace(READY, url="https://cdn.example/asked.mp4")]
    assert recorded(bench, attempt.id, Told(str(attempt.generation_id), signed, look)) == "ready"
    assert caller.asked == [("look", attempt.asked_by)]
    assert bench.again(attempt).result_url == "https://cdn.example/asked.mp4"


@pytest.mark.parametrize("charged", [None, Decimal("0.5")])
def test_a_failure_is_on_record_with_its_cost(bench: Bench, caller: Caller, charged: Decimal | None) -> None:
    attempt = bench.attempt()
    caller.looks = [replace(FAILED, usd_charged=charged)]
    assert recorded(bench, attempt.id, Told(str(attempt.generation_id), True)) == "failed"
    now = bench.again(attempt)
    assert (now.state, now.error, now.usd_charged) == (State.FAILED, FAILED.detail, charged or 0)


def test_a_provider_that_can_not_be_asked_calls_again(bench: Bench, caller: Caller) -> None:
    attempt = bench.attempt()
    caller.looks = [AWAY]
    with pytest.raises(NotOnRecord, match=r"^aiml could not be asked: HTTP 503$"):
        recorded(bench, attempt.id, Told(str(attempt.generation_id), False))


def test_what_somebody_takes_over_in_this_moment_is_called_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = bench.attempt()

    def lost(*_: object) -> None:
        raise LostOwnership("somebody")

    monkeypatch.setattr(bench.ledger, "record_completed", lost)
    with pytest.raises(NotOnRecord, match=r"^somebody took it over in this moment$"):
        recorded(bench, attempt.id, Told(str(attempt.generation_id), True, READY))


@pytest.mark.parametrize("state", [State.COMPLETED, State.STORED, State.FAILED, State.RESULT_LOST])
def test_what_has_come_to_an_end_stays(bench: Bench, caller: Caller, state: State) -> None:
    attempt = bench.attempt(State.SUBMITTED if state is State.FAILED else state)
    if state is State.FAILED:
        attempt = bench.ledger.generation_failed(attempt, "it failed", USD)
    assert recorded(bench, attempt.id, Told(str(attempt.generation_id), True, READY)) == f"on record already: {state}"
    assert bench.again(attempt) == attempt and caller.asked == []


def test_a_paid_orphan_gets_its_result_once(bench: Bench, caller: Caller) -> None:
    attempt = bench.attempt(State.ORPHANED)
    told = Told(str(attempt.generation_id), True, READY)
    assert recorded(bench, attempt.id, told) == "ready"
    now = bench.again(attempt)
    assert now.state is State.ORPHANED and now.result_url == READY.url
    assert recorded(bench, attempt.id, told) == "on record already: orphaned" and caller.asked == []


# An attempt whose answer was lost, or has not come yet


def test_a_signed_call_settles_a_doubt(bench: Bench, caller: Caller) -> None:
    """Its id, and the handle under which the provider is asked, are on record; whoever comes first goes on with it."""
    (attempt,) = doubts(bench)
    caller.handle = "queue/video_1"
    assert recorded(bench, attempt.id, Told("video_1", True, READY)) == "ready"
    now = bench.again(attempt)
    assert (now.state, now.generation_id, now.handle) == (State.COMPLETED, "video_1", "queue/video_1")
    assert f"{NOTE}: video_1" in bench.notes(attempt) and caller.asked == [
        ("find", attempt.id),
        ("handle", "video_1", "AIML"),
    ]


@pytest.mark.parametrize("handle", [None, "queue/video_1"])
def test_a_hint_settles_a_doubt_where_the_provider_confirms_it(
    bench: Bench, caller: Caller, handle: str | None
) -> None:
    (attempt,) = doubts(bench, kept=False)
    caller.handle, caller.looks = handle, [AWAY]
    with pytest.raises(NotOnRecord, match=r"^aiml does not confirm video_1: HTTP 503$"):
        recorded(bench, attempt.id, Told("video_1", False))
    assert bench.again(attempt) == attempt
    caller.looks = [GENERATING]
    assert recorded(bench, attempt.id, Told("video_1", False)) == "going on"
    assert set(caller.questions("look")) == {handle or "video_1"} and caller.questions("find") == []
    assert bench.again(attempt).state is State.SUBMITTED


def test_a_doubt_that_is_settled_stays_settled_where_the_provider_is_away_then(bench: Bench, caller: Caller) -> None:
    (attempt,) = doubts(bench)
    caller.looks = [AWAY]
    assert recorded(bench, attempt.id, Told("video_1", True)) == "going on"
    assert bench.again(attempt).generation_id == "video_1"


def test_a_create_that_is_on_its_way_keeps_its_owner(bench: Bench) -> None:
    """The next doubt is nobody's all the same."""
    batch = bench.batch(2)
    attempts = [bench.attempt(State.SUBMITTING, batch), bench.attempt(State.IN_DOUBT, batch, 1)]
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET owner = 'elsewhere|1|1|n'")
    for attempt, number in zip(attempts, "12", strict=True):
        recorded(bench, attempt.id, Told(f"video_{number}", True))
    now = [bench.again(attempt) for attempt in attempts]
    assert [one.owner for one in now] == ["elsewhere|1|1|n", str(bench.ledger.owner)]
    assert now[0].lease_until > bench.clock() > now[1].lease_until


# The address that a call comes to is covered by no signature


def test_a_generation_that_is_on_record_for_another_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it came to the record in this moment."""
    batch = bench.batch(2)
    bought, attempt = bench.attempt(State.SUBMITTED, batch), bench.attempt(State.IN_DOUBT, batch, 1)
    told = Told(str(bought.generation_id), True, READY)
    with pytest.raises(UnknownAttempt, match=r"^this generation belongs to another attempt$"):
        recorded(bench, attempt.id, told)
    assert bench.vendor.asked == []
    monkeypatch.setattr(bench.ledger, "attempt_of_generation", lambda *_: None)
    with pytest.raises(UnknownAttempt, match=r"^this generation belongs to another attempt$"):
        recorded(bench, attempt.id, told)
    assert bench.again(attempt) == attempt


def test_what_the_provider_shows_for_this_attempt_is_believed_without_asking_further(
    bench: Bench, caller: Caller
) -> None:
    first, attempt = doubts(bench, 2)
    caller.shown = {attempt.id: "video_1", first.id: "video_1"}
    assert recorded(bench, attempt.id, Told("video_1", True)) == "going on"
    assert caller.questions("find") == [attempt.id]


def test_another_one_that_the_provider_shows_for_this_attempt_makes_it_wait(bench: Bench, caller: Caller) -> None:
    (attempt,) = doubts(bench)
    caller.shown = {attempt.id: "video_2"}
    with pytest.raises(NotOnRecord, match=r"^aiml has another generation for this attempt$"):
        recorded(bench, attempt.id, Told("video_1", True))
    assert bench.again(attempt) == attempt


def test_a_generation_that_the_provider_shows_for_another_doubt_is_refused(bench: Bench, caller: Caller) -> None:
    """The others are asked for, the latest first; those with an id, and those of other providers, are not."""
    oldest, attempt, latest, elsewhere, bought = doubts(bench, 5)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = 'fal' WHERE id = ?", (elsewhere.id,))
    bench.ledger.mark_submitted(bought.id, "video_bought")
    caller.shown = {oldest.id: "video_1", latest.id: "video_9"}
    with pytest.raises(UnknownAttempt, match=r"^the provider has this generation for another attempt$"):
        recorded(bench, attempt.id, Told("video_1", True))
    assert caller.questions("find") == [attempt.id, latest.id, oldest.id] and bench.again(attempt) == attempt


def test_so_many_others_are_asked_for_and_no_more(
    bench: Bench, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_ASKED", 2)
    attempt, *others = doubts(bench, 4)
    caller.shown = {others[0].id: "video_1"}
    assert recorded(bench, attempt.id, Told("video_1", True)) == "going on"
    assert caller.questions("find") == [attempt.id, others[2].id, others[1].id]


def test_creates_that_are_on_their_way_are_others_too(bench: Bench, caller: Caller) -> None:
    (attempt,) = doubts(bench)
    other = claim(bench.ledger, bench.batch(2).plan.rows[1].clip.key)
    caller.shown = {other.id: "video_1"}
    with pytest.raises(UnknownAttempt, match=r"^the provider has this generation for another attempt$"):
        recorded(bench, attempt.id, Told("video_1", True))


def test_where_nobody_knows_better_the_reference_counts(bench: Bench, caller: Caller) -> None:
    """A provider without a log, or a create whose request is not on record."""
    attempt, _ = doubts(bench, 2)
    assert recorded(bench, attempt.id, Told("video_1", True)) == "going on" and len(caller.questions("find")) == 2


# The answer to a call


def answered(bench: Bench, attempt: Attempt, ref: str | None = None, provider: str = "aiml") -> Answer:
    settings = Settings(dailies_home=bench.folder, aiml_api_key=KEY, fal_api_key=KEY)
    clients = {bench.vendor.name: cast(Any, bench.vendor)}
    receiver = Receiver(settings, bench.ledger, catalog(), clients, lambda: datetime(2026, 11, 21, tzinfo=UTC))
    ours = reference(provider, KEY, attempt.id) if ref is None else ref
    return anyio.run(receiver, Call(provider, ours, {"x": "y"}, b"a body"))


def test_a_call_is_answered_once_it_is_on_record(bench: Bench, caller: Caller) -> None:
    """By what its headers and body say, at this moment."""
    attempt = bench.attempt()
    caller.call = Told(str(attempt.generation_id), True, READY)
    assert answered(bench, attempt) == Answer(200, "ready")
    assert caller.asked == [("told", {"x": "y"}, b"a body", datetime(2026, 11, 21, tzinfo=UTC))]
    assert answered(bench, attempt, "") == Answer(200, "on record already: completed"), "by its generation"


@pytest.mark.parametrize(
    ("ref", "answer"),
    [
        ("nothing", Answer(404, "no attempt has this reference")),
        ("a.b", Answer(401, "the reference is not one of ours")),
    ],
)
def test_a_reference_that_we_did_not_make_is_refused(bench: Bench, caller: Caller, ref: str, answer: Answer) -> None:
    attempt = bench.attempt()
    caller.call = Told(str(attempt.generation_id), True, READY)
    assert answered(bench, attempt, ref) == answer and bench.again(attempt) == attempt


@pytest.mark.parametrize(
    ("trouble", "answer"),
    [
        (BadSignature("forged"), Answer(401, "forged")),
        (Unreadable("no job in it"), Answer(400, "no job in it")),
        (CannotVerify("no keys"), Answer(503, "not on record now; call again")),
        (OSError("disk"), Answer(503, "not on record now; call again")),
        (OperationalError("", {}, Exception("away")), Answer(503, "not on record now; call again")),
        (Told("video_other", True), Answer(404, "another generation is on record for this attempt")),
    ],
)
def test_each_trouble_has_its_answer(
    bench: Bench, caller: Caller, trouble: Told | Exception, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    """What may heal is a line of the log, without the words of the trouble, and is called again."""
    attempt = bench.attempt()
    caller.call = trouble
    assert answered(bench, attempt) == answer
    said = [record.getMessage() for record in caplog.records if record.name == "dailies.hooks"]
    lines = [f"aiml: a call is not on record now ({type(trouble).__name__})"]
    assert said == (lines if answer.status == 503 else [])


def test_nobody_else_calls_here(bench: Bench, caller: Caller) -> None:
    answer = answered(bench, bench.attempt(), provider="fal")
    assert answer == Answer(404, "no provider of this name calls here") and caller.asked == []


@pytest.mark.parametrize(
    ("image", "options", "name"),
    [(True, {}, "name"), (False, {}, "text"), (True, {"reference_images": "https://x.example/a.png"}, "reference")],
)
def test_a_lost_create_is_looked_for_under_its_model_s_name_there(
    bench: Bench, caller: Caller, image: bool, options: dict[str, Any], name: str
) -> None:
    """Which differs by what the clip is made of."""
    clip = a_clip(model="bytedance/seedance-2-0", options=options)
    clip = clip if image else replace(clip, image=Image("", 0, 0, ""))
    batch = bench.batch(rows=(a_row(1, clip),))
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = 'fal'")
    caller.name = "fal"
    assert answered(bench, attempt, provider="fal").status == 200
    offer = catalog().find("bytedance/seedance-2-0").offer_at("fal")
    assert (
        caller.asked[-2] == ("handle", "video_1", getattr(offer, name))
        and len({offer.name, offer.text, offer.reference}) == 3
    )
