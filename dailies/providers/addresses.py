"""Finds the address of a finished clip in any JSON, wherever a provider has put it.

An address is never a result when it stands under a word for what was sent (`input`, `reference_image`), for a picture
(`thumbnail`, `poster`), or for an address of the API's own (`status_url`, `webhook`). Pure, bounded, and the same whatever
the order of keys.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from dailies.providers.words import parts_of, word_set

MOST_DEPTH = 24
MOST_VALUES = 20_000
MOST_LETTERS = 16_384  # of an address; signed ones are long
_MOST_JSON_TEXT = 1_000_000

_WITHIN = word_set("""
    audio avatar banner billing callback control dashboard documentation error frame image input invoice keyframe lyric negative
    parameter photo picture poster preview pricing prompt reference request screenshot sprite subtitle support thumb transcript
    webhook
    """)
_BESIDE = word_set("audio job model response task")
"""What a name of a result may speak of besides."""
_RESULT = word_set("clip film movie output outputs result results video videos")
_BEGINNINGS = ("cover", "logo", "mask", "sent")  # within other words they mean nothing: discover, present
"""A name with such a word in it leads to no clip, nor does anything below it: what was sent, a picture, another thing."""

_PARTS = word_set("""
    ad ads author caption captions doc docs favicon gif help icon img imgs jpeg jpg license model music owner params png policy
    profile promo provider ref refs sound source sources sponsor terms upload uploads user voice webp
    """)
_OWN_PARTS = word_set(
    "api cancel delete endpoint get job log logs metrics next operation poll polling prev queue response self status stream task"
    " update web"
)
"""Names of the API's own addresses, when a text stands right under them; an object there may well hold the clip."""

