"""What is said on a terminal, in the letters that it has."""

from __future__ import annotations

import codecs
import io
import sys

LETTERS = {"·": "-", "–": "-", "—": "-", "…": "...", "→": "->", "×": "x", "−": "-", "’": "'", "“": '"', "”": '"'}


def never_refuse_a_letter() -> None:
    """On a terminal or into a file that is not UTF-8, letters that it lacks are written as near as may be: what is said
    must never turn success into failure."""
    codecs.register_error("dailies", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="dailies")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(LETTERS.get(letter, "?") for letter in error.object[error.start : error.end]), error.end
