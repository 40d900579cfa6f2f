"""Whether the SQLite file that a process has open is still the one that everybody else would find."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dailies.errors import Misconfigured


class LedgerVanished(Misconfigured, OSError):
    """The open ledger was deleted, renamed or replaced under this process: what it writes there, nobody will read."""


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A SQLite ledger's file as it was when it was opened: a path, and what stood there."""

    path: Path
    device: int
    inode: int

    @classmethod
    def at(cls, path: Path) -> LedgerFile:
        """The file that stands at a path now. Raises OSError when there is none."""
        path = path.absolute()
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def is_at_its_path(self) -> bool:
        """Whether the path still leads to it."""
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (self.device, self.inode)

    def require(self) -> None:
        """Raise LedgerVanished when the path no longer leads to it."""
        if not self.is_at_its_path():
            raise LedgerVanished(
                f"the ledger {self.path} was deleted, renamed or replaced while it was in use: nothing more is bought, and "
                f"answers that are still to come wait in {self.path.parent / 'spool'}. Put the folder back where it was (or "
                "leave it), and run the same command again: it goes on from there"
            )
