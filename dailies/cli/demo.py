"""`dailies demo` and `dailies sandbox`: the real flow against a provider, a store and a Prefect server of our own."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio.to_thread

from dailies.cli.ahead import starting
from dailies.cli.engine import Engine
from dailies.cli.place import data_folder
from dailies.cli.progress import progress
from dailies.cli.run import load_generate, loaded, log_to_stderr, show_result, wait_for_interrupt
from dailies.cli.screen import say
from dailies.domain.counting import how_many
from dailies.domain.money import ZERO, show_usd, sum_usd
from dailies.environment import change
from dailies.errors import Misconfigured
from dailies.hangup import outlasting_the_terminal
from dailies.planning.request import BatchRequest
from dailies.prefect_api.client import expect_server, use_server
from dailies.prefect_api.server import LocalServer
from dailies.registry import declared, load
from dailies.report.credits import Credits
from dailies.report.target import folder_named
from dailies.runtime import open_runtime
from dailies.sandbox import Sandbox, SandboxConfig
from dailies.sandbox.server import serve
from dailies.settings import Settings, load_settings
from dailies.steps.report import final_credits
from dailies.steps.start import begin_batch
from dailies.storage.s3 import S3

BUCKET, TIME_SCALE, KEY = "dailies-demo", 0.03, "sandbox-key"
MARKER = ".dailies-demo"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the embedded services answer."""

    sandbox: Sandbox
    s3_url: str


@outlasting_the_terminal()
def run_demo(output: Path, stay: bool) -> int:
    """Make the clips of `data/prompts.csv`; leave them with a report in `output`. Exit code as for `run`."""
    log_to_stderr()
    started = time.monotonic()
    home = fresh_folder(output)
    prompts = data_folder() / "prompts.csv"
    with starting(home) as ahead, embedded(SandboxConfig(time_scale=TIME_SCALE)) as stage:
        settings = demo_settings(stage, home)
        expect_server(home)
        flow = loaded(load_generate)
        server = ahead.take()
        use_server(server)
        say(f"sandbox provider {stage.sandbox.url} · S3 {stage.s3_url} · Prefect UI {server.ui_url}")

        async def story() -> int:
            engine = Engine()
            credits = await _make(settings, str(prompts), output, engine, flow)
            _show(credits, output, stage, server, time.monotonic() - started)
            return engine.leave(0 if credits.totals.complete else 1)

        code = asyncio.run(story())
        if stay:
            print("The Prefect UI stays open: Ctrl-C ends it.")
            wait_for_interrupt()
    return code


async def _make(settings: Settings, prompts: str, output: Path, engine: Engine, generate_clips: Any) -> Credits:
    order = BatchRequest(
        prompts=prompts, batch="demo", report_dir=str(output / "report"), keep_local=str(output / "clips")
    )
    async with open_runtime(settings) as runtime:
        await anyio.to_thread.run_sync(lambda: S3().client.create_bucket(Bucket=BUCKET))
        batch = runtime.batches.add(await begin_batch(runtime, order))
        async with progress(runtime, batch):
            making = generate_clips(
                prompts=prompts,
                batch="demo",
                report_dir=order.report_dir,
                keep_local=order.keep_local,
                return_state=True,
            )
            await engine.see_through(runtime, making)
        return final_credits(runtime, batch)


def _show(credits: Credits, output: Path, stage: Stage, server: LocalServer, seconds: float) -> None:
    show_result(credits, output / "report", False, "")
    charged = sum_usd(charge.usd for charge in stage.sandbox.charges() if not charge.refunded)
    print(f"Clips on disk, playable: {output / 'clips'}")
    print(f"Prefect UI: {server.ui_url}")
    charges = len(stage.sandbox.charges())
    print(
        f"It would have cost {show_usd(charged)}: {charges} charges on the sandbox's own list. {_agreement(credits, charged)}"
    )
    print(f"It took {seconds:.0f} s and cost nothing.")


