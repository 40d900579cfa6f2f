"""The one place where clients are wired together and closed again. Steps get a runtime; nothing else opens anything."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread
import httpx

from dailies.catalog import Catalog, load_catalog
from dailies.domain.clocks import warn_of_skew
from dailies.domain.records import Attempt
from dailies.domain.urgency import result_ends
from dailies.errors import Misconfigured
from dailies.ledger import Ledger, Owner, Spool, open_engine
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.ledger.file import LedgerVanished
from dailies.ledger.rescue import rescue
from dailies.ledger.spool import Spooled
from dailies.memory import keep_flat, keep_what_is_loaded
from dailies.net import Trust, vetted_client
from dailies.providers.base import Provider
from dailies.providers.http import USER_AGENT
from dailies.providers.open import loopback_origins, open_providers, result_life
from dailies.registry import declared, provider_names
from dailies.runtime.batches import Batches
from dailies.runtime.limiter import AdaptiveLimiter
from dailies.runtime.looks import Looks
from dailies.runtime.priority import PriorityLimiter
from dailies.runtime.schedules import PollSchedules
from dailies.sender.client import Sender
from dailies.settings import Settings
from dailies.storage.abilities import StoreAbilities, Writing
from dailies.storage.s3 import S3

logger = logging.getLogger("dailies")
DELIVERIES_AT_ONCE = 16
QUIET = ("httpx", "httpcore", "botocore", "boto3", "urllib3", "s3transfer", "asyncio")


@dataclass
class Runtime:
    """Everything a step needs. `halted_providers` names providers that refuse every clip, and why."""

    settings: Settings
    catalog: Catalog
    trust: Trust
    ledger: Ledger
    spool: Spool
    http: httpx.AsyncClient
    need_keys: bool = True
    batches: Batches = field(default_factory=Batches)
    halted_providers: dict[str, str] = field(default_factory=dict)
    shutdown: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)  # the flow's story is told; its engine may still be at work
    last_words: str = ""  # how it ended, as its final state says
    limiters: dict[str, AdaptiveLimiter] = field(default_factory=dict)
    emitted: set[str] = field(default_factory=set)  # events that a run emits once
    brake_events: dict[str, str] = field(default_factory=dict)  # what was last told of each provider's brake
    bought: dict[str, Spooled] = field(default_factory=dict)  # by attempt: bought in this run, and not home yet
    stores: dict[tuple[str, str], StoreAbilities] = field(default_factory=dict)  # what was tried, by bucket and prefix
    _providers: dict[str, Provider] = field(default_factory=dict)
    _askers: dict[str, Provider] = field(default_factory=dict)
    _creating: dict[str, AbstractAsyncContextManager[object]] = field(default_factory=dict)
    _s3: S3 | None = None

    def __post_init__(self) -> None:
        self.deliveries = PriorityLimiter(DELIVERIES_AT_ONCE)
        self.sender = Sender(self.settings, self.ledger)
        self.decoders = anyio.CapacityLimiter(os.cpu_count() or 1)  # more at once are slower, and hold more pictures
        self.looks = Looks()
        self.schedules = PollSchedules(self.ledger)
        self.trying = anyio.Lock()  # one try of a store at a time, whoever wants to know

    @property
    def owners(self) -> frozenset[str]:
        """Under which names this run stands in the ledger: its own, and its senders'."""
        return frozenset({str(self.ledger.owner), *self.sender.owners})

    @property
    def home(self) -> Path:
        """DAILIES_HOME."""
        return self.settings.home

    def provider(self, name: str) -> Provider:
        """The client of one provider, opened when first asked for."""
        if name not in self._providers:
            self._providers.update(open_providers(self.settings, [name], self.need_keys))
        return self._providers[name]

    def anonymous_client(self, name: str) -> Provider:
        """A client for questions that need no key; the paying one where it is open already."""
        if name in self._providers:
            return self._providers[name]
        if name not in self._askers:
            self._askers.update(open_providers(self.settings, [name], need_keys=False))
        return self._askers[name]

    def open_providers(self, names: Iterable[str]) -> None:
        """Open clients now, so that a missing key is found before anything is bought."""
        for name in names:
            self.provider(name)

    def result_ends(self, attempt: Attempt) -> datetime:
        """When the provider may have deleted an attempt's result: what ends first is fetched first."""
        return result_ends(attempt, result_life(attempt.provider))

    def limiter(self, provider: str) -> AdaptiveLimiter:
        """How many may be in flight at this provider."""
        return self.limiters.setdefault(provider, AdaptiveLimiter(self.settings.dailies_in_flight))

    def creating(self, name: str) -> AbstractAsyncContextManager[object]:
        """A place among the creates that are on their way to one provider, waited for; no end where it has no limit."""
        if name not in self._creating:
            most = declared()[name].creates_at_once
            self._creating[name] = nullcontext() if most is None else anyio.CapacityLimiter(most)
        return self._creating[name]

    def s3(self) -> S3:
        """The store, opened when first asked for."""
        if self._s3 is None:
            chosen = self.settings
            self._s3 = S3(
                Writing(chosen.dailies_s3_sse, chosen.dailies_s3_sse_kms_key_id, chosen.dailies_s3_storage_class)
            )
        return self._s3

    async def keep_lease(self) -> None:
        """Tell the others for ever that this owner lives; trouble with the ledger is tried again."""
        while True:
            await anyio.sleep(self.settings.renewal_s)
            try:
                await ledger_call(self.ledger.renew)
            except LedgerVanished as error:
                await self.give_up_buying(error)
            except LEDGER_AWAY:
                pass

    async def give_up_buying(self, error: LedgerVanished) -> None:
        """Claim no more at any provider, and put what the open ledger still holds in hand into the spool, once."""
        if str(error) in self.halted_providers.values():
            return
        self.halted_providers |= dict.fromkeys(provider_names(), str(error))
        logger.error("%s", error)
        try:
            kept = await ledger_call(rescue, self.ledger, self.spool, self.ledger.opened_at)
        except LEDGER_AWAY as trouble:
            logger.critical("what is paid for could not be kept in %s: %s", self.spool.folder, trouble)
        else:
            logger.warning("%d clips that are paid for or in doubt are kept in %s", kept, self.spool.folder)

    async def last_looks(self) -> None:
        """Wait a while for looks at footage that are under way; who interrupts a run doesn't wait for them."""

        async def hurry() -> None:
            await self.shutdown.wait()
            self.looks.give_up()

        async with anyio.create_task_group() as group:
            group.start_soon(hurry)
            await self.looks.done()
            group.cancel_scope.cancel()

    async def close(self) -> None:
        """Let the sender go and close every client; looks and leases of what is unfinished are given up."""
        await self.last_looks()
        self.looks.close()
        await self.sender.close()
        for provider in (*self._providers.values(), *self._askers.values()):
            await provider.close()
        await self.http.aclose()
        with suppress(*LEDGER_AWAY):
            await ledger_call(self.ledger.close)


