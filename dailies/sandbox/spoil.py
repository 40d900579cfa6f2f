"""What a fault makes of a download."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from hashlib import sha256

from starlette.responses import Response, StreamingResponse

from dailies.sandbox.answers import html_page, struck
from dailies.sandbox.faults import Fault
from dailies.sandbox.render import stamped
from dailies.sandbox.wire import RawAnswer, raw_head

_TYPE = "video/mp4"
_BLOCK = bytes(2**20)
_GZIP = 31


async def spoiled(
    fault: Fault, clip: bytes, other_clip: Callable[[], Awaitable[bytes]], asked: Mapping[str, str]
) -> Response:
    """The answer this fault makes of a clip; `other_clip` renders the one nobody ordered, `asked` are the request's headers."""
    await asyncio.sleep(fault.delay_s)
    half = clip[: len(clip) // 2]
    match fault.kind:
        case "expired":
            return Response("Request has expired", 403, media_type="text/plain")
        case "short" | "reset":
            head = raw_head(200, {"Content-Type": _TYPE, "Content-Length": str(len(clip))})
            return RawAnswer(head + half, "close" if fault.kind == "short" else "reset")
        case "pieces":
            return _piece(clip, fault.size_bytes, asked)
        case "cut":
            return RawAnswer(raw_head(200, {"Content-Type": _TYPE, "Connection": "close"}) + half)
        case "empty":
            return Response(b"", media_type=_TYPE)
        case "html":
            return html_page(fault.status or 200)
        case "bomb":
            return StreamingResponse(_bomb(fault.size_bytes), media_type=_TYPE, headers={"content-encoding": "gzip"})
        case "endless":
            return StreamingResponse(_endless(clip), media_type=_TYPE)
        case "slow":
            headers = {"content-length": str(len(clip))}
            return StreamingResponse(_slow(clip, fault.interval_s), media_type=_TYPE, headers=headers)
        case "other":
            return Response(stamped(clip, secrets.token_hex(16)), media_type=_TYPE)
        case "wrong":
            return Response(stamped(await other_clip(), secrets.token_hex(16)), media_type=_TYPE)
    undelayed = fault.model_copy(update={"delay_s": 0})
    return await struck(undelayed, _plain, lambda: Response(clip, media_type=_TYPE))


def _piece(clip: bytes, most: int, asked: Mapping[str, str]) -> Response:
    etag, since = f'"{sha256(clip).hexdigest()}"', asked.get("range", "").removeprefix("bytes=").removesuffix("-")
    start = int(since) if since.isdigit() and asked.get("if-range", etag) == etag else 0
    headers = {"Content-Type": _TYPE, "Content-Length": str(len(clip) - start), "ETag": etag}
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(clip) - 1}/{len(clip)}"
    return RawAnswer(raw_head(206 if start else 200, headers) + clip[start : start + most])


def _plain(status: int, name: str, message: str) -> Response:
    return Response(f"{name}: {message}", status, media_type="text/plain")


async def _bomb(size_bytes: int) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=_GZIP)
    for start in range(0, size_bytes, len(_BLOCK)):
        yield packer.compress(_BLOCK[: size_bytes - start])
    yield packer.flush()


async def _endless(clip: bytes) -> AsyncIterator[bytes]:
    yield clip
    while True:
        yield _BLOCK
        await asyncio.sleep(0)


async def _slow(clip: bytes, interval_s: float) -> AsyncIterator[bytes]:
    for byte in clip:
        yield bytes([byte])
        await asyncio.sleep(interval_s)
