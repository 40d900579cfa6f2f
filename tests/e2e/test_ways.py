"""A whole run through a forward proxy, and what `dailies doctor` says of the ways."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.harness import World
from tests.e2e.invariants import assert_invariants
from tests.unit.proxy import ForwardProxy, forward_proxy

NAME = "provider.example"


@contextmanager
def proxy_beside() -> Iterator[ForwardProxy]:
    """A proxy in a thread of its own, which alone can resolve the provider's name."""
    ready, done = threading.Event(), asyncio.Event()
    running: list[tuple[asyncio.AbstractEventLoop, ForwardProxy]] = []

    async def serve() -> None:
        async with forward_proxy("me:hunter2", {NAME: "127.0.0.1"}) as proxy:
            running.append((asyncio.get_running_loop(), proxy))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    loop, proxy = running[0]
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


def behind(world: World, proxy: ForwardProxy) -> dict[str, Any]:
    """An environment in which the provider is reached through the proxy alone."""
    port = urlsplit(world.sandbox.url).port
    return {
        "HTTP_PROXY": proxy.url.replace("//", "//me:hunter2@"),
        "AIML_BASE_URL": f"http://{NAME}:{port}",
        "DAILIES_TRUSTED_HOSTS": f"127.0.0.1 {NAME}",
    }


def test_creates_looks_and_downloads_go_the_same_way(world: World) -> None:
    """What is bought through a proxy comes home through it; the store on this machine is reached past it."""
    world.csv(2)
    with proxy_beside() as proxy:
        environ = behind(world, proxy)
        assert world.run(**environ).code == 0
        asked = {line.split("/")[3].partition("?")[0] for line in proxy.seen}
    assert {"v2", "files"} <= asked and not any(world.bucket in line for line in proxy.seen)
    assert "hunter2" not in "".join(result.stdout + result.stderr for result in world.outputs) + world.dump()
    assert_invariants(world)


@pytest.mark.engine
def test_doctor_shows_which_way_each_host_is_reached(world: World) -> None:
    """And by which authorities certificates are checked."""
    with proxy_beside() as proxy:
        environ = behind(world, proxy)
        found = world.command("doctor", "--json", **environ).json["findings"]
        says = {finding["what"]: (finding["grade"], finding["says"]) for finding in found}
        shown = f"through the proxy of HTTP_PROXY=http://127.0.0.1:{proxy.port}"
    assert says["way to aiml"][0] == "ok" and says["way to aiml"][1].endswith(shown)
    assert says["way to onerouter"] == ("ok", f"{urlsplit(world.sandbox.url).netloc}: directly (this machine)")
    assert says["way to store"][0] == "ok" and "the usual authorities" in says["certificates"][1]
    wrong = world.command("doctor", "--json", **{**environ, "HTTP_PROXY": "http://127.0.0.1:1"})
    assert wrong.code == 2 and wrong.stderr.strip().endswith("once that is mended: dailies doctor")
    says = {finding["what"]: (finding["grade"], finding["says"]) for finding in wrong.json["findings"]}
    assert says["way to aiml"][0] == "wrong" and "of HTTP_PROXY=http://127.0.0.1:1" in says["way to aiml"][1]
