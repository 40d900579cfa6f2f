"""`dailies run`, `collect` and `ui`: a flow in this process, with a Prefect server that lives as long as it does."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import anyio.to_thread

from dailies.cli.ahead import Ahead
from dailies.cli.command_settings import require_api, settings_here
from dailies.cli.engine import Engine
from dailies.cli.progress import progress
from dailies.cli.screen import counting, say, tell
from dailies.domain.commands import COLLECT, command
from dailies.domain.counting import how_many
from dailies.domain.figures import Totals
from dailies.domain.money import show_usd
from dailies.domain.troubles import KINDS
from dailies.errors import BadInput, describe_error
from dailies.hangup import outlasting_the_terminal
from dailies.ledger.calling import ledger_call
from dailies.logs import JsonOnStderr
from dailies.memory import loading
from dailies.net import Network
from dailies.planning.batch import Batch
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.prefect_api.address import configured_api_url
from dailies.prefect_api.client import expect_server, load_engine, use_server
from dailies.prefect_api.server import local_server
from dailies.report.credits import Credits, answer_json, answer_pieces, credits_of, dump
from dailies.runtime import Runtime, open_runtime
from dailies.settings import Settings, load_settings
from dailies.steps.approval import to_approve
from dailies.steps.changes import changed_rows, changes_lines, other_content
from dailies.steps.clips_on_record import clips_on_record
from dailies.steps.purchase import Purchase, purchase_of
from dailies.steps.report import final_credits
from dailies.steps.start import plan_batch, start_batch

INTERRUPTED, REFUSED = 130, 2
ON_STDERR = "dailies on stderr"
OUTCOMES = "dailies.create.outcome"


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agrees to a purchase: it is `given` already, asked for here, or, quoted `above` so many dollars, in the Prefect UI."""

    given: bool
    above: Decimal | None


async def run_order(  # noqa: PLR0913 - what a run is asked for, each with its default
    settings: Settings,
    order: BatchRequest,
    json: bool,
    yes: bool,
    ahead: Ahead | None,
    planned: Callable[[Plan], None] = lambda _: None,
    approve_above: Decimal | None = None,
    on_record: bool = False,
) -> int:
    """One batch, or a part of it, from its plan to its result. `planned` may refuse the plan before anything is done.

    `ahead` is a server that starts meanwhile; `on_record`: its rows are the ledger's, and no file is read.

    With `approve_above` nobody is asked here: above so many dollars the flow waits for a yes in the Prefect UI.
    """
    engine = Engine()
    consent = Consent(yes or json, approve_above)
    return engine.leave(await _make(settings, order, json, consent, engine, ahead, planned, on_record))


async def _make(  # noqa: PLR0913 - the same, said
    settings: Settings,
    order: BatchRequest,
    json: bool,
    consent: Consent,
    engine: Engine,
    ahead: Ahead | None,
    planned: Callable[[Plan], None],
    on_record: bool,
) -> int:
    async with open_runtime(settings) as runtime:
        plan = await plan_batch(runtime, order, counting("images measured"), on_record)
        await anyio.to_thread.run_sync(planned, plan)
        if (order.only or order.final) and not plan.rows:
            return no_finals(plan.batch, json) if order.final else no_retakes(plan.batch, json)
        batch = runtime.batches.add(await start_batch(runtime, order, plan))
        for note in (*plan.notes, *await other_content(runtime, plan)):
            say(f"note: {note}")
        known = await clips_on_record(runtime, plan)
        purchase = await purchase_of(runtime, plan, order.in_flight or settings.dailies_in_flight, known)
        say(f"{order.title}: {purchase.overview(len(plan.rows))}")
        for line in changes_lines(await changed_rows(runtime, plan, purchase.rows)):
            say(line)
        asked = await to_approve(runtime, plan, known, order.partial)
        if asked.beyond:
            say(f"The batch comes to {asked.beyond}.")
        if consent.above is None:
            confirm(purchase, consent.given)
            await ledger_call(runtime.ledger.approve, plan.batch, asked.yes)
        async with prefect_api(settings.home, load_generate, ahead) as flow:
            message = await _in_flow(runtime, batch, engine, flow, consent.above)
        credits = await anyio.to_thread.run_sync(final_credits, runtime, batch)
        show_result(credits, runtime.batches.folders.get(batch.name), json, message)
        if credits.totals.failed and not json:
            print(f"To buy what failed again: {command('retry', '--batch', plan.batch)}")
        if runtime.shutdown.is_set():
            return INTERRUPTED
        code = exit_code(credits.totals, bool(runtime.halted_providers))
        if code == REFUSED:  # by every provider that was asked
            say(f"Next: {KINDS['stopped'].commands[0]}")
        return code


