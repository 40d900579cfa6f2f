"""The step that brings a paid clip home: where it goes, what a taken key means, who is told, and what trouble leaves behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from dailies.domain.clips import object_key
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import DeliveryDelayed
from dailies.media.containers import Container
from dailies.media.video import BadVideo
from dailies.steps import deliver
from dailies.steps.deliver import NoDestination, deliver_clip, destination
from dailies.steps.fetch import Fetched
from dailies.storage.abilities import StoreAbilities
from dailies.storage.download import Download
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on

CLIP = b"a clip" * 1000
DIGEST = hashlib.sha256(CLIP).hexdigest()


class Deliveries:
    """Delivery with its media and its store doubled: `puts` says what each put comes to, `looks` what each look at it."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.puts: list[bool | Exception | None] = []
        self.looks: list[bool | None] = []
        self.keys: list[tuple[str, str]] = []
        self.looked: list[Path] = []
        self.packed: list[tuple[Any, ...]] = []
        self.odd = ""
        bench.stores["clips", "smiles"] = StoreAbilities()
        for name, double in {
            "PAUSES_S": (0.0,) * 5, "fetch": self.fetch, "inspect": self.inspect, "pack": lambda *told: self.packed.append(told[3:]),
            "put_where_nothing_is": self.put, "look_at": self.look, "keep_poster": lambda *_: None,
            "keep_sidecars": lambda *_: None, "start_look": lambda *told: self.looked.append(told[3]),
        }.items():  # fmt: skip
            monkeypatch.setattr(deliver, name, double)
        self.trouble: Exception | None = None

    async def fetch(self, runtime: Any, attempt: Attempt) -> Fetched:
        path = self.bench.folder / "downloads" / f"{attempt.id}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CLIP)
        return Fetched(Download(path, len(CLIP), DIGEST), Container.MP4, self.odd)

    def inspect(self, path: Path, take: object) -> Any:
        if self.trouble:
            raise self.trouble
        raise BadVideo("no moov atom")

    def put(self, s3: object, bucket: str, key: str, parcel: object) -> bool | None:
        self.keys.append((bucket, key))
        answer = self.puts.pop(0) if self.puts else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look(self, s3: object, bucket: str, key: str, parcel: object) -> bool | None:
        return self.looks.pop(0) if self.looks else True

    def deliver(self, attempt: Attempt) -> Attempt:
        return self.bench.run(deliver_clip, attempt.id, "smiles")

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
    """Marked where it is not what was bought, looked at, tidied away, and no longer remembered; once."""
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.bench.bought[attempt.id] = "known"
    deliveries.odd = "cut short"
    stored = deliveries.deliver(attempt)
    assert (stored.state, stored.s3_uri) == (State.STORED, f"s3://clips/{key_of(attempt)}")
    assert (stored.sha256, stored.size_bytes) == (DIGEST, len(CLIP))
    assert stored.mismatch == "cut short; it does not decode: no moov atom" and stored.result_url is None
    assert deliveries.bench.bought == {} and deliveries.files == []
    assert [path.name for path in deliveries.looked] == [f"{attempt.id}.mp4"]
    assert deliveries.packed == [(StoreAbilities(), "video/mp4")]
    assert deliveries.deliver(attempt) == stored and len(deliveries.keys) == 1


def test_a_defect_in_the_check_keeps_no_clip_from_being_stored(deliveries: Deliveries) -> None:
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.trouble = ValueError("no such pixel")
    assert deliveries.deliver(attempt).mismatch == "it could not be checked: ValueError: no such pixel"


def test_a_clip_that_is_what_was_bought_is_not_marked(deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is compared with what the catalog knows of its model; with nothing where that is gone."""
    wanted: list[Any] = []

    def compared(facts: str, with_what: Any) -> list[str]:
        wanted.append(with_what)
        return []

    monkeypatch.setattr(deliver, "inspect", lambda path, take: "facts")
    monkeypatch.setattr(deliver, "mismatches", compared)
    batch = deliveries.bench.batch()
    assert deliveries.deliver(deliveries.bench.attempt(State.COMPLETED, batch)).mismatch is None
    assert wanted[0].duration_s == 4
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


def test_a_clip_for_which_there_is_no_key_waits(deliveries: Deliveries) -> None:
    attempt = deliveries.bench.attempt(State.COMPLETED)
    deliveries.puts = [False, False]
    with pytest.raises(DeliveryDelayed, match=r"are both taken by other objects.*Nothing is lost"):
        deliveries.deliver(attempt)
    now = deliveries.bench.again(attempt)
    assert now.state is State.COMPLETED and deliveries.files == [f"{attempt.id}.mp4"]
    assert "The clip is paid for and kept as" in str(now.error) and deliveries.bench.halted == {}


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
    with pytest.raises(DeliveryDelayed, match="put, and not found afterwards"):
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
    with pytest.raises(DeliveryDelayed, match=r"^stored as s3://clips/smiles/.*, but the ledger can't be told: run"):
        deliveries.deliver(attempt)


@pytest.mark.parametrize("target", ["a folder", "a file"])
def test_a_clip_is_kept_where_its_batch_wants_it(deliveries: Deliveries, target: str) -> None:
    """A folder that can't be written is a line in the log: the clip is in S3."""
    bench = deliveries.bench
    kept = bench.folder / "films" / "kept"
    if target == "a file":
        kept.parent.write_text("")
    batch = bench.batches.add(bench.batch(request={"keep_local": str(kept)}))
    attempt = bench.attempt(State.COMPLETED, batch)
    assert deliveries.deliver(attempt).state is State.STORED and deliveries.files == []
    if target == "a folder":
        (only,) = kept.iterdir()
        assert only.name == f"row-1-{attempt.clip_key[:12]}.mp4" and only.read_bytes() == CLIP
