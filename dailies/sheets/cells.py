"""Cells that hold no text of anybody's: what a spreadsheet shows where it could not calculate, and formulas. Pure.

Words such as None, NA and null are words: somebody may want to see them.
"""

from __future__ import annotations

import re
from typing import Final

ERROR_WORDS: Final = frozenset(
    {"#N/A", "#N/D", "#N/B", "#NV", "#I/T", "#YOK", "#Н/Д", "#HIÁNYZIK", "#NENÍ_K_DISPOZICI", "#GETTING_DATA", "#BRAK"}
)
"""Errors without a mark at the end: not available, in the languages that write it so."""
_ERROR = re.compile(r"#[¡¿]?[^\W\d_][\w /.]{0,22}[!?]")
"""`#REF!`, `#VALUE!`, `#DIV/0!`, `#NAME?` and what they are called elsewhere: `#BEZUG!`, `#¿NOMBRE?`, `#ССЫЛКА!`."""
_ERROR_NUMBER = re.compile(r"(Err|Fehler|Erreur):\s?\d{3}", re.IGNORECASE)
_LOADING = re.compile(
    r"(Loading|Wird geladen|Chargement|Cargando|Caricamento|Carregando)( en cours)?\s?(\.\.\.|…)", re.IGNORECASE
)
_TOO_NARROW = re.compile(r"#{3,}")
_FORMULA = re.compile(r"\{?=.*|[+\-@]\s*[A-Z][A-Z0-9.]*\(.*\)", re.DOTALL)


def no_text(cell: str) -> tuple[str, str] | None:
    """Why a cell can't be what somebody wrote, and what to do; None for any text."""
    if not cell or cell[0] not in "#={+-@\\ELWCFelwcf":
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
    if cell == "\\N":
        return "is \\N, which MySQL writes for nothing", "leave it empty"
    return None
