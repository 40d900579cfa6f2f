"""A start of the local Prefect server is waited for as long as it gets on, and no longer. With a fake server and a fake clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from dailies.errors import Misconfigured
from dailies.prefect_api import server as module
from dailies.prefect_api.server import local_server
from dailies.prefect_api.waiting import (
    ADDRESS_FILE,
    AT_LEAST_EVERY_S,
    EVERY_S,
    LOG_FILE,
    LONGEST_S,
    STILL_S,
    Waiting,
    doing,
    seen,
)

LOOK_S = 10.0
"""So far the fake clock goes between two looks."""


class Answers(BaseHTTPRequestHandler):
    """What a server of ours says of itself."""

    def do_GET(self) -> None:
        body = json.dumps({"token": "mine", "settled": True}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Child:
    """A server's process that starts: never ended by itself."""

    def __init__(self) -> None:
        self.ended = False

    def poll(self) -> int | None:
        return 0 if self.ended else None

    def terminate(self) -> None:
        self.ended = True

    def wait(self, timeout: float | None = None) -> int:
        return 0


class Clock:
    """Stands for `time` in the module: each sleep is long, and something may happen in it."""

    def __init__(self, then: Callable[[int], None]) -> None:
        self.now, self.slept, self._then = 0.0, 0, then

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += LOOK_S
        self.slept += 1
        self._then(self.slept)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    child = Child()
    monkeypatch.setattr(module, "_try_start", lambda _: child)
    return child


@contextmanager
def answering() -> Iterator[int]:
    """The port of a server that is up."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_note(folder: Path, **facts: object) -> None:
    (folder / ADDRESS_FILE).write_text(json.dumps(facts))


@pytest.mark.usefixtures("child")
def test_a_slow_start_is_waited_for_while_it_gets_on_and_says_what_it_is_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, looks = tmp_path / "prefect", int(4 * STILL_S / LOOK_S)
    with answering() as port:

        def get_on(slept: int) -> None:
            with (folder / LOG_FILE).open("a") as log:
                log.write("a byte")
            if slept < looks:
                write_note(folder, doing="loading Prefect" if slept < 9 else "making its database")
            else:
                write_note(folder, pid=1 << 30, port=port, token="mine")

        clock, said = Clock(get_on), list[str]()
        monkeypatch.setattr(module, "time", clock)
        with local_server(tmp_path, on_wait=said.append) as server:
            assert server.ui_url.endswith(f":{port}")
        assert clock.now >= 4 * STILL_S
    assert said[0] == "starting the local Prefect server (its first start takes half a minute)"
    assert said[1] == "still starting the local Prefect server: loading Prefect (10 s)"
    assert "making its database" in said[-1]
    assert len(said) > looks / 2, "it is told every few seconds"


def test_one_that_stands_still_is_given_up_and_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: Child
) -> None:
    monkeypatch.setattr(module, "time", clock := Clock(lambda _: None))
    with pytest.raises(Misconfigured, match="it has done nothing for 90 s"), local_server(tmp_path):
        pass
    assert STILL_S < clock.now < 2 * STILL_S
    assert child.ended


def test_one_that_gets_on_for_ever_is_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: Child
) -> None:
    log = tmp_path / "prefect" / LOG_FILE
    clock = Clock(lambda slept: (log.write_text("x" * slept), None)[1])
    monkeypatch.setattr(module, "time", clock)
    with pytest.raises(Misconfigured, match="it did not answer in time"), local_server(tmp_path):
        pass
    assert LONGEST_S < clock.now < LONGEST_S + 2 * LOOK_S
    assert child.ended


def test_what_it_is_at_is_told_no_more_often_than_every_few_seconds() -> None:
    now, said = 0.0, list[str]()
    waiting = Waiting(lambda: now, lambda: "loading Prefect", said.append, clock=lambda: now)
    while now <= 3 * EVERY_S:
        assert waiting.over() is None
        now += 0.5
    assert len(said) == 3
    while now <= 600:
        assert waiting.over() is None
        now += 0.5
    assert 600 / AT_LEAST_EVERY_S <= len(said) < 60, "later it is told less often"


def test_seconds_on_a_processor_and_written_bytes_are_getting_on(tmp_path: Path) -> None:
    assert doing(tmp_path) == "loading Python"
    nothing = seen(tmp_path)
    assert seen(tmp_path) == nothing
    own = psutil.Process()
    write_note(tmp_path, pid=own.pid, doing="loading Prefect")
    assert doing(tmp_path) == "loading Prefect"
    before = seen(tmp_path)
    busy_until = sum(own.cpu_times()[:2]) + 0.05
    while sum(own.cpu_times()[:2]) < busy_until:
        pass
    assert seen(tmp_path) != before != nothing
    write_note(tmp_path, pid="none of ours", doing="loading Prefect")
    before = seen(tmp_path)
    (tmp_path / LOG_FILE).write_text("a warning")
    assert seen(tmp_path) != before
