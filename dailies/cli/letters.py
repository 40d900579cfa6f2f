"""What is said on a terminal, in the letters that it has."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Sequence

from dailies.errors import BadInput

LETTERS = {"·": "-", "–": "-", "—": "-", "…": "...", "→": "->", "×": "x", "−": "-", "’": "'", "“": '"', "”": '"'}


def never_refuse_a_letter() -> None:
    """On a terminal or into a file that is not UTF-8, letters that it lacks are written as near as may be: what is said
    must never turn success into failure."""
    codecs.register_error("dailies", _nearest)
    silent = _locale_is_silent()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if silent and not stream.isatty():  # an id as `??` would be lost to whoever reads it
                stream.reconfigure(encoding="utf-8")
            stream.reconfigure(errors="dailies")


def refuse_unread_letters(words: Sequence[str]) -> None:
    """Raise BadInput for letters that came as bytes, for the locale knows none of them: they would name no clip and no file."""
    for word in words:
        try:
            meant = os.fsencode(word).decode("utf-8")
        except UnicodeError:
            continue
        if meant != word and any("\udc80" <= letter <= "\udcff" for letter in word):
            raise BadInput(
                f"{meant}: this locale has only the letters of ASCII. Say the same with PYTHONUTF8=1 before it, or with "
                "LC_ALL=C.UTF-8. Nothing was done."
            )


def _locale_is_silent() -> bool:
    """Whether it is the locale C, which says nothing of letters: Python passes bytes on there. Who asks for ASCII gets it."""
    out = sys.stdout
    return isinstance(out, io.TextIOWrapper) and (codecs.lookup(out.encoding).name, out.errors) == (
        "ascii",
        "surrogateescape",
    )


def _nearest(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(LETTERS.get(letter, "?") for letter in error.object[error.start : error.end]), error.end
