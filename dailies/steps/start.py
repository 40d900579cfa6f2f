"""The beginning of a run: read the CSV, plan it, see that everything it needs is there, and put it on record (T0)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from dailies.domain.clips import IMAGE_LISTS, listed, together
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.sources import located
from dailies.errors import BadInput, Misconfigured
from dailies.failpoints import hit
from dailies.ledger import AnotherFile, TakenNumber
from dailies.ledger.address import shown
from dailies.ledger.beside import refuse_unsettled_beside
from dailies.ledger.calling import ledger_call
from dailies.logs import hidden
from dailies.memory import seldom_collected
from dailies.planning.batch import Batch
from dailies.planning.defaults import with_defaults
from dailies.planning.from_record import sheet_on_record
from dailies.planning.further import is_image
from dailies.planning.images import Images
from dailies.planning.matrix import expanded
from dailies.planning.plan import Market, Plan, make_plan, unpriced_message
from dailies.planning.request import FOLDERS, OPTIONS, BatchRequest, is_file
from dailies.planning.shards import fingerprint
from dailies.planning.timeouts import refuse_short_timeout
from dailies.prompts import MAX_BYTES, RawRow, Sheet, read_local, read_sheet, read_table
from dailies.providers.live import Live
from dailies.registry import provider_names
from dailies.report.target import folder_named
from dailies.runtime import Runtime
from dailies.sheets.columns import Names
from dailies.sheets.table import Table
from dailies.steps.adopt import adopt_known
from dailies.steps.another_file import another_files_batch, refuse_another_file
from dailies.steps.budgets import caps_over_all, check_budgets
from dailies.steps.clips_on_record import clips_on_record
from dailies.steps.places import settle_places
from dailies.steps.reachable import refuse_without_a_way
from dailies.steps.store import store_notes, tried_before_buying
from dailies.storage.s3 import StoreTrouble, parse_s3_uri

Progress = Callable[[int, int], None]
logger = logging.getLogger("dailies.start")


async def plan_batch(
    runtime: Runtime, request: BatchRequest, progress: Progress = lambda *_: None, on_record: bool = False
) -> Plan:
    """Read, check, measure and price the CSV. Spends nothing, needs no key. Raises BadRows, BadInput or Misconfigured.

    With `on_record` the rows are the ledger's, and the CSV only says beside what its images lie.
    """
    with seldom_collected():
        return await _planned(runtime, request, progress, on_record)


async def _planned(runtime: Runtime, request: BatchRequest, progress: Progress, on_record: bool) -> Plan:
    for name in FOLDERS:
        if folder := getattr(request, name):
            folder_named(OPTIONS[name], folder)
    sheet, below = await (_recorded(runtime, request) if on_record else _sheet(runtime, request))
    kept = runtime.home / "images"
    images = Images(below, runtime.http, runtime.trust, runtime.s3, kept, request.fit != "strict")

    request = with_defaults(request, runtime.settings, runtime.catalog)
    plan = await make_plan(
        sheet, request, request.prompts, runtime.catalog, images, kept, _market(runtime), runtime.ledger, progress
    )
    hidden.hide_prompts(text for row in plan.rows for text in (row.clip.prompt, *free_texts(row.clip.options)))
    return plan


def _market(runtime: Runtime) -> Market:
    """The providers, asked for nothing that costs. An estimate is of our own account, so it takes the key along."""
    keyed = frozenset(name for name in provider_names() if runtime.settings.api_key(name))

    async def ask(provider: str, names: list[str]) -> dict[str, Live]:
        return await runtime.anonymous_client(provider).live(names, runtime.home / "cache")

    async def estimate(provider: str, body: Mapping[str, Any]) -> Decimal | None:
        return await runtime.anonymous_client(provider).estimate(body) if provider in keyed else None

    return Market(ask, estimate, keyed)


def free_texts(options: Mapping[str, object]) -> list[str]:
    """Options that a person wrote, such as a negative prompt; not words to choose from."""
    return [value for value in options.values() if isinstance(value, str) and " " in value]


async def _sheet(runtime: Runtime, request: BatchRequest) -> tuple[Sheet, Path | None]:
    """The rows of a file, and the folder in which it lies."""
    prompts, options = request.prompts, runtime.catalog.option_words()
    content, below = await _read(runtime, prompts)
    sheet = await anyio.to_thread.run_sync(read_sheet, content, prompts, options)
    sheet = expanded(sheet, request.matrix, options, await _matrices(runtime, request.matrix))
    if prompts.startswith("s3://"):
        sheet = replace(sheet, rows=tuple(_beside(row, prompts, _image_options(runtime)) for row in sheet.rows))
    return sheet, below


async def _matrices(runtime: Runtime, matrix: Sequence[str]) -> dict[str, Table]:
    """The files among the matrices that are asked for, read."""
    names = Names(runtime.catalog.option_words())
    found = {}
    for text in filter(is_file, matrix):
        content, _ = await _read(runtime, text)
        found[text] = await anyio.to_thread.run_sync(read_table, content, text, names)
    return found


async def _recorded(runtime: Runtime, request: BatchRequest) -> tuple[Sheet, Path | None]:
    """The rows of a batch as the ledger has them, and the folder in which its file lay."""
    rows = await ledger_call(runtime.ledger.rows, request.batch_name)
    row_clips = await ledger_call(runtime.ledger.row_clip_of, [row.clip_key for row in rows])
    sheet = sheet_on_record(rows, row_clips)
    if not sheet.rows:
        raise BadInput(f"batch {request.batch_name} has no rows on record. Nothing was bought.", trouble="which-one")
    below = None if request.prompts.startswith("s3://") else Path(request.prompts).expanduser().absolute().parent
    return sheet, below


async def _read(runtime: Runtime, prompts: str) -> tuple[bytes, Path | None]:
    if not prompts.startswith("s3://"):
        path = Path(prompts).expanduser()
        return await anyio.to_thread.run_sync(read_local, path), path.absolute().parent
    bucket, key = parse_s3_uri(prompts)
    try:
        return await anyio.to_thread.run_sync(runtime.s3().read, bucket, key, MAX_BYTES), None
    except KeyError:
        raise BadInput(f"{prompts}: there is no such object. Nothing was bought.", trouble="no-file") from None
    except StoreTrouble as error:
        raise Misconfigured(f"{prompts} can't be read: {error}. Nothing was bought.", trouble="store") from error


def _image_options(runtime: Runtime) -> frozenset[str]:
    return frozenset(name for model in runtime.catalog for name in model.options if is_image(model, name))


def _beside(row: RawRow, csv_uri: str, options: frozenset[str]) -> RawRow:
    """In a CSV that lies in S3, a relative image path leads to an object beside it."""
    cells, labels = dict(row.cells), dict(row.labels)
    if "image" in cells:
        cells["image"] = _object_beside(cells["image"], csv_uri)
    for name in options & labels.keys():
        named = listed(labels[name]) if name in IMAGE_LISTS else (labels[name],)
        labels[name] = together(_object_beside(image, csv_uri) for image in named)
    return replace(row, cells=cells, labels=labels)


def _object_beside(image: str, csv_uri: str) -> str:
    if not image or "://" in image or image.startswith("data:"):
        return image
    path = image.replace("\\", "/")
    return image if path.startswith("/") or ".." in path.split("/") else f"{csv_uri.rsplit('/', 1)[0]}/{path}"


async def begin_batch(runtime: Runtime, request: BatchRequest) -> Batch:
    """A batch planned and put on record: all that stands before its first clip. Raises what either refuses."""
    return await start_batch(runtime, request, await plan_batch(runtime, request))


async def start_batch(runtime: Runtime, request: BatchRequest, plan: Plan) -> Batch:
    """Everything that can refuse a batch before its first cent; then T0. Raises Misconfigured or BadInput."""
    to = request.to or runtime.settings.dailies_to
    if not to:
        raise Misconfigured(
            "nothing says where the clips go: pass --to s3://bucket/prefix or set DAILIES_TO. Nothing was bought.",
            trouble="no-destination",
        )
    batch = await vetted_batch(runtime, request, plan, to)
    await refuse_another_plan(runtime, request, plan)
    await _put_on_record(runtime, batch)
    for words in store_notes(runtime):
        logger.warning(words)
    if len(batch.delivered_before) < len(plan.rows):
        dispatched = request.fingerprint is not None  # then its dispatch has looked for the batch
        known = await (clips_on_record(runtime, plan) if dispatched else adopt_known(runtime, batch))
        batch = replace(batch, delivered_before=known.delivered)
        await check_budgets(runtime, batch)
    placed = await settle_places(runtime, batch)
    return replace(batch, delivered_before=batch.delivered_before - set(placed.gone))


async def _put_on_record(runtime: Runtime, batch: Batch) -> None:
    """T0."""
    plan, request = batch.plan, batch.request
    hit("before-plan")
    asked = (located(plan.source), batch.destination, plan.rows, plan.quotes, request.partial, request.asked())
    numbers = partial(runtime.ledger.plan, takes=plan.takes, replaced=plan.replaced, staying=plan.forgotten)
    try:
        await ledger_call(numbers, batch.name, *asked)
    except AnotherFile as error:  # planned since it was looked for
        raise another_files_batch(plan, error.recorded) from error
    except TakenNumber as error:
        raise BadInput(
            f"another run gave away the same take at this moment ({error}): run it again. Nothing was bought."
        ) from error
    hit("after-plan")


async def vetted_batch(runtime: Runtime, request: BatchRequest, plan: Plan, to: str) -> Batch:
    """What `check` and `run` refuse alike before anything is written: prices, keys, accounts, the store.

    `to` may be empty, which only a check allows: then no store is asked. Raises Misconfigured or BadInput.
    """
    if request.fingerprint is None:  # a shard's file was looked at by its dispatch
        await refuse_another_file(runtime, plan)
    if plan.unpriced and not request.allow_unpriced:
        raise BadInput(unpriced_message(plan), trouble="no-price")
    bucket, prefix = parse_s3_uri(to) if to else ("", "")
    budget = request.budget_usd if request.budget_usd is not None else runtime.settings.dailies_budget_usd
    caps = replace(caps_over_all(runtime.settings), batch_usd=budget)
    known = await clips_on_record(runtime, plan)
    batch = Batch(request, plan, bucket, prefix, caps, known.delivered)
    settled = known.settled
    missing = [row for row in plan.rows if row.clip.key not in settled]
    if not missing:
        return batch
    await ledger_call(refuse_unsettled_beside, runtime.home, runtime.ledger)
    refuse_short_timeout(runtime.settings, runtime.catalog, missing)
    runtime.open_providers(plan.providers)
    await refuse_without_a_way(runtime, missing)
    await check_accounts(runtime, plan)
    if to:
        await tried_before_buying(runtime, bucket, prefix, dispatched=request.fingerprint is not None)
    return batch


async def check_accounts(runtime: Runtime, plan: Plan) -> None:
    """Raise Misconfigured when a provider refuses our key; warn when the balance can't pay what it would be asked for."""
    for name in plan.providers:
        standing = await runtime.provider(name).account_status()
        if standing.refused:
            raise Misconfigured(
                f"{name} refuses the key in {name.upper()}_API_KEY: {standing.refused}. "
                "Nothing was bought. Copy it again, or make a new one",
                trouble="key-refused",
            )
        needed = sum_usd(plan.quotes[row.clip.key] for row in plan.rows if row.providers[0] == name)
        if standing.balance_usd is not None and standing.balance_usd < needed:
            left = show_usd(standing.balance_usd)
            logger.warning(
                "the balance at %s is %s, and this batch is quoted at %s there", name, left, show_usd(needed)
            )


async def refuse_another_plan(runtime: Runtime, request: BatchRequest, plan: Plan) -> None:
    """A shard makes the clips that were dispatched, on the ledger that they were dispatched from, or none."""
    if request.fingerprint is None:
        return
    if await ledger_call(runtime.ledger.batch_destination, plan.batch) is None:
        raise Misconfigured(
            f"this worker's ledger ({shown(runtime.ledger.engine.url)}) does not know the batch "
            f"{plan.batch} that was dispatched. Set DAILIES_LEDGER_URL to the same Postgres everywhere. Nothing was bought.",
            trouble="dispatch",
        )
    if fingerprint(plan.rows) != request.fingerprint:
        raise BadInput(
            f"rows {request.rows} of {request.prompts} are not what was dispatched: the CSV, an image or this machine's settings "
            "differ, or a verdict was given since on which their takes depend. Dispatch it again. Nothing was bought.",
            trouble="dispatch",
        )
