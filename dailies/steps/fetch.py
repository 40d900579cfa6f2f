"""The bytes of a paid clip: asked for as long as there is hope, and never thrown away before better ones are in hand.

A visit tries the address a few times within seconds, with a fresh look at the job before each further try. What it brings
is judged: a whole clip is taken at once; one that can't prove it when the same bytes came twice; the best of the rest is
kept in `downloads/` until something better comes, and is stored as evidence when the result has come to its end.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.to_thread

from dailies.domain.commands import COLLECT, STATUS
from dailies.domain.records import Attempt
from dailies.domain.results import GONE, SHOWN, is_lost, times_gone
from dailies.errors import DeliveryDelayed, Misconfigured, ResultLost
from dailies.failpoints import hit
from dailies.ledger import LostOwnership
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.media.containers import CONTENT_TYPES, Container
from dailies.media.wholeness import Grade, Verdict, judge
from dailies.net import UnsafeUrl
from dailies.providers.base import LookKind
from dailies.providers.open import result_life
from dailies.runtime import Runtime
from dailies.storage.download import Download, DownloadFailed, UrlExpired, download
from dailies.storage.rest import is_begun_by

logger = logging.getLogger("dailies.fetch")
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries within one visit."""
PATIENCE = timedelta(minutes=10)
"""How long after the clip was completed a run goes on visiting; then it waits for the next run, or `dailies collect`."""


class NotYet(DeliveryDelayed):
    """The clip is paid for and can't be had yet: worth another visit in the same run."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A clip's file. `odd` says in words how it is not what was bought, as far as the file alone tells; else it is empty."""

    file: Download
    container: Container | None
    odd: str = ""

    @property
    def content_type(self) -> str:
        """What the bytes are, for the store: the name says `.mp4` whatever they are."""
        return CONTENT_TYPES[self.container] if self.container else "application/octet-stream"


async def fetch(runtime: Runtime, attempt: Attempt) -> Fetched:
    """The clip's file, from an earlier visit if that brought it whole, else from the provider.

    Raises NotYet or DeliveryDelayed when it has to wait, and ResultLost when the provider itself says that it is gone, or
    its life is over, and nothing ever came.
    """
    folder = runtime.home / "downloads"
    kept = await anyio.to_thread.run_sync(kept_whole, folder, attempt.id)
    if kept:
        return _taken(kept, await anyio.to_thread.run_sync(judge, kept.path, None))
    visit = _Visit(runtime, attempt, folder, attempt.result_url)
    await visit.remember()
    for pause_s in (*PAUSES_S, None):
        fetched = await visit.try_once()
        if fetched:
            return fetched
        if pause_s is not None:
            await anyio.sleep(pause_s)
            await visit.look()
    return await visit.end()


def _taken(file: Download, verdict: Verdict) -> Fetched:
    """A file that is stored: what is no MP4 is marked, and so is what could not be proved to be whole."""
    odd = [verdict.detail] if verdict.grade is not Grade.WHOLE else []
    if verdict.container not in (Container.MP4, Container.MOV):
        odd.insert(0, f"a {verdict.container} instead of an MP4" if verdict.container else "no known kind of video")
    return Fetched(file, verdict.container, "; ".join(odd))


@dataclass
class _Visit:
    """One visit to a clip's address; what it has seen so far."""

    runtime: Runtime
    attempt: Attempt
    folder: Path
    url: str | None
    shown: bool = False
    gone: str = ""
    refused: bool = False
    reason: str = "there is no address"
    seen: Counter[str] = field(default_factory=Counter)
    best: tuple[Verdict, Download] | None = None
    from_the_start: bool = False

    async def remember(self) -> None:
        """Take in what earlier visits have kept; nobody knows any more whether it came to its announced end."""
        for file in await anyio.to_thread.run_sync(kept_evidence, self.folder, self.attempt.id):
            await self._keep(file)

    async def try_once(self) -> Fetched | None:
        """One GET, judged. None when it brought nothing to take; `reason` says why."""
        if self.url is None:
            await self.look()
        if self.url is None:
            self.refused = True
            return None
        hit("before-download")
        begun = self._begun()
        self.from_the_start = begun is not None  # the next time, unless this brings something
        try:
            file = await download(
                self.url, self.folder, self.attempt.id, client=self.runtime.http, trust=self.runtime.trust,
                auth=self.runtime.anonymous_client(self.attempt.provider).result_auth(self.url), begun=begun,
            )  # fmt: skip
        except DownloadFailed as error:
            self.refused, self.reason = isinstance(error, UrlExpired) and not begun, str(error)
            return None
        except Misconfigured as error:  # a full disk, or a folder that can't be written: the clip waits where it is
            if "disk" not in self.runtime.emitted:  # once: every other clip meets the same
                self.runtime.emitted.add("disk")
                logger.error("%s. What is paid for waits at its provider: make room soon, then %s", error, COLLECT)
            raise await delayed(self.runtime, self.attempt, str(error)) from error
        except UnsafeUrl as error:
            raise await delayed(self.runtime, self.attempt, f"its address is refused: {error}") from error
        self.refused = self.from_the_start = False
        return await self._judged(file)

    def _begun(self) -> Download | None:
        """What broke off, where its server gives the rest by itself."""
        return self.best[1] if self.best and self.best[1].rest and not self.from_the_start else None

    async def _judged(self, file: Download) -> Fetched | None:
        again = self.seen[file.sha256] > 0
        try:
            verdict = await self._keep(file)
            if verdict.grade < Grade.ODD or (verdict.grade is Grade.ODD and not again):
                self.reason = "; ".join(filter(None, (file.broke_off, verdict.detail)))
                return None
            # Nobody waits for the disk, which most clips never reach: a file that a power cut has garbled is not what its
            # name says, and is fetched again.
            file = replace(file, path=file.path.rename(file.path.with_name(f"{file.path.name}.mp4")))
        except FileNotFoundError:  # another process is at work on this clip too, and has taken the same bytes
            kept = await anyio.to_thread.run_sync(kept_whole, self.folder, self.attempt.id)
            self.reason = "another process has its file in hand"
            return _taken(kept, await anyio.to_thread.run_sync(judge, kept.path, None)) if kept else None
        hit("after-download")
        return _taken(file, verdict)

    async def _keep(self, file: Download) -> Verdict:
        """Judge a file, and keep it if it is the best so far; what is no clip at all is not kept."""
        verdict = await anyio.to_thread.run_sync(judge, file.path, file.told_whole)
        self.seen[file.sha256] += 1
        await self._name(file)
        if verdict.grade is Grade.NO_CLIP or not self._is_better(verdict, file):
            self._drop(file)
            return verdict
        before, self.best = self.best, (verdict, file)
        if before:
            self._drop(before[1])
        return verdict

    async def _name(self, file: Download) -> None:
        """An earlier visit has kept more of the same file, whose name nobody knew any more."""
        if file.rest and self.best and self.best[1].rest is None and file.size_bytes < self.best[1].size_bytes:
            kept = self.best[1]
            if await anyio.to_thread.run_sync(is_begun_by, kept.path, file.size_bytes, file.sha256):
                self.best = (self.best[0], replace(kept, rest=file.rest))

    def _is_better(self, verdict: Verdict, file: Download) -> bool:
        if self.best is None or (verdict.grade is Grade.ODD and self.seen[file.sha256] > 1):
            return True
        return (verdict.grade, file.size_bytes) >= (self.best[0].grade, self.best[1].size_bytes)

    def _drop(self, file: Download) -> None:
        """Delete a file, unless the same bytes are the best that came."""
        if self.best is None or file.path != self.best[1].path:
            file.path.unlink(missing_ok=True)

    async def look(self) -> None:
        """Ask the provider for the job: it may show another address, or not know the job any more."""
        if self.attempt.generation_id is None:
            return
        try:
            look = await self.runtime.provider(self.attempt.provider).look(self.attempt.asked_by)
        except Misconfigured as error:  # no key here; the address may work all the same
            self.reason = str(error)
            return
        if look.kind is LookKind.READY and look.url:
            self.shown, self.gone = True, ""
            if look.url != self.url:
                self.url = look.url
                with suppress(LostOwnership, *LEDGER_AWAY):
                    await ledger_call(
                        self.runtime.ledger.record_completed,
                        self.attempt,
                        look.url,
                        look.usd_charged,
                        look.credits_used,
                    )
        elif look.gone or look.kind is LookKind.FAILED:
            self.shown, self.gone = False, look.detail
        if self.url is None:
            self.reason = f"a fresh look at {self.attempt.generation_id} gives no address ({look.detail})"

    async def end(self) -> Fetched:
        """What becomes of a clip that this visit did not bring."""
        if await self._lost():
            if self.best:
                verdict, file = self.best
                return _taken(
                    file, replace(verdict, detail=f"all that came before its address ended: {verdict.detail}")
                )
            await ledger_call(self.runtime.ledger.result_lost, self.attempt, self.reason)
            raise ResultLost(f"paid, and no URL leads to it any more: {self.reason}. See {STATUS}")
        age = self.runtime.ledger.now() - (self.attempt.completed_at or self.attempt.created_at)
        if age < PATIENCE:
            raise await delayed(self.runtime, self.attempt, f"the download fails: {self.reason}", NotYet)
        if self.best and self.best[0].grade is Grade.UNKNOWN and self.seen[self.best[1].sha256] > 1:
            return _taken(self.best[1], self.best[0])
        raise await delayed(self.runtime, self.attempt, f"the download fails: {self.reason}")

    async def _lost(self) -> bool:
        """Whether it is over; each word of the provider that the job is gone, or there again, goes on record."""
        ledger, attempt = self.runtime.ledger, self.attempt
        try:
            events = await ledger_call(ledger.history, attempt.id)
            if self.shown and times_gone(events):
                await ledger_call(ledger.noted, attempt.id, SHOWN)
            if self.shown or not self.gone or not self.refused:
                return False
            await ledger_call(ledger.noted, attempt.id, f"{GONE}{self.gone}")
            gone_at = [*times_gone(events), ledger.now()]
        except LEDGER_AWAY:
            return False
        life = result_life(attempt.provider)
        return is_lost(ledger.now(), attempt.completed_at or attempt.created_at, life, gone_at, attempt.polls > 0)


async def delayed(
    runtime: Runtime, attempt: Attempt, reason: str, kind: type[DeliveryDelayed] = DeliveryDelayed
) -> DeliveryDelayed:
    """Keep the reason with the attempt, and make the error that says how to go on."""
    try:
        await ledger_call(runtime.ledger.note_error, attempt.id, reason)
    except LEDGER_AWAY:
        logger.error("the ledger can't be told that %s is delayed: %s", attempt.id, reason)
    return kind(f"{reason}. Nothing is lost: run again, or {COLLECT}")


def kept_whole(folder: Path, attempt_id: str) -> Download | None:
    """A clip that an earlier visit took: its name is its digest, and a file that is not what it says is deleted."""
    return next(iter(_kept(folder, attempt_id, ".mp4")), None)


def kept_evidence(folder: Path, attempt_id: str) -> list[Download]:
    """What earlier visits have kept that is not proved to be whole."""
    return _kept(folder, attempt_id, "")


def _kept(folder: Path, attempt_id: str, ending: str) -> list[Download]:
    length = len(f"{attempt_id}.{ending}") + hashlib.sha256().digest_size * 2
    names = os.listdir(folder) if folder.is_dir() else []  # no glob: a pattern for each clip stays in memory
    found = []
    for name in names:
        if not (name.startswith(f"{attempt_id}.") and name.endswith(ending) and len(name) == length):
            continue
        path = folder / name
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if name == f"{attempt_id}.{sha256}{ending}":
                found.append(Download(path, path.stat().st_size, sha256))
                continue
        except OSError as error:
            logger.debug("%s can't be read: %s", path, error)
        path.unlink(missing_ok=True)
    return found