def _agreement(credits: Credits, charged: Decimal) -> str:
    """How the sandbox's list and our figures agree, since a provider that reports no charge leaves a gap."""
    totals = credits.totals
    rest = charged - (totals.usd_charged or ZERO)
    if totals.unreported:
        about, clips = show_usd(totals.usd_unreported_quoted), how_many(totals.unreported, "clip")
        return f"{show_usd(rest)} of it for {clips} whose provider does not say (quoted at about {about})."
    return "The ledger says the same." if not rest else f"The ledger says {totals.money()}."


@contextmanager
def embedded(config: SandboxConfig) -> Iterator[Stage]:
    """The sandbox and an S3 server on loopback, with AWS_* of this process pointing at it."""
    with embedded_s3() as url:
        change(store_environment(url))
        change(dict.fromkeys(("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")))
        with Sandbox(config) as sandbox:
            yield Stage(sandbox, url)


@contextmanager
def embedded_s3() -> Iterator[str]:
    """The address of an S3 server on loopback that keeps what it is given in memory. Raises Misconfigured without the extra."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        raise Misconfigured(
            "the embedded S3 needs the extra `demo`: pip install 'dailies-video[demo]', or make install in a clone",
            trouble="extra",
        ) from error
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        host, port = store.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        store.stop()


def store_environment(url: str) -> dict[str, str]:
    """What boto3 reads to find the embedded S3."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")
    return dict(zip(names, (url, "demo", "demo", "us-east-1", "us-east-1"), strict=True))


def demo_settings(stage: Stage, home: Path) -> Settings:
    """Settings that know nothing of the user's own keys, ledger or bucket."""
    environ = {
        **sandbox_environment(stage.sandbox.url),
        "DAILIES_HOME": str(home),
        "DAILIES_TO": f"s3://{BUCKET}/clips",
        "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
        "DAILIES_POLL_FIRST_S": "0.5",
        "DAILIES_POLL_CAP_S": "2",
    }
    return load_settings(environ=environ, dotenv=False)


def sandbox_environment(url: str) -> dict[str, str]:
    """The settings with which every provider that has a front there is the sandbox at this address."""
    fronted = [one for one in declared().values() if one.front]
    addresses = {one.base_url_name: url + front.below for one in fronted for front in [load(str(one.front))]}
    return addresses | {one.key_name: KEY for one in fronted}


def fresh_folder(output: Path) -> Path:
    """The demo's own DAILIES_HOME inside `output`. What an earlier demo left there is removed, and nothing else.

    Raises BadInput or Misconfigured.
    """
    output = folder_named("--output", output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name in ("home", "clips", "report"):
            folder = output / name
            if (folder / MARKER).exists():
                shutil.rmtree(folder)
            folder.mkdir(exist_ok=True)
            (folder / MARKER).touch()
    except OSError as error:
        raise Misconfigured(f"{output} can't be written: {error.strerror}", trouble="disk") from error
    return output / "home"


def run_sandbox(port: int, time_scale: float, s3: bool) -> int:
    """Serve the sandbox until Ctrl-C; with `s3` a store beside it, which forgets all when it ends."""
    config = SandboxConfig(time_scale=time_scale)
    with ExitStack() as beside:
        exports: dict[str, str] = {}
        if s3:
            exports = store_environment(beside.enter_context(embedded_s3()))
            change(exports)
            S3().client.create_bucket(Bucket=BUCKET)
            exports["DAILIES_TO"] = f"s3://{BUCKET}/clips"
        serve(config, "127.0.0.1", port, on_ready=lambda url: _announce(url, exports))
    return 0


def _announce(url: str, exports: Mapping[str, str]) -> None:
    environ = {**sandbox_environment(url), **exports, "DAILIES_TRUSTED_HOSTS": "127.0.0.1"}
    line = " ".join(f"{name}={value}" for name, value in environ.items())
    print(
        f"sandbox provider: {url}\n  export {line}\n  charges so far: {url}/sandbox/charges      (Ctrl-C ends it)",
        flush=True,
    )
