"""A Prefect server takes its time to start: none is started for nothing, and a run's comes up while the CSV is checked."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dailies.cli import ahead as module
from dailies.cli import run
from dailies.cli.ahead import Ahead
from dailies.cli.app import main
from dailies.prefect_api.server import SERVER_LOCK, GivenUp, LocalServer, open_lock
from dailies.system import try_lock

SERVER = LocalServer("http://127.0.0.1:1/api", "http://127.0.0.1:1", Path("/nowhere"), 1)


class Slow:
    """Stands for `local_server`: up when it is told to be, or given up."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.up = threading.Event()

    @contextmanager
    def __call__(
        self, home: Path, *, on_wait: Callable[[str], None], given_up: Callable[[], bool]
    ) -> Iterator[LocalServer]:
        self.story.append("begun")
        on_wait("starting the local Prefect server")
        while not self.up.wait(0.01):
            if given_up():
                self.story.append("given up")
                raise GivenUp
        yield SERVER
        self.story.append("ended")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Slow:
    """A slow server, no network that answers, and a CSV with a bad row."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    values = {"HOME": str(tmp_path), "DAILIES_HOME": str(tmp_path / "home"), "AIML_API_KEY": "k"}
    nowhere = {"DAILIES_TRUSTED_HOSTS": "127.0.0.1", "AIML_BASE_URL": "http://127.0.0.1:9"}
    for name, value in (values | nowhere).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "bad.csv").write_text("prompt,image\n,no.png\n")
    server = Slow()
    monkeypatch.setattr(module, "local_server", server)
    return server


def test_a_run_begins_its_server_before_it_reads_and_gives_it_up_when_it_refuses(
    slow: Slow, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "bad.csv", "--yes"]) == 2
    assert slow.story == ["begun", "given up"]
    assert "Prefect" not in capsys.readouterr().err, "nobody waited for it"


def test_a_server_that_was_up_already_is_left_when_the_run_refuses(slow: Slow) -> None:
    slow.up.set()
    assert main(["run", "bad.csv", "--yes"]) == 2
    assert slow.story == ["begun", "ended"]


@pytest.mark.parametrize(
    "words", [["run", "none.csv", "--yes"], ["check", "bad.csv"], ["run", "bad.csv", "--only", "retake"]]
)
def test_none_is_begun_that_could_not_be_needed(slow: Slow, words: list[str]) -> None:
    assert main(words) == 2
    assert slow.story == []


def test_where_an_api_is_configured_none_is_begun(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert main(["run", "bad.csv", "--yes"]) == 2
    assert slow.story == []


def test_what_it_waits_for_is_said_when_somebody_waits(slow: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    ahead = Ahead(Path("home"))
    ahead.begin()
    while not slow.story:
        time.sleep(0.01)
    assert capsys.readouterr().err == ""
    waiting = threading.Thread(target=lambda: slow.story.append(ahead.take().api_url))
    waiting.start()
    said = ""
    while "starting the local Prefect server" not in said:
        said += capsys.readouterr().err
    slow.up.set()
    waiting.join(30)
    ahead.end()
    assert slow.story == ["begun", SERVER.api_url, "ended"]


def test_a_flow_is_loaded_while_its_server_starts(slow: Slow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "expect_server", lambda home: slow.story.append(f"expected in {home.name}"))
    monkeypatch.setattr(run, "use_server", lambda server: slow.story.append(server.api_url))
    monkeypatch.setattr(run, "load_engine", slow.up.set)  # which is when the server is up

    def load() -> str:
        slow.story.append("loaded")
        return "the flow"

    async def flow() -> str:
        async with run.prefect_api(tmp_path, load) as found:
            return str(found)

    assert asyncio.run(flow()) == "the flow"
    assert slow.story == ["begun", f"expected in {tmp_path.name}", "loaded", SERVER.api_url, "ended"]


def test_a_real_start_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    lock, until = tmp_path / "prefect" / SERVER_LOCK, time.monotonic() + 60
    ahead = Ahead(tmp_path)
    ahead.begin()
    while free(lock) and time.monotonic() < until:
        time.sleep(0.05)
    ahead.end()
    assert not (tmp_path / "prefect" / "prefect.db").exists(), "it was given up, not waited for"
    while not free(lock):
        assert time.monotonic() < until, "the server's process holds its lock as long as it lives"
        time.sleep(0.05)


def free(lock: Path) -> bool:
    """Whether no server's process is there."""
    if not lock.exists():
        return True
    descriptor = open_lock(lock)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def test_a_collect_with_nothing_to_do_starts_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name, value in {"HOME": str(tmp_path), "DAILIES_HOME": str(tmp_path / "home"), "AIML_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    assert main(["collect"]) == 0
    said = capsys.readouterr()
    assert "Prefect" not in said.err and said.out.strip()
    assert not (tmp_path / "home" / "prefect").exists()
