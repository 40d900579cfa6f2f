"""Delivered clips from S3 to disk: whole or not at all, and going on where an earlier try stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

from dailies.domain.clip_line import Line
from dailies.domain.clips import clip_name
from dailies.domain.records import BatchRow
from dailies.errors import Misconfigured
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri
from dailies.system import try_lock

AT_ONCE = 8
PART = ".part"
TRIES = 3
NO_ORIGINALS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one clip: `new`, `there` already, or the words of what is wrong."""

    id: str
    path: Path
    new: bool = False
    problem: str | None = None


def name_in_s3(line: Line) -> str:
    """A clip's file name as in S3, without its ending."""
    return clip_name(line.id, line.clip_key)


def originals_of(rows: Iterable[BatchRow]) -> dict[str, str]:
    """Where the clips of these rows were put when they were delivered, by their keys: a batch may have only a copy."""
    return {row.clip_key: row.attempt.s3_uri for row in rows if row.attempt and row.attempt.s3_uri}


def fetch_all(
    s3: S3, lines: Sequence[Line], folder: Path, progress: Callable[[int, int], None] = lambda *_: None,
    name: Callable[[Line], str] = name_in_s3, originals: Mapping[str, str] = NO_ORIGINALS,
) -> list[Fetched]:  # fmt: skip
    """Bring delivered clips into a folder, named as in S3 or by `name`; one that stands in several batches once. Where a
    batch's copy is gone, the clip comes from where it was put first, by `originals`. Blocks.

    Raises Misconfigured when the folder can't be written.
    """
    wanted = {(line.id, line.clip_key): line for line in lines if line.s3_uri and line.sha256}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [
                pool.submit(fetch_one, s3, line, folder, name(line), originals.get(line.clip_key))
                for line in wanted.values()
            ]
            for done, _ in enumerate(as_completed(waiting), 1):
                progress(done, len(waiting))
            return [one.result() for one in waiting]
    except OSError as error:
        raise Misconfigured(
            f"{folder} can't be written: {error.strerror or error}. What came whole is there, and the next try goes on",
            trouble="disk",
        ) from error


def fetch_one(s3: S3, line: Line, folder: Path, name: str | None = None, original: str | None = None) -> Fetched:
    """One clip, its bytes checked against the ledger's digest; a file of other bytes is never touched. Raises OSError."""
    target = folder / f"{name or name_in_s3(line)}.mp4"
    if target.exists():
        other = (
            None if _digest(target) == line.sha256 else f"{target} holds other bytes: move it away to fetch the clip"
        )
        return Fetched(line.id, target, problem=other)
    with target.with_name(target.name + PART).open("ab") as part:
        if not try_lock(part):
            return Fetched(line.id, target, problem="another fetch is bringing it just now")
        for uri in dict.fromkeys((str(line.s3_uri), original or str(line.s3_uri))):
            with suppress(KeyError):
                return _fetch_into(Path(part.name), part, s3, line, target, uri)
        Path(part.name).unlink()
    return Fetched(
        line.id,
        target,
        problem=f"there is no {line.s3_uri} any more: the next run of {line.batch} brings it back if it is still to be had, "
        "and buys it not again",
    )


def _fetch_into(path: Path, part: BinaryIO, s3: S3, line: Line, target: Path, uri: str) -> Fetched:
    """Go on where the part ends, which may be of another file: then once more from the beginning. Raises KeyError where
    there is nothing."""
    bucket, key = parse_s3_uri(uri)
    problem = f"{uri} holds other bytes than were delivered"
    for _ in range(TRIES):
        start = path.stat().st_size
        try:
            if start < (line.size_bytes or 0) or not start:
                s3.fetch(bucket, key, part, start)
        except StoreTrouble as error:  # what came of it stays, and the next try goes on from there
            problem = str(error)
            continue
        except StoreRefused as error:
            return Fetched(line.id, target, problem=str(error))
        finally:
            part.flush()
        if _digest(path) == line.sha256:
            path.rename(target)
            return Fetched(line.id, target, new=True)
        part.truncate(0)
    return Fetched(line.id, target, problem=problem)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
