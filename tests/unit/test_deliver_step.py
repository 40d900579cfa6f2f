"""The step that brings a paid clip home: where it goes, what a taken key means, who is told, and what trouble leaves behind."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from dailies.catalog import ResolvedOptions, expected_video
from dailies.domain.clips import object_key
from dailies.domain.origin import Origin
from dailies.domain.records import Attempt
from dailies.domain.standing import NOT_STORED
from dailies.domain.states import State
from dailies.errors import DeliveryDelayed
from dailies.media.containers import Container
from dailies.media.video import BadVideo
from dailies.runtime import Runtime
from dailies.steps import deliver
from dailies.steps.deliver import NoDestination, deliver_clip, destination
from dailies.steps.fetch import Fetched
from dailies.storage.abilities import StoreAbilities
from dailies.storage.download import Download
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on, catalog

CLIP = b"a clip" * 1000
DIGEST = hashlib.sha256(CLIP).hexdigest()


class Deliveries:
    """Delivery with its media and its store doubled: `puts` says what each put comes to, `looks` what each look at it."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.puts: list[bool | Exception | None] = []
        self.looks: list[bool | None] = []
        self.keys: list[tuple[str, str]] = []
        self.told: dict[str, tuple[Any, ...]] = {}
        self.odd = ""
        bench.stores["clips", "smiles"] = StoreAbilities()
        for name, double in {
            "PAUSES_S": (0.0,) * 5, "fetch": self.fetch, "inspect": self.inspect, "put_where_nothing_is": self.put, "look_at": self.look,
        }.items():  # fmt: skip
            monkeypatch.setattr(deliver, name, double)
        for name in ("pack", "keep_poster", "keep_sidecars", "start_look", "flush"):
            monkeypatch.setattr(deliver, name, partial(self.hear, name))
        self.trouble: Exception | None = None

    def hear(self, name: str, *told: Any) -> str:
        """Note what one of those is told who follow a delivery."""
        self.told[name] = told
        return f"what {name} makes"

    async def fetch(self, runtime: Runtime, attempt: Attempt) -> Fetched:
        assert runtime.ledger is self.bench.ledger
        path = self.bench.folder / "downloads" / f"{attempt.id}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CLIP)
        return Fetched(Download(path, len(CLIP), DIGEST), Container.MP4, self.odd)

    def inspect(self, path: Path, take: object) -> Any:
        self.told["inspect"] = path, take
        if self.trouble:
            raise self.trouble
        raise BadVideo("no moov atom")

    def put(self, s3: object, bucket: str, key: str, parcel: object) -> bool | None:
        assert (s3, parcel) == (self.bench.shelf, "what pack makes")
        self.keys.append((bucket, key))
        answer = self.puts.pop(0) if self.puts else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look(self, s3: object, bucket: str, key: str, parcel: object) -> bool | None:
        assert (s3, parcel) == (self.bench.shelf, "what pack makes") and (bucket, key) == self.keys[-1]
        return self.looks.pop(0) if self.looks else True

    def deliver(self, attempt: Attempt, batch: str = "smiles") -> Attempt:
        return self.bench.run(deliver_clip, attempt.id, batch)

    @property
    def files(self) -> list[str]:
        """What is left in the folder of downloads."""
        return sorted(path.name for path in (self.bench.folder / "downloads").iterdir())


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


