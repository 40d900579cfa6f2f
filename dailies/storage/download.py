"""One clip brought from a URL into a file: hashed on the way, capped, never half there under its own name."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from dailies.errors import Misconfigured
from dailies.net import MAX_REDIRECTS, Trust, get_vetted, safe_url

MAX_BYTES = 2 * 1024**3
"""Fifteen seconds at 4k are some 100 MB; what is twenty times larger is no clip."""
DEADLINE_S = 600.0
"""Some result URLs are signed for no longer than this."""
STALE_S = 3600.0
"""A partial file untouched for so long belongs to a process that is dead."""
EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What hosts answer for a signed URL past its time; Google's storage says 400, S3 says 403."""


class DownloadFailed(Exception):
    """No file was left behind. `retry`: the same URL may well work a little later."""

    retry: bool = True


class UrlExpired(DownloadFailed):
    """The URL is dead: fetch the job again for a fresh one."""

    retry = False


class CutShortDownload(DownloadFailed):
    """Fewer bytes came than were announced."""


class TooBig(DownloadFailed):
    """More bytes than any clip has."""

    retry = False


class TooSlow(DownloadFailed):
    """Not finished within the deadline."""


class ServerTrouble(DownloadFailed):
    """The server failed, hung up, kept silent, or answered what can't be used."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that came whole; `sha256` is hex."""

    path: Path
    size_bytes: int
    sha256: str


async def download(
    url: str,
    folder: Path,
    name: str,
    *,
    client: httpx.AsyncClient,
    trust: Trust,
    max_bytes: int = MAX_BYTES,
    deadline_s: float = DEADLINE_S,
    max_redirects: int = MAX_REDIRECTS,
) -> Download:
    """Stream a URL into `folder/name` (0600, atomically, replacing an older file), hashing while writing, piece by piece
    as they come from the wire: 64 KiB of it are in memory.

    Raises a DownloadFailed, UnsafeUrl, or Misconfigured when the disk is full or the folder can't be written.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"not a plain file name: {name!r}")
    where = safe_url(url)
    try:
        async with asyncio.timeout(deadline_s), get_vetted(client, url, trust, max_redirects=max_redirects) as response:
            expected_bytes = _announced(response, where, max_bytes)
            return await _save(response, folder / name, where, max_bytes, expected_bytes)
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


def _announced(response: httpx.Response, where: str, max_bytes: int) -> int | None:
    """Read from the head how many bytes will come (None: it doesn't say); raises when there is no file to be had."""
    if response.status_code in EXPIRED:
        raise UrlExpired(f"{where}: the server answered {response.status_code}")
    if response.status_code != 200:
        raise ServerTrouble(f"{where}: the server answered {response.status_code}")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":  # a megabyte of gzip may unfold to a gigabyte
        raise ServerTrouble(f"{where}: sent as {encoding} though asked for plain bytes")
    length = response.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()):
        return None
    if int(length) > max_bytes:
        raise TooBig(f"{where}: {int(length)} bytes announced, at most {max_bytes} are taken")
    return int(length)


async def _save(
    response: httpx.Response, path: Path, where: str, max_bytes: int, expected_bytes: int | None
) -> Download:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(path)
    if expected_bytes is not None and expected_bytes > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # Its own name each time: after a takeover two processes may be fetching the same clip.
    handle, part_name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    part = Path(part_name)
    try:
        with os.fdopen(handle, "wb") as file:
            size_bytes, sha256 = await _copy(response.aiter_raw(), file, where, max_bytes)
            if size_bytes == 0 or expected_bytes not in (None, size_bytes):
                raise CutShortDownload(f"{where}: {size_bytes} bytes came, {expected_bytes or 'some'} were announced")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Download(path, size_bytes, sha256)


async def _copy(chunks: AsyncIterator[bytes], file: BinaryIO, where: str, max_bytes: int) -> tuple[int, str]:
    size_bytes, digest = 0, hashlib.sha256()
    async for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise TooBig(f"{where}: more than {max_bytes} bytes")
        digest.update(chunk)
        file.write(chunk)
    return size_bytes, digest.hexdigest()


def _sweep(path: Path) -> None:
    """Remove what killed downloads of this file left behind; those of a living process are younger."""
    for other in path.parent.iterdir():
        if other.name.startswith(f"{path.name}.") and other.name.endswith(".part"):
            with suppress(FileNotFoundError):
                if time.time() - other.stat().st_mtime > STALE_S:
                    other.unlink()


def _disk_trouble(error: OSError, folder: Path) -> Misconfigured:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = _free_mib(folder)
        return Misconfigured(f"no room for a download in {folder} ({free}): free some space, then `dailies collect`")
    return Misconfigured(f"can't write a download to {folder}: {error.strerror or error}")


def _free_mib(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 2**20:.0f} MiB free"
    except OSError:
        return "free space unknown"
