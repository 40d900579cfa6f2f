"""Every command that an output tells a person to type, whole as it stands. Pure."""

from __future__ import annotations

import shlex


def command(*words: str | None) -> str:
    """A command line of dailies; what is None is left out. A line break in a name would run half of it, so it becomes a
    blank."""
    return " ".join(["dailies", *(word(text) for text in words if text is not None)])


def word(text: str) -> str:
    """One word of a command line, whatever a batch or a file is called."""
    return shlex.quote(" ".join("".join(c if c.isprintable() else " " for c in text).split()))
