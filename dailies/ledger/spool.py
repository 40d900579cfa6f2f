"""The spool: where the outcome of a paid create waits, safe on disk, when the ledger could not take it.

One file per attempt in DAILIES_HOME/spool, written whole, fsynced and renamed. Recovery drains it before all else. Answers
that could not be read are kept as they came in DAILIES_HOME/answers, beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dailies.domain.creates import Accepted, CreateOutcome, KnownAttempt
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.system import AS_IT_STANDS, sync_folder

VERSION = 2
"""1 held the generation id alone, in a flat object without a version."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """What the ledger must still be told of an attempt, and what the attempt was, should the ledger have forgotten it."""

    known: KnownAttempt
    outcome: CreateOutcome
    version: int = VERSION

    @property
    def attempt_id(self) -> str:
        """The attempt whose create came to this."""
        return self.known.attempt.id

    @property
    def detail(self) -> str:
        """What became of the create, for people."""
        match self.outcome.kind:
            case "accepted":
                return f"generation {self.outcome.generation_id} of attempt {self.attempt_id}"
            case "free":
                return f"attempt {self.attempt_id} was not charged: {self.outcome.words}"
            case "doubtful":
                return f"attempt {self.attempt_id} is in doubt: {self.outcome.words}"


_FILE = TypeAdapter(Spooled)


class Spool:
    """A folder of outcomes that the ledger has not taken yet, and beside it one of answers that nobody could read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers = folder.parent / "answers"

    def put(self, spooled: Spooled) -> Path:
        """Write an outcome so that it survives a crash of the machine. Raises OSError when even that is impossible.

        Another outcome of the same attempt that waits already stays: it may hold an id.
        """
        _make_private(self.folder)
        content = _FILE.dump_json(_without_raw(spooled))
        path, number = self.folder / f"{spooled.attempt_id}.json", 1
        while path.exists() and path.read_bytes() != content:
            number += 1
            path = self.folder / f"{spooled.attempt_id}.{number}.json"
        part = path.with_suffix(".part")
        _write_synced(part, content)
        part.rename(path)
        sync_folder(self.folder)
        return path

    def keep_answer(self, attempt_id: str, raw: bytes) -> Path:
        """Keep an answer that could not be read, whole. One that is there already is never overwritten. Raises OSError."""
        _make_private(self.answers)
        number = sum(path.name.startswith(f"{attempt_id}.") for path in self.answers.iterdir()) + 1
        path = self.answers / f"{attempt_id}.{number}.txt"
        _write_synced(path, raw)
        sync_folder(self.answers)
        return path

    def answers_of(self, attempt_id: str) -> list[Path]:
        """The files in which unreadable answers to this attempt were kept."""
        return sorted(self.answers.glob(f"{attempt_id}.*.txt"))

    def __iter__(self) -> Iterator[tuple[Path, Spooled]]:
        """All outcomes that wait, oldest name first. Files that can't be read are left for a person."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                yield path, read_spooled(path.read_bytes())
            except (OSError, ValueError, TypeError, KeyError, ArithmeticError):  # whatever stands there instead
                continue

    def unreadable(self) -> list[Path]:
        """Files that can't be read, of which each may hold the id of a paid clip: garbled, or of a later version."""
        readable = {path for path, _ in self}
        return [path for path in sorted(self.folder.glob("*.json")) if path not in readable and path.exists()]

    def __len__(self) -> int:
        return len(list(self.folder.glob("*.json")))


def read_spooled(content: bytes) -> Spooled:
    """One file of the spool, whichever version wrote it. Raises ValueError, TypeError, KeyError or ArithmeticError."""
    fields = json.loads(content)
    if not isinstance(fields, dict):
        raise ValueError("not an outcome of ours")
    if "version" not in fields:
        return _first_version(fields)
    if fields["version"] > VERSION:
        raise ValueError(f"written by a later version of dailies: {fields['version']}")
    return _FILE.validate_json(content)


def _first_version(fields: dict[str, Any]) -> Spooled:
    created = datetime.fromisoformat(fields["created_at"]) if fields.get("created_at") else datetime.now(UTC)
    attempt = Attempt(
        id=fields["attempt_id"], clip_key=fields.get("clip_key", ""), no=1, batch=fields.get("batch", ""),
        provider=fields.get("provider", ""), state=State.SUBMITTING, owner="", epoch=1, lease_until=created,
        created_at=created, usd_quoted=Decimal(fields.get("usd_quoted") or "0"),
    )  # fmt: skip
    return Spooled(KnownAttempt(attempt), Accepted(fields["generation_id"]), version=1)


def _without_raw(spooled: Spooled) -> Spooled:
    outcome = spooled.outcome
    return replace(spooled, outcome=replace(outcome, raw=b"")) if outcome.kind == "doubtful" else spooled


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _write_synced(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | AS_IT_STANDS, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