def no_retakes(batch: str, json: bool) -> int:
    """Nothing is to be made again: said, and no error."""
    return _nothing("nothing is sent back that has no further take yet: nothing was bought", batch, json)


def no_finals(batch: str, json: bool) -> int:
    """Nothing is kept that could be made in full: said, and no error."""
    choose = command("review", "--batch", batch)
    return _nothing(f"no draft of these rows is kept yet: nothing was bought. To choose: {choose}", batch, json)


def _nothing(sentence: str, batch: str, json: bool) -> int:
    say(sentence)
    if json:
        print(dump(answer_json(credits_of(batch, []), None)))
    return 0


def exit_code(totals: Totals, stopped: bool) -> int:
    """0 everything is in S3 · 1 something is not · 2 refused before anything was bought: by every provider there was."""
    if totals.complete:
        return 0
    touched = totals.delivered + totals.failed + totals.in_doubt + totals.overdue + totals.interrupted
    return REFUSED if stopped and not touched else 1


def load_generate() -> Any:
    """The flow that makes clips."""
    from flows.generate import generate_clips

    return generate_clips


async def _in_flow(runtime: Runtime, batch: Batch, engine: Engine, flow: Any, approve_above: Decimal | None) -> str:
    """Run the flow and return its final message. When Prefect itself fails, the ledger still has all that was done."""
    above = None if approve_above is None else float(approve_above)
    parameters = {**batch.request.parameters(), "approve_above_usd": above}
    try:
        async with progress(runtime, batch):
            state = await engine.see_through(runtime, flow(**parameters, return_state=True))
    except Exception as error:  # noqa: BLE001 - the engine's, not ours: flows return what goes wrong with clips
        say(f"the run ended early, Prefect failed: {describe_error(error)}")
        return ""
    message = str(state.message or "") if state else runtime.last_words
    failed = state.is_failed() if state else not final_credits(runtime, batch).totals.complete
    told_below = sys.stdout.isatty() and message == final_credits(runtime, batch).totals.sentence()
    if (failed or runtime.halted_providers) and not runtime.shutdown.is_set() and not told_below:
        say(f"dailies: {message}")
    return message


def confirm(purchase: Purchase, yes: bool) -> None:
    """On a terminal, ask before money is spent. Raises BadInput when the answer is no."""
    if yes or not purchase.rows or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    clips = how_many(len(purchase.rows), "clip")
    print(f"Buy {clips} for at most {show_usd(purchase.usd)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was bought", trouble="not-approved")


@asynccontextmanager
async def prefect_api(home: Path, load: Callable[[], Any], ahead: Ahead | None = None) -> AsyncIterator[Any]:
    """A flow, with a Prefect API for it: the one that is configured, else a local server for as long as the block runs.

    `load` loads the flow, and Prefect with it: a second of work, done while the server starts, and beside the loop, which has
    leases to renew and signals to hear.
    """
    configured = configured_api_url()
    if configured:
        await anyio.to_thread.run_sync(require_api, configured)
        yield await anyio.to_thread.run_sync(loaded, load)
        return
    Network.here().routes.check()
    ahead = ahead or Ahead(home)
    try:
        ahead.begin()
        expect_server(home)
        flow = await anyio.to_thread.run_sync(loaded, load)
        local = await anyio.to_thread.run_sync(ahead.take, abandon_on_cancel=True)
        use_server(local)
        say(f"watch it in the Prefect UI: {local.ui_url}")
        yield flow
    finally:
        await anyio.to_thread.run_sync(ahead.end)


