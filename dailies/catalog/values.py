"""How people write resolutions, ratios and seconds in spreadsheets, read as the one value that is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

_SECONDS = re.compile(r"(\d{1,6})(?:\.0+)?\s*(?:s|sec|secs|second|seconds)?", re.IGNORECASE)
# Spreadsheets turn 16:9 into the time of day 16:09 or 16:09:00.
_RATIO = re.compile(r"(\d{1,6})\s*[:x/]\s*(\d{1,6})(?::00)?", re.IGNORECASE)
_CLASSES = {"hd": 720, "fhd": 1080, "2k": 1440, "4k": 2160, "8k": 4320}
_YES = frozenset({"true", "yes", "on", "1", "1.0"})
_NO = frozenset({"false", "no", "off", "0", "0.0"})


def text_of(value: object) -> str | None:
    """A cell as trimmed text; None for an empty one."""
    text = "" if value is None else str(value).strip()
    return text or None


def seconds_of(text: str) -> int | None:
    """Whole seconds from `4`, `4.0`, `4s` or `4 seconds`; None if it is anything else."""
    match = _SECONDS.fullmatch(text)
    return int(match[1]) if match else None


def ratio_of(text: str) -> str:
    """`16x9`, `16/9` and a spreadsheet's `16:09:00` as `16:9`; other words as they are."""
    match = _RATIO.fullmatch(text)
    return f"{int(match[1])}:{int(match[2])}" if match else text


def pick(text: str, values: Iterable[str]) -> str | None:
    """The allowed value that `text` means, whatever its case or spacing; `1080` finds `1080p`."""
    wanted = re.sub(r"\s+", "", text).casefold()
    by_form = {value.casefold(): value for value in values}
    return by_form.get(wanted) or (by_form.get(f"{wanted}p") if wanted.isdigit() else None)


def short_side_of(resolution: str) -> int | None:
    """The short side in pixels of a size class: 1080 for `1080p`, `fhd`; None for a word that promises no size."""
    word = resolution.strip().casefold()
    digits = word.removesuffix("p")
    return _CLASSES.get(word) or (int(digits) if digits.isascii() and digits.isdigit() else None)


def bool_of(text: str) -> bool | None:
    """True or false as people write it; None if it is neither."""
    word = text.casefold()
    return True if word in _YES else False if word in _NO else None


def number_of(text: str) -> Decimal | None:
    """A finite decimal number of sane size; None if it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Beyond this, whole-number arithmetic on something like 1e999999999 would never end.
    return number if number.is_finite() and abs(number.adjusted()) <= 30 else None


def one_of(values: Iterable[object]) -> str:
    """The allowed values as people say them: `4, 8 or 12`."""
    words = [str(value) for value in values]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def spoken_seconds(values: tuple[int, ...]) -> str:
    """Allowed seconds as people say them: `4, 8 or 12`, and `4 to 15` for an unbroken run."""
    if len(values) > 3 and values == tuple(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return one_of(values)
