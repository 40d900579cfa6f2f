"""What is missing of a file that broke off: asked for by itself, while its server says that it is still the same file.

A line that is cut after a minute, or after so many megabytes, never brings a large clip in one answer.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx

BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Rest:
    """How a server names the file whose begin is in hand: by its strong ETag, else by its date. `of_bytes` are all, where told."""

    name: str
    of_bytes: int | None

    def asked_for(self, have_bytes: int) -> dict[str, str]:
        """The headers of a GET that goes on after so many bytes; the whole file comes where it is another one by now (RFC 9110, 13.1.5)."""
        return {"Range": f"bytes={have_bytes}-", "If-Range": self.name}


@dataclass(frozen=True, slots=True)
class Span:
    """What a 206 holds: from byte `first` to `last`, both counted from 0, of `of_bytes` (None: not told)."""

    first: int
    last: int
    of_bytes: int | None


def span_of(response: httpx.Response) -> Span | None:
    """The one span of a 206 that says it in a known way."""
    told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    return Span(int(told[1]), int(told[2]), None if told[3] == "*" else int(told[3])) if told else None


def rest_of(response: httpx.Response, of_bytes: int | None) -> Rest | None:
    """What the rest of an answer that breaks off can be asked for by; None where nothing names its file, or it came wrapped."""
    etag, date = (response.headers.get(name, "").strip() for name in ("ETag", "Last-Modified"))
    name = etag if etag.startswith('"') else date
    return Rest(name, of_bytes) if name and not is_wrapped(response) else None


def is_still(response: httpx.Response, name: str) -> bool:
    """Whether an answer, as far as it names its file at all, names this one: not everybody who gives parts reads If-Range."""
    return response.headers.get("ETag" if name.startswith('"') else "Last-Modified", "").strip() in ("", name)


def is_wrapped(response: httpx.Response) -> bool:
    """Whether the answer claims that its bytes are not the file's own."""
    return response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity")


def begin_with(begun: Path, file: BinaryIO) -> Any:
    """Copy what had come into `file`; returns the SHA-256 so far, to be gone on with. Blocks."""
    digest = hashlib.sha256()
    with begun.open("rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
            file.write(block)
    return digest


def is_begun_by(path: Path, size_bytes: int, sha256: str) -> bool:
    """Whether the first bytes of a file are just those of a shorter one. Blocks."""
    digest, left = hashlib.sha256(), size_bytes
    with path.open("rb") as file:
        while left and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return not left and digest.hexdigest() == sha256
