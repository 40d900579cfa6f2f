"""Whether a file carries a C2PA manifest, and how it says that it was made. Boxes are walked, nothing is decoded or verified.

A manifest lies in a `uuid` box of its own (C2PA 2.1, A.5.1); XMP, which may say the same, in another one (XMP part 3). Clips are
stored as they come, so both stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from dailies.domain.origin import Origin
from dailies.media.containers import HEAD_BYTES, Container, NoBox, boxes, container_of

C2PA = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
XMP = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
MOST_BYTES = 8 << 20
"""How much of a box is looked through: a manifest with its thumbnails is smaller."""
MOST_LETTERS = 200
KEY = b"digitalSourceType"
IN_TEXT = re.compile(rb'[Dd]igitalSourceType(?:"\s*:\s*"|\s*=\s*"|\s*>\s*|[^>]{0,80}?rdf:resource\s*=\s*")([^"<>\s]+)')
"""As JSON, as XMP's attribute, element and resource."""
PLAIN = re.compile(rf"[!-~]{{1,{MOST_LETTERS}}}")


def origin_of(path: Path) -> Origin:
    """What a file says of itself. Other containers than MP4 and QuickTime say nothing here. Raises OSError."""
    c2pa, word = False, None
    for usertype, content in _uuid_boxes(path):
        c2pa |= usertype == C2PA
        if usertype in (C2PA, XMP):
            word = word or said_in(content)
    return Origin(c2pa, word)


def said_in(content: bytes) -> str | None:
    """The first digital source type that a manifest (CBOR, or JSON) or XMP names; None where it names none in plain letters."""
    at = content.find(KEY)
    while at >= 0:
        text = _cbor_text(content, at + len(KEY))
        if text:
            return text
        at = content.find(KEY, at + 1)
    match = IN_TEXT.search(content)
    return _plain(match[1]) if match else None


def _uuid_boxes(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Type and beginning of each `uuid` box at the top."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        if container_of(file.read(HEAD_BYTES)) not in (Container.MP4, Container.MOV):
            return
        try:
            for kind, start, end in boxes(file, size_bytes):
                if kind == b"uuid":
                    file.seek(start)
                    content = file.read(min(end - start, MOST_BYTES))
                    header = 16 if content[:4] == b"\0\0\0\1" else 8
                    yield content[header : header + 16], content[header + 16 :]
        except NoBox:
            return


def _cbor_text(content: bytes, at: int) -> str | None:
    """The CBOR text (RFC 8949, major type 3) that begins here."""
    first = content[at] if at < len(content) else 0
    if first >> 5 != 3:
        return None
    length, more = first & 0x1F, {24: 1, 25: 2}.get(first & 0x1F, 0)
    if more:
        length = int.from_bytes(content[at + 1 : at + 1 + more], "big")
    return _plain(content[at + 1 + more : at + 1 + more + length]) if length <= MOST_LETTERS else None


def _plain(text: bytes) -> str | None:
    """A word of printable ASCII, as an address is."""
    word = text.decode("latin-1")
    return word if PLAIN.fullmatch(word) else None
