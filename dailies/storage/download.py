"""One clip brought from a URL into a file: hashed on the way, capped, and no byte of it thrown away that came."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread
import httpx

from dailies.domain.commands import TIDY
from dailies.errors import Misconfigured
from dailies.net import MAX_REDIRECTS, Trust, get_vetted, safe_url
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


@dataclass(frozen=True, slots=True)
class Download:
    """What came from a URL, hashed (`sha256` is hex): all of it, or what came before it broke off.

    `told_whole`: as many bytes came as were announced, or fewer; None where nothing was announced. `broke_off` says in
    words why it ended early, and is empty where it ended in good order.
    """

    path: Path
    size_bytes: int
    sha256: str
    told_whole: bool | None = None
    broke_off: str = ""


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
) -> Download:
    """Stream a URL into `folder/name.SHA256` (0600, atomically), hashing while writing, piece by piece as they come from
    the wire: 64 KiB of it are in memory. What is wrapped around a clip (compression, frames of an upload) is undone. `auth`
    is shown to this URL alone.

    Bytes that came are never thrown away because others did not: the caller judges them. Raises a DownloadFailed when
    none came, UnsafeUrl, or Misconfigured when the disk is full or the folder can't be written.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"not a plain file name: {name!r}")
    where, until = safe_url(url), asyncio.get_running_loop().time() + deadline_s
    try:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout_at(until):
                response = await stack.enter_async_context(
                    get_vetted(client, url, trust, max_redirects=max_redirects, auth=auth)
                )
            expected_bytes, told = _announced(response, where, max_bytes)
            part = _new_part(folder, name, expected_bytes)
            try:
                return await _received(response, part, _Announced(where, expected_bytes, told, max_bytes, until))
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
    """What an answer's head tells of its body, and the limits that hold for it."""

    where: str
    expected_bytes: int | None
    told_whole: bool
    max_bytes: int
    until: float


def _announced(response: httpx.Response, where: str, max_bytes: int) -> tuple[int | None, bool]:
    """How many bytes will come (None: it is not told), and whether these are all; raises when there is no file to be had."""
    status = response.status_code
    if status in EXPIRED:
        raise UrlExpired(f"{where}: the server answered {status}")
    part = re.fullmatch(r"bytes 0-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if status not in TAKEN or (status == 206 and part is None):
        raise ServerTrouble(f"{where}: the server answered {status}")
    length = response.headers.get("Content-Length", "")
    expected_bytes = int(length) if length.isascii() and length.isdigit() else None
    if expected_bytes is not None and expected_bytes > max_bytes:
        raise TooBig(f"{where}: {expected_bytes} bytes announced, at most {max_bytes} are taken")
    if status == 206 and part is not None:
        return int(part[1]) + 1, part[2] == "*" or int(part[1]) + 1 >= int(part[2])
    return expected_bytes, True


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
        size_bytes, sha256, broke_off = await _copy(response, file, told)
    if size_bytes == 0:
        raise CutShortDownload(f"{told.where}: {broke_off or 'no bytes came'}")
    whole = None
    if broke_off or told.expected_bytes is not None:
        whole = not broke_off and told.told_whole and size_bytes == told.expected_bytes
    try:
        encoding = response.headers.get("Content-Encoding", "")
        if await anyio.to_thread.run_sync(unwrapped, part, encoding, told.max_bytes):
            size_bytes, sha256 = await anyio.to_thread.run_sync(_measured, part)
    except TooMuch:
        raise TooBig(f"{told.where}: more than {told.max_bytes} bytes once unpacked") from None
    path = part.with_name(f"{part.name.rsplit('.', 2)[0]}.{sha256}")
    part.replace(path)
    return Download(path, size_bytes, sha256, whole, broke_off)


async def _copy(response: httpx.Response, file: BinaryIO, told: _Announced) -> tuple[int, str, str]:
    """Size, digest, and why it broke off, if it did."""
    size_bytes, digest, broke_off = 0, hashlib.sha256(), ""
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
    return size_bytes, digest.hexdigest(), broke_off


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
