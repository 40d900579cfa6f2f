"""What spool, store and log remember and the ledger does not is taken in before anything is bought; or nothing is bought."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.clips import object_key
from dailies.domain.commands import ADOPT
from dailies.domain.creates import Accepted, KnownAttempt
from dailies.domain.earlier_keys import earlier_keys
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger.spool import Spooled
from dailies.planning.batch import Batch
from dailies.planning.plan import SentFile
from dailies.providers.base import Found, Logged, LogUnavailable
from dailies.steps import adopt
from dailies.steps.adopt import adopt_everything, adopt_known, adopt_object, keys_of
from dailies.storage.abilities import StoreAbilities
from dailies.storage.metadata import cut
from dailies.storage.s3 import Stored, StoreRefused, StoreTrouble
from tests.ledger.factories import NOON, USD, FakeClock, a_clip, a_row, an_attempt
from tests.unit.steps_bench import Bench, bench_on, row_of

CLIP = b"a clip"
DIGEST = hashlib.sha256(CLIP).hexdigest()


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.stores["clips", "smiles"] = StoreAbilities()
        yield bench


def told(of: str, number: int = 1, /, **changes: str) -> dict[str, str]:
    """What a stored clip says of itself."""
    return {
        "clip-key": of, "attempt": f"{number:032x}", "provider": "aiml", "generation-id": f"video_{number}",
        "sha256": DIGEST, "batch": "smiles", "row": "row-1", "model": "openai/sora-2-pro-i2v",
        "created": NOON.isoformat(), "usd-quoted": "1.26", "usd-charged": "1.3", "credits-used": "1300000",
    } | {name.replace("_", "-"): value for name, value in changes.items()}  # fmt: skip


def lay(bench: Bench, made: Batch, at: int = 0, key: str = "", **changes: str) -> str:
    """A clip of a batch as it lies in the store. Returns the object's key."""
    row = made.plan.rows[at]
    name = key or object_key("smiles", "smiles", row.id, row.clip.key)
    bench.shelf.objects["clips", name] = CLIP, told(row.clip.key, at + 1, row=row.id, **changes)
    return name


def known(bench: Bench, batch: Batch) -> list[Attempt]:
    """What is on record of a batch's clips once adoption has looked, by its rows."""
    bench.run(adopt_known, batch)
    found = dict(bench.ledger.attempts_of([row.clip.key for row in batch.plan.rows]))
    return [attempt for row in batch.plan.rows for attempt in found.get(row.clip.key, ())]


