"""`dailies hooks`: calls as the sandbox's providers make them, and as nobody should: forged, replayed, late, twice, out of order."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from pydantic import SecretStr

from dailies.catalog import ResolvedOptions, load_catalog, request_body, resolve_options
from dailies.domain.creates import Accepted, PaidRequest, Reference
from dailies.domain.kept_request import keep
from dailies.domain.outcomes import Answer
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.hooks.app import create_app
from dailies.ledger import Caps, Ledger
from dailies.providers.base import Opening, Provider
from dailies.registry import declared, load
from dailies.sandbox import Sandbox
from dailies.settings import Settings
from dailies.steps.calls import Receiver
from tests.contract.fronts import image, receiver
from tests.contract.sandbox_calls import KEY
from tests.ledger.factories import FakeClock, MakeLedger, a_clip, a_row, ledgers_on

MODELS = {
    "runware": "klingai/v2.1-master-image-to-video",
    "higgsfield": "bytedance/seedance-2-5",
    "fal": "bytedance/seedance-2-0",
    "openrouter": "bytedance/seedance-2-0",
}
KEYS = {"runware": KEY, "higgsfield": f"sandbox:{KEY}", "fal": f"sandbox:{KEY}", "openrouter": KEY}
SECRET = "sandbox-webhook-secret"
SIGNED = ("fal", "openrouter")
EACH = pytest.mark.parametrize("name", MODELS)
Call = tuple[str, dict[str, str], bytes]


@dataclass
class Desk:
    """One provider's client, a ledger, the server of webhooks over both, and its clock."""

    name: str
    sandbox: Sandbox
    ledger: Ledger
    client: Provider
    app: Any = None
    ahead: timedelta = timedelta()
    number: int = 0

    def now(self) -> datetime:
        """The server's clock."""
        return datetime.now(UTC) + self.ahead

    def claimed(self) -> Attempt:
        """A claim of a clip of its own, its request not sent yet."""
        self.number += 1
        clip = a_clip(f"<{self.name}-{self.number}>", model=MODELS[self.name])
        row, batch = a_row(self.number, clip, providers=(self.name,)), f"{self.name}-{self.number}"
        self.ledger.plan(batch, f"{batch}.csv", "s3://clips/hooks", [row], {clip.key: Decimal(1)})
        attempt = self.ledger.claim(clip.key, batch, self.name, Decimal(1), Caps(), "digest", "ab" * 32)
        assert isinstance(attempt, Attempt)
        return attempt

    async def bought(self, attempt: Attempt, prompt: str = "she smiles") -> Answer:
        """The answer to its create, which the ledger is not told."""
        request = self.asked(prompt, Reference(attempt.id, str(uuid.uuid4())))
        outcome = (await self.client.create(request, lambda: True)).outcome
        assert isinstance(outcome, Answer) and outcome.generation_id, outcome
        return outcome

    async def lost(self, prompt: str) -> tuple[Attempt, str]:
        """An attempt whose answer was lost, its request on record, and the id that it would have had."""
        self.number += 1
        clip = a_clip(f"{prompt} {self.number}", model=MODELS[self.name])
        row, batch = a_row(self.number, clip, providers=(self.name,)), f"{self.name}-{self.number}"
        self.ledger.plan(batch, f"{batch}.csv", "s3://clips/hooks", [row], {clip.key: Decimal(1)})
        reference = Reference(uuid.uuid4().hex, str(uuid.uuid4()))
        request = self.asked(prompt, reference)
        kept = keep(request, reference, self.now())
        attempt = self.ledger.claim(clip.key, batch, self.name, Decimal(1), Caps(), "digest", request=kept)
        assert isinstance(attempt, Attempt)
        outcome = (await self.client.create(request, lambda: True)).outcome
        assert isinstance(outcome, Answer) and outcome.generation_id, outcome
        return self.ledger.mark_in_doubt(attempt.id, "answer lost"), outcome.generation_id

    def asked(self, prompt: str, reference: Reference) -> PaidRequest:
        """The request of a clip."""
        model = load_catalog().find(MODELS[self.name])
        resolved = resolve_options(model, image_size=(1280, 720))
        assert isinstance(resolved, ResolvedOptions)
        body = request_body(model, self.name, resolved, prompt=prompt, image_url=image(self.sandbox))
        return self.client.request(body, reference)

    async def call(self, call: Call, **changes: Any) -> httpx.Response:
        """Make a call as it was received, or a changed one."""
        path, headers, body = call
        sent = {"path": path, "headers": headers, "body": body} | changes
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hooks") as http:
            return await http.post(sent["path"], content=sent["body"], headers=sent["headers"])

    def found(self, attempt: Attempt) -> Attempt:
        """The attempt as it is on record."""
        found = self.ledger.attempt(attempt.id)
        assert found
        return found


