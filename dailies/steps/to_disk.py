"""Delivered clips from S3 to disk: whole or not at all, and going on where an earlier try stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from dailies.domain.clips import clip_name
from dailies.domain.figures import Line
from dailies.errors import Misconfigured
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri

AT_ONCE = 8
PART = ".part"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one clip: `new`, `there` already, or the words of what is wrong."""

    id: str
    path: Path
    new: bool = False
    problem: str | None = None


def fetch_all(
    s3: S3, lines: Sequence[Line], folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Fetched]:
    """Bring delivered clips into a folder, named as in S3. Blocks. Raises Misconfigured when the folder can't be written."""
    wanted = [line for line in lines if line.s3_uri and line.sha256]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [pool.submit(fetch_one, s3, line, folder) for line in wanted]
            for done, _ in enumerate(as_completed(waiting), 1):
                progress(done, len(waiting))
            return [one.result() for one in waiting]
    except OSError as error:
        raise Misconfigured(
            f"{folder} can't be written: {error.strerror or error}. What came whole is there"
        ) from error


def fetch_one(s3: S3, line: Line, folder: Path) -> Fetched:
    """One clip, its bytes checked against the ledger's digest. Raises OSError of the disk."""
    target = folder / f"{clip_name(line.id, line.clip_key)}.mp4"
    if target.exists() and target.stat().st_size == line.size_bytes:  # only a whole clip ever gets this name
        return Fetched(line.id, target)
    part = target.with_name(target.name + PART)
    bucket, key = parse_s3_uri(str(line.s3_uri))
    try:
        for _ in range(2):  # what an earlier try left may be of another file: then once more from the beginning
            start = part.stat().st_size if part.exists() else 0
            if start < (line.size_bytes or 0) or not start:
                with part.open("ab") as file:
                    s3.fetch(bucket, key, file, start)
            if _digest(part) == line.sha256:
                part.replace(target)
                return Fetched(line.id, target, new=True)
            part.unlink()
    except KeyError:
        return Fetched(line.id, target, problem=f"there is no {line.s3_uri} any more")
    except (StoreRefused, StoreTrouble) as error:
        return Fetched(line.id, target, problem=str(error))
    return Fetched(line.id, target, problem=f"{line.s3_uri} holds other bytes than were delivered")


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
