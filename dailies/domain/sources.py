"""Which file is a batch's own: another file under its name would be held to its budget and overwrite its report."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

_UPWARDS = re.compile(r"^(\.\./)+")
"""How a path begins that leads out of the folder."""


def located(source: str) -> str:
    """Where a CSV lies, whatever folder it is called from: an absolute path, or its s3:// address."""
    return source if "://" in source else os.path.abspath(Path(source).expanduser())


def same_file(recorded: str, source: str) -> bool:
    """Whether a batch's file on record is this one. Earlier versions wrote a path down as it was typed."""
    if "://" in recorded or os.path.isabs(recorded):
        return recorded == source
    return recorded == source or source.endswith(f"/{_UPWARDS.sub('', os.path.normpath(recorded))}")


def is_another_file(recorded: str, source: str, known: Collection[str], asked: Collection[str]) -> bool:
    """Whether a batch that was made from `recorded`, with the clips `known`, is another one than the file `source` asks for.

    A file that was moved, or edited where it lies, is still the batch's: one clip in common is enough.
    """
    return bool(recorded and known) and not same_file(recorded, source) and set(known).isdisjoint(asked)
