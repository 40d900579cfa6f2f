"""The parts of the sender that no process is needed for."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from prefect.logging.handlers import PrefectConsoleHandler
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from dailies.domain.creates import PaidRequest
from dailies.domain.outcomes import Fault, Meaning, judge
from dailies.domain.states import Failure
from dailies.hangup import Outlasting
from dailies.providers.http import ApiClient, Reply
from dailies.runtime.interrupt import interruptible
from dailies.sender.address import absolute_url
from dailies.sender.client import sender_environment
from dailies.sender.clock import SendWindow, unstoppable_clock
from dailies.sender.protocol import SendAgain, framed, read_message
from tasks.engine.console import outlive_the_console


def test_a_claim_may_be_sent_until_its_lease_runs_out_on_a_clock_that_runs_in_suspend() -> None:
    now = 100.0
    window = SendWindow(seconds=5.0, asked_at=now, clock=lambda: now)
    assert window.open()
    now = 104.9
    assert window.open()
    now = 105.0
    assert not window.open()
    assert not SendWindow(0.0, now, lambda: now).open(), "no longer ours by the ledger"


def test_where_no_clock_runs_in_suspend_the_one_that_went_further_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock stands still in suspend there; the wall clock may be set back."""
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    times = {"monotonic": 10.0, "time": 1000.0}
    monkeypatch.setattr("time.monotonic", lambda: times["monotonic"])
    monkeypatch.setattr("time.time", lambda: times["time"])
    clock = unstoppable_clock()
    times |= {"monotonic": 11.0, "time": 4600.0}
    assert clock() == 3600.0, "slept for an hour"
    times |= {"monotonic": 7211.0, "time": 500.0}
    assert clock() == 7201.0, "and somebody set the clock back"


@pytest.mark.parametrize("ours", [True, False])
def test_a_claim_that_is_lost_while_it_connects_is_not_sent(ours: bool) -> None:
    """The last look is when the connection stands, right before the first byte: a suspend may lie between."""

    async def post() -> tuple[Reply | Fault, bytes, int]:
        received, connections, asked = bytearray(), 0, 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            received.extend(await reader.read(65536))
            if received:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            writer.close()

        def may_send() -> bool:
            nonlocal asked
            asked += 1
            assert not received, "nothing was sent before it was asked"
            return ours

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = ApiClient(f"http://127.0.0.1:{port}", SecretStr("key"), 5)
            reply = await client.send_once(PaidRequest("/create", {"prompt": "p"}), may_send)
            await client.close()
            await asyncio.sleep(0)
        assert asked == 1
        return reply, bytes(received), connections

    reply, received, _ = asyncio.run(post())
    if ours:
        assert isinstance(reply, Reply) and received.startswith(b"POST /create")
    else:
        assert reply is Fault.NOT_OURS and received == b""


def test_what_was_not_sent_because_the_claim_was_lost_cost_nothing_and_is_not_repeated() -> None:
    verdict = judge(Fault.NOT_OURS)
    assert (verdict.meaning, verdict.failure) == (Meaning.FAILED, Failure.NOT_SENT)


def test_messages_arrive_whole_and_in_order_and_the_end_is_no_message() -> None:
    async def travel() -> list[object]:
        reader = asyncio.StreamReader()
        sent = framed(SendAgain(1)) + framed(SendAgain(2))
        for byte in sent + framed(SendAgain(3))[:-1]:
            reader.feed_data(bytes([byte]))
        reader.feed_eof()
        return [await read_message(reader) for _ in range(3)]

    assert asyncio.run(travel()) == [SendAgain(1), SendAgain(2), None], "half a message is none"


def test_the_sender_inherits_proxies_and_certificates_but_no_key() -> None:
    kept = sender_environment(
        {
            "HTTPS_PROXY": "http://proxy:3128", "SSL_CERT_FILE": "/ca.pem", "PGPASSFILE": "/pgpass", "TZ": "UTC",
            "DAILIES_FAILPOINTS": "before-post=kill", "AIML_API_KEY": "k", "ONEROUTER_API_KEY": "k", "PREFECT_API_KEY": "k",
            "AWS_SECRET_ACCESS_KEY": "k", "DAILIES_LEDGER_URL": "postgresql+psycopg://u:p@h/db",
        }
    )  # fmt: skip
    assert {"HTTPS_PROXY", "SSL_CERT_FILE", "PGPASSFILE", "TZ", "DAILIES_FAILPOINTS"} <= kept.keys()
    assert not {name for name in kept if "KEY" in name or "URL" in name}
    assert all(Path(entry).is_absolute() for entry in kept["PYTHONPATH"].split(os.pathsep))


def test_a_ledgers_address_means_the_same_in_every_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_url(make_url("sqlite:///books.db")) == f"sqlite:///{tmp_path}/books.db"
    assert absolute_url(make_url("postgresql+psycopg://u:p%40ss@h/db")) == "postgresql+psycopg://u:p%40ss@h/db"


def test_prefects_console_ends_no_run_when_it_is_gone() -> None:
    """A broken pipe makes it raise SystemExit, wherever a line happens to be logged."""
    for guarded in (False, True):
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w", encoding="utf-8") as stream:
            handler = PrefectConsoleHandler(stream)
            logger = logging.getLogger(f"a run's, {'guarded' if guarded else 'bare'}")
            logger.addHandler(handler)
            if guarded:
                outlive_the_console()
                logger.warning("one line")
                logger.warning("and another")
            else:
                with pytest.raises(SystemExit):
                    logger.warning("one line")
            logger.removeHandler(handler)
            os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_a_stream_that_nobody_reads_takes_every_line() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8", buffering=1) as stream:  # as stderr is: each line is written at once
        outlasting = Outlasting(stream)
        print("a line", file=outlasting, flush=True)
        print("another", file=outlasting, flush=True)
        assert not outlasting.isatty()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_winds_a_flow_down_and_whoever_handled_it_before_does_so_again(
    number: signal.Signals, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is ignored stays ignored: `nohup` is meant."""
    monkeypatch.setattr(logging.getLogger("dailies"), "propagate", True)

    async def flow() -> bool:
        runtime: Any = SimpleNamespace(shutdown=anyio.Event(), sender=SimpleNamespace(under_way=[]))
        with anyio.move_on_after(1 if ignored else 10):
            async with interruptible(runtime) as clips:
                clips.start_soon(anyio.sleep_forever)
                os.kill(os.getpid(), number)
        return bool(runtime.shutdown.is_set())

    def earlier(*_: object) -> None:
        raise AssertionError("not ours any more")

    before = signal.signal(number, earlier)
    try:
        ignored = False
        assert asyncio.run(flow())
        assert "no create is in flight" in caplog.text
        assert signal.getsignal(number) is earlier
        if number is signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)
            ignored = True
            assert not asyncio.run(flow())
    finally:
        signal.signal(number, before)
