"""Cells that hold no text of anybody's: what a spreadsheet shows where it could not calculate, and formulas. Pure.

Words such as None, NA and null are words: somebody may want to see them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
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
_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "So", "Nd", "Nl", "No"})
"""Unicode's categories of letters and digits, for `007` may be meant, and that of emoji."""
_ZERO = re.compile(r"0([.,]0+)?")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
_LATIN = re.compile("[\u00a1-\u00ff\u0100-\u0131\u0134-\u0148\u014a-\u017e]")
_MARK = re.compile("[\u2010-\u2044\u20ac\u2122\U0001f000-\U0001faff]")
"""Quotes, dashes and emoji: what takes their three bytes in another encoding is nobody's spelling, so one is enough."""
_OTHER_LETTER = re.compile(
    "[\u0386-\u03ce\u0401-\u045f\u0490\u0491\u05d0-\u05ea\u0621-\u064a\u0900-\u0dff\u0e00-\u0e7f\u1ea0-\u1ef9\u3000-\u30ff"
    "\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef]"
)
"""Rare letters are left out: real words come to them, as Polish `ÓŁ` in cp1250 and Ukrainian `ТІНІ` in cp1251."""
_OPENED_AS: Final = ("cp1252", "latin-1", "mac_roman", "cp1251", "cp1250", "cp850", "cp437")
_FORMULA = re.compile(r"\{?=.*|[+\-@]\s*[A-Z][A-Z0-9.]*\(.*\)", re.DOTALL)


@lru_cache(maxsize=256)  # most columns hold a few words over and over
def no_text(cell: str) -> tuple[str, str] | None:
    """Why a cell, as it is in the file, can't be what somebody wrote, and what to do; None for any text."""
    if not cell.isascii() and (lost := _letters_lost(cell)):
        return lost
    cell = cell.strip()
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


def no_prompt(cell: str) -> tuple[str, str] | None:
    """Why a cell can't be a prompt: a formula's answer to an empty cell, a line under a header. Emoji count as text."""
    text = cell.strip()
    if _ZERO.fullmatch(text):
        return f"is only {text}, as a formula shows an empty cell", "write what the clip shows, or delete the row"
    if text and not any(unicodedata.category(letter) in _LETTERS for letter in text):
        return f"has no letter and no digit: {text[:20]!r}", "write what the clip shows, or delete the row"
    return None


def no_label(cell: str) -> tuple[str, str] | None:
    """Why a cell can't be a name that somebody gave: what programs write for an empty cell, as pandas' `nan`."""
    cell = cell.strip()
    if cell.casefold() not in NOTHING:
        return None
    return f"is {cell}, which programs write for nothing", "leave it empty"


def _letters_lost(cell: str) -> tuple[str, str] | None:
    if "\ufffd" in cell:
        return "has a \ufffd where a letter was lost", "write it again, and save as CSV UTF-8"
    found = _MISREAD.search(cell)
    seen = found[0] if found else _misread_run(cell)
    if seen is None:
        return None
    return f"has {seen!r}: it was UTF-8, and opened as something else", "import it anew as UTF-8, or write it again"


def _misread_run(cell: str) -> str | None:
    """Letters in a row that are another text in UTF-8, under an encoding that a program may have taken it for."""
    for found in _NOT_ASCII.finditer(cell):
        beside = cell[max(found.start() - 1, 0) : found.start()] + cell[found.end() : found.end() + 1]
        in_a_word = any("a" <= letter <= "z" for letter in beside)
        if any(_is_text(_as_utf8(found[0], table), in_a_word) for table in _bytes_of()):
            return found[0]
    return None


def _is_text(meant: str, in_a_word: bool) -> bool:
    """Whether somebody meant this text. One letter may be chance (`«В»` is in Russian quotes), but not amid a Latin word."""
    if not meant or not all(_LATIN.match(one) or _MARK.match(one) or _OTHER_LETTER.match(one) for one in meant):
        return False
    return len(meant) > 1 or bool(_MARK.match(meant)) or (in_a_word and bool(_LATIN.match(meant)))


def _as_utf8(text: str, table: Mapping[str, int]) -> str:
    """The text whose UTF-8 was shown so; empty where there is none."""
    try:
        return bytes(table[letter] for letter in text).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return ""


@cache
def _bytes_of() -> tuple[dict[str, int], ...]:
    """The byte of each letter beyond ASCII, by encoding. A byte that stands for none stays a control character."""
    return tuple(
        {chr(byte): byte for byte in range(0x80, 0xA0)}
        | {letter: byte for byte in range(0x80, 0x100) if (letter := bytes([byte]).decode(codec, "ignore"))}
        for codec in _OPENED_AS
    )