_current: ContextVar[Runtime] = ContextVar("dailies_runtime")
"""Prefect calls a task with the parameters that it keeps, which a client can't be. So tasks, and nothing else, find the
runtime here; everything below them is handed it."""


def current_runtime() -> Runtime:
    """The runtime that is open in this process, for a task. Raises LookupError when none is."""
    return _current.get()


def shared_runtime() -> Runtime | None:
    """The runtime that is open in this process already, if one is: a command shares its own with the flow that it starts."""
    return _current.get(None)


@asynccontextmanager
async def open_runtime(
    settings: Settings, need_keys: bool = True, ledger: Callable[[Settings], Ledger] | None = None
) -> AsyncIterator[Runtime]:
    """A runtime for the length of a flow or a command; `need_keys`: a provider's client may not be opened without one."""
    keep_flat()
    keep_what_is_loaded()
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)  # their lines hold headers and signed URLs
    trust = Trust.parse(settings.dailies_trusted_hosts, *loopback_origins(settings))
    catalog = load_catalog(settings.dailies_models)
    make_home(settings.home)
    book = await anyio.to_thread.run_sync(ledger or open_ledger, settings)
    if warning := warn_of_skew(book.skew):
        logger.warning("%s", warning)
    runtime = Runtime(
        settings,
        catalog,
        trust,
        book,
        Spool(settings.home / "spool"),
        vetted_client(trust, user_agent=USER_AGENT),
        need_keys,
    )
    token = _current.set(runtime)
    lease = asyncio.create_task(runtime.keep_lease())
    try:
        yield runtime
    finally:
        lease.cancel()
        _current.reset(token)
        with anyio.CancelScope(shield=True):
            await runtime.close()


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of the settings, for this process."""
    return Ledger(open_engine(settings.ledger_url), Owner.this_process(), settings.lease_s)


def make_home(home: Path) -> None:
    """DAILIES_HOME, readable by its owner alone. Raises Misconfigured when it can't be written."""
    try:
        for folder in (home, home / "spool", home / "downloads", home / "reports"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=home):  # a name of its own: several runs start at once
            pass
    except OSError as error:
        raise Misconfigured(
            f"DAILIES_HOME={home} can't be written: {error.strerror}. Nothing was bought.", trouble="disk"
        ) from error
