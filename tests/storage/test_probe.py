"""A store is tried with one object before the first cent: every manner of stores, the way it leads to, and what is said."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dailies.storage.abilities import Proof, StoreAbilities, Writing
from dailies.storage.probe import NAME, try_store
from dailies.storage.s3 import S3, Body, StoreRefused, StoreTrouble
from tests.e2e.harness import s3_client
from tests.e2e.s3_proxy import FaultyStore

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
USUAL = StoreAbilities(proof=Proof.ETAG)  # as moto answers: no checksum in a HEAD


def left_in(store: FaultyStore, bucket: str) -> list[str]:
    found = s3_client(store.behind).list_objects_v2(Bucket=bucket).get("Contents", [])
    return [item["Key"] for item in found]


@pytest.mark.parametrize(("manners", "expected"), [
    ([], USUAL),
    (["checksum-400"], StoreAbilities(checksum=False, proof=Proof.ETAG)),
    (["checksum-501"], StoreAbilities(checksum=False, proof=Proof.ETAG)),
    (["conditional-501"], StoreAbilities(conditional=False, proof=Proof.ETAG)),
    (["conditional-400"], StoreAbilities(conditional=False, proof=Proof.ETAG)),
    (["conditional-501", "checksum-400"], StoreAbilities(conditional=False, checksum=False, proof=Proof.ETAG)),
    (["ignores-conditional"], StoreAbilities(conditional=False, proof=Proof.ETAG)),
    (["no-digest"], StoreAbilities(proof=Proof.READ)),
    (["ignores-metadata"], StoreAbilities(proof=Proof.ETAG, keeps_metadata=False)),
    (["no-list"], StoreAbilities(proof=Proof.ETAG, may_list=False)),
    (["no-length-in-head"], USUAL),
    (["no-length"], USUAL),
])  # fmt: skip
def test_each_manner_leads_to_a_way_of_putting(
    front: FaultyStore, s3: S3, bucket: str, manners: list[str], expected: StoreAbilities
) -> None:
    """Nothing is left behind, and what is lost is said."""
    front.manners |= set(manners)
    found = try_store(s3, bucket, "clips", NOW)
    assert found == expected
    assert left_in(front, bucket) == []
    assert bool(found.sentences()) == (found != USUAL)
    assert StoreAbilities.of_record(found.record()) == found


@pytest.mark.parametrize(("manner", "said"), [
    ("sse-required", ["403 AccessDenied: explicit deny", "set DAILIES_S3_SSE=AES256", "s3:PutObject"]),
    ("kms-required", ["explicit deny", "set DAILIES_S3_SSE=aws:kms"]),
    ("read-only", ["403 AccessDenied: explicit deny", "s3:PutObject"]),
    ("full", ["507 InsufficientStorage: the cluster has no free volume", "make room"]),
    ("quota", ["403 QuotaExceeded: the user's quota of 5 GiB is used up", "make room"]),
    ("kms-disabled", ["KMS.DisabledException", "DAILIES_S3_SSE_KMS_KEY_ID"]),
    ("no-read", ["s3:GetObject", "explicit deny"]),
    ("garbles", ["gives back other bytes"]),
    ("body-limit", ["413", "too large body", "most likely by a proxy", "client_max_body_size", "--to"]),
])  # fmt: skip
def test_what_can_not_work_is_refused_in_the_stores_own_words_with_what_cures_it(
    front: FaultyStore, s3: S3, bucket: str, manner: str, said: list[str]
) -> None:
    """A refusal names permission, cause and setting; nothing is left behind."""
    front.manners.add(manner)
    with pytest.raises(StoreRefused) as refused:
        try_store(s3, bucket, "clips", NOW)
    assert all(words in str(refused.value) for words in said), refused.value
    assert left_in(front, bucket) == []


@pytest.mark.parametrize(("manner", "writing", "said"), [
    ("sse-501", Writing(sse="AES256"), "Without DAILIES_S3_SSE=AES256 it takes them"),
    ("class-400", Writing(storage_class="COLD"), "Without DAILIES_S3_STORAGE_CLASS=COLD it takes them"),
])  # fmt: skip
def test_a_setting_that_the_store_does_not_take_is_named(
    front: FaultyStore, bucket: str, manner: str, writing: Writing, said: str
) -> None:
    """The other way round: our own header is what it refuses."""
    front.manners.add(manner)
    with pytest.raises(StoreRefused, match=said):
        try_store(S3(writing), bucket, "", NOW)


def test_a_bucket_that_wants_encryption_is_used_with_the_setting(front: FaultyStore, bucket: str) -> None:
    """SSE, its key and the storage class go with clips and with small objects alike."""
    front.manners.add("kms-required")
    store = S3(Writing("aws:kms", "alias/clips", "STANDARD_IA"))
    assert try_store(store, bucket, "clips", NOW).conditional
    store.put_bytes(bucket, "clips/report.html", b"page", "text/html")
    assert len(front.puts) >= 3
    for _, headers in front.puts:
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/clips"
        assert headers["x-amz-storage-class"] == "STANDARD_IA"


@pytest.mark.parametrize("manner", ["checksum-400", "checksum-501"])
def test_reports_posters_and_images_are_put_without_a_checksum_where_it_is_refused(
    front: FaultyStore, s3: S3, bucket: str, manner: str
) -> None:
    """Small objects find their way by themselves."""
    front.manners.add(manner)
    assert s3.put_bytes(bucket, "a/poster.webp", b"picture", "image/webp") == f"s3://{bucket}/a/poster.webp"
    assert s3.read(bucket, "a/poster.webp", 100) == b"picture"


def test_one_put_is_as_large_as_a_clip_and_packs_into_nothing(
    front: FaultyStore, s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are small: a slow line carries it once."""
    sent: list[bytes] = []
    put = S3.put

    def noted(store: S3, bucket: str, key: str, body: Body, *rest: Any) -> None:
        assert isinstance(body.content, bytes)
        sent.append(body.content)
        put(store, bucket, key, body, *rest)

    monkeypatch.setattr(S3, "put", noted)
    try_store(s3, bucket, "clips", NOW)
    assert [len(zlib.compress(content)) > 1 << 20 for content in sent] == [True, False]


