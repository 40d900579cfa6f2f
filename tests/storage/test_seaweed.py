"""SeaweedFS, a second S3 that none of us wrote, does what moto lets us believe that stores do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from dailies.storage.abilities import StoreAbilities
from dailies.storage.parcel import look_at, put_where_nothing_is
from dailies.storage.probe import try_store
from dailies.storage.s3 import S3, Body, KeyTaken, StoreRefused
from tests.storage.parcels import parcel_of

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KEY = "clips/batch/door-0123456789ab.mp4"


def test_it_is_tried_and_nothing_is_left(sea_bucket: str) -> None:
    """Conditional writes, checksum and metadata all hold there."""
    s3 = S3()
    found = try_store(s3, sea_bucket, "clips", NOW)
    assert (found.conditional, found.checksum, found.keeps_metadata, found.may_list, found.may_delete) == (True,) * 5
    assert found.sentences() == []
    assert list(s3.names(sea_bucket, "")) == []


def test_a_clip_is_put_once_proven_and_read(sea_bucket: str, tmp_path: Path) -> None:
    """Byte for byte, also by a presigned address; the key is not taken twice."""
    s3 = S3()
    parcel = parcel_of(tmp_path, try_store(s3, sea_bucket, "clips", NOW), bytes(range(256)) * 4000)
    assert put_where_nothing_is(s3, sea_bucket, KEY, parcel) is None
    assert look_at(s3, sea_bucket, KEY, parcel) is True
    other = parcel_of(tmp_path, parcel.ways, b"other bytes")
    put_where_nothing_is(s3, sea_bucket, KEY, other)
    assert look_at(s3, sea_bucket, KEY, other) is False
    assert s3.digest(sea_bucket, KEY) == parcel.body.sha256
    answer = httpx.get(s3.presign(sea_bucket, KEY), trust_env=False)
    assert answer.status_code == 200 and answer.content == bytes(range(256)) * 4000


def test_a_conditional_put_is_refused_where_something_is(sea_bucket: str) -> None:
    """By the store itself, without a HEAD before it."""
    s3 = S3()
    s3.put(sea_bucket, KEY, Body.of(b"first"), "video/mp4", {}, StoreAbilities())
    with pytest.raises(KeyTaken):
        s3.put(sea_bucket, KEY, Body.of(b"second"), "video/mp4", {}, StoreAbilities())
    assert s3.read(sea_bucket, KEY, 100) == b"first"


def test_the_listing_for_adoption_holds_all_names(sea_bucket: str) -> None:
    """More than a page of them, from one prefix only."""
    s3 = S3()
    for number in range(7):
        s3.put_bytes(sea_bucket, f"clips/batch/a-{number:012x}.mp4", b"x", "video/mp4")
    s3.put_bytes(sea_bucket, "other/batch/a-0123456789ab.mp4", b"x", "video/mp4")
    assert len(list(s3.names(sea_bucket, "clips/"))) == 7


def test_a_wrong_key_is_refused_in_its_words(sea_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to check."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers the key of the tests before
    with pytest.raises(StoreRefused, match=r"InvalidAccessKeyId.*AWS_\* credentials"):
        try_store(S3(), sea_bucket, "clips", NOW)
