"""A clip gets where nothing is yet, whatever the store does not do; and only proof counts as there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dailies.storage.parcel import look_at, put_where_nothing_is
from dailies.storage.probe import try_store
from dailies.storage.s3 import S3
from tests.e2e.harness import s3_client
from tests.e2e.s3_proxy import FaultyStore
from tests.storage.parcels import parcel_of

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KEY = "clips/batch/door.mp4"
MANNERS = [
    [],
    ["checksum-400"],
    ["conditional-501"],
    ["ignores-conditional"],
    ["ignores-conditional", "no-digest", "no-list"],
    ["no-digest"],
]


@pytest.mark.parametrize("manners", MANNERS)
def test_a_strangers_object_is_never_replaced(
    front: FaultyStore, s3: S3, bucket: str, manners: list[str], tmp_path: Path
) -> None:
    """Neither other bytes of another length nor of the same; the clip has to go beside it."""
    front.manners |= set(manners)
    parcel = parcel_of(tmp_path, try_store(s3, bucket, "clips", NOW))
    for stranger in (b"somebody else's holiday", b"A CLIP OF OURS"):
        s3_client(front.behind).put_object(
            Bucket=bucket, Key=KEY, Body=stranger, Metadata={"sha256": parcel.body.sha256}
        )
        taken = put_where_nothing_is(s3, bucket, KEY, parcel)
        assert taken is False or look_at(s3, bucket, KEY, parcel) is False
        assert s3_client(front.behind).get_object(Bucket=bucket, Key=KEY)["Body"].read() == stranger


@pytest.mark.parametrize("manners", MANNERS)
def test_a_clip_is_put_and_proven_and_put_again_without_harm(
    front: FaultyStore, s3: S3, bucket: str, manners: list[str], tmp_path: Path
) -> None:
    """The second time is what a lost answer leads to."""
    front.manners |= set(manners)
    parcel = parcel_of(tmp_path, try_store(s3, bucket, "clips", NOW))
    for _ in range(2):
        assert put_where_nothing_is(s3, bucket, KEY, parcel) is None
        assert look_at(s3, bucket, KEY, parcel) is True
    assert s3_client(front.behind).get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"a clip of ours"


@pytest.mark.parametrize("manners", [["checksum-400"], ["no-digest"]])
def test_the_echo_of_our_own_metadata_is_no_proof(
    front: FaultyStore, s3: S3, bucket: str, manners: list[str], tmp_path: Path
) -> None:
    """A byte flipped on the way, where the store checks nothing: the look tells, by ETag or by reading back."""
    front.manners |= set(manners)
    parcel = parcel_of(tmp_path, try_store(s3, bucket, "clips", NOW))
    s3_client(front.behind).put_object(
        Bucket=bucket, Key=KEY, Body=b"a clip of ourz", Metadata=dict(parcel.metadata), ContentType="video/mp4"
    )
    assert look_at(s3, bucket, KEY, parcel) is False


def test_a_clip_goes_with_the_headers_that_were_tried(front: FaultyStore, s3: S3, bucket: str, tmp_path: Path) -> None:
    """What the probe sent is what a clip sends: no header more, none less."""
    parcel = parcel_of(tmp_path, try_store(s3, bucket, "clips", NOW))
    put_where_nothing_is(s3, bucket, KEY, parcel)
    probe, clip = front.puts[0][1], front.puts[-1][1]
    names = [{name for name in sent if not name.startswith("x-amz-meta-")} for sent in (probe, clip)]
    assert names[0] == names[1]
    assert probe["content-type"] == clip["content-type"] == "video/mp4"
    assert probe["if-none-match"] == clip["if-none-match"] == "*"
