"""A doubt that arises in a run is settled there: by the free question, else by the same request with its own key, else not."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from dailies.domain.clips import Image as ClipImage
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import DailiesError, MaybeCharged, NotSent
from dailies.media.images import data_uri
from dailies.planning.batch import Batch
from dailies.planning.plan import SentFile
from dailies.providers.base import Found
from dailies.registry import declared
from dailies.runtime import Runtime
from dailies.steps import settle
from dailies.steps.create import AlreadyTaken
from dailies.steps.prepare import Prepared
from tests.ledger.factories import FakeClock, a_clip, a_row
from tests.unit.steps_bench import Bench, bench_on, row_of

REQUEST = PaidRequest("https://api.example/v1", {"prompt": "she smiles"}, {"Idempotency-Key": "k"})


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(settle, "PAUSES_S", (0.0, 0.0, 0.0))
    yield from bench_on(sqlite_url, tmp_path, clock)


def doubt_at(bench: Bench, provider: str, kept: bool = True) -> tuple[Batch, Attempt]:
    """A clip whose create at a provider is in doubt, its request on record or not."""
    batch = bench.batch(rows=(row_of(a_row(1), (provider,)),))
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = ?", (provider,))
    on_record = keep(REQUEST, Reference(attempt.id, "key"), attempt.created_at) if kept else None

    on_record_is(bench, attempt, on_record)
    return batch, bench.again(attempt)


def on_record_is(bench: Bench, attempt: Attempt, request: KeptRequest | None) -> None:
    """The ledger has kept this request for an attempt."""

    def kept_request(attempt_id: str) -> KeptRequest | None:
        return request if attempt_id == attempt.id else None

    bench.ledger.kept_request = kept_request  # type: ignore[method-assign]


class Repeats:
    """What repeats come to, and what was to be repeated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: Attempt | Exception) -> None:
        self.outcomes, self.prepared = [*outcomes], list[Prepared]()
        monkeypatch.setattr(settle, "repeat_create", self.repeat)

    async def repeat(self, runtime: Runtime, prepared: Prepared) -> Attempt:
        assert isinstance(runtime, Runtime)
        self.prepared.append(prepared)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_free_question_that_finds_it_settles_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent again."""
    batch, attempt = doubt_at(bench, "runware")
    repeats = Repeats(monkeypatch)
    bench.vendor.found = Found("video_1", True, Decimal("1.3"), None)
    found = bench.run(settle.settle_clip, batch, batch.plan.rows[0])
    assert (found.id, found.state) == (attempt.id, State.SUBMITTED) and repeats.prepared == []


def test_else_the_very_request_is_sent_again_where_its_key_makes_it_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dailies.settle")
    batch, attempt = doubt_at(bench, "higgsfield")
    repeats = Repeats(monkeypatch, attempt)
    row = batch.plan.rows[0]
    assert bench.run(settle.settle_clip, batch, row) == attempt
    again = (attempt.id, REQUEST)
    assert repeats.prepared == [
        Prepared(batch, row, "higgsfield", {}, attempt.request_digest, attempt.usd_quoted, again)
    ]
    assert caplog.messages == ["row-1: its request is sent again with its own key"]


@pytest.mark.parametrize(
    "why", ["no repeats", "not on record", "too old", "of the future", "other bytes", "interrupted", "gone provider"]
)
def test_a_doubt_stays_where_the_same_request_can_not_surely_be_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = {"no repeats": "fal", "gone provider": "gone"}
    batch, attempt = doubt_at(bench, names.get(why, "higgsfield"), kept=why != "not on record")
    repeats = Repeats(monkeypatch)
    if why == "gone provider":
        with pytest.raises((MaybeCharged, DailiesError, KeyError)):
            bench.run(settle.settle_clip, batch, batch.plan.rows[0])
        assert repeats.prepared == []
        return
    if why == "too old":
        bench.clock.advance(declared()["higgsfield"].settling.key_life.total_seconds())
    if why == "of the future":  # the clock was set back
        bench.clock.advance(-3600)
    if why == "other bytes":
        other = replace(keep(REQUEST, Reference(attempt.id, "key"), attempt.created_at), sha256="0" * 64)
        on_record_is(bench, attempt, other)
    bench.interrupted = why == "interrupted"
    with pytest.raises(MaybeCharged, match="stays in doubt"):
        bench.run(settle.settle_clip, batch, batch.plan.rows[0])
    assert repeats.prepared == []
    said = "row-1: its texts or images are not those that were sent, so it can't be asked for again"
    assert (said in caplog.messages) is (why == "other bytes")


def sent(folder: Path, name: str) -> tuple[SentFile, str]:
    """A picture of its own, and the text as which it is sent."""
    path = folder / name
    Image.effect_noise((64, 64), 100).save(path, "PNG")
    content = path.read_bytes()
    return SentFile(path, hashlib.sha256(content).hexdigest()), data_uri(content, "png")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_on_record_as_a_digest_is_made_again_from_the_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, first: bool, known: bool
) -> None:
    """Its texts and its images, files or objects, the first and those beside it; of a model that is gone, the texts alone."""
    (own, shown), (end, ended), (side, beside) = (sent(bench.folder, f"{name}.png") for name in ("own", "end", "side"))
    bench.shelf.lay("own.png", own.path.read_bytes(), "pictures")
    options = {
        "negative_prompt": "no " * 2000,
        "last_image": "end.png",
        "reference_images": "side.png|s3://pictures/own.png",
        "seed": 7,
    }
    clip = a_clip("smiles " * 1000, model="bytedance/seedance-2-0" if known else "gone/model", options=options)
    clip = replace(clip, image=ClipImage("s3://pictures/own.png" if first else "", 64, 64, "png"))
    key = clip.key
    row = row_of(a_row(1, clip), ("higgsfield",))
    further = {(key, "last_image"): end, (key, "reference_images.0"): side}
    batch = bench.batch(rows=(row,), plan={"further_files": further})
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = 'higgsfield'")
    body = {"prompt": clip.prompt, "negative": options["negative_prompt"]}
    if known:
        body |= {"end": ended, "side": beside, "first": shown}
    request = PaidRequest("https://api.example/v1", body, {"Idempotency-Key": "k"})
    on_record_is(bench, attempt, keep(request, Reference(attempt.id, "key"), attempt.created_at))
    repeats = Repeats(monkeypatch, attempt)
    assert bench.run(settle.settle_clip, batch, row) == attempt
    assert [prepared.again for prepared in repeats.prepared] == [(attempt.id, request)]


def test_to_the_last_moment_of_its_life_a_key_is_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, attempt = doubt_at(bench, "higgsfield")
    repeats = Repeats(monkeypatch, attempt)
    life = declared()["higgsfield"].settling.key_life - timedelta(seconds=1)
    bench.clock.advance(life.total_seconds())
    assert bench.run(settle.settle_clip, batch, batch.plan.rows[0]) == attempt and len(repeats.prepared) == 1


@pytest.mark.parametrize("refusal", [AlreadyTaken("somebody"), NotSent("no connection")])
def test_a_repeat_that_is_refused_says_nothing_of_the_first_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    batch, _ = doubt_at(bench, "higgsfield")
    Repeats(monkeypatch, refusal)
    with pytest.raises(MaybeCharged, match="stays in doubt"):
        bench.run(settle.settle_clip, batch, batch.plan.rows[0])


def test_without_a_doubt_there_is_nothing_to_settle(bench: Bench) -> None:
    batch = bench.batch()
    bench.attempt(State.SUBMITTED, batch)
    with pytest.raises(DailiesError, match="nothing is in doubt about row-1"):
        bench.run(settle.settle_clip, batch, batch.plan.rows[0])


def bought(bench: Bench, monkeypatch: pytest.MonkeyPatch, batch: Batch, outcome: Attempt | Exception) -> Attempt:
    """Buy the batch's row, where the create comes to this."""

    async def create(runtime: Runtime, *asked: object) -> Attempt:
        assert isinstance(runtime, Runtime) and asked == (batch, row, row.providers[0])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    row = batch.plan.rows[0]
    monkeypatch.setattr(settle, "create_clip", create)
    return bench.run(settle.buy_clip, batch, row, row.providers[0])


def test_what_is_bought_is_handed_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, attempt = doubt_at(bench, "higgsfield")
    assert bought(bench, monkeypatch, batch, attempt) == attempt and bench.vendor.asked == []


def test_a_new_doubt_is_asked_about_a_few_times(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted a moment ago may not be listed yet; the last words hold."""
    batch, attempt = doubt_at(bench, "higgsfield")
    stays = MaybeCharged("still lost")
    repeats = Repeats(monkeypatch, stays, attempt)
    assert bought(bench, monkeypatch, batch, MaybeCharged("lost")) == attempt
    assert [prepared.batch for prepared in repeats.prepared] == [batch, batch]
    repeats = Repeats(monkeypatch, stays, stays, stays)
    with pytest.raises(MaybeCharged, match="still lost"):
        bought(bench, monkeypatch, batch, MaybeCharged("lost"))
    assert len(repeats.prepared) == len(settle.PAUSES_S)


@pytest.mark.parametrize("why", ["a log tells later", "interrupted", "no doubt on record"])
def test_a_new_doubt_is_left_where_asking_now_tells_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    batch, attempt = doubt_at(bench, "aiml" if why == "a log tells later" else "higgsfield")
    repeats = Repeats(monkeypatch)
    bench.interrupted = why == "interrupted"
    if why == "no doubt on record":
        bench.ledger.mark_submitted(attempt.id, "video_1")
    with pytest.raises(MaybeCharged):
        bought(bench, monkeypatch, batch, MaybeCharged("lost"))
    assert repeats.prepared == [] and len(bench.vendor.asked) == (1 if why == "interrupted" else 0)
