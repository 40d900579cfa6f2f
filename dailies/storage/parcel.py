"""A clip on its way into a store: put where nothing is yet, and looked at until it is proven to be there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from dailies.domain.records import Attempt, BatchRow
from dailies.storage.abilities import Proof, StoreAbilities
from dailies.storage.download import Download
from dailies.storage.metadata import clip_metadata
from dailies.storage.s3 import S3, Body, KeyTaken, Stored


@dataclass(frozen=True, slots=True)
class Parcel:
    """A clip's file with what travels along, and the ways in which its store takes it. `kind` is its content type.

    `md5` is the file's, in hex, where the store's answers hold no SHA-256.
    """

    body: Body
    metadata: Mapping[str, str]
    ways: StoreAbilities
    md5: str | None
    kind: str = "video/mp4"


def pack(attempt: Attempt, row: BatchRow, file: Download, ways: StoreAbilities, kind: str = "video/mp4") -> Parcel:
    """Make the parcel of one downloaded clip. Reads the file once more where its MD5 is needed."""
    md5 = None
    if ways.proof is not Proof.CHECKSUM:
        with file.path.open("rb") as content:
            md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return Parcel(Body(file.path, file.sha256), clip_metadata(attempt, row, file.sha256, md5), ways, md5, kind)


def put_where_nothing_is(s3: S3, bucket: str, key: str, parcel: Parcel) -> bool | None:
    """Put the clip, unless its key is taken. False when it is taken by something else, else None: look at it.

    Where the store does not keep conditional writes, a HEAD comes first, so that a stranger's object is never replaced.
    """
    if not parcel.ways.conditional:
        there = _found(s3, bucket, key, parcel)
        if there is not None:
            return None if same_content(s3, bucket, there, parcel) else False
    try:
        s3.put(bucket, key, parcel.body, parcel.kind, parcel.metadata, parcel.ways)
    except KeyTaken:
        pass  # a lost answer of ours, or somebody else's object: the look tells
    return None


def look_at(s3: S3, bucket: str, key: str, parcel: Parcel) -> bool | None:
    """Whether this very clip is what lies under the key; None when nothing does."""
    there = _found(s3, bucket, key, parcel)
    return None if there is None else same_content(s3, bucket, there, parcel)


def _found(s3: S3, bucket: str, key: str, parcel: Parcel) -> Stored | None:
    return s3.head(bucket, key, blind=not parcel.ways.may_list)


def same_content(s3: S3, bucket: str, found: Stored, parcel: Parcel) -> bool:
    """Whether a stored object holds these bytes: by the store's checksum, else its ETag, else by reading it back."""
    if found.size_bytes != parcel.body.size_bytes:
        return False
    if found.checksum is not None:
        return found.checksum == parcel.body.sha256
    if parcel.md5 is not None and found.etag == parcel.md5:
        return True
    return s3.digest(bucket, found.key) == parcel.body.sha256
