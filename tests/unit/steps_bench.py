"""A runtime for one step: a real ledger in a file, a clock that stands still, and a provider, a store and a sender that say
what a test tells them to. No Prefect, no network, no process."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeVar, cast

import anyio
import pytest
from sqlalchemy.engine import make_url

from dailies.catalog import Catalog, load_catalog
from dailies.domain.account import AccountStatus
from dailies.domain.clips import Row
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.failpoints import VARIABLE
from dailies.ledger import Caps, Ledger, Spool
from dailies.net import Trust
from dailies.planning.batch import Batch
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.providers.base import Found, Logged, LogUnavailable, Look, LookKind
from dailies.providers.live import Live, LiveUnavailable
from dailies.registry import provider_names
from dailies.runtime import Runtime
from dailies.runtime.batches import Batches
from dailies.sender.line import SenderEnded
from dailies.sender.protocol import Result
from dailies.settings import Settings
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import Body, Stored
from tests.ledger.factories import USD, FakeClock, a_row, bring_to, ledgers_on

R = TypeVar("R")
CATALOG: list[Catalog] = []
EMPTY: list[bytes] = []
"""A ledger's file with nothing in it."""
NEVER = "before-claim=raise@1000000"
"""Failpoints are armed, so that one whose name is wrong raises."""
GENERATING, FAILED = Look(LookKind.GENERATING, "generating"), Look(LookKind.FAILED, "the upstream failed")
READY = Look(LookKind.READY, "completed", "https://cdn.example/clip.mp4?signature=s3cr3t", USD, 1_260_000)


def catalog() -> Catalog:
    """The shipped catalog, read once."""
    if not CATALOG:
        CATALOG.append(load_catalog())
    return CATALOG[0]


class Vendor:
    """A provider that answers what it is told to: the last of several answers again and again."""

    name = "aiml"
    takes_pictures = False

    def __init__(self) -> None:
        self.looks: list[Look | Exception] = [GENERATING]
        self.found: Found | Exception | None = LogUnavailable("it has no log")
        self.log: list[Logged] | Exception = []
        self.standing = AccountStatus()
        self.agrees: bool | None = None
        self.sells: Live | None = None
        self.price: Decimal | None = None
        self.asked: list[Any] = []

    async def look(self, generation_id: str) -> Look:
        self.asked.append(("look", generation_id))
        answer = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def find(self, doubt: Any) -> Found | None:
        self.asked.append(("find", doubt))
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def finished(self, since: datetime, until: datetime) -> list[Logged]:
        self.asked.append(("finished", since, until))
        if isinstance(self.log, Exception):
            raise self.log
        return self.log

    async def account_status(self) -> AccountStatus:
        return self.standing

    async def live(self, names: list[str], cache: Path) -> Mapping[str, Live]:
        self.asked.append(("live", names, cache))
        if self.sells is None:
            raise LiveUnavailable("it has no list")
        return dict.fromkeys(names, self.sells)

    async def estimate(self, body: Mapping[str, Any]) -> Decimal | None:
        self.asked.append(("estimate", body))
        return self.price

    async def cancel(self, generation_id: str) -> bool | None:
        self.asked.append(("cancel", generation_id))
        return self.agrees

    def result_auth(self, url: str) -> None:
        return None