@pytest.fixture
def deliveries(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    return Deliveries(bench, monkeypatch)


def key_of(attempt: Attempt, row_id: str = "row-1") -> str:
    return object_key("smiles", "smiles", row_id, attempt.clip_key)


def test_a_clip_is_stored_under_its_key_and_on_record(deliveries: Deliveries) -> None:
    """Marked where it is not what was bought, tidied away, and no longer remembered; once."""
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.bench.bought[attempt.id] = "known"
    deliveries.odd = "cut short"
    stored = deliveries.deliver(attempt)
    assert (stored.state, stored.s3_uri) == (State.STORED, f"s3://clips/{key_of(attempt)}")
    assert (stored.sha256, stored.size_bytes) == (DIGEST, len(CLIP))
    assert stored.mismatch == "cut short; it does not decode: no moov atom" and stored.result_url is None
    assert deliveries.bench.bought == {} and deliveries.files == []
    assert deliveries.deliver(attempt) == stored and len(deliveries.keys) == 1


def test_a_stored_clip_gets_what_belongs_to_it(deliveries: Deliveries, caplog: pytest.LogCaptureFixture) -> None:
    """Its metadata, its poster of the pictures that its check decoded, its sidecars, a look at its footage; and a line."""
    caplog.set_level(logging.INFO, "dailies.deliver")
    bench, ways = deliveries.bench, StoreAbilities(checksum=False)
    bench.stores["clips", "smiles"] = ways
    attempt = bench.attempt(State.COMPLETED)
    stored = deliveries.deliver(attempt)
    (row,) = bench.ledger.rows_of_clips([attempt.clip_key])
    row = row._replace(attempts=(attempt,))
    path = bench.folder / "downloads" / f"{attempt.id}.mp4"
    told = deliveries.told
    assert told["pack"] == (attempt, row, Download(path, len(CLIP), DIGEST), ways, "video/mp4")
    assert told["inspect"][0] == path and told["inspect"][1].__self__ is told["keep_poster"][3]
    assert told["keep_poster"][:3] == (bench.shelf, stored, row)
    assert told["keep_poster"][4:] == (bench.folder / "reports" / "smiles" / "posters", ways)
    assert told["keep_sidecars"] == (bench.ledger, bench.shelf, attempt.clip_key, ways, stored.s3_uri)
    assert told["start_look"][1:] == (stored, row, path, expected_audio(row.clip.model))
    assert caplog.messages[-1] == f"row-1 · stored as {stored.s3_uri} (it does not decode: no moov atom)"
    assert "flush" not in told


def expected_audio(model: str) -> bool | None:
    return catalog().find(model).audio


def test_posters_lie_by_the_batch_that_bought_a_clip_and_copies_by_the_one_that_wants_it(
    deliveries: Deliveries,
) -> None:
    """Which may ask for the same clip under another name."""
    bench = deliveries.bench
    mine, theirs = str(bench.folder / "mine"), str(bench.folder / "theirs")
    batch = bench.batches.add(bench.batch(request={"report_dir": mine, "keep_local": mine}))
    other = replace(
        batch, plan=replace(batch.plan, batch="frowns"), request=batch.request.but(report_dir=theirs, keep_local=theirs)
    )
    bench.batches.add(other)
    renamed = replace(batch.plan.rows[0], id="other")
    bench.ledger.plan("angry", "angry.csv", "s3://clips/angry", [renamed], batch.plan.quotes)
    attempt = bench.attempt(State.COMPLETED, batch)
    assert deliveries.deliver(attempt, "frowns").s3_uri == f"s3://clips/{key_of(attempt)}"
    assert deliveries.told["keep_poster"][4] == bench.folder / "mine" / "posters"
    assert [path.name for path in (bench.folder / "theirs").iterdir()] == [f"row-1-{attempt.clip_key[:12]}.mp4"]
    assert not (bench.folder / "mine").exists()


def test_a_clip_of_a_batch_that_has_lost_its_row_goes_by_another_row(deliveries: Deliveries) -> None:
    bench = deliveries.bench
    batch = bench.batch()
    attempt = bench.attempt(State.COMPLETED, batch)
    bench.ledger.plan(
        "angry", "angry.csv", "s3://clips/angry", [replace(batch.plan.rows[0], id="other")], batch.plan.quotes
    )
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM batch_row WHERE batch = 'smiles'")
    assert str(deliveries.deliver(attempt).s3_uri).rpartition("/")[2].startswith("other-")


def test_where_a_clip_says_that_it_is_from_is_on_record(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A clip that can't be asked is stored all the same."""
    caplog.set_level(logging.INFO, "dailies.deliver")
    asked: list[Path] = []

    def origin(path: Path) -> Origin:
        asked.append(path)
        if len(asked) > 1:
            raise ValueError("no such box")
        return Origin(c2pa=True)

    monkeypatch.setattr(deliver, "origin_of", origin)
    batch = deliveries.bench.batch(2)
    first = deliveries.deliver(deliveries.bench.attempt(State.COMPLETED, batch))
    second = deliveries.deliver(deliveries.bench.attempt(State.COMPLETED, batch, 1))
    assert [one.origin for one in (first, second)] == [Origin(c2pa=True), None]
    assert f"{second.id}.mp4 can't be asked where it comes from: ValueError: no such box" in caplog.messages


def test_a_defect_in_the_check_keeps_no_clip_from_being_stored(deliveries: Deliveries) -> None:
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.trouble = ValueError("no such pixel")
    assert deliveries.deliver(attempt).mismatch == "it could not be checked: ValueError: no such pixel"


def test_a_clip_that_is_what_was_bought_is_not_marked(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is compared with what the catalog knows of its model; with nothing where that is gone."""
    caplog.set_level(logging.INFO, "dailies.deliver")
    wanted: list[Any] = []

    def compared(facts: str, with_what: Any) -> list[str]:
        wanted.append(with_what)
        return []

    monkeypatch.setattr(deliver, "inspect", lambda path, take: "facts")
    monkeypatch.setattr(deliver, "mismatches", compared)
    batch = deliveries.bench.batch()
    assert deliveries.deliver(deliveries.bench.attempt(State.COMPLETED, batch)).mismatch is None
    model = catalog().find("openai/sora-2-pro-i2v")
    assert asdict(wanted[0]) == asdict(expected_video(model, ResolvedOptions("720p", "16:9", 4)))
    assert caplog.messages[-1].startswith("row-1 · stored as ") and caplog.messages[-1].endswith(".mp4")
    gone = replace(batch.plan.rows[0].clip, model="gone/model")
    rows = (replace(batch.plan.rows[0], clip=gone),)
    second = deliveries.bench.batch(rows=rows)
    assert deliveries.deliver(deliveries.bench.attempt(State.COMPLETED, second)).mismatch is None
    assert wanted[1] == type(wanted[1])()


def test_a_key_that_another_object_has_is_never_overwritten(deliveries: Deliveries) -> None:
    """The clip goes beside it, named by its digest."""
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.puts = [False, None]
    stored = deliveries.deliver(attempt)
    beside = key_of(attempt).removesuffix(".mp4") + f"-{DIGEST[:8]}.mp4"
    assert stored.s3_uri == f"s3://clips/{beside}"
    assert deliveries.keys == [("clips", key_of(attempt)), ("clips", beside)]


def test_an_object_of_other_bytes_that_a_look_shows_has_the_key(deliveries: Deliveries) -> None:
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.looks = [False, True]
    assert str(deliveries.deliver(attempt).s3_uri).endswith(f"-{DIGEST[:8]}.mp4")


def test_a_clip_for_which_there_is_no_key_waits(deliveries: Deliveries, caplog: pytest.LogCaptureFixture) -> None:
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.puts = [False, False]
    with pytest.raises(DeliveryDelayed, match=r"are both taken by other objects.*Nothing is lost"):
        deliveries.deliver(attempt)
    now = deliveries.bench.again(attempt)
    assert now.state is State.COMPLETED and deliveries.files == [f"{attempt.id}.mp4"]
    path = deliveries.bench.folder / "downloads" / f"{attempt.id}.mp4"
    key, beside = deliveries.keys[0][1], deliveries.keys[1][1]
    assert now.error == (
        f"{NOT_STORED}: s3://clips/{key} and {beside} are both taken by other objects. The clip is paid for and kept as {path}"
    )
    assert deliveries.bench.halted == {} and deliveries.told["flush"] == (path,)
    assert caplog.messages[0] == f"row-1: s3://clips/{key} holds another object; it is not overwritten"


def test_a_second_clip_that_was_paid_for_lies_beside_the_first(deliveries: Deliveries) -> None:
    """An orphan, where another attempt has brought the clip home."""
    bench = deliveries.bench
    free = bench.attempt(State.FAILED)
    first = deliveries.deliver(bench.attempt(State.COMPLETED, bench.batch()))
    orphan = bench.ledger.record_completed(bench.ledger.mark_submitted(free.id, "video_late"), "https://cdn.example/l")
    assert orphan.state is State.ORPHANED and first.s3_uri == f"s3://clips/{key_of(first)}"
    second = deliveries.deliver(orphan)
    assert second.s3_uri == f"s3://clips/{key_of(first).removesuffix('.mp4')}-{orphan.id[:8]}.mp4"


def test_an_orphan_that_is_the_only_clip_takes_the_usual_key(deliveries: Deliveries) -> None:
    orphan = deliveries.bench.attempt(State.ORPHANED)
    ready = deliveries.bench.ledger.record_completed(orphan, "https://cdn.example/late")
    assert deliveries.deliver(ready).s3_uri == f"s3://clips/{key_of(orphan)}"


def test_trouble_with_the_store_is_tried_again_and_an_object_must_be_seen(deliveries: Deliveries) -> None:
    """Four times more."""
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.puts = [StoreTrouble("HTTP 503"), StoreTrouble("HTTP 503"), None, None]
    deliveries.looks = [None, True]
    assert deliveries.deliver(attempt).state is State.STORED and len(deliveries.keys) == 4


def test_a_store_that_is_away_for_too_long_delays_the_clip(deliveries: Deliveries) -> None:
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.puts = [StoreTrouble("HTTP 503")] * 9
    with pytest.raises(DeliveryDelayed, match="HTTP 503"):
        deliveries.deliver(attempt)
    assert len(deliveries.keys) == 5 and deliveries.bench.halted == {}
    deliveries.puts, deliveries.looks, deliveries.keys = [], [None] * 5, []
    with pytest.raises(DeliveryDelayed, match=rf"s3://clips/{key_of(attempt)}: put, and not found afterwards"):
        deliveries.deliver(attempt)
    assert len(deliveries.keys) == 5


def test_a_store_that_refuses_stops_the_batches_that_go_there(deliveries: Deliveries) -> None:
    """And no other; the clip waits, paid."""
    bench = deliveries.bench
    batch = bench.batch()
    attempt = bench.attempt(State.COMPLETED, batch)
    deliveries.puts = [StoreRefused("AccessDenied")]
    bench.batches.add(replace(batch, prefix="elsewhere"))
    with pytest.raises(DeliveryDelayed, match="AccessDenied"):
        deliveries.deliver(attempt)
    assert bench.halted == {} and len(deliveries.keys) == 1
    bench.batches.add(batch)
    deliveries.puts = [StoreRefused("AccessDenied")]
    with pytest.raises(DeliveryDelayed, match="AccessDenied"):
        deliveries.deliver(attempt)
    assert bench.halted == {"aiml": "the store refuses clips: AccessDenied"}


def test_a_clip_goes_where_its_own_batch_goes(bench: Bench) -> None:
    """The setting's place only for a batch that was never planned here."""
    attempt = bench.attempt(State.COMPLETED)
    bench.settings = {"dailies_to": "s3://other/place"}
    assert destination(bench.runtime(), attempt) == ("clips", "smiles")
    unplanned = attempt._replace(batch="another")
    assert destination(bench.runtime(), unplanned) == ("other", "place")
    bench.settings = {}
    with pytest.raises(NoDestination, match="nothing says where the clips of batch another go") as error:
        destination(bench.runtime(), unplanned)
    assert error.value.trouble == "no-destination"


@pytest.mark.parametrize("times", [1, 5, 6])
def test_a_ledger_that_is_away_is_told_patiently(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The object is safe; after five pauses the next run finds it."""
    attempt = deliveries.bench.attempt(State.COMPLETED)
    real, left = deliveries.bench.ledger.record_stored, [times]

    def told(*words: Any) -> Attempt:
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("update", {}, Exception("away"))
        return real(*words)

    monkeypatch.setattr(deliveries.bench.ledger, "record_stored", told)
    if times <= 5:
        assert deliveries.deliver(attempt).state is State.STORED
        return
    said = rf"^stored as s3://clips/{key_of(attempt)}, but the ledger can't be told: run dailies collect$"
    with pytest.raises(DeliveryDelayed, match=said):
        deliveries.deliver(attempt)


@pytest.mark.parametrize("target", ["a folder", "a file"])
def test_a_clip_is_kept_where_its_batch_wants_it(
    deliveries: Deliveries, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that can't be written is a line in the log: the clip is in S3."""
    bench = deliveries.bench
    kept = bench.folder / "films" / "kept"
    if target == "a folder":
        kept.mkdir(parents=True)  # by an earlier clip
    if target == "a file":
        kept.parent.write_text("")
    batch = bench.batches.add(bench.batch(request={"keep_local": str(kept)}))
    attempt = bench.attempt(State.COMPLETED, batch)
    assert deliveries.deliver(attempt).state is State.STORED and deliveries.files == []
    if target == "a folder":
        (only,) = kept.iterdir()
        assert only.name == f"row-1-{attempt.clip_key[:12]}.mp4" and only.read_bytes() == CLIP
    else:
        said = f"row-1 · stored in S3, and not kept in {kept}: [Errno 20] Not a directory: '{kept}'"
        assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [said]
