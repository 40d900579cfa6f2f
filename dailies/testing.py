"""The contract that every provider keeps, as a test class: `class TestMine(ProviderContract): provider = "mine"`.

It runs the provider's own client against its own front of the sandbox (`Declaration.front`), which keeps the list of charges:
each way of losing the answer to a paid request, every refusal, every trouble while looking. It needs pytest only to be
collected, and nothing but loopback. A front is most easily made of `dailies.sandbox.jobs.Jobs`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import anyio
from pydantic import SecretStr

from dailies.catalog import FROM_IMAGE, ResolvedOptions, load_catalog, request_body, resolve_options
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.outcomes import Answer, Meaning, judge
from dailies.domain.provider import Declaration
from dailies.providers.base import Doubt, LogUnavailable, LookKind, Opening, Provider
from dailies.registry import declared, load
from dailies.sandbox import Sandbox, SandboxConfig

KEY = "contract-id:contract-secret"
LOST = ("lost", "charged_status", "charged_html", "charged_empty", "charged_half", "charged_no_id")
"""Ways in which the answer to a create is lost after it was charged for."""
TROUBLE = ("status", "html", "close", "reset", "empty", "half")
STILL_GENERATING = ("never", "back", "unknown")
REFUSALS = {
    400: Meaning.FAILED,
    401: Meaning.STOP,
    409: Meaning.IN_DOUBT,
    422: Meaning.FAILED,
    429: Meaning.WAIT,
    500: Meaning.IN_DOUBT,
}

Act = Callable[[Provider, Sandbox], Awaitable[None]]


class ProviderContract:
    """What a provider must do and must never do. `model` is a model of the catalog that it offers; the first where none is named."""

    provider: ClassVar[str]
    model: ClassVar[str | None] = None
    settings: ClassVar[dict[str, str]] = {}
    """The provider's own settings, by their names in the environment, where their defaults don't fit the sandbox."""
    synchronous: ClassVar[bool] = False
    """Whether a create's answer is the clip itself, so that there is no job to look at."""

    @property
    def declaration(self) -> Declaration:
        """What the installed provider declares."""
        return declared()[self.provider]

    def body(self, sandbox: Sandbox, prompt: str = "she smiles") -> dict[str, Any]:
        """The create of a clip, as the catalog makes it for this provider."""
        catalog = load_catalog()
        offered = (one for one in catalog if self.provider in one.offers)
        model = catalog.find(self.model) if self.model else next(offered)
        has_image = FROM_IMAGE in model.kinds_at(self.provider)
        resolved = resolve_options(model, image_size=(1280, 720) if has_image else None)
        assert isinstance(resolved, ResolvedOptions), resolved
        url = f"{sandbox.url}/images/1280x720.jpg" if has_image else None
        return dict(request_body(model, self.provider, resolved, prompt=prompt, image_url=url))

    @asynccontextmanager
    async def opened(self, sandbox: Sandbox) -> AsyncIterator[Provider]:
        """The provider's client, whose base address is its front's."""
        one = self.declaration
        assert one.front, f"{one.name} declares no front: the sandbox can't speak for it"
        own = {setting.name: setting.default for setting in one.settings} | self.settings
        address = sandbox.url + getattr(load(one.front), "below", "")
        client: Provider = load(one.client)(Opening(address, SecretStr(KEY), 10, own))
        try:
            yield client
        finally:
            await client.close()

    def run(self, act: Act) -> list[Any]:
        """Do something with client and sandbox; the charges that came of it."""
        with Sandbox(SandboxConfig(time_scale=0.0, render="quick", api_keys=frozenset({KEY}))) as sandbox:

            async def done() -> None:
                async with self.opened(sandbox) as client:
                    await act(client, sandbox)

            anyio.run(done)
            return sandbox.charges()

    # The contract

    def test_equal_arguments_are_equal_requests_and_hold_no_key(self) -> None:
        """A request is made purely: it can be kept, and sent again to the byte."""

        async def act(client: Provider, sandbox: Sandbox) -> None:
            ref, body = reference(), self.body(sandbox)
            first, second = client.request(body, ref), client.request(dict(body), ref)
            assert first == second and first.content == second.content
            assert "contract-secret" not in f"{first.address} {first.body} {first.headers}"
            assert first.address.startswith(sandbox.url)

        assert self.run(act) == []

    def test_a_clip_is_bought_and_looked_at_to_its_end(self) -> None:
        """Accepted with an id, ready with an address; what is said of the cost is what was charged."""

        async def act(client: Provider, sandbox: Sandbox) -> None:
            answer = await bought(client, client.request(self.body(sandbox), reference()))
            assert judge(answer).meaning is Meaning.ACCEPTED
            (charge,) = sandbox.charges()
            if self.synchronous:
                assert answer.url
                return
            look = await client.look(answer.handle or answer.generation_id or "")
            assert look.kind is LookKind.READY and look.url
            usd = answer.usd_charged if look.usd_charged is None else look.usd_charged
            assert usd in (None, charge.usd)

        assert len(self.run(act)) == 1

    def test_nothing_is_sent_where_it_may_not_be(self) -> None:
        """A claim may have been lost while the machine was suspended."""

        async def act(client: Provider, sandbox: Sandbox) -> None:
            outcome = (await client.create(client.request(self.body(sandbox), reference()), lambda: False)).outcome
            assert judge(outcome).meaning is not Meaning.ACCEPTED

        assert self.run(act) == []

    def test_a_lost_answer_is_in_doubt_and_is_settled_as_declared_with_one_charge(self) -> None:
        """Every way of losing it: never taken for a refusal; found, or the same purchase again, or left to a person."""
        for kind in LOST:
            settled: list[str | None] = []

            async def act(
                client: Provider, sandbox: Sandbox, kind: str = kind, settled: list[str | None] = settled
            ) -> None:
                sandbox.fault("create", kind, provider=self.provider)
                ref = reference()
                request = client.request(self.body(sandbox), ref)
                outcome = (await client.create(request, lambda: True)).outcome
                if judge(outcome).meaning is Meaning.ACCEPTED:  # it chose the id itself
                    settled.append(outcome.generation_id if isinstance(outcome, Answer) else None)
                    return
                assert judge(outcome).meaning is Meaning.IN_DOUBT, kind
                settled += await self._settled(client, request, ref)

            charges = self.run(act)
            assert len(charges) == 1, f"{kind}: {len(charges)} charges"
            settling = self.declaration.settling
            if settling.asks or settling.repeats:
                assert settled and {*settled} == {charges[0].generation_id}, kind

    async def _settled(self, client: Provider, request: PaidRequest, ref: Reference) -> list[str | None]:
        settling, found = self.declaration.settling, list[str | None]()
        if settling.asks:
            now = datetime.now(UTC)
            window = (now - timedelta(hours=1), now + timedelta(hours=1))
            seen = await client.find(Doubt(ref, *window, request=request))
            found.append(seen.generation_id if seen else None)
        if settling.repeats:
            again = (await client.create(request, lambda: True)).outcome
            found.append(again.generation_id if isinstance(again, Answer) else None)
        return found

    def test_what_never_arrived_is_not_found(self) -> None:
        """A free question about it finds nothing, and buys nothing."""

        async def act(client: Provider, sandbox: Sandbox) -> None:
            ref, now = reference(), datetime.now(UTC)
            doubt = Doubt(ref, now - timedelta(hours=1), now, request=client.request(self.body(sandbox), ref))
            try:
                assert await client.find(doubt) is None
            except LogUnavailable:
                assert not self.declaration.settling.asks

        assert self.run(act) == []

    def test_a_refusal_means_what_its_status_says_and_costs_nothing(self) -> None:
        """By status; what may have been charged is in doubt, never free."""
        for status, meaning in REFUSALS.items():

            async def act(client: Provider, sandbox: Sandbox, status: int = status, meaning: Meaning = meaning) -> None:
                sandbox.fault("create", "status", status=status, provider=self.provider)
                answer = await bought(client, client.request(self.body(sandbox), reference()))
                assert judge(answer).meaning is meaning, status
                assert "contract-secret" not in answer.detail

            assert self.run(act) == [], status

    def test_an_end_without_a_clip_is_told_as_one(self) -> None:
        """Moderated at once or later, or failed while it is made: an end, in the provider's words."""

        async def act(client: Provider, sandbox: Sandbox) -> None:
            for prompt in ("something forbidden", "this will-fail"):
                answer = await bought(client, client.request(self.body(sandbox, prompt), reference()))
                if answer.generation_id is None:
                    assert judge(answer, covered=True).meaning in (Meaning.FAILED, Meaning.IN_DOUBT)
                    continue
                look = await client.look(answer.handle or answer.generation_id)
                assert look.kind is LookKind.FAILED and look.detail

        self.run(act)

    def test_trouble_while_looking_reads_as_still_generating(self) -> None:
        """No trouble of a question ends a job that is paid for."""

        async def act(client: Provider, sandbox: Sandbox) -> None:
            answer = await bought(client, client.request(self.body(sandbox), reference()))
            asked_by = answer.handle or answer.generation_id or ""
            for kind in (*TROUBLE, *STILL_GENERATING):
                sandbox.fault("poll", kind, provider=self.provider)
                assert (await client.look(asked_by)).kind is LookKind.GENERATING, kind
            assert (await client.look(asked_by)).kind is LookKind.READY
            unknown = await client.look(str(uuid.uuid4()))
            assert unknown.kind is LookKind.GENERATING and unknown.transient

        if not self.synchronous:
            self.run(act)


def reference() -> Reference:
    """A new attempt's."""
    return Reference(uuid.uuid4().hex, str(uuid.uuid4()))


async def bought(client: Provider, request: PaidRequest) -> Answer:
    """The answer to a create that was sent."""
    outcome = (await client.create(request, lambda: True)).outcome
    assert isinstance(outcome, Answer), outcome
    return outcome
