"""One clip brought from a URL into a file: hashed on the way, capped, and no byte of it thrown away that came."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import anyio.to_thread
import httpx

from dailies.domain.commands import TIDY
from dailies.errors import Misconfigured
from dailies.net import MAX_REDIRECTS, Trust, get_vetted, safe_url
from dailies.storage.rest import Rest, Span, begin_with, is_still, is_wrapped, rest_of, span_of
from dailies.storage.unwrap import TooMuch, unwrapped

MAX_BYTES = 2 * 1024**3
"""Fifteen seconds at 4k are some 100 MB; what is twenty times larger is no clip."""
DEADLINE_S = 600.0
"""Some result URLs are signed for no longer than this."""
STALE_S = 3600.0
"""A partial file untouched for so long belongs to a process that is dead."""
TAKEN = frozenset({200, 203, 206})
EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What hosts answer for a signed URL past its time, and for a file that is not there yet; Google's storage says 400, S3 403."""


class DownloadFailed(Exception):
    """Not a byte came."""


class UrlExpired(DownloadFailed):
    """The server refuses this URL: too early, or past its time. A fresh look at the job tells which."""


class CutShortDownload(DownloadFailed):
    """The answer ended before its first byte."""


class TooBig(DownloadFailed):
    """More bytes than any clip has."""


class TooSlow(DownloadFailed):
    """No byte came within the deadline."""


class ServerTrouble(DownloadFailed):
    """The server failed, hung up, kept silent, or answered what can't be used."""


class BeginLost(DownloadFailed):
    """What had come earlier is not there any more, or not as it was."""


@dataclass(frozen=True, slots=True)
class Download:
    """What came from a URL, hashed (`sha256` is hex): all of it, or what came before it broke off.

    `told_whole`: as many bytes came as were announced, or fewer; None where nothing was announced. `broke_off` says in
    words why it ended early, and is empty where it ended in good order. `rest`: how what is missing can be asked for.
    """

    path: Path
    size_bytes: int
    sha256: str
    told_whole: bool | None = None
    broke_off: str = ""
    rest: Rest | None = None


async def download(  # noqa: PLR0913 - limits by keyword, each with its default
    url: str,
    folder: Path,
    name: str,
    *,
    client: httpx.AsyncClient,
    trust: Trust,
    max_bytes: int = MAX_BYTES,
    deadline_s: float = DEADLINE_S,
    max_redirects: int = MAX_REDIRECTS,
    auth: httpx.Auth | None = None,
    begun: Download | None = None,
) -> Download:
    """Stream a URL into `folder/name.SHA256` (0600, atomically), hashing while writing, piece by piece as they come from
    the wire: 64 KiB of it are in memory. What is wrapped around a clip (compression, frames of an upload) is undone. `auth`
    is shown to this URL alone. Of a file that has `begun` to come only the rest is asked for, where its server names it.

    Bytes that came are never thrown away because others did not: the caller judges them. Raises a DownloadFailed when
    none came, UnsafeUrl, or Misconfigured when the disk is full or the folder can't be written.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"not a plain file name: {name!r}")
    where, until = safe_url(url), asyncio.get_running_loop().time() + deadline_s
    headers = begun.rest.asked_for(begun.size_bytes) if begun and begun.rest else None
    try:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout_at(until):
                response = await stack.enter_async_context(
                    get_vetted(client, url, trust, max_redirects=max_redirects, auth=auth, headers=headers)
                )
            told = _announced(response, where, max_bytes, until, begun)
            part = _new_part(folder, name, told.expected_bytes)
            try:
                return await _received(response, part, told)
            finally:
                part.unlink(missing_ok=True)
    except TimeoutError:
        raise TooSlow(f"{where}: not finished within {deadline_s:g} s") from None
    except httpx.RemoteProtocolError as error:
        raise CutShortDownload(f"{where}: the answer broke off ({error})") from error
    except httpx.HTTPError as error:
        raise ServerTrouble(f"{where}: {str(error) or type(error).__name__}") from error
    except OSError as error:
        raise _disk_trouble(error, folder) from error


def flush(path: Path) -> None:
    """See to it that a file outlives a power cut, as far as its disk can be told. Blocks; never raises."""
    with suppress(OSError), path.open("rb") as file:
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class _Announced:
    """What an answer's head tells of the file: how many bytes of it will be there (None: it is not told), and whether these are
    all; what came earlier and is gone on from. And the limits that hold."""

    where: str
    expected_bytes: int | None
    told_whole: bool
    rest: Rest | None
    begun: Download | None
    max_bytes: int
    until: float

    @property
    def had_bytes(self) -> int:
        """So many were there before."""
        return self.begun.size_bytes if self.begun else 0


def _announced(
    response: httpx.Response, where: str, max_bytes: int, until: float, begun: Download | None
) -> _Announced:
    """What an answer's head tells; raises when there is no file to be had."""
    status = response.status_code
    if status in EXPIRED:
        raise UrlExpired(f"{where}: the server answered {status}")
    span = span_of(response) if status == 206 else None
    if status not in TAKEN or (status == 206 and span is None):
        raise ServerTrouble(f"{where}: the server answered {status}")
    length = response.headers.get("Content-Length", "")
    expected_bytes = int(length) if length.isascii() and length.isdigit() else None
    if expected_bytes is not None and expected_bytes > max_bytes:
        raise TooBig(f"{where}: {expected_bytes} bytes announced, at most {max_bytes} are taken")
    if span is None:
        return _Announced(where, expected_bytes, True, rest_of(response, expected_bytes), None, max_bytes, until)
    begun = begun if span.first else None
    if span.first and not (begun and begun.rest and _goes_on(begun, begun.rest, span, response)):
        raise ServerTrouble(f"{where}: the server answered with another part than was asked for")
    whole = span.of_bytes is None or span.last + 1 >= span.of_bytes
    return _Announced(where, span.last + 1, whole, rest_of(response, span.of_bytes), begun, max_bytes, until)


