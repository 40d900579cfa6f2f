"""Cells that hold no text of anybody's: what a spreadsheet shows where it could not calculate, and formulas. Pure.

Words such as None, NA and null are words: somebody may want to see them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

ERROR_WORDS: Final = frozenset(
    {"#N/A", "#N/D", "#N/B", "#NV", "#I/T", "#YOK", "#Н/Д", "#HIÁNYZIK", "#NENÍ_K_DISPOZICI", "#GETTING_DATA", "#BRAK"}
)
"""Errors without a mark at the end: not available, in the languages that write it so."""
NOTHING: Final = frozenset({"nan", "null", "none", "n/a", "<na>", "nat"})
"""What databases and data frames write where there is nothing. In a prompt these are words."""
_ERROR = re.compile(r"#[¡¿]?[^\W\d_][\w /.]{0,22}[!?]")
"""`#REF!`, `#VALUE!`, `#DIV/0!`, `#NAME?` and what they are called elsewhere: `#BEZUG!`, `#¿NOMBRE?`, `#ССЫЛКА!`."""
_ERROR_NUMBER = re.compile(r"(Err|Fehler|Erreur):\s?\d{3}", re.IGNORECASE)
_LOADING = re.compile(
    r"(Loading|Wird geladen|Chargement|Cargando|Caricamento|Carregando)( en cours)?\s?(\.\.\.|…)", re.IGNORECASE
)
_TOO_NARROW = re.compile(r"#{3,}")
_SHORTENED = re.compile(r"[+-]?\d([.,]\d+)?E\+\d{2,}")
"""A long number as a narrow column shows it, which is what is saved as CSV: `1.23457E+11`. Nobody's hand writes `E+11`."""
_MISREAD = re.compile(r"[ÃÂ][¡-ª¬-º¼-¿Ÿœ]|â€.|ðŸ")
"""UTF-8 that was opened as Windows-1252 and saved: `Ã¼` for `ü`, `â€™` for an apostrophe. No language has these pairs."""
_FORMULA = re.compile(r"\{?=.*|[+\-@]\s*[A-Z][A-Z0-9.]*\(.*\)", re.DOTALL)


@lru_cache(maxsize=256)  # most columns hold a few words over and over
def no_text(cell: str) -> tuple[str, str] | None:
    """Why a cell can't be what somebody wrote, and what to do; None for any text."""
    if not cell.isascii() and (lost := _letters_lost(cell)):
        return lost
    if not cell or (cell[0] not in "#={+-@\\ELWCFelwcf" and "E+" not in cell):
        return None
    if (
        cell.startswith("#N/A ")
        or cell.upper() in ERROR_WORDS
        or (_ERROR.fullmatch(cell) and cell.upper() == cell)
        or _ERROR_NUMBER.fullmatch(cell)
    ):
        return f"is a spreadsheet's error ({cell})", "mend it in the spreadsheet and save the values"
    if _LOADING.fullmatch(cell):
        return f"is {cell!r}: the spreadsheet was not ready", "wait until it is, and save it again"
    if _TOO_NARROW.fullmatch(cell):
        return "is only ###: the spreadsheet's column was too narrow to show it", "widen it and save it again"
    if _FORMULA.fullmatch(cell):
        return "is a formula, not its value", "save the values; text does not begin with ="
    if _SHORTENED.fullmatch(cell):
        return (
            f"is {cell}: the spreadsheet shortened a long number",
            "format the column as text, write it in full, save again",
        )
    if cell == "\\N":
        return "is \\N, which MySQL writes for nothing", "leave it empty"
    return None


def no_label(cell: str) -> tuple[str, str] | None:
    """Why a cell can't be a name that somebody gave: what programs write for an empty cell, as pandas' `nan`."""
    if cell.casefold() not in NOTHING:
        return None
    return f"is {cell}, which programs write for nothing", "leave it empty"


def _letters_lost(cell: str) -> tuple[str, str] | None:
    if "\ufffd" in cell:
        return "has a \ufffd where a letter was lost", "write it again, and save as CSV UTF-8"
    found = _MISREAD.search(cell)
    if found is None:
        return None
    return f"has {found[0]!r}: it was UTF-8, and opened as something else", "import it anew as UTF-8, or write it again"
