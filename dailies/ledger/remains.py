"""Files beside the ledger in which prompts stand: one list of them, and how long each is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from dailies.ledger.copies import copies_of


class Kind(StrEnum):
    """What a file is, and what it is kept for."""

    SPOOLED = "spooled"  # the outcome of a paid request that the ledger has not taken yet
    ANSWER = "answer"  # an answer that nobody could read, for who has to decide about its attempt
    COPY = "copy"  # the ledger as it was before an upgrade
    SENDERS_LOG = "sender's log"  # what a sender had to say after its run was gone


KEPT_FOR = {
    Kind.SPOOLED: None,  # until the ledger has taken it
    Kind.ANSWER: timedelta(days=90),
    Kind.COPY: timedelta(days=30),
    Kind.SENDERS_LOG: timedelta(days=30),
}


@dataclass(frozen=True, slots=True)
class Remain:
    """One such file. `attempt_id` is the attempt that it speaks of, where its name tells one."""

    path: Path
    kind: Kind
    changed_at: datetime
    attempt_id: str | None = None

    def is_due(self, now: datetime, unsettled: Collection[str]) -> bool:
        """Whether it has been kept for long enough; never while its attempt is one of the `unsettled`."""
        kept_for = KEPT_FOR[self.kind]
        return kept_for is not None and self.attempt_id not in unsettled and now - self.changed_at > kept_for


def remains_in(home: Path, ledger: Path | None = None) -> list[Remain]:
    """Every file that the ledger and its spool have left in DAILIES_HOME, and beside a SQLite ledger that lies elsewhere.

    The ledger itself is none of them, nor are reports, images and downloads, which have folders of their own.
    """
    copies = {*copies_of(home / "ledger.db"), *(copies_of(ledger) if ledger else [])}
    found = [
        *_all(Kind.SPOOLED, (home / "spool").glob("*.json*"), named=True),
        *_all(Kind.SPOOLED, (home / "spool").glob("*.part"), named=True),
        *_all(Kind.ANSWER, (home / "answers").glob("*.txt"), named=True),
        *_all(Kind.COPY, sorted(copies)),
        *_all(Kind.SENDERS_LOG, home.glob("sender-*.log")),
    ]
    return sorted(found, key=lambda one: one.path)


def _all(kind: Kind, paths: Iterable[Path], named: bool = False) -> Iterator[Remain]:
    for path in paths:
        changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        yield Remain(path, kind, changed_at, _attempt_in(path.name) if named else None)


def _attempt_in(name: str) -> str:
    """`ATTEMPT.json`, `ATTEMPT.2.json`, `ATTEMPT.1.txt`; an attempt's id may hold a dot."""
    stem = name.rsplit(".", 1)[0]
    head, _, number = stem.rpartition(".")
    return head if head and number.isdigit() and len(number) < 4 else stem