@pytest.fixture
def make_ledger(sqlite_url: str, clock: FakeClock) -> Iterator[MakeLedger]:
    """Ledgers in one SQLite file; what each database must do is shown by the tests with `make_each`."""
    with ledgers_on(sqlite_url, clock) as make:
        yield make


@pytest.fixture
def make_each(ledger_url: str, clock: FakeClock) -> Iterator[MakeLedger]:
    """Ledgers on one database of either kind."""
    with ledgers_on(ledger_url, clock) as make:
        yield make


Act = Callable[[Desk, Callable[[int], list[Call]]], Awaitable[None]]


def at_desk(name: str, sandbox: Sandbox, make_ledger: MakeLedger, act: Act) -> None:
    """Run a test with a server of webhooks, and a receiver in its place that shows what the sandbox calls with."""

    async def run() -> None:
        with receiver() as hook:
            base = hook.url.partition("/hook")[0]
            one = declared()[name]
            own = {setting.name: setting.default for setting in one.settings}
            own |= {"OPENROUTER_WEBHOOK_SECRET": SECRET} if name == "openrouter" else {}
            opening = Opening(f"{sandbox.url}/{name}", SecretStr(KEYS[name]), 10, own, hooks_url=base)
            client: Provider = load(one.client)(opening)
            ledger = make_ledger(real_time=True)
            desk = Desk(name, sandbox, ledger, client)
            settings = Settings.model_validate({f"{name}_api_key": KEYS[name]})
            desk.app = create_app(ledger, Receiver(settings, ledger, load_catalog(), {name: client}, desk.now))

            def calls(count: int) -> list[Call]:
                return [(path, *call) for path, call in zip(hook.paths, hook.wait(count), strict=False)]

            try:
                await act(desk, calls)
            finally:
                await client.close()

    anyio.run(run)


@EACH
def test_a_lost_answer_is_settled_by_the_call_and_the_clip_is_ready(
    name: str, sandbox: Sandbox, make_each: MakeLedger
) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        attempt = desk.claimed()
        answer = await desk.bought(attempt)
        desk.ledger.mark_in_doubt(attempt.id, "answer lost")
        (call,) = await anyio.to_thread.run_sync(calls, 1)
        assert (await desk.call(call)).status_code == 200
        found = desk.found(attempt)
        assert (found.state, found.generation_id) == (State.COMPLETED, answer.generation_id) and found.result_url
        events = len(desk.ledger.history(attempt.id))
        assert (await desk.call(call)).status_code == 200, "the same call once more"
        assert len(desk.ledger.history(attempt.id)) == events and desk.found(attempt) == found

    at_desk(name, sandbox, make_each, act)


@EACH
def test_a_call_that_is_faster_than_the_answer_takes_the_work_from_nobody(
    name: str, sandbox: Sandbox, make_each: MakeLedger
) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        attempt = desk.claimed()
        answer = await desk.bought(attempt)
        (call,) = await anyio.to_thread.run_sync(calls, 1)
        assert (await desk.call(call)).status_code == 200
        found = desk.found(attempt)
        assert (found.owner, found.epoch) == (attempt.owner, attempt.epoch)
        assert found.lease_until >= attempt.lease_until, "nobody may take it over"
        told = desk.ledger.mark_submitted(attempt.id, str(answer.generation_id))
        assert (told.state, told.generation_id) == (State.COMPLETED, answer.generation_id)

    at_desk(name, sandbox, make_each, act)


