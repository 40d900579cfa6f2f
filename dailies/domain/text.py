"""Text as people's tools hand it over, in one form: Unicode composed, lines ended by LF, nothing invisible that means nothing."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ZERO_WIDTH: Final = "\u200b\ufeff\u2060\u180e\u00ad\u2061\u2062\u2063\u2064"
"""Zero width space, byte order mark, word joiner, Mongolian separator, soft hyphen, invisible operators."""
BIDI: Final = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that turn the writing direction; copied along from web pages and chats."""
JOINERS: Final = "\u200c\u200d"
"""They shape letters (Persian, Hindi) and hold emoji together, so inside a text they are meant."""

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufff9-\ufffc]")
"""They ring bells and colour terminals, and mark where something stood that is no text; none of them is a letter."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What word processors and slides write where a new line begins."""
_ANY_INVISIBLE = re.compile(f"[{ZERO_WIDTH}{BIDI}]")
_ZERO_WIDTH = re.compile(f"[{ZERO_WIDTH}]")
_BIDI = re.compile(f"[{BIDI}]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WITHOUT_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
"""Thai, Lao, Burmese, Khmer: a zero width space tells their words apart."""
_EDGES = f"{ZERO_WIDTH}{BIDI}{JOINERS}"


def one_form(text: str) -> str:
    """The text composed (NFC) and its lines ended by LF: how it is sent."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", _LINE_BREAKS.sub("\n", text))


def clean_label(text: str) -> str:
    """An id, a path, an option or a column's name in one form: no invisible characters, any blank a plain one."""
    if text.isascii() and text.isprintable():
        return text.strip()
    plain = _CONTROLS.sub("", _ANY_INVISIBLE.sub("", one_form(text)))
    plain = "".join(" " if unicodedata.category(c) == "Zs" else c for c in plain)
    return trimmed(plain)


def without_controls(text: str) -> str:
    """A cell that means nothing to us, as it stands, without what rings a terminal's bell or no database takes."""
    return _CONTROLS.sub("", _SURROGATE.sub("\ufffd", text))


def clean_prompt(text: str) -> str:
    """A prompt in one form. Inside it only those invisible characters go that can't be meant in its script."""
    if text.isascii() and text.isprintable():
        return text.strip()
    plain = _CONTROLS.sub("", one_form(text))
    if not _WITHOUT_BLANKS.search(plain):
        plain = _ZERO_WIDTH.sub("", plain)
    if not _RIGHT_TO_LEFT.search(plain):
        plain = _BIDI.sub("", plain)
    return trimmed(plain)


def trimmed(text: str) -> str:
    """The text without blanks and invisible characters at its ends."""
    before = None
    while before != text:
        before, text = text, text.strip().strip(_EDGES)
    return text


def as_utf8(text: str) -> bytes:
    """The text as a file holds it. Half a letter, as old records may have it, is none in UTF-8: a `?` stands in its place."""
    return text.encode("utf-8", "replace")


def whole_letters(text: str) -> str:
    """The same as text, for what refuses half a letter."""
    return as_utf8(text).decode()
