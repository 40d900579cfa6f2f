"""A picture's file, looked at again before its bytes are sent: it must be the one that was planned. Loads no pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from dailies.errors import BadInput


class PictureChanged(BadInput):
    """A picture's file can't be read any more, or has other bytes than were planned."""


def read_unchanged(path: Path, sha256: str) -> bytes:
    """A picture's bytes. Raises PictureChanged when they are not the ones that were planned."""
    with readable(path):
        content = path.read_bytes()
    _require(path, hashlib.sha256(content).hexdigest(), sha256)
    return content


def size_unchanged(path: Path, sha256: str) -> int:
    """A picture's length. Its bytes are read once, however many clips are made of it. Raises PictureChanged as above."""
    with readable(path):
        found = path.stat()
        _require(path, _digest(path, found.st_ino, found.st_mtime_ns, found.st_size), sha256)
    return found.st_size


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """While a picture's file is read: that it can't be is told as PictureChanged."""
    try:
        yield
    except OSError as error:
        raise PictureChanged(f"{path.name} can't be read any more: {error.strerror}") from error


def _require(path: Path, found: str, sha256: str) -> None:
    if found != sha256:
        raise PictureChanged(f"{path.name} has changed since it was checked; run again to plan with the new one")


@lru_cache(maxsize=4096)
def _digest(path: Path, *_as_it_is: int) -> str:
    """The digest of a file of this number, time and size. What changes and keeps all three is noticed before it is sent."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
