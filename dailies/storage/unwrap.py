"""What servers and stores wrap around a clip's bytes though asked not to: compression, the frames of an upload, an archive.

What the bytes are decides, not what a header claims: `Content-Encoding: gzip` stands over plain files, and `aws-chunked`
over files whose frames were taken off long ago. A wrapping is undone only when a clip comes out of it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol

from dailies.media.archives import ZIP, the_one_clip
from dailies.media.containers import HEAD_BYTES, container_of

BLOCK = 2**20
MOST_LAYERS = 2
"""`gzip, aws-chunked` is seen; more is nobody's clip."""
FRAME = re.compile(rb"([0-9a-fA-F]{1,8})(;chunk-signature=[0-9a-fA-F]+)?\r\n")
"""The line before each piece of an aws-chunked body: its length, and in signed uploads its signature."""
FRAME_BYTES = 200
GZIP = b"\x1f\x8b"
MOST_MEMBERS = 10_000
"""What packs in parallel or in blocks writes one gzip after another; of millions of empty ones nobody's clip comes out."""


class Readable(Protocol):
    """The part of a file that is needed to read it once."""

    def read(self, size: int, /) -> bytes: ...


Unwrap = Callable[[Readable], Iterator[bytes]]


class TooMuch(Exception):
    """More comes out of a wrapping than any clip has."""


def unwrapped(path: Path, encoding: str, max_bytes: int) -> bool:
    """Replace a file by the clip that is wrapped in it; says whether there was one. Raises TooMuch beyond `max_bytes`.

    `encoding` is the answer's Content-Encoding. What is no wrapped clip stays as it is, so a bomb of zeros never unfolds.
    """
    layers = _layers(path, encoding.lower())
    if not layers:
        return False
    inside = path.with_name(f"{path.name}.inside")
    written = 0
    try:
        with path.open("rb") as file, inside.open("wb") as out:
            for piece in _through(file, layers):
                written += len(piece)
                if written > max_bytes:
                    raise TooMuch
                out.write(piece)
        inside.chmod(0o600)
        inside.replace(path)
    finally:
        inside.unlink(missing_ok=True)
    return True


def _layers(path: Path, encoding: str) -> list[Unwrap]:
    """The wrappings to take off, the outermost first, until a container shows; none where it never does, or is there."""
    layers: list[Unwrap] = []
    while not container_of(head := _head_of(path, layers)):
        layer = _wrapping(head, encoding)
        if layer is None or len(layers) == MOST_LAYERS:
            return []
        layers.append(layer)
    return layers


def _wrapping(head: bytes, encoding: str) -> Unwrap | None:
    if FRAME.match(head):
        return _unframed
    if head.startswith(ZIP):
        return _unzipped
    if head.startswith(GZIP):
        return _unpacked(zlib.MAX_WBITS | 16)
    if len(head) > 1 and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0:
        return _unpacked(zlib.MAX_WBITS)
    return _unpacked(-zlib.MAX_WBITS) if "deflate" in encoding else None  # some leave zlib's two bytes out


def _head_of(path: Path, layers: Sequence[Unwrap]) -> bytes:
    """The first bytes inside so many wrappings."""
    with path.open("rb") as file:
        if not layers:
            return file.read(HEAD_BYTES)
        head = b""
        for piece in _through(file, layers):
            head += piece
            if len(head) >= HEAD_BYTES:
                break
        return head[:HEAD_BYTES]


def _through(file: BinaryIO, layers: Sequence[Unwrap]) -> Iterator[bytes]:
    """What is inside, as far as it can be had: what breaks off is judged afterwards, as any clip that is cut."""
    source: Readable = file
    for layer in layers[:-1]:
        source = _Pieces(layer(source))
    with suppress(zlib.error, ValueError):
        yield from layers[-1](source)


def _unpacked(window_bits: int) -> Unwrap:
    def unpack(file: Readable) -> Iterator[bytes]:
        data = file.read(BLOCK)
        for _ in range(MOST_MEMBERS):
            packer = zlib.decompressobj(window_bits)
            while data and not packer.eof:
                if piece := packer.decompress(data, BLOCK):
                    yield piece
                data = packer.unconsumed_tail or (b"" if packer.eof else file.read(BLOCK))
            data = packer.unused_data
            if len(data) < len(GZIP):
                data += file.read(BLOCK)
            if not data.startswith(GZIP):
                return

    return unpack


def _unzipped(file: Readable) -> Iterator[bytes]:
    if not isinstance(file, BufferedReader):
        raise ValueError("an archive is read from its end, which is not there yet")
    yield from the_one_clip(file)


def _unframed(file: Readable) -> Iterator[bytes]:
    """The pieces between the frames, up to the last one (of length 0), after which only trailers come."""
    rest = b""
    while True:
        rest += file.read(FRAME_BYTES)
        frame = FRAME.match(rest)
        if frame is None:
            raise ValueError("no frame")
        length, rest = int(frame[1], 16), rest[frame.end() :]
        if length == 0:
            return
        while length:
            piece = rest[:length] or file.read(min(length, BLOCK))
            if not piece:
                return
            rest = rest[len(piece) :]
            length -= len(piece)
            yield piece
        rest += file.read(max(0, 2 - len(rest)))
        rest = rest.removeprefix(b"\r\n")


class _Pieces:
    """Pieces one after another, read as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int, /) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece
