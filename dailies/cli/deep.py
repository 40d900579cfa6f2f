"""`dailies doctor --deep`: what takes a while, or leaves a trace for a moment, and explains an odd day."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import anyio.to_thread
import httpx

from dailies.cli.reachable import hosts_of
from dailies.domain.clocks import SEEMS_DEAD, describe_skew, grade_skew
from dailies.errors import DailiesError, Misconfigured, describe_error
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.net import Network, reach
from dailies.prefect_api.access import ask_api, network_to_api
from dailies.prefect_api.address import configured_api_url
from dailies.runtime import Runtime
from dailies.storage.s3 import StoreTrouble

Grade = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked, and what it answered."""

    what: str
    grade: Grade
    detail: str


ENDS_SOON, ENDS_NOW = timedelta(days=21), timedelta(days=3)
LITTLE_BYTES, TOO_LITTLE_BYTES = 5 << 30, 500 << 20
"""A clip of a few seconds has 5 to 50 MB, and some twenty are on their way at once."""
SLOW_WRITE_S = 1.0
API_TIMEOUT_S = 10.0


async def deeper(runtime: Runtime) -> AsyncIterator[Finding]:
    """What is found, one after the other. Nothing of what it writes is left."""
    yield await ledger_call(_ledger_write, runtime)
    if runtime.ledger.has_a_clock:
        yield _ledger_clock(runtime)
    yield _disk(runtime.home)
    try:
        hosts = await hosts_of(runtime)
    except (DailiesError, StoreTrouble) as error:
        yield Finding("hosts", "wrong", str(error))
        hosts = []
    api_url = configured_api_url()
    network = Network.here()
    yield _proxies(network)
    for name, url in hosts:
        yield await _clock(runtime, name, url)
        if url.startswith("https:"):
            yield await _certificate(network, name, url)
    if api_url and api_url.startswith("https:"):
        yield await _certificate(network_to_api(), "Prefect", api_url, "warning")  # it may be told not to look at it
    if api_url:
        yield await anyio.to_thread.run_sync(clock_at_prefect, api_url)
        yield await _version()


def _ledger_write(runtime: Runtime) -> Finding:
    began = time.monotonic()
    try:
        runtime.ledger.try_to_write()
    except LEDGER_AWAY as error:
        return Finding("ledger write", "wrong", f"the ledger can't be written: {describe_error(error)}")
    took_s = time.monotonic() - began
    return Finding("ledger write", "warning" if took_s > SLOW_WRITE_S else "ok", f"{took_s * 1000:.0f} ms")


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    return Finding("disk", grade_disk(free), f"{free / 2**30:.1f} GB free for {home}")


def grade_disk(free_bytes: int) -> Grade:
    """Whether there is room for clips on their way, the ledger and its copies. Pure."""
    return "wrong" if free_bytes < TOO_LITTLE_BYTES else "warning" if free_bytes < LITTLE_BYTES else "ok"


def _proxies(network: Network) -> Finding:
    try:
        network.routes.check()
    except Misconfigured as error:
        return Finding("proxy", "wrong", str(error))
    ways = sorted({str(network.routes.to(f"{scheme}://example.com/")) for scheme in network.routes.proxies})
    return Finding("proxy", "ok", "; ".join(ways) or "none is set")


def _ledger_clock(runtime: Runtime) -> Finding:
    skew = runtime.ledger.skew
    return Finding("clock at the ledger", grade_skew(skew), describe_skew(skew))


def clock_at_prefect(api_url: str) -> Finding:
    """Our clock beside the Prefect server's, which judges by it whether our runs are alive."""
    what = "clock at Prefect"
    try:
        before = datetime.now(UTC)
        answer = ask_api(api_url, "health", API_TIMEOUT_S)
        skew = _skew(before, answer)
    except (httpx.HTTPError, DailiesError, KeyError, ValueError) as error:
        return Finding(what, "ok", f"is not told ({type(error).__name__})")
    return Finding(what, grade_skew(skew, SEEMS_DEAD), describe_skew(skew))


async def _clock(runtime: Runtime, name: str, url: str) -> Finding:
    """Our clock beside the Date of an answer, whatever that answers; nothing of ours is sent along."""
    what = f"clock at {name}"
    try:
        before = datetime.now(UTC)
        async with runtime.http.stream("HEAD", url) as answer:
            skew = _skew(before, answer)
    except (httpx.HTTPError, DailiesError, KeyError, ValueError) as error:
        return Finding(what, "ok", f"is not told ({type(error).__name__})")
    return Finding(what, grade_skew(skew), describe_skew(skew))


def _skew(before: datetime, answer: httpx.Response) -> timedelta:
    """How far we are ahead of whoever gave this answer to what was asked at `before`. Raises KeyError, ValueError."""
    between = before + (datetime.now(UTC) - before) / 2
    return between - parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)


async def _certificate(network: Network, name: str, url: str, refused: Grade = "wrong") -> Finding:
    what = f"certificate of {name}"
    try:
        ends = await reach(network, url)
    except Misconfigured as error:
        return Finding(what, refused, str(error))
    if ends is None:
        return Finding(what, "ok", "none")
    return Finding(what, grade_end(ends, datetime.now(UTC)), f"ends on {ends:%Y-%m-%d}")


def grade_end(ends: datetime, now: datetime) -> Grade:
    """Whether somebody has to renew it. Pure."""
    return "wrong" if ends - now < ENDS_NOW else "warning" if ends - now < ENDS_SOON else "ok"


async def _version() -> Finding:
    """The Prefect server's version beside the client's: a server must be as new as its clients."""
    import prefect
    from prefect import get_client

    try:
        async with get_client() as client:
            theirs = str(await client.api_version())
    except (httpx.HTTPError, RuntimeError) as error:
        return Finding("Prefect server", "warning", f"does not tell its version ({type(error).__name__})")
    return Finding("Prefect server", *judge_version(theirs, prefect.__version__))


def judge_version(server: str, client: str) -> tuple[Grade, str]:
    """A server that is older than its client may not know what it is asked. Pure."""
    words = f"version {server}, and here {client}"
    older = _numbers(server)[:2] < _numbers(client)[:2]
    return ("warning", f"{words}: bring the server up first") if older else ("ok", words)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split("+")[0].split(".") if part.isdigit()]
