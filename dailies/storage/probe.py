"""A store tried with one object as large as a clip before anything is bought: taken, shown, given back, deleted."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dailies.storage.abilities import Proof, StoreAbilities, Writing
from dailies.storage.metadata import fitted
from dailies.storage.s3 import S3, Body, KeyTaken, Stored, StoreRefused, StoreTrouble, in_a_way_it_takes

NOTE = b"dailies tries whether clips can be stored here. It deletes this object at once; you may, too.\n"
SIZE_BYTES = 1 << 20
"""Follow the note: a short clip has as many, and the limit of 1 MiB that nginx has by itself is met before a clip is paid for."""
SMALL = Body.of(NOTE)
"""What is put where the size tells nothing more."""
NAME = "dailies-probe-"
STAMP = "%Y%m%dT%H%M%SZ"
STALE = timedelta(hours=1)
"""Nobody's probe takes that long: an older object was left by a run that died, or by a key that may not delete."""
_STAMPED = re.compile(rf"{NAME}(\d{{8}}T\d{{6}}Z)-[0-9a-f]{{8}}$")
_LABEL = "which metadata this store takes is tried with as much as a clip may have" * 4


def try_store(s3: S3, bucket: str, prefix: str, now: datetime) -> StoreAbilities:
    """Put one object below `prefix` with a clip's own headers, look at it, read it, delete it. Blocks.

    Raises StoreRefused when clips can't be stored there, in the store's own words and with what to set; StoreTrouble when
    it may be otherwise a little later.
    """
    folder = f"{prefix}/" if prefix else ""
    may_list = _swept(s3, bucket, folder, now)
    key = f"{folder}{NAME}{now.astimezone(UTC).strftime(STAMP)}-{secrets.token_hex(4)}"
    content = NOTE + secrets.token_bytes(SIZE_BYTES)  # nothing on the way makes these any fewer
    way = _taken(s3, bucket, key, Body.of(content))
    try:
        found = _shown(s3, bucket, key, content)
        _given_back(s3, bucket, key, content)
        conditional = _refuses_a_second(s3, bucket, key, way)
    finally:
        deleted = _deleted(s3, bucket, key)
    return replace(
        way, conditional=conditional, proof=_proof(found, content), keeps_metadata="clip-key" in found.metadata,
        may_list=may_list, may_delete=deleted,
    )  # fmt: skip


def stale(names: Iterable[str], now: datetime) -> list[str]:
    """Those of these keys that are probes which nobody is at work on any more."""
    found = []
    for name in names:
        stamp = _STAMPED.search(name)
        if stamp and datetime.strptime(stamp[1], STAMP).replace(tzinfo=UTC) < now - STALE:
            found.append(name)
    return found


def _swept(s3: S3, bucket: str, folder: str, now: datetime) -> bool:
    """Delete what earlier probes left; whether the key may list at all."""
    try:
        left = stale(s3.names(bucket, folder + NAME), now)
    except StoreRefused as error:
        if not error.denied:
            raise
        return False
    for name in left:
        _deleted(s3, bucket, name)
    return True


def _taken(s3: S3, bucket: str, key: str, body: Body) -> StoreAbilities:
    """The first way of putting that the store takes. Raises the refusal of the usual way, with what would cure it."""

    def put(way: StoreAbilities) -> None:
        with suppress(KeyTaken):  # it is ours: the answer to it was lost
            _put(s3, bucket, key, body, way)

    try:
        return in_a_way_it_takes(StoreAbilities(), put)
    except StoreRefused as error:
        raise _cured(s3, bucket, key, error) from error


def _put(s3: S3, bucket: str, key: str, body: Body, way: StoreAbilities) -> None:
    s3.put(bucket, key, body, "video/mp4", fitted({"clip-key": "0" * 64, "sha256": body.sha256, "row": _LABEL}), way)


def _cured(s3: S3, bucket: str, key: str, refused: StoreRefused) -> StoreRefused:
    """The refusal with the setting that cures it, where trying shows one."""
    if not refused.may_be_a_header and refused.code != "InvalidStorageClass":
        return refused
    for writing, advice in _other_writings(s3.writing):
        other = s3.with_writing(writing)
        for way in (StoreAbilities(), StoreAbilities(conditional=False, checksum=False)):
            with suppress(StoreRefused, StoreTrouble):
                _put(other, bucket, key, SMALL, way)
                _deleted(s3, bucket, key)
                return StoreRefused(f"{refused}. {advice}", refused.code, refused.status)
    return refused


def _other_writings(now: Writing) -> list[tuple[Writing, str]]:
    tried = []
    if now.sse is None:
        for sse in ("AES256", "aws:kms"):
            advice = f"This bucket takes encrypted objects only: set DAILIES_S3_SSE={sse}"
            tried.append((replace(now, sse=sse), advice))
    else:
        without = replace(now, sse=None, kms_key_id=None)
        tried.append((without, f"Without DAILIES_S3_SSE={now.sse} it takes them: unset it"))
    if now.storage_class:
        advice = f"Without DAILIES_S3_STORAGE_CLASS={now.storage_class} it takes them: unset it"
        tried.append((replace(now, storage_class=None), advice))
    return tried


def _refuses_a_second(s3: S3, bucket: str, key: str, way: StoreAbilities) -> bool:
    """Whether conditional writes are kept. Some stores take the header and write all the same."""
    if not way.conditional:
        return False
    try:
        _put(s3, bucket, key, SMALL, way)
    except KeyTaken:
        return True
    return False


def _shown(s3: S3, bucket: str, key: str, content: bytes) -> Stored:
    found = s3.head(bucket, key)
    if found is None:
        raise StoreTrouble(f"s3://{bucket}/{key}: put, and not found afterwards")
    if found.size_bytes != len(content):
        raise StoreRefused(
            f"s3://{bucket} shows {found.size_bytes} bytes of the {len(content)} that were put as {key}: "
            "what stands between here and the store changes them"
        )
    return found


def _proof(found: Stored, content: bytes) -> Proof:
    if found.checksum is not None:
        return Proof.CHECKSUM
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Proof.ETAG if found.etag == md5 else Proof.READ


def _given_back(s3: S3, bucket: str, key: str, content: bytes) -> None:
    try:
        same = s3.read(bucket, key, len(content) + 1) == content
    except KeyError:
        raise StoreTrouble(f"s3://{bucket}/{key}: put, and not found afterwards") from None
    if not same:
        raise StoreRefused(
            f"s3://{bucket} gives back other bytes than were put as {key}: what stands between here and the store changes them"
        )


def _deleted(s3: S3, bucket: str, key: str) -> bool:
    """Whether the key may delete. What stays because of trouble is swept by a later run."""
    try:
        s3.delete(bucket, key)
    except StoreRefused:
        return False
    except (StoreTrouble, KeyError):
        return True
    return True
