"""What a home holds that nothing needs any more: a list, made without changing anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dailies.ledger.remains import Remain

DOWNLOADED = re.compile(r"(.+)\.[0-9a-f]{64}(?:\.mp4)?")
PARTS = (".part", ".part.inside")
AT_WORK = timedelta(hours=1)
"""What was written within it may be a living process's."""
IN_USE = timedelta(days=1)
"""What can be made again and is younger is never removed for its size alone."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """One file or folder that may go, one object in S3 (`path` is None), or one run in the database at `path`.

    `where` names it for people.
    """

    kind: str
    where: str
    size_bytes: int
    changed_at: datetime
    path: Path | None = None
    attempt_id: str | None = None
    run_id: str | None = None


def due_remains(
    remains: Iterable[Remain], now: datetime, older_than: timedelta, unsettled: Collection[str]
) -> list[Leftover]:
    """What the ledger and its spool left, past its own time and older than asked; nothing of an `unsettled` attempt."""
    return [
        Leftover(str(one.kind), str(one.path), one.path.stat().st_size, one.changed_at, one.path, one.attempt_id)
        for one in remains
        if one.is_due(now, unsettled) and now - one.changed_at > older_than
    ]


def due_downloads(
    folder: Path, now: datetime, older_than: timedelta, is_needless: Callable[[str], bool]
) -> list[Leftover]:
    """Downloads of attempts of which `is_needless` says that nothing of them is needed any more, and parts of killed downloads.

    What belongs to no attempt that is known stays: it may be the only copy of something paid for.
    """
    found = []
    for one in _entries("download", folder):
        name, age = Path(one.where).name, now - one.changed_at
        if name.endswith(PARTS):
            due = age > AT_WORK
        else:
            named = DOWNLOADED.fullmatch(name)
            due = age > max(older_than, AT_WORK) and named is not None and is_needless(named[1])
        if due:
            found.append(one)
    return found


def remakeable_in(home: Path) -> list[Leftover]:
    """What a later run or report makes again where it is wanted: images, catalog answers, reports, agents' logs; oldest first."""
    found = [
        *_entries("image", home / "images"),
        *_entries("catalog answer", home / "cache"),
        *_entries("report", home / "reports"),
        *_entries("agent's log", home / "mcp"),
    ]
    return sorted(found, key=lambda one: (one.changed_at, one.where))


def too_old_or_too_much(
    found: Iterable[Leftover], now: datetime, older_than: timedelta, most_bytes: int | None = None
) -> list[Leftover]:
    """Those of these that are older than asked, and of the rest the oldest, until no more than `most_bytes` are left. Pure."""
    going: list[Leftover] = []
    staying: list[Leftover] = []
    for one in sorted(found, key=lambda one: (one.changed_at, one.where)):
        (going if now - one.changed_at > older_than else staying).append(one)
    left = sum(one.size_bytes for one in staying)
    for one in staying:
        if most_bytes is None or left <= most_bytes or now - one.changed_at <= IN_USE:
            break
        going.append(one)
        left -= one.size_bytes
    return going


def _entries(kind: str, folder: Path) -> Iterator[Leftover]:
    """Each file or folder that lies in a folder, as old as the youngest file in it. Links are nobody's to follow."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        files = [path, *(one for one in path.rglob("*") if not one.is_symlink())] if path.is_dir() else [path]
        stats = [one.stat() for one in files]
        size = sum(stat.st_size for one, stat in zip(files, stats, strict=True) if one.is_file())
        changed_at = datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC)
        yield Leftover(kind, str(path), size, changed_at, path)
