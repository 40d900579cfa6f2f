"""How people write resolutions, ratios and seconds in spreadsheets, read as the one value that is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

_SECONDS = re.compile(r"\+?(\d{1,6})(?:\.0*|,0{1,2})?\s*(?:s|secs?\.?|seconds?)?", re.IGNORECASE)
# Spreadsheets turn 16:9 into the time of day 16:09 or 16:09:00, and where the clock has twelve hours into 4:09 PM.
_RATIO = re.compile(r"(\d{1,6})\s*[:x/]\s*(\d{1,6})(?::00)?(?:\s*([AP])M)?", re.IGNORECASE)
_COMMA = re.compile(r"([+-]?)(\d*),(\d+)")
_SIGNS = str.maketrans({"×": "x", "∶": ":", "−": "-"})
_CLASSES = {"hd": 720, "fhd": 1080, "2k": 1440, "4k": 2160, "8k": 4320}
_YES = frozenset({
    "true", "yes", "y", "t", "on", "1", "1.0", "1,0", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar",
    "sant", "sann", "sand", "tosi", "prawda", "pravda", "истина", "doğru", "igaz",
})  # fmt: skip
_NO = frozenset({
    "false", "no", "n", "f", "off", "0", "0.0", "0,0", "falsch", "faux", "falso", "onwaar", "falskt", "usann",
    "falsk", "epätosi", "fałsz", "nepravda", "ложь", "yanliş", "hamis",
})  # fmt: skip
"""Also as spreadsheets write the two in other languages."""


def text_of(value: object) -> str | None:
    """A cell as trimmed text; None for an empty one."""
    text = "" if value is None else str(value).strip()
    return text or None


def as_typed(text: str) -> str:
    """A value as a keyboard writes it: no other forms of digits and signs, and without the `'` that makes a cell text."""
    plain = text.strip()
    if plain.startswith("'") and plain.count("'") == 1:
        plain = plain[1:].strip()
    return plain if plain.isascii() else unicodedata.normalize("NFKC", plain).translate(_SIGNS)


def seconds_of(text: str) -> int | None:
    """Whole seconds from `4`, `4.0`, `4,0`, `4s` or `4 seconds`; None if it is anything else."""
    match = _SECONDS.fullmatch(as_typed(text))
    return int(match[1]) if match else None


def ratio_of(text: str) -> str:
    """`16x9`, `16/9` and a spreadsheet's `16:09:00` or `4:09 PM` as `16:9`; other words as they are."""
    match = _RATIO.fullmatch(as_typed(text))
    if match is None:
        return text
    width = int(match[1])
    if match[3]:
        width = width % 12 + (12 if match[3] in "Pp" else 0)
    return f"{width}:{int(match[2])}" if width else text


def pick(text: str, values: Iterable[str]) -> str | None:
    """The allowed value that `text` means, whatever its case or spacing; `1080` finds `1080p`."""
    wanted = re.sub(r"\s+", "", as_typed(text)).casefold()
    by_form = {value.casefold(): value for value in values}
    return by_form.get(wanted) or (by_form.get(f"{wanted}p") if wanted.isdigit() else None)


def short_side_of(resolution: str) -> int | None:
    """The short side in pixels of a size class: 1080 for `1080p`, `fhd`; None for a word that promises no size."""
    word = resolution.strip().casefold()
    digits = word.removesuffix("p")
    return _CLASSES.get(word) or (int(digits) if digits.isascii() and digits.isdigit() else None)


def bool_of(text: str) -> bool | None:
    """True or false as people write it; None if it is neither."""
    word = as_typed(text).casefold()
    return True if word in _YES else False if word in _NO else None


def number_of(text: str) -> Decimal | None:
    """A finite decimal number of sane size; None if it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Beyond this, whole-number arithmetic on something like 1e999999999 would never end.
    return number if number.is_finite() and abs(number.adjusted()) <= 30 else None


def decimal_of(text: str) -> Decimal | None:
    """The number in a cell, also with a decimal comma; None where the comma may as well divide thousands, as in `1,234`."""
    plain = as_typed(text)
    comma = _COMMA.fullmatch(plain)
    if comma is None:
        return number_of(plain)
    sign, whole, part = comma.groups()
    thousands = len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return None if thousands else number_of(f"{sign}{whole or 0}.{part}")


def one_of(values: Iterable[object]) -> str:
    """The allowed values as people say them: `4, 8 or 12`."""
    words = [str(value) for value in values]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def spoken_seconds(values: tuple[int, ...]) -> str:
    """Allowed seconds as people say them: `4, 8 or 12`, and `4 to 15` for an unbroken run."""
    if len(values) > 3 and values == tuple(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return one_of(values)