@EACH
def test_a_foreign_reference_is_refused_and_an_unknown_one_is_nobodys(
    name: str, sandbox: Sandbox, make_ledger: MakeLedger
) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        attempt = desk.claimed()
        await desk.bought(attempt)
        desk.ledger.mark_in_doubt(attempt.id, "answer lost")
        (call,) = await anyio.to_thread.run_sync(calls, 1)
        path = urlsplit(call[0]).path
        forged = f"{path}?ref={attempt.id}.{'0' * 32}"
        assert (await desk.call(call, path=forged)).status_code == 401
        for nobodys in (path, f"{path}?ref=", f"{path}?ref=nothing"):
            assert (await desk.call(call, path=nobodys)).status_code == 404
        assert (await desk.call(call, path="/hooks/nobody")).status_code == 404
        assert desk.found(attempt).state is State.IN_DOUBT

    at_desk(name, sandbox, make_ledger, act)


@EACH
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"status": "completed"}', b"\xff\xfe", b"x" * (4 * 2**20 + 1)])
def test_what_cannot_be_read_is_400_or_not_signed(
    name: str, sandbox: Sandbox, make_ledger: MakeLedger, body: bytes
) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        answer = await desk.call((f"/hooks/{name}?ref=x.y", {}, body))
        assert answer.status_code == (401 if name in SIGNED and len(body) < 2**22 else 400)

    at_desk(name, sandbox, make_ledger, act)


@pytest.mark.parametrize("name", SIGNED)
def test_forged_changed_and_stale_calls_are_401_and_change_nothing(
    name: str, sandbox: Sandbox, make_ledger: MakeLedger
) -> None:
    sandbox.fault("webhook", "forged", provider=name, match="<forged>")
    sandbox.fault("webhook", "stale", provider=name, match="<stale>")

    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        attempts = []
        for prompt in ("<forged>", "<stale>", "<good>"):
            attempt = desk.claimed()
            await desk.bought(attempt, prompt)
            attempts.append(desk.ledger.mark_in_doubt(attempt.id, "answer lost"))
            await anyio.to_thread.run_sync(calls, len(attempts))
        forged, stale, good = calls(3)
        assert [(await desk.call(one)).status_code for one in (forged, stale)] == [401, 401]
        assert (await desk.call(good, body=good[2] + b" ")).status_code == 401
        assert (await desk.call(good, headers={})).status_code == 401
        desk.ahead = timedelta(seconds=301)
        assert (await desk.call(good)).status_code == 401, "replayed five minutes later"
        assert {desk.found(one).state for one in attempts} == {State.IN_DOUBT}
        desk.ahead = timedelta()
        assert (await desk.call(good)).status_code == 200

    at_desk(name, sandbox, make_ledger, act)


@EACH
def test_a_call_about_another_generation_moves_nothing(name: str, sandbox: Sandbox, make_ledger: MakeLedger) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        first, second = desk.claimed(), desk.claimed()
        answers = [await desk.bought(first), await desk.bought(second)]
        for attempt, answer in zip((first, second), answers, strict=True):
            accepted = str(answer.generation_id)
            desk.ledger.mark_submitted(attempt.id, accepted)
        one, other = await anyio.to_thread.run_sync(calls, 2)
        assert (await desk.call(one, path=other[0])).status_code == 404
        assert {desk.found(attempt).state for attempt in (first, second)} == {State.SUBMITTED}

    at_desk(name, sandbox, make_ledger, act)


@EACH
def test_a_failure_is_believed_only_of_the_provider_itself(
    name: str, sandbox: Sandbox, make_ledger: MakeLedger
) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        attempt = desk.claimed()
        answer = await desk.bought(attempt, "this will-fail")
        desk.ledger.mark_submitted(attempt.id, Accepted(str(answer.generation_id), handle=answer.handle))
        (call,) = await anyio.to_thread.run_sync(calls, 1)
        desk.sandbox.fault("poll", "status", provider=name)
        assert (await desk.call(call)).status_code == 503, "it could not be asked"
        assert desk.found(attempt).state is State.SUBMITTED
        assert (await desk.call(call)).status_code == 200
        assert desk.found(attempt).state is State.FAILED

    at_desk(name, sandbox, make_ledger, act)


