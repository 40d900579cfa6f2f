"""The sandbox on a port: in a background thread for tests, or blocking for the command line."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from decimal import Decimal
from types import FrameType, TracebackType
from typing import Any, Self

import uvicorn

from dailies.sandbox.app import create_app
from dailies.sandbox.config import SandboxConfig
from dailies.sandbox.control import Repricing, Retirement, reprice, retire
from dailies.sandbox.faults import Fault, Where
from dailies.sandbox.wire import OpenWire
from dailies.sandbox.world import Charge, Seen, World

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
"""As long as common gateways; uvicorn's 5 s would close connections that a client is about to use for a create."""


class Sandbox:
    """A sandbox in a background thread of this process: `with Sandbox(config) as sandbox: sandbox.url`.

    Port 0 takes a free one. Leaving the block ends every connection at once.
    """

    def __init__(self, config: SandboxConfig | None = None, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.config = config or SandboxConfig()
        self._world = World(self.config)
        self._address = (host, port)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of both APIs, without a slash at its end."""
        return _url(self._address)

    def start(self) -> None:
        """Listen; requests are answered from the moment this returns. OSError if the port is taken."""
        listening = _listen(self._address)
        self._address = listening.getsockname()[:2]
        self._server = _server(self._world)
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="dailies-sandbox", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until it has stopped; harmless if it isn't running."""
        if self._server is not None and self._thread is not None:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # others may have turned it up meanwhile
            self._server.should_exit = True
            self._thread.join()
        self._server = self._thread = None

    def charges(self) -> list[Charge]:
        """Every charge so far: the oracle of the money tests."""
        return self._world.charges()

    def requests(self) -> list[Seen]:
        """Every request so far, whatever came of it."""
        return self._world.requests()

    def fault(self, where: Where, kind: str, **options: Any) -> Fault:
        """Let something go wrong; `Fault` and `KINDS` say what there is. ValueError for what there isn't."""
        fault = Fault(where=where, kind=kind, **options)
        self._world.faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Forget every fault still to come."""
        self._world.faults.clear()

    def withdraw(self, model_id: str, *, shutdown_at: str | None = None, replaced_by: str | None = None) -> None:
        """A model is gone: creates get 404 and the list leaves it out."""
        retire(self._world, Retirement(id=model_id, shutdown_at=shutdown_at, replaced_by=replaced_by))

    def deprecate(self, model_id: str, *, shutdown_at: str | None = None, replaced_by: str | None = None) -> None:
        """A model's end is announced; it is still served."""
        about = {"shutdown_at": shutdown_at, "replaced_by": replaced_by}
        retire(self._world, Retirement(id=model_id, status="deprecated", **about))

    def price(self, model_id: str, usd_per_s: Decimal, resolution: str | None = None) -> None:
        """Change a model's price in USD per second, for one resolution or all."""
        reprice(self._world, Repricing(id=model_id, usd_per_s=usd_per_s, resolution=resolution))

    def reset(self) -> None:
        """Everything as at the start: no charges, no faults, all models."""
        self._world.reset()


def serve(
    config: SandboxConfig | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then return; `on_ready` gets the URL once it listens. OSError if it can't."""
    listening = _listen((host, port))
    if on_ready is not None:
        on_ready(_url(listening.getsockname()[:2]))
    _server(World(config or SandboxConfig())).run([listening])


class _Server(uvicorn.Server):
    """uvicorn's server, except that a signal only ends it: uvicorn would raise it once more afterwards."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop soon."""
        self.should_exit = True


def _server(world: World) -> _Server:
    config = uvicorn.Config(
        create_app(world=world),
        http=OpenWire,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        # Nobody waits for a generation that takes minutes or a download that never ends.
        timeout_graceful_shutdown=0,
    )
    return _Server(config)


def _listen(address: tuple[str, int]) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Listening before the server runs: an early request waits in the backlog and is not refused.
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _url(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
