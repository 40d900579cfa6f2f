"""A file found by the name that somebody wrote, though its letters are composed otherwise there, or `\\` stands for `/`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dailies.domain.text import clean_label

DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Finder:
    """Looks for files below one folder. Each folder is listed at most once, and only where a name was not found as it is."""

    def __init__(self, below: Path) -> None:
        self._below = below
        self._listed: dict[Path, Mapping[str, list[str]]] = {}

    def find(self, source: str) -> Path:
        """The file that is meant; where there is none, the path as it was written."""
        written = self._below / source
        if os.path.lexists(written):
            return written
        if "\\" in source and not DRIVE.match(source):
            source = source.replace("\\", "/")
        path = self._below
        for part in Path(source).parts:
            path = self._step(path, part)
        return path

    def nearly(self, source: str) -> str | None:
        """The name of a file beside the one that was not found, which differs only in upper and lower case."""
        path = self.find(source)
        found = {name for name in self._names(path.parent).get(_folded(path.name).casefold(), []) if name != path.name}
        return found.pop() if len(found) == 1 else None

    def _step(self, folder: Path, part: str) -> Path:
        there = folder / part
        if part == ".." or os.path.lexists(there):
            return there
        alike = [n for n in self._names(folder).get(_folded(part).casefold(), []) if _folded(n) == _folded(part)]
        return folder / alike[0] if len(alike) == 1 else there

    def _names(self, folder: Path) -> Mapping[str, list[str]]:
        """What a folder holds, by the names in one form and one case."""
        if folder not in self._listed:
            found: dict[str, list[str]] = {}
            try:
                for name in sorted(os.listdir(folder)):
                    found.setdefault(_folded(name).casefold(), []).append(name)
            except OSError:
                found = {}
            self._listed[folder] = found
        return self._listed[folder]


def _folded(name: str) -> str:
    return clean_label(name)