def test_a_call_out_of_order_changes_nothing(sandbox: Sandbox, make_ledger: MakeLedger) -> None:
    for name in MODELS:
        sandbox.fault("webhook", "out_of_order", provider=name)

        async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
            attempt = desk.claimed()
            await desk.bought(attempt)
            desk.ledger.mark_in_doubt(attempt.id, "answer lost")
            ended, going_on = await anyio.to_thread.run_sync(calls, 2)
            assert (await desk.call(ended)).status_code == 200
            before = desk.found(attempt)
            assert (await desk.call(going_on)).status_code == 200
            assert desk.found(attempt) == before and before.state is State.COMPLETED

        at_desk(name, sandbox, make_ledger, act)


def test_a_hint_that_the_provider_does_not_confirm_is_not_recorded(sandbox: Sandbox, make_ledger: MakeLedger) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        attempt = desk.claimed()
        await desk.bought(attempt)
        desk.ledger.mark_in_doubt(attempt.id, "answer lost")
        (call,) = await anyio.to_thread.run_sync(calls, 1)
        made_up = b'{"status": "completed", "request_id": "%s"}' % str(uuid.uuid4()).encode()
        assert (await desk.call(call, body=made_up)).status_code == 503
        assert desk.found(attempt).state is State.IN_DOUBT

    at_desk("higgsfield", sandbox, make_ledger, act)


@EACH
def test_a_call_of_a_known_generation_takes_no_other_attempt(
    name: str, sandbox: Sandbox, make_ledger: MakeLedger
) -> None:
    """Nor does it put one in doubt whose request is on its way."""

    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        first, second = desk.claimed(), desk.claimed()
        answer = await desk.bought(first)
        desk.ledger.mark_submitted(first.id, Accepted(str(answer.generation_id), handle=answer.handle))
        await anyio.to_thread.run_sync(calls, 1)
        await desk.bought(second, "another")
        one, other = await anyio.to_thread.run_sync(calls, 2)
        before = desk.found(second)
        assert (await desk.call(one, path=other[0])).status_code == 404
        assert desk.found(second) == before and before.state is State.SUBMITTING

    at_desk(name, sandbox, make_ledger, act)


@pytest.mark.parametrize("name", ["runware", "fal"])
def test_a_call_under_the_reference_of_another_doubt_is_refused_where_the_provider_knows_better(
    name: str, sandbox: Sandbox, make_ledger: MakeLedger
) -> None:
    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        first, first_id = await desk.lost("a quay")
        await anyio.to_thread.run_sync(calls, 1)
        second, second_id = await desk.lost("a pier")
        one, other = await anyio.to_thread.run_sync(calls, 2)
        assert (await desk.call(one, path=other[0])).status_code == 503
        sandbox.fault("history", "missing", provider=name)
        assert (await desk.call(one, path=other[0])).status_code in (404, 503), "the second is not listed yet"
        assert {desk.found(each).state for each in (first, second)} == {State.IN_DOUBT}
        assert [(await desk.call(each)).status_code for each in (one, other)] == [200, 200]
        assert [desk.found(each).generation_id for each in (first, second)] == [first_id, second_id]

    at_desk(name, sandbox, make_ledger, act)


@pytest.mark.parametrize("late", [False, True])
def test_two_that_asked_for_the_same_are_told_apart_by_their_references(
    sandbox: Sandbox, make_ledger: MakeLedger, late: bool
) -> None:
    """Whichever of them the history lists first."""

    async def act(desk: Desk, calls: Callable[[int], list[Call]]) -> None:
        first, first_id = await desk.lost("a quay")
        await anyio.to_thread.run_sync(calls, 1)
        desk.ledger.resolve_found(first.id, Accepted(first_id), "found")
        second, second_id = await desk.lost("a quay")
        _, other = await anyio.to_thread.run_sync(calls, 2)
        if late:
            sandbox.fault("history", "missing", provider="fal")
            assert (await desk.call(other)).status_code == 503, "call again"
        assert (await desk.call(other)).status_code == 200
        assert desk.found(second).generation_id == second_id

    at_desk("fal", sandbox, make_ledger, act)