def test_a_key_that_may_not_delete_is_noted_and_what_it_left_is_swept_later(
    front: FaultyStore, s3: S3, bucket: str
) -> None:
    """Older than an hour only: another run may be trying the store at this moment. Other people's objects stay."""
    s3_client(front.behind).put_object(Bucket=bucket, Key="clips/mine.mp4", Body=b"x")
    s3_client(front.behind).put_object(Bucket=bucket, Key=f"clips/{NAME}notes.txt", Body=b"x")
    front.manners.add("no-delete")
    assert not try_store(s3, bucket, "clips", NOW).may_delete
    front.manners.clear()
    assert try_store(s3, bucket, "clips", NOW + timedelta(minutes=59)).may_delete
    assert len(left_in(front, bucket)) == 3
    try_store(s3, bucket, "clips", NOW + timedelta(minutes=61))
    assert left_in(front, bucket) == [f"clips/{NAME}notes.txt", "clips/mine.mp4"]


def test_trouble_that_may_pass_is_told_apart(front: FaultyStore, s3: S3, bucket: str) -> None:
    """503 SlowDown is no verdict on the store."""
    front.manners.add("slow")
    with pytest.raises(StoreTrouble, match="503 SlowDown: reduce your rate"):
        try_store(s3, bucket, "clips", NOW)


def test_a_bucket_that_is_not_there_is_named(s3: S3) -> None:
    """With how to go on."""
    with pytest.raises(StoreRefused, match="there is no bucket no-such-bucket"):
        try_store(s3, "no-such-bucket", "clips", NOW)


def test_a_heads_refusal_has_the_stores_words(front: FaultyStore, s3: S3, bucket: str) -> None:
    """A HEAD's answer has no body; a GET of the same tells why."""
    s3.put_bytes(bucket, "clips/probe", b"x", "text/plain")
    front.fault("denied", "HEAD", times=9, part="probe")
    front.manners.add("no-read")
    with pytest.raises(StoreRefused, match="explicit deny"):
        s3.head(bucket, "clips/probe")


@pytest.mark.parametrize("manner", ["no-length-in-head", "no-length"])
@pytest.mark.parametrize("content", [b"", b"x", b"a clip of ours"])
def test_the_size_of_what_is_stored_is_known_without_a_content_length(
    front: FaultyStore, s3: S3, bucket: str, manner: str, content: bytes
) -> None:
    """As some proxies leave it out."""
    s3.put_bytes(bucket, "a.mp4", content, "video/mp4")
    front.manners.add(manner)
    found = s3.head(bucket, "a.mp4")
    assert found is not None and found.size_bytes == len(content)
    assert s3.head(bucket, "b.mp4") is None
    assert b"".join(s3.open(bucket, "a.mp4").chunks) == content


@pytest.mark.parametrize("manner", ["no-token", "same-token"])
def test_a_listing_that_leads_nowhere_is_trouble_and_neither_endless_nor_an_end(
    front: FaultyStore, s3: S3, bucket: str, manner: str
) -> None:
    """What it leaves out may be paid for."""
    s3.put_bytes(bucket, "a.mp4", b"x", "video/mp4")
    front.manners.add(manner)
    for listed in (s3.names(bucket, ""), s3.all_versions(bucket, "")):
        with pytest.raises(StoreTrouble, match="does not come to an end"):
            list(listed)


@pytest.mark.parametrize(("url", "cause"), [
    ("http://no-such-host.invalid:9000", "no-such-host.invalid:9000 can't be reached"),
    ("http://127.0.0.1:9", "Connection refused"),
])  # fmt: skip
def test_a_store_that_can_not_be_reached_is_named_with_its_cause(
    url: str, cause: str, bucket: str, front: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS and refused connections: which host, and why."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreTrouble, match=cause) as trouble:
        try_store(S3(), bucket, "clips", NOW)
    assert "0x" not in str(trouble.value)


def test_a_proxy_in_between_is_named_without_its_password(
    bucket: str, front: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address may hold one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store.example:9000")
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@127.0.0.1:9")
    with pytest.raises(StoreTrouble, match=r"through the proxy of HTTP_PROXY=http://127\.0\.0\.1:9") as trouble:
        try_store(S3(), bucket, "clips", NOW)
    assert "hunter2" not in str(trouble.value)
