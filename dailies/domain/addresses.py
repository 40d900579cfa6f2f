"""Addresses without what is signed anew each time: the same picture under a fresh signature is the same picture.

A parameter that may name the content (`id`, `file`, `v`, `w`, …) is never left out: two pictures must not become one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

from dailies.domain.signatures import IN_THE_PATH, IN_THE_PATH_THEN, is_at, signing, signing_then

UNNAMED: Final = ("airtableusercontent.com",)
"""Hosts whose whole path is encrypted anew for each link: such an address names nothing, only its bytes do."""


def is_address(text: str) -> bool:
    """Whether the text is an http(s) address."""
    return text[:8].lower().startswith(("http://", "https://"))


def names_its_content(address: str) -> bool:
    """Whether the same picture has the same address tomorrow, signatures aside."""
    return not is_at(_host(address), UNNAMED)


def unsigned(address: str) -> str:
    """The address as identity knows it: no signature, no fragment, host in lower case, what needs it percent-encoded.

    An address that has nothing of all this is returned as it is; so is what is no address.
    """
    return _without(address, signing, IN_THE_PATH)


def unsigned_then(address: str) -> str:
    """The address as identity knew it before 0.2.0, when fewer signatures were known."""
    return _without(address, signing_then, IN_THE_PATH_THEN)


def _without(
    address: str, names_of: Callable[[Sequence[tuple[str, str]], str], frozenset[str]], in_the_path: re.Pattern[str]
) -> str:
    if not is_address(address):
        return address
    try:
        parts = urlsplit(address)
        host = _host(address)
    except ValueError:
        return address
    written = parts.query.split("&")
    pairs = [_named(pair) for pair in written]
    signature = names_of(pairs, host)
    query = "&".join(pair for pair, (name, _) in zip(written, pairs, strict=True) if name not in signature)
    path = in_the_path.sub("", parts.path)
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), _encoded(path), _encoded(query), ""))


def _named(pair: str) -> tuple[str, str]:
    """A parameter's name, and its value."""
    name, _, value = pair.partition("=")
    return unquote_plus(name).casefold(), unquote_plus(value)


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _encoded(text: str) -> str:
    """Blanks and letters beyond ASCII percent-encoded; what is encoded already, and all else, stays as written."""
    return text if text.isascii() and " " not in text else quote(text, safe="!#$%&'()*+,/:;=?@[]~")