def _goes_on(begun: Download, rest: Rest, span: Span, response: httpx.Response) -> bool:
    """Whether just what was missing comes, of the same file as far as its name and its length tell."""
    as_long = None in (rest.of_bytes, span.of_bytes) or rest.of_bytes == span.of_bytes
    return span.first == begun.size_bytes and as_long and is_still(response, rest.name) and not is_wrapped(response)


def _new_part(folder: Path, name: str, expected_bytes: int | None) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder, name)
    if expected_bytes is not None and expected_bytes > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # Its own name each time: after a takeover two processes may be fetching the same clip.
    handle, part = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=folder)
    os.close(handle)
    return Path(part)


async def _received(response: httpx.Response, part: Path, told: _Announced) -> Download:
    with part.open("wb") as file:
        digest = await anyio.to_thread.run_sync(_before, told.begun, told.where, file)
        size_bytes, broke_off = await _copy(response, file, told, digest)
        sha256 = digest.hexdigest()
    if size_bytes == told.had_bytes:
        raise CutShortDownload(f"{told.where}: {broke_off or 'no bytes came'}")
    whole = None
    if broke_off or told.expected_bytes is not None:
        whole = not broke_off and told.told_whole and size_bytes == told.expected_bytes
    try:
        encoding = response.headers.get("Content-Encoding", "")
        if await anyio.to_thread.run_sync(unwrapped, part, encoding, told.max_bytes):
            size_bytes, sha256 = await anyio.to_thread.run_sync(_measured, part)
            told = replace(told, rest=None)
    except TooMuch:
        raise TooBig(f"{told.where}: more than {told.max_bytes} bytes once unpacked") from None
    path = part.with_name(f"{part.name.rsplit('.', 2)[0]}.{sha256}")
    part.replace(path)
    return Download(path, size_bytes, sha256, whole, broke_off, told.rest if whole is False else None)


def _before(begun: Download | None, where: str, file: BinaryIO) -> Any:
    """The SHA-256 of what came earlier, copied into `file`."""
    if begun is None:
        return hashlib.sha256()
    with suppress(FileNotFoundError):  # another process is at work on this clip too
        digest = begin_with(begun.path, file)
        if digest.hexdigest() == begun.sha256:
            return digest
    raise BeginLost(f"{where}: what had come of it is not there any more")


async def _copy(response: httpx.Response, file: BinaryIO, told: _Announced, digest: Any) -> tuple[int, str]:
    """Size, and why it broke off, if it did; the digest takes in what comes."""
    size_bytes, broke_off = told.had_bytes, ""
    try:
        async with asyncio.timeout_at(told.until):
            async for chunk in response.aiter_raw():
                size_bytes += len(chunk)
                if size_bytes > told.max_bytes:
                    raise TooBig(f"{told.where}: more than {told.max_bytes} bytes")
                digest.update(chunk)
                file.write(chunk)
    except TimeoutError:
        broke_off = "it was not finished in time"
    except httpx.HTTPError as error:
        broke_off = f"the answer broke off ({str(error) or type(error).__name__})"
    return size_bytes, broke_off


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(folder: Path, name: str) -> None:
    """Remove what killed downloads of this file left behind; those of a living process are younger."""
    for other in folder.iterdir():
        if other.name.startswith(f"{name}.") and other.name.endswith((".part", ".part.inside")):
            with suppress(FileNotFoundError):
                if time.time() - other.stat().st_mtime > STALE_S:
                    other.unlink()


def _disk_trouble(error: OSError, folder: Path) -> Misconfigured:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = _free_mib(folder)
        return Misconfigured(
            f"no room for a download in {folder} ({free}): free some space; `{TIDY}` removes what is left over",
            trouble="disk",
        )
    return Misconfigured(f"can't write a download to {folder}: {error.strerror or error}", trouble="disk")


def _free_mib(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 2**20:.0f} MiB free"
    except OSError:
        return "free space unknown"
