"""The spool: where a generation id waits, safe on disk, when the ledger could not take it.

One file per answer in DAILIES_HOME/spool, written whole, fsynced and renamed. Recovery drains it before all else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SpooledAnswer:
    """What the ledger must still be told: this attempt has this generation id; and what it was, should the ledger be lost."""

    attempt_id: str
    generation_id: str
    clip_key: str = ""
    batch: str = ""
    provider: str = ""
    usd_quoted: str = "0"
    created_at: str = ""


class Spool:
    """A folder of answers that the ledger has not taken yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, answer: SpooledAnswer) -> Path:
        """Write an answer so that it survives a crash of the machine. Raises OSError when even that is impossible."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{answer.attempt_id}.json"
        part = path.with_suffix(".part")
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(answer), file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return path

    def __iter__(self) -> Iterator[tuple[Path, SpooledAnswer]]:
        """All answers that wait, oldest name first. Files that can't be read are left for a person."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                fields = json.loads(path.read_text(encoding="utf-8"))
                yield path, SpooledAnswer(**fields)
            except (OSError, ValueError, TypeError):
                continue

    def __len__(self) -> int:
        return len(list(self.folder.glob("*.json")))
