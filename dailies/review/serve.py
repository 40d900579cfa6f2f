"""Serves the screening room on loopback until Ctrl-C."""

from __future__ import annotations

import hashlib
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from dailies.domain.verdicts import Verdict
from dailies.errors import Misconfigured
from dailies.ledger import Ledger
from dailies.net import Trust, UnsafeUrl, vetted_client
from dailies.providers.http import USER_AGENT
from dailies.review.app import FetchImage, Room, create_app
from dailies.review.footage import Footage
from dailies.review.guard import Guard, new_token
from dailies.review.media import MOST_IMAGE_BYTES
from dailies.storage.download import DownloadFailed, download
from dailies.storage.s3 import S3

HOST = "127.0.0.1"
Told = Callable[[Sequence[Verdict]], None]


@dataclass(frozen=True)
class Opened:
    """A room that listens. `address` has its token; `serve` blocks until `close` is called, or until SIGINT or SIGTERM."""

    address: str
    serve: Callable[[], None]
    close: Callable[[], None]


@contextmanager
def open_room(  # noqa: PLR0913 - what a room is made of
    ledger: Ledger, s3: S3, batch: str | None, author: str, trust: Trust, port: int = 0, told: Told = lambda _: None
) -> Iterator[Opened]:
    """A screening room on loopback, with a token of its own. Raises Misconfigured for a port that is taken."""
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise Misconfigured(
            f"--port {port}: {error.strerror}. Leave it out to take a free one", trouble="port"
        ) from error
    port, token = listening.getsockname()[1], new_token()
    with listening, _images(trust) as fetch_image:
        room = Room(ledger, s3, Footage(ledger, batch), author, fetch_image, told)
        server = _Server(_config(Guard(create_app(room), token, (f"{HOST}:{port}", f"localhost:{port}"))))
        yield Opened(f"http://{HOST}:{port}/{token}/", lambda: server.run([listening]), server.close)


def _config(app: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        app, ws="none", loop="asyncio", lifespan="off", log_config=None, log_level="critical", access_log=False,
        proxy_headers=False, server_header=False, timeout_graceful_shutdown=1,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """uvicorn's server, except that a signal only ends it: uvicorn would raise it once more afterwards."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop soon."""
        self.close()

    def close(self) -> None:
        """Let `serve` return."""
        self.should_exit = True


@contextmanager
def _images(trust: Trust) -> Iterator[FetchImage]:
    """Brings input images from the web, each once, into a folder that goes when the room is closed."""
    with tempfile.TemporaryDirectory(prefix="dailies-review-") as folder:

        async def fetch(address: str) -> bytes | None:
            name = hashlib.sha256(address.encode()).hexdigest()[:32]
            kept = Path(folder) / name
            if not kept.exists():
                async with vetted_client(trust, user_agent=USER_AGENT) as client:
                    try:
                        got = await download(
                            address, Path(folder), f"part-{name}", client=client, trust=trust,
                            max_bytes=MOST_IMAGE_BYTES, deadline_s=60,
                        )  # fmt: skip
                    except (DownloadFailed, UnsafeUrl):
                        return None
                    got.path.rename(kept)
            return kept.read_bytes()

        yield fetch