def loaded(load: Callable[[], Any]) -> Any:
    """A flow, and Prefect with all that it needs for one."""
    with loading():
        flow = load()
        load_engine()
    return flow


def show_result(credits: Credits, folder: Path | None, json: bool, sentence: str) -> None:
    """The result: one JSON object on stdout, or a table people like to read. `folder` has its report, if that was written."""
    if json:
        for piece in answer_pieces(credits, str(folder) if folder else None):
            print(piece, end="")
        print()
        return
    from dailies.cli.tables import clips_table

    clips_table(credits)
    tell(credits.totals.sentence())
    if "interrupted" in sentence:
        tell(f"Go on: run the same command again, or {COLLECT} for what is paid already.")
    if folder:
        page = folder / "report.html"
        print(f"Report: {page if page.exists() else folder}")


@outlasting_the_terminal()
def run_collect(json: bool) -> int:
    """Bring home what is paid for. Exit code 0 when nothing remains."""
    settings = settings_here()
    log_to_stderr()
    return asyncio.run(_collect(settings, json))


async def _collect(settings: Settings, json: bool) -> int:
    engine = Engine()
    return engine.leave(await _bring_home(settings, json, engine))


async def _bring_home(settings: Settings, json: bool, engine: Engine) -> int:
    from dailies.steps.recover import nothing_to_collect, remaining

    async with open_runtime(settings) as runtime:
        # A server of our own takes half a minute to start; one that is there shows that it was collected.
        if configured_api_url() or not await nothing_to_collect(runtime):
            before = await remaining(runtime)
            if before.attempts:
                say(f"bringing home: {before.sentence}")
            async with prefect_api(settings.home, load_collect) as flow:
                await engine.see_through(runtime, flow(return_state=True))
        left = await remaining(runtime)
        if json:
            print(
                dump(
                    {
                        "remaining": len(left.attempts),
                        "message": left.sentence,
                        "clips": [attempt.label for attempt in left.attempts],
                    }
                )
            )
        else:
            print(left.sentence)
        return INTERRUPTED if runtime.shutdown.is_set() else 1 if left.attempts else 0


def load_collect() -> Any:
    """The flow that brings home what is paid for."""
    from flows.collect import collect_clips

    return collect_clips


def run_ui() -> int:
    """Serve the UI over the history of local runs until Ctrl-C."""
    home = load_settings().home
    with local_server(home, on_wait=say) as server:
        print(f"Prefect UI: {server.ui_url}   (Ctrl-C ends it)")
        wait_for_interrupt()
    return 0


def wait_for_interrupt() -> None:
    """Block until SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


class OnStderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment: the progress bar puts itself below every line that goes there."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.name = ON_STDERR
        self.setLevel(logging.WARNING)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def filter(self, record: logging.LogRecord) -> bool:
        """What became of a create is an event, which the progress tells."""
        return record.name != OUTCOMES and bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """One plain line."""
        self.stream = sys.stderr
        super().emit(record)


def _not_the_end(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Finished in state")


def log_to_stderr() -> None:
    """Our warnings on stderr, in one plain line each; how the run ended is said in our words, not in Prefect's too."""
    logging.getLogger("prefect.flow_runs").addFilter(_not_the_end)
    ours = logging.getLogger("dailies")
    if any(isinstance(handler, JsonOnStderr) for handler in ours.handlers):
        return
    for handler in [h for h in ours.handlers if h.name == ON_STDERR]:
        ours.removeHandler(handler)
    ours.addHandler(OnStderr())
    ours.propagate = False