def test_a_clip_in_the_store_is_on_record_with_all_that_it_says(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever its row is called now, and once; its neighbour is to be bought."""
    batch = bench.batch(2, on_record=False)
    name = lay(bench, batch, key=f"smiles/elsewhere/other-{batch.plan.rows[0].clip.key[:12]}.mp4")
    (attempt,) = known(bench, batch)
    assert f"found in S3 and adopted, not bought again: s3://clips/{name}" in caplog.messages
    assert (attempt.clip_key, attempt.id, attempt.batch) == (batch.plan.rows[0].clip.key, f"{1:032x}", "smiles")
    assert (attempt.state, attempt.s3_uri, attempt.sha256) == (State.STORED, f"s3://clips/{name}", DIGEST)
    assert (attempt.provider, attempt.generation_id, attempt.size_bytes) == ("aiml", "video_1", len(CLIP))
    assert (attempt.usd_quoted, attempt.usd_charged, attempt.credits_used) == (USD, Decimal("1.3"), 1_300_000)
    assert attempt.created_at == NOON and f"adopted from s3://clips/{name}" in bench.notes(attempt)
    assert known(bench, batch) == [attempt] and bench.shelf.heads == [name]


def test_names_are_listed_below_the_destination_and_read_only_where_they_may_be_meant(bench: Bench) -> None:
    """Of others' folders only what the plan wants; of its own also what no row has any more, but not what is on record."""
    batch = bench.batch(2, on_record=False)
    wanted = batch.plan.rows[0].clip.key
    stray = "0" * 12
    heads = {
        f"smiles/smiles/a-{wanted[:12]}.mp4",
        f"smiles/b-{wanted[:12]}-12345678.mp4",
        f"smiles/smiles/c-{stray}.mp4",
    }
    for name in (
        *heads, f"smiles/other/d-{stray}.mp4", f"smiles/smiles/e-{wanted[:12]}.mp4.json", f"smiles/smiles/f-{wanted[:11]}.mp4",
        f"elsewhere/g-{wanted[:12]}.mp4", f"smiles2/h-{wanted[:12]}.mp4",
    ):  # fmt: skip
        bench.shelf.objects["clips", name] = CLIP, {}
    assert known(bench, batch) == [] and set(bench.shelf.heads) == heads
    bench.shelf.heads.clear()
    row = batch.plan.rows[1]
    bench.ledger.plan("smiles", "smiles.csv", batch.destination, [a_row(9, a_clip("gone"))], {a_clip("gone").key: USD})
    bench.shelf.objects.clear()
    bench.shelf.objects["clips", f"smiles/smiles/x-{a_clip('gone').key[:12]}.mp4"] = CLIP, {}
    bench.attempt(State.STORED, bench.batch(2), 1)
    bench.shelf.objects["clips", f"smiles/smiles/x-{row.clip.key[:12]}.mp4"] = CLIP, {}
    assert bench.run(adopt_known, batch).taken and bench.shelf.heads == []


def test_a_clip_that_came_home_in_another_batch_is_not_looked_at_again(bench: Bench) -> None:
    """Its digits are known by the plan, before the ledger knows them in this batch."""
    home = bench.batch(2)
    bench.attempt(State.STORED, home, 1)
    batch = replace(home, plan=replace(home.plan, batch="grins"))
    bench.shelf.objects["clips", f"smiles/grins/x-{home.plan.rows[1].clip.key[:12]}.mp4"] = CLIP, {}
    assert bench.run(adopt_known, batch).delivered and bench.shelf.heads == []


def test_at_the_top_of_a_bucket_everything_is_below(bench: Bench) -> None:
    batch = replace(bench.batch(on_record=False), prefix="")
    bench.stores["clips", ""] = StoreAbilities()
    names = {f"smiles/a-{'0' * 12}.mp4", f"x/b-{batch.plan.rows[0].clip.key[:12]}.mp4"}
    for name in (*names, f"x/c-{'0' * 12}.mp4"):
        bench.shelf.objects["clips", name] = CLIP, {}
    assert known(bench, batch) == [] and set(bench.shelf.heads) == names


@pytest.mark.parametrize("learned", ["from the start", "by the refusal"])
def test_a_key_that_may_not_list_looks_where_the_clips_would_be(bench: Bench, learned: str) -> None:
    """Under the keys of earlier versions too; and it is remembered."""
    batch = bench.batch(2, on_record=False)
    name = lay(bench, batch, 1)
    blind: list[bool] = []
    real = bench.shelf.head

    def head(bucket: str, key: str, blind_now: bool = False, **named: bool) -> Stored | None:
        blind.append(named.get("blind", blind_now))
        return real(bucket, key)

    bench.shelf.head = head  # type: ignore[method-assign, assignment]
    if learned == "from the start":
        bench.stores["clips", "smiles"] = StoreAbilities(may_list=False)
    else:
        bench.shelf.trouble = [StoreRefused("AccessDenied", "AccessDenied", 403)]
    (attempt,) = known(bench, batch)
    assert attempt.s3_uri == f"s3://clips/{name}" and bench.stores["clips", "smiles"] == StoreAbilities(may_list=False)
    assert blind and all(blind)
    keys = keys_of(batch, batch.rows)
    assert set(bench.shelf.heads) == {
        object_key("smiles", "smiles", batch.rows[today].id, key) for key, today in keys.items()
    }


@pytest.mark.parametrize("trouble", [StoreTrouble("HTTP 503"), StoreRefused("NoSuchBucket", "NoSuchBucket", 404)])
@pytest.mark.parametrize("at", ["the listing", "a head"])
def test_a_store_that_can_not_be_asked_keeps_everything_from_being_bought(
    bench: Bench, trouble: Exception, at: str
) -> None:
    batch = bench.batch(on_record=False)
    lay(bench, batch)
    if at == "a head":
        bench.stores["clips", "smiles"] = StoreAbilities(may_list=False)
    bench.shelf.trouble = [trouble]
    with pytest.raises(Misconfigured) as error:
        bench.run(adopt_known, batch)
    assert str(error.value) == f"S3 can't be asked whether clips are there already ({trouble}). Nothing was bought."
    assert error.value.trouble == "store"


def test_many_objects_are_looked_at_although_one_is_no_clip(bench: Bench) -> None:
    batch = bench.batch(40, on_record=False)
    for at in range(40):
        lay(bench, batch, at)
    name = lay(bench, batch, 7)
    bench.shelf.objects["clips", name] = CLIP, {}
    assert len(known(bench, batch)) == 39


def test_a_batch_that_is_home_asks_nobody(bench: Bench) -> None:
    batch = bench.batch()
    bench.attempt(State.STORED, batch)
    bench.shelf.trouble = [StoreTrouble("HTTP 503")]
    assert len(known(bench, batch)) == 1 and bench.vendor.asked == []


def test_a_clip_of_an_earlier_version_has_todays_key(bench: Bench) -> None:
    """The key of its time is in its name and in its metadata."""
    batch = bench.batch(rows=(a_row(1, a_clip("she smiles\nand turns")),), on_record=False)
    row = batch.plan.rows[0]
    (earlier, *_) = sorted(earlier_keys(row.clip))
    assert keys_of(batch, batch.rows)[earlier] == row.clip.key == keys_of(batch, batch.rows)[row.clip.key]
    lay(bench, batch, key=object_key("smiles", "smiles", "row-1", earlier), clip_key=earlier)
    (attempt,) = known(bench, batch)
    assert (attempt.clip_key, attempt.state) == (row.clip.key, State.STORED)


def test_a_fitted_image_was_known_by_what_an_encoder_made_of_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is sent says which digests may have stood for it; without one there are none."""
    image = a_clip().image._replace(sha256="a" * 64, made="crop 16:9")
    batch = bench.batch(rows=(a_row(1, a_clip(image=image)),), on_record=False)
    (row,) = batch.plan.rows
    sent = SentFile(Path("/home/sent.png"), "b" * 64, Path("/home/original.png"))

    def digests(*told: object) -> list[str]:
        assert told == (sent.path, sent.sha256, "crop 16:9", sent.fitted_of)
        return ["c" * 64]

    monkeypatch.setattr(adopt, "earlier_digests", digests)
    assert keys_of(batch, batch.rows) == {row.clip.key: row.clip.key}
    fitted = replace(batch, plan=replace(batch.plan, files={row.clip.key: sent}))
    earlier = earlier_keys(row.clip, ["c" * 64])
    assert earlier and keys_of(fitted, batch.rows) == dict.fromkeys((row.clip.key, *earlier), row.clip.key)


@pytest.mark.parametrize("name", ["no clip", "another clip's digits"])
def test_an_object_whose_name_is_not_its_clips_is_left(bench: Bench, name: str) -> None:
    batch = bench.batch(on_record=False)
    key = {"no clip": "smiles/film.mp4", "another clip's digits": f"smiles/x-{'0' * 12}.mp4"}[name]
    lay(bench, batch, key=key)
    assert adopt_object(bench.runtime(), "clips", key) is None
    assert adopt_object(bench.runtime(), "clips", f"smiles/x-{'1' * 12}.mp4") is None, "nothing lies there"


@pytest.mark.parametrize(("batch", "named"), [("the batch in hand", True), (None, False), ("another", False)])
def test_a_batchs_long_name_is_whole_again_where_it_is_in_hand(bench: Bench, batch: str | None, named: bool) -> None:
    whole = "smiles " * 100
    made = bench.batch(on_record=False)
    name = lay(bench, made, batch=cut(whole))
    found = adopt_object(bench.runtime(), "clips", name, whole if batch == "the batch in hand" else batch)
    assert found is not None and found.batch == (whole if named else cut(whole))


def test_what_the_store_shows_stands_under_the_whole_name_of_the_batch(bench: Bench) -> None:
    made = bench.batch(on_record=False)
    batch = replace(made, plan=replace(made.plan, batch="smiles " * 100))
    lay(bench, batch, batch=cut(batch.name))
    assert [attempt.batch for attempt in known(bench, batch)] == [batch.name]


def logged(batch: Batch, at: int = 0, key: str = "", succeeded: bool = True) -> Logged:
    row = batch.plan.rows[at]
    reference = f"dailies.{at + 1:032x}.{(key or row.clip.key)[:24]}"
    return Logged(reference, NOON, Found(f"video_{at}", succeeded, Decimal("1.3"), 1_300_000))


def test_a_clip_in_the_log_is_on_record_and_collected(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """What did not succeed, and what is nobody's, is not."""
    batch = bench.batch(3, on_record=False)
    stranger = replace(logged(batch), reference="somebody.elses")
    bench.vendor.log = [stranger, logged(batch, 1, succeeded=False), logged(batch)]
    (attempt,) = known(bench, batch)
    assert (attempt.id, attempt.clip_key, attempt.batch) == (
        logged(batch).reference,
        batch.plan.rows[0].clip.key,
        "smiles",
    )
    assert (attempt.state, attempt.generation_id, attempt.provider) == (State.SUBMITTED, "video_0", "aiml")
    assert (attempt.usd_quoted, attempt.usd_charged, attempt.credits_used) == (
        Decimal("1.3"),
        Decimal("1.3"),
        1_300_000,
    )
    assert attempt.created_at == NOON and "adopted from the provider's log" in bench.notes(attempt)
    assert "row-1: the provider's log shows that it was bought already; adopted" in caplog.messages
    assert bench.vendor.asked == [("finished", NOON - adopt.LOOK_BACK, NOON + timedelta(hours=1))]
    assert [(row.id, row.clip.model) for row in bench.ledger.rows_of_clips([attempt.clip_key])] == [
        ("row-1", "openai/sora-2-pro-i2v")
    ]


def test_the_log_may_know_the_key_of_its_time(bench: Bench) -> None:
    batch = bench.batch(rows=(a_row(1, a_clip("she smiles\nand turns")),), on_record=False)
    (earlier, *_) = sorted(earlier_keys(batch.plan.rows[0].clip))
    bench.vendor.log = [logged(batch, key=earlier)]
    assert [attempt.clip_key for attempt in known(bench, batch)] == [batch.plan.rows[0].clip.key]


def test_the_clips_are_told_as_they_stand_with_what_was_taken_in(bench: Bench) -> None:
    """From the store, from a log, from both; a log is not asked for what the store has shown."""
    batch = bench.batch(3, on_record=False)
    one, two, three = (row.clip.key for row in batch.plan.rows)

    def stand() -> tuple[set[str], set[str]]:
        found = bench.run(adopt_known, batch)
        return {*found.delivered}, {*found.taken}

    bench.vendor.log = [logged(batch, 1)]
    assert stand() == (set(), {two})
    lay(bench, batch, generation_id="video_s")
    assert stand() == ({one}, {one, two})
    lay(bench, batch, 2)
    bench.vendor.asked.clear()
    assert stand() == ({one, three}, {one, two, three}) and bench.vendor.asked == []


def test_each_provider_that_may_be_asked_for_a_clip_is_asked_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without a log is passed by, and what is taken or in S3 already needs none."""
    monkeypatch.setattr(adopt, "LOG_PAUSES_S", ())
    rows = (row_of(a_row(1), ("aiml", "fal")), row_of(a_row(2), ("fal",)), row_of(a_row(3), ("runware",)))
    batch = bench.batch(rows=rows)
    bench.attempt(State.SUBMITTED, batch, 2)
    logs: dict[str, LogUnavailable | list[Logged]] = {
        "aiml": LogUnavailable("it has no log"),
        "fal": [logged(batch, 1)],
    }
    asked: list[str] = []

    def vendor(name: str) -> Any:
        class One:
            async def finished(self, since: object, until: object) -> list[Logged]:
                asked.append(name)
                log = logs[name]
                if isinstance(log, LogUnavailable):
                    raise log
                return log

        return One()

    made = bench.runtime()
    made._providers = {name: vendor(name) for name in ("aiml", "fal", "runware")}
    bench.runtime = lambda: made  # type: ignore[method-assign]
    bench.run(adopt_known, batch)
    assert asked == ["aiml", "fal"]
    assert [a.provider for a in bench.ledger.attempts(rows[1].clip.key)] == ["fal"]
    assert bench.ledger.attempts(rows[0].clip.key) == ()


def test_a_log_that_says_no_for_a_moment_is_asked_again_and_one_that_stays_away_is_told_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the ledger has forgotten a clip, only the log knows that it is paid for."""
    monkeypatch.setattr(adopt, "LOG_PAUSES_S", (0.0, 0.0))
    batch = bench.batch()
    answers: list[LogUnavailable | list[Logged]] = [LogUnavailable("503"), LogUnavailable("503"), [logged(batch, 0)]]

    async def finished(since: object, until: object) -> list[Logged]:
        answer = answers.pop(0) if answers else LogUnavailable("503 for good")
        if isinstance(answer, LogUnavailable):
            raise answer
        return answer

    monkeypatch.setattr(bench.vendor, "finished", finished)
    assert known(bench, batch) and "503" not in caplog.text
    bench.run(adopt_known, bench.batch(2))
    said = "what aiml knows of earlier purchases can't be asked: 503 for good"
    assert ("dailies.adopt", logging.WARNING, said) in caplog.record_tuples


def test_a_provider_without_a_log_is_asked_once_and_that_is_no_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dailies.adopt")
    bench.vendor.log = LogUnavailable("it has no log")
    assert known(bench, bench.batch(rows=(row_of(a_row(1), ("fal",)),))) == []
    said = "what fal knows of earlier purchases can't be asked: it has no log"
    assert caplog.record_tuples == [("dailies.adopt", logging.INFO, said)]
    assert [what for what, *_ in bench.vendor.asked] == ["finished"]


def spooled(bench: Bench, batch: Batch) -> Path:
    attempt = an_attempt(State.SUBMITTING, id="d" * 32, clip_key=batch.plan.rows[0].clip.key)
    return bench.runtime().spool.put(Spooled(KnownAttempt(attempt), Accepted("video_s")))


def test_what_waits_in_the_spool_is_taken_in_first(bench: Bench) -> None:
    batch = bench.batch()
    path = spooled(bench, batch)
    (attempt,) = known(bench, batch)
    assert (attempt.generation_id, attempt.state, path.exists()) == ("video_s", State.SUBMITTED, False)


def test_what_the_ledger_does_not_take_from_the_spool_keeps_everything_from_being_bought(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = bench.batch()
    path = spooled(bench, batch)

    async def nothing_drained(*_: object) -> int:
        return 0

    monkeypatch.setattr(adopt, "drain_spool", nothing_drained)
    with pytest.raises(Misconfigured) as error:
        bench.run(adopt_known, batch)
    assert str(error.value) == (
        f"the ledger does not take what waits in {path}: buying now could pay twice. Nothing was bought. "
        f"See what {ADOPT} says of it"
    )
    assert error.value.trouble == "spool"
    assert bench.run(adopt_everything) == [
        f"{path} stays: the ledger does not take what it holds, a clip that was paid for"
    ]


def test_a_garbled_file_in_the_spool_keeps_everything_from_being_bought(bench: Bench) -> None:
    batch = bench.batch()
    path = spooled(bench, batch).with_name("garbled.json")
    path.write_text("{")
    with pytest.raises(Misconfigured) as error:
        bench.run(adopt_known, batch)
    assert str(error.value) == (
        f"{path} can't be read, and it may hold a clip that was paid for: buying now could pay twice. Nothing was bought. "
        f"{adopt.LOOK_AT_IT}"
    )
    assert error.value.trouble == "spool"
    assert bench.run(adopt_everything) == [f"{path} stays, for it can't be read. {adopt.LOOK_AT_IT}"]


def test_everything_is_what_spool_and_every_destination_hold(bench: Bench) -> None:
    """The setting's too; at the top of a bucket as well, and no object twice. A batch that only a clip tells of has none."""
    batch = bench.batch(3)
    spooled(bench, batch)
    here = lay(bench, batch, 1)
    bench.settings = {"dailies_to": "s3://films"}
    key = f"deep/down/x-{batch.plan.rows[2].clip.key[:12]}.mp4"
    bench.shelf.objects["films", key] = CLIP, told(batch.plan.rows[2].clip.key, 3, batch="grins")
    other = a_clip("other").key
    bench.shelf.objects["clips", f"smiles2/x-{other[:12]}.mp4"] = CLIP, told(other, 4)
    bench.shelf.objects["clips", "smiles/report.html"] = CLIP, {}
    said = bench.run(adopt_everything)
    assert said[0] == f"adopted generation video_s of attempt {'d' * 32}, from the spool"
    assert sorted(said[1:]) == [f"adopted s3://clips/{here}", f"adopted s3://films/{key}"]
    assert sorted(bench.shelf.heads) == [key, here] and bench.run(adopt_everything) == []
    assert bench.ledger.batch_destination("grins") == ""


def test_a_refused_head_is_an_empty_place_only_to_a_key_that_may_not_list(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(bench.shelf, "head", lambda bucket, key, blind: asked.append(blind))
    name = f"smiles/x-{'0' * 12}.mp4"
    assert adopt_object(bench.runtime(), "clips", name) is None
    assert adopt_object(bench.runtime(), "clips", name, blind=True) is None
    assert asked == [False, True]