class Shelf:
    """A store in memory; `trouble` is raised by whatever is asked next, once each."""

    endpoint = "https://s3.example"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}
        self.trouble: list[Exception] = []
        self.heads: list[str] = []
        self.kept: list[Mapping[str, str]] = []

    def lay(self, key: str, content: bytes, bucket: str = "clips", **metadata: str) -> None:
        """An object, with metadata whose names have `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        self.objects[bucket, key] = content, named

    def _meet(self) -> None:
        if self.trouble:
            raise self.trouble.pop(0)

    def head(self, bucket: str, key: str, blind: bool = False) -> Stored | None:
        self.heads.append(key)
        self._meet()
        found = self.objects.get((bucket, key))
        if found is None:
            return None
        content, metadata = found
        return Stored(key, len(content), hashlib.sha256(content).hexdigest(), "etag", metadata)

    def read(self, bucket: str, key: str, most: int) -> bytes:
        assert most > 0
        self._meet()
        return self.objects[bucket, key][0][:most]

    def digest(self, bucket: str, key: str) -> str:
        return hashlib.sha256(self.objects[bucket, key][0]).hexdigest()

    def names(self, bucket: str, prefix: str) -> Iterator[str]:
        self._meet()
        return iter(sorted(key for where, key in self.objects if where == bucket and key.startswith(prefix)))

    def sizes(self, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
        return ((key, len(self.objects[bucket, key][0])) for key in self.names(bucket, prefix))

    def versions(self, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
        return ((key, f"v-{len(key)}") for key in self.names(bucket, prefix))

    def copy(self, source: tuple[str, str], bucket: str, key: str) -> None:
        self._meet()
        self.objects[bucket, key] = self.objects[source]

    def put_bytes(self, bucket: str, key: str, content: bytes, content_type: str, ways: object = None) -> str:
        self._meet()
        self.objects[bucket, key] = content, {"type": content_type}
        return key

    def put_small(self, bucket: str, key: str, body: Body, content_type: str) -> str:
        content = body.content if isinstance(body.content, bytes) else body.content.read_bytes()
        self.put_bytes(bucket, key, content, content_type)
        return f"s3://{bucket}/{key}"

    def fetch(self, bucket: str, key: str, file: BinaryIO, from_byte: int = 0) -> None:
        self._meet()
        file.write(self.objects[bucket, key][0][from_byte:])

    def presigner(self, bucket: str, lifetime_s: int) -> Callable[[str], str]:
        return lambda key: self.presign(bucket, key, lifetime_s)

    def presign(self, bucket: str, key: str, lifetime_s: int = 0) -> str:
        return f"{self.endpoint}/{bucket}/{key}?signed"


class Ordered:
    """One create as the sender tells of it: what the claim came to, then what came of each time that it was sent."""

    def __init__(self, claim: Result | SenderEnded | None, *results: Result | SenderEnded) -> None:
        self.claim, self.results = claim, list(results)
        self.sent_again = self.given_up = 0

    async def claimed(self) -> Result | None:
        if isinstance(self.claim, SenderEnded):
            raise self.claim
        return self.claim

    async def result(self) -> Result:
        answer = self.results.pop(0)
        if isinstance(answer, SenderEnded):
            raise answer
        return answer

    async def send_again(self) -> Result:
        self.sent_again += 1
        return await self.result()

    async def give_up(self) -> Result:
        self.given_up += 1
        last = self.results[-1]
        assert not isinstance(last, SenderEnded)
        return last


@dataclass
class Postman:
    """The sender, with the creates that it is to be asked for, in order."""

    creates: list[Ordered] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    owners: frozenset[str] = frozenset()

    async def order(self, purchase: Any) -> Ordered:
        self.orders.append(purchase)
        return self.creates.pop(0)


@dataclass
class Bench:
    """What a step is tried on."""

    ledger: Ledger
    clock: FakeClock
    folder: Path
    vendor: Vendor = field(default_factory=Vendor)
    shelf: Shelf = field(default_factory=Shelf)
    sender: Postman = field(default_factory=Postman)
    settings: Mapping[str, Any] = field(default_factory=dict)
    halted: dict[str, str] = field(default_factory=dict)
    bought: dict[str, Any] = field(default_factory=dict)
    stores: dict[tuple[str, str], StoreAbilities] = field(default_factory=dict)
    batches: Batches = field(default_factory=Batches)
    http: Any = None
    interrupted: bool = False

    def run(self, step: Callable[..., Awaitable[R]], *arguments: Any) -> R:
        """One step, on a runtime of its own; what it halts, remembers and learns stays with the bench."""

        async def whole() -> R:
            return await step(self.runtime(), *arguments)

        return anyio.run(whole)

    def runtime(self) -> Runtime:
        """The real one, with nothing open."""
        settings = Settings(dailies_home=self.folder, **self.settings)
        made = Runtime(settings, catalog(), Trust(), self.ledger, Spool(self.folder / "spool"), self.http, False)
        made.halted_providers, made.bought, made.stores, made.batches = (
            self.halted, self.bought, self.stores, self.batches,
        )  # fmt: skip
        made._providers = dict.fromkeys(provider_names(), cast(Any, self.vendor))
        made._s3, made.sender = cast(Any, self.shelf), cast(Any, self.sender)
        if self.interrupted:
            made.shutdown.set()
        return made

    def attempt(self, state: State = State.SUBMITTED, batch: Batch | None = None, at: int = 0) -> Attempt:
        """An attempt for one of a batch's rows, brought to a state by the ledger's own moves."""
        batch = batch or self.batch()
        return bring_to(self.ledger, state, batch.plan.rows[at].clip.key)

    def batch(self, count: int = 1, usd: Decimal | None = USD, on_record: bool = True, **changes: Any) -> Batch:
        """A batch `smiles` of so many rows, by default on record; `changes` are of its `Batch`, `request` of its request."""
        rows = changes.pop("rows", None) or tuple(a_row(number) for number in range(1, count + 1))
        quotes = changes.pop("quotes", None) or {row.clip.key: usd for row in rows}
        plan = Plan("smiles", "smiles.csv", tuple(rows), quotes, **changes.pop("plan", {}))
        request = BatchRequest(prompts="smiles.csv", batch="smiles", **changes.pop("request", {}))
        made = Batch(request, plan, "clips", "smiles", changes.pop("caps", Caps()), **changes)
        if on_record:
            self.ledger.plan("smiles", "smiles.csv", made.destination, made.plan.rows, quotes)
        return made

    def again(self, attempt: Attempt) -> Attempt:
        """The attempt as it is on record now."""
        found = self.ledger.attempt(attempt.id)
        assert found is not None
        return found

    def notes(self, attempt: Attempt) -> list[str]:
        """What its history says."""
        return [event.note for event in self.ledger.history(attempt.id)]


def bench_on(url: str, folder: Path, clock: FakeClock) -> Iterator[Bench]:
    """A bench on a ledger of its own, for a fixture to hand on: a copy of an empty one, which is made once."""
    file = Path(str(make_url(url).database))
    if not EMPTY:
        with ledgers_on(url, clock) as make:
            make()
        EMPTY.append(file.read_bytes())
    file.write_bytes(EMPTY[0])
    with ledgers_on(url, clock) as make, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, NEVER)
        yield Bench(make(), clock, folder)


def row_of(row: Row, providers: Iterable[str]) -> Row:
    """The same row, to be bought at these."""
    return Row(row.number, row.id, row.clip, tuple(providers), row.labels, row.sheet_row)


def fake(**parts: Any) -> Any:
    """A double with just these parts."""
    return SimpleNamespace(**parts)
