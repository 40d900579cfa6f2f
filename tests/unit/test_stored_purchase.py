"""What an object in a store says that it is: by its metadata, or by the sidecar beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.steps.stored_purchase import REQUIRED, read_purchase
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import Stored, StoreRefused, StoreTrouble
from tests.ledger.factories import NOON, FakeClock
from tests.unit.steps_bench import Bench, bench_on
from tests.unit.test_adopt_step import CLIP, DIGEST, told


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.stores["clips", "smiles"] = StoreAbilities()
        yield bench


def purchase(bench: Bench, fields: Mapping[str, str], size: int = len(CLIP), checksum: str | None = DIGEST) -> Any:
    return read_purchase(bench.shelf, "clips", Stored("a/b.mp4", size, checksum, "etag", fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, ""])
def test_metadata_that_lacks_what_a_purchase_needs_is_none(bench: Bench, name: str, value: str | None) -> None:
    fields = told("c" * 64)
    assert purchase(bench, fields) is not None
    del fields[name]
    assert purchase(bench, fields if value is None else fields | {name: value}) is None


def test_metadata_that_is_whole_asks_for_no_sidecar(bench: Bench) -> None:
    """What it need not say, such as what it cost, is not known then."""
    fields = told("c" * 64)
    for name in ("usd-quoted", "usd-charged", "credits-used"):
        del fields[name]
    bench.shelf.trouble.append(StoreTrouble("slow down"))
    found = purchase(bench, fields)
    assert (found.provider, found.sha256, found.size_bytes) == ("aiml", DIGEST, len(CLIP))
    assert (found.usd_quoted, found.usd_charged, found.credits_used) == (Decimal(0), None, None)


@pytest.mark.parametrize("changes", [{"created": "soon"}, {"usd_quoted": "much"}, {"usd_charged": "much"}])
def test_metadata_that_makes_no_sense_is_none(bench: Bench, changes: dict[str, str]) -> None:
    assert purchase(bench, told("c" * 64, **changes)) is None


def beside(bench: Bench, **changes: object) -> None:
    """The sidecar of the clip that `purchase` asks about."""
    said = {
        "schema": "dailies.clip/1", "clip_key": "c" * 64, "attempt": f"{1:032x}", "provider": "aiml",
        "generation_id": "video_1", "sha256": DIGEST, "size_bytes": len(CLIP), "batch": "smiles", "id": "grün",
        "model": "openai/sora-2-pro-i2v", "created_at": NOON.isoformat(), "usd_quoted": 1.26, "usd_charged": 1.3,
        "credits_used": 1_300_000,
    }  # fmt: skip
    bench.shelf.lay("a/b.json", json.dumps(said | changes).encode())


@pytest.mark.parametrize("fields", [
    {}, {"clip-key": "c" * 64}, dict.fromkeys(REQUIRED, ""), {**told("c" * 64), "generation-id": ""},
])  # fmt: skip
def test_what_metadata_lacks_is_read_in_the_sidecar(bench: Bench, fields: Mapping[str, str]) -> None:
    """Another tool has copied the clip; or its metadata had no room for all."""
    beside(bench)
    found = purchase(bench, fields)
    assert (found.clip_key, found.attempt_id, found.generation_id) == ("c" * 64, f"{1:032x}", "video_1")
    assert (found.usd_charged, found.credits_used, found.created_at) == (Decimal("1.3"), 1_300_000, NOON)
    assert (found.batch, found.row_id) == ("smiles", fields.get("row") or "grün")


@pytest.mark.parametrize("changes", [
    {"size_bytes": 7}, {"sha256": "ab" * 32}, {"sha256": None}, {"schema": "holiday/1"}, {"created_at": "soon"},
    {"generation_id": None}, {"usd_charged": "much"}, {"created_at": "2026-11-21T12:00:00"}, {"id": ["grün"]},
])  # fmt: skip
def test_a_sidecar_that_does_not_tell_of_this_file_is_passed_over(bench: Bench, changes: dict[str, object]) -> None:
    beside(bench)
    assert purchase(bench, {}) is not None
    beside(bench, **changes)
    assert purchase(bench, {}) is None


@pytest.mark.parametrize("spent", ["²", "9" * 5000, 10**30, -1, "much"])
def test_of_a_sidecar_only_what_the_ledger_can_hold_is_taken(bench: Bench, spent: object) -> None:
    """Whoever wrote it: what it says of credits may be any number, and of its row any letters."""
    beside(bench, credits_used=spent, id="gr\ud83dün\0")
    found = purchase(bench, {})
    assert found.credits_used is None and found.row_id == "gr?ün"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_sidecar_of_ours_is_passed_over(bench: Bench, content: bytes) -> None:
    bench.shelf.lay("a/b.json", content)
    assert purchase(bench, {}) is None


@pytest.mark.parametrize("fields", [{"clip-key": "d" * 64}, {"sha256": "ab" * 32}, {"attempt": "other"}])
def test_metadata_that_tells_of_another_file_than_the_sidecar_is_not_filled(
    bench: Bench, fields: dict[str, str]
) -> None:
    beside(bench)
    assert purchase(bench, fields) is None


def test_a_sidecar_that_can_not_be_asked_for_holds_up_what_could_be_bought_twice(bench: Bench) -> None:
    """But for a key that may not list, to which a 403 means that there is none."""
    bench.shelf.trouble.append(StoreRefused("no", "AccessDenied", 403))
    assert purchase(bench, {}) is None
    for trouble in (StoreTrouble("slow down"), StoreRefused("no such class", "", 400)):
        bench.shelf.trouble.append(trouble)
        with pytest.raises(type(trouble)):
            purchase(bench, {})


def test_metadata_is_read_as_it_was_before_it_travelled(bench: Bench) -> None:
    """Without prices nothing was quoted, and what it cost is not known."""
    found = purchase(bench, told("c" * 64, row="gr%C3%BCn", usd_quoted="", usd_charged="", credits_used="many"))
    assert (found.row_id, found.usd_quoted, found.usd_charged, found.credits_used) == ("grün", Decimal(0), None, None)
    assert (found.s3_uri, found.model, found.note) == (
        "s3://clips/a/b.mp4", "openai/sora-2-pro-i2v", "adopted from s3://clips/a/b.mp4",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("checksum", "md5", "lies", "whole"),
    [
        (DIGEST, "", b"", True), ("0" * 64, "etag", CLIP, False), (None, "etag", b"", True), (None, "other", CLIP, True),
        (None, "", CLIP, True), (None, "", b"garbled", False), (None, "other", b"garbled", False),
    ],
)  # fmt: skip
def test_only_whole_clips_are_taken(bench: Bench, checksum: str | None, md5: str, lies: bytes, whole: bool) -> None:
    """By the store's checksum alone where it has one, by its ETag, else by reading it."""
    bench.shelf.objects["clips", "a/b.mp4"] = lies, {}
    assert (purchase(bench, told("c" * 64, md5=md5), checksum=checksum) is not None) is whole


def test_an_empty_object_is_no_clip(bench: Bench) -> None:
    assert purchase(bench, told("c" * 64), size=0) is None
