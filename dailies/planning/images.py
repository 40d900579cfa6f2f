"""Finds and measures every image of a batch, many at a time, before anything is bought."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx

from dailies.domain.addresses import names_its_content
from dailies.errors import BadInput
from dailies.media.images import MAX_BYTES, REDIRECTS, BadImage, ImageFacts, measure, measure_file, measure_url
from dailies.media.paths import Finder
from dailies.net import Trust, UnsafeUrl, check_url, safe_url
from dailies.storage.download import DownloadFailed, download
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri

AT_ONCE_LOCAL = 4 * (os.cpu_count() or 2)
AT_ONCE_REMOTE = 16


@dataclass(frozen=True, slots=True)
class Measured:
    """An image as it was found. `path` and `sha256` are the file to be sent, where its bytes are sent at all.

    `content` is the digest by which it is known, None where its address names it. `fetched` is a copy of a remote image,
    made only where something has to be done to it; `made` says what was done (`upright`, `crop 1280x720`). `fitted_of` is the
    original of one that is turned, where the first version would have fitted it.
    """

    source: str
    facts: ImageFacts
    path: Path | None = None
    sha256: str | None = None
    content: str | None = None
    fetched: Path | None = None
    made: str = ""
    fitted_of: Path | None = None


NO_IMAGE: Final = Measured("", ImageFacts("", 0, 0, 0))  # type: ignore[arg-type]  # it has no format
"""Stands where a clip is made of its prompt alone."""


class Images:
    """Measures the images that rows name, each distinct one once."""

    def __init__(
        self,
        below: Path | None,
        client: httpx.AsyncClient,
        trust: Trust,
        s3: Callable[[], S3],
        keep: Path,
        fits: bool = False,
    ) -> None:
        """`below` is the CSV's folder. In `keep` go copies of remote images that must be turned, or (`fits`) may be fitted."""
        self._below, self._client, self._trust, self._s3, self._keep, self._fits = below, client, trust, s3, keep, fits
        self._finder = None if below is None else Finder(below)

    async def measure_all(
        self, sources: Sequence[str], progress: Callable[[int, int], None] = lambda *_: None
    ) -> dict[str, Measured | BadInput]:
        """Every image's measure, or why it can't be used. `progress` is called with (done, total)."""
        found: dict[str, Measured | BadInput] = {}
        distinct = list(dict.fromkeys(sources))
        local, remote = anyio.CapacityLimiter(AT_ONCE_LOCAL), anyio.CapacityLimiter(AT_ONCE_REMOTE)

        async def one(source: str) -> None:
            async with remote if "://" in source else anyio.Semaphore(1):
                try:
                    found[source] = await self._measure(source, local)
                except (BadInput, StoreRefused, StoreTrouble) as error:
                    found[source] = error if isinstance(error, BadInput) else BadImage(str(error))
            progress(len(found), len(distinct))

        async with anyio.create_task_group() as group:
            for source in distinct:
                group.start_soon(one, source)
        return found

    async def _measure(self, source: str, local: anyio.CapacityLimiter) -> Measured:
        scheme = urlsplit(source).scheme.lower() if "://" in source else ""
        if scheme in ("http", "https"):
            check_url(source, self._trust)
            facts = await measure_url(source, self._client, self._trust)
            return await self._measured_address(source, facts)
        if scheme == "s3":
            return await anyio.to_thread.run_sync(self._measure_object, source, limiter=local)
        if scheme:
            raise UnsafeUrl(f"{scheme}:// images are not read; use https, s3:// or a path beside the CSV")
        return await anyio.to_thread.run_sync(self._measure_file, source, limiter=local)

    def _measure_file(self, source: str) -> Measured:
        if self._below is None or self._finder is None:
            raise BadImage("a path needs a CSV on this machine; use https:// or s3://")
        path = self._finder.find(source)
        try:
            found = measure_file(path, self._below)
        except BadImage as error:
            near = None if path.exists() else self._finder.nearly(source)
            raise BadImage(f"{error}; there is {near!r}" if near else str(error)) from error
        return Measured(source, found.facts, found.path, found.sha256, found.sha256)

    async def _measured_address(self, source: str, facts: ImageFacts) -> Measured:
        """With a copy where something will be done to the image, and its digest where its address doesn't name it."""
        named = names_its_content(source)
        if named and not self._to_be_made(facts):
            return Measured(source, facts)
        copy = await self._fetch(source)
        digest = (
            None if named else await anyio.to_thread.run_sync(lambda: hashlib.sha256(copy.read_bytes()).hexdigest())
        )
        return Measured(source, facts, content=digest, fetched=copy)

    def _to_be_made(self, facts: ImageFacts) -> bool:
        return self._fits or facts.orientation != 1

    async def _fetch(self, source: str) -> Path:
        """A copy of an image behind an address, under a name made from the address."""
        name = f"source-{hashlib.sha256(source.encode()).hexdigest()[:32]}"
        try:
            got = await download(
                source,
                self._keep,
                name,
                client=self._client,
                trust=self._trust,
                max_bytes=MAX_BYTES,
                deadline_s=60,
                max_redirects=REDIRECTS,
            )
        except DownloadFailed as error:
            raise BadImage(str(error)) from error
        if got.told_whole is False:
            got.path.unlink(missing_ok=True)
            raise BadImage(f"{safe_url(source)}: not all of it came ({got.broke_off or 'fewer bytes than announced'})")
        return got.path

    def _measure_object(self, source: str) -> Measured:
        content = read_object(self._s3(), source)
        facts, sha256 = measure(content, len(content)), hashlib.sha256(content).hexdigest()
        if not self._to_be_made(facts):
            return Measured(source, facts)
        self._keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = self._keep / f"source-{sha256[:32]}"
        copy.write_bytes(content)
        return Measured(source, facts, fetched=copy)


def read_object(s3: S3, uri: str) -> bytes:
    """An image in S3, whole. Raises BadImage."""
    bucket, key = parse_s3_uri(uri)
    try:
        content = s3.read(bucket, key, MAX_BYTES + 1)
    except KeyError:
        raise BadImage(f"{uri}: there is no such object") from None
    if len(content) > MAX_BYTES:
        raise BadImage(f"{uri}: an image may have {MAX_BYTES // 2**20} MiB")
    return content
