"""Removes clips, posters, sidecars and stored images from S3, with all their versions where the key may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dailies.forget.wanted import Wanted
from dailies.report.links import poster_key, sidecar_key
from dailies.storage.s3 import S3, StoreRefused, parse_s3_uri

AT_ONCE = 16


@dataclass
class Removed:
    """How many objects were removed, and what the key may not do, in the store's own words."""

    objects: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say it once."""
        if text not in self.notes:
            self.notes.append(text)


def objects_of(
    s3: S3, wanted: Wanted, copies: Iterable[str], destinations: Iterable[str], others: frozenset[str]
) -> set[tuple[str, str]]:
    """Bucket and key of everything in S3 that was made for these clips. `others` are digests of images that stay.

    Raises StoreTrouble.
    """
    places = {attempt.s3_uri for attempt in wanted.attempts if attempt.s3_uri} | set(copies)
    found: set[tuple[str, str]] = set()
    for uri in places:
        bucket, key = parse_s3_uri(uri)
        found |= {(bucket, key), (bucket, poster_key(key)), (bucket, sidecar_key(key))}
        found |= {(bucket, name) for name in _named(s3, bucket, key.removesuffix(".mp4"))}
    for uri in destinations:
        bucket, prefix = parse_s3_uri(uri)
        folder = "/".join(part for part in (prefix, "inputs") if part) + "/"
        digests = wanted.pictures - others
        names = _named(s3, bucket, folder) if digests else []
        found |= {(bucket, name) for name in names if name.removeprefix(folder).partition(".")[0] in digests}
    return found


def _named(s3: S3, bucket: str, prefix: str) -> list[str]:
    """Keys that begin so; none where the key may not list."""
    try:
        return list(s3.names(bucket, prefix))
    except StoreRefused:
        return []


def remove(s3: S3, objects: Iterable[tuple[str, str]], progress: Callable[[int, int], None]) -> Removed:
    """Delete objects and their versions. Blocks. Raises StoreRefused where the key may not delete, and StoreTrouble."""
    removed, wanted = Removed(), sorted(objects)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done, note in enumerate(pool.map(lambda place: _remove(s3, *place), wanted), 1):
            if note:
                removed.note(note)
            removed.objects += 1
            progress(done, len(wanted))
    return removed


def _remove(s3: S3, bucket: str, key: str) -> str | None:
    s3.delete(bucket, key)
    return remove_versions(s3, bucket, key)


def remove_versions(s3: S3, bucket: str, key: str, keep_latest: bool = False) -> str | None:
    """Delete what a versioned bucket keeps of one key. Returns what to tell a person where that is not allowed."""
    try:
        for version, latest in list(_versions(s3, bucket, key)):
            if not (keep_latest and latest):
                s3.delete_version(bucket, key, version)
    except StoreRefused as error:
        return f"if s3://{bucket} keeps versions, they are still there ({error}): remove them with a key that may"
    return None


def _versions(s3: S3, bucket: str, key: str) -> Iterator[tuple[str, bool]]:
    return ((version, latest) for name, version, latest in s3.all_versions(bucket, key) if name == key)