_LESSER = word_set("demo embed hls low original page player sd share unsigned view viewer watermark watermarked")
_TYPE_NAMES = word_set("assettype contenttype format kind mediatype mimetype outputtype rel role type")
_OTHER_TYPES = _PARTS | _OWN_PARTS | word_set("first json last text")
_NOT_A_CLIP = re.compile(
    r"\.(aac|avif|bmp|css|csv|flac|gif|heic|html?|ico|jpe?g|js|json|m4a|md|mp3|ogg|pdf|png|srt|svg|tiff?|txt|vtt|wav|webp|xml)$",
    re.IGNORECASE,
)
_CLIP = re.compile(r"\.(m4v|mkv|mov|mp4|webm)$", re.IGNORECASE)
_TO_VIDEO = re.compile(r"(image|img|text|txt)[ _-]?(to|2)[ _-]?vid(eo)?|\b[it]2v\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Place:
    """A value and the names that lead to it."""

    value: Any
    path: tuple[str, ...] = ()


def find_address(document: Any, sent: Set[str] = frozenset()) -> str | None:
    """The address of the clip, exactly as it is written; None where there is none. `sent` are addresses of our own request."""
    found = [
        (_rank(url, place), url) for place in _values(document) if (url := address_in(place.value)) and url not in sent
    ]
    return min(found)[1] if found else None


def only_film(document: Any, sent: Set[str] = frozenset()) -> str | None:
    """The one address of a film in the answer about a job that is done, under a name that speaks of a result and of its making
    (`model_output`, `video_with_audio`). None where there are several, or where the name speaks of anything else."""
    films = {
        url
        for place in _values(document, everything=True)
        if (url := address_in(place.value))
        and url not in sent
        and _CLIP.search(urlsplit(url).path)
        and _speaks_of_a_result(place)
    }
    return films.pop() if len(films) == 1 else None


def _speaks_of_a_result(place: _Place) -> bool:
    return all(not leads_elsewhere(name, True) or _names_a_result(name) for name in place.path)


def _names_a_result(name: str) -> bool:
    rest = [part for part in parts_of(name) if part not in _BESIDE]
    return not _RESULT.isdisjoint(rest) and not leads_elsewhere("_".join(rest), True)


def address_in(value: Any) -> str | None:
    """The text as an address to download from; None when it is none, or one of a picture or a page."""
    if not isinstance(value, str) or not 8 < len(value) <= MOST_LETTERS:
        return None
    url = value.strip()
    if not url.lower().startswith(("https://", "http://")) or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if not host or _NOT_A_CLIP.search(parts.path) or (" " in url and not _CLIP.search(parts.path)):
        return None  # an address with blanks that is none of a clip is a sentence
    return url


def addresses_of(document: Any) -> frozenset[str]:
    """Every address in what we send, so that an answer that repeats it is not taken for a result."""
    return frozenset(
        place.value.strip() for place in _values(document, everything=True) if isinstance(place.value, str)
    )


def _values(document: Any, everything: bool = False) -> Iterator[_Place]:
    """The texts of a document, the nearest first and keys in their alphabet's order, so that a limit cuts the same everywhere."""
    waiting, seen = deque([_Place(_opened(document))]), 0
    while waiting and seen < MOST_VALUES:
        place, seen = waiting.popleft(), seen + 1
        if isinstance(place.value, str):
            yield place
        elif len(place.path) < MOST_DEPTH:
            waiting.extend(_below(place.value, place.path, everything))


def _below(value: Any, path: tuple[str, ...], everything: bool) -> Iterator[_Place]:
    if isinstance(value, list):
        for number, item in enumerate(value[:MOST_VALUES]):
            yield _Place(_opened(item), (*path, f"{number:09d}"))
    elif isinstance(value, dict) and (everything or not path or not _of_another_type(value)):
        for key in sorted(value, key=str)[:MOST_VALUES]:
            inner = _opened(value[key])
            bare = isinstance(inner, str) or (isinstance(inner, list) and any(isinstance(item, str) for item in inner))
            if everything or not leads_elsewhere(str(key)[:200], bare):
                yield _Place(inner, (*path, str(key)))


def _opened(value: Any) -> Any:
    """A value, or the document that it holds as text."""
    if isinstance(value, str) and 2 < len(value) < _MOST_JSON_TEXT and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


@lru_cache(maxsize=4096)
def leads_elsewhere(name: str, bare: bool) -> bool:
    """Whether what stands under this name is something that was sent, a picture, or (a bare text) an address of the API's own."""
    parts = parts_of(_TO_VIDEO.sub("video", name))
    return any(_is_elsewhere(part) for part in parts) or (bare and any(_is_own(part) for part in parts))


def _is_elsewhere(part: str) -> bool:
    return part in _PARTS or part.startswith(_BEGINNINGS) or any(word in part for word in _WITHIN)


def _is_own(part: str) -> bool:
    return part in _OWN_PARTS or re.sub("ur[il]s?$", "", part) in _OWN_PARTS


def _of_another_type(holder: dict[Any, Any]) -> bool:
    """Whether an object says of itself that it is a picture, a text or something that was sent. A job's type (an object with
    a status) is no type of a file."""
    if not holder.keys().isdisjoint({"status", "state"}):
        return False
    for key, value in holder.items():
        if isinstance(value, str) and "".join(parts_of(str(key))) in _TYPE_NAMES:
            parts = parts_of(_TO_VIDEO.sub("video", value[:200]))
            if "video" not in parts and any(part in _OTHER_TYPES or _is_elsewhere(part) for part in parts):
                return True
    return False


def _rank(url: str, place: _Place) -> tuple[bool, bool, bool, int, tuple[str, ...]]:
    """What is likelier to be the clip comes first; signed before unsigned, without a watermark before with one."""
    parts = {part for name in place.path for part in parts_of(name)}
    clip = bool(_CLIP.search(urlsplit(url).path)) or not parts.isdisjoint({"video", "videos", "mp"})
    return url.lower().startswith("http:"), not parts.isdisjoint(_LESSER), not clip, len(place.path), place.path
