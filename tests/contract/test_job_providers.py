"""The clients of Runware, Higgsfield, fal and OpenRouter against the sandbox: bought, looked at, found again, priced, cancelled."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from dailies.catalog import FROM_IMAGE, Model, ResolvedOptions, load_catalog, request_body, resolve_options
from dailies.domain.creates import Reference
from dailies.domain.outcomes import Answer, Fault, Meaning, judge
from dailies.providers.base import Doubt, LogUnavailable, LookKind, Opening, Provider
from dailies.registry import declared, load
from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.fronts import FAL_MODEL, HIGGSFIELD_MODEL, OPENROUTER_MODEL, RUNWARE_MODEL, image
from tests.contract.sandbox_calls import KEY, get

NOW = datetime.now(UTC)
WINDOW = (NOW - timedelta(hours=1), NOW + timedelta(hours=1))


@dataclass(frozen=True)
class Case:
    """One provider: its body for a clip, and what that costs in the sandbox."""

    name: str
    body: Callable[[Sandbox, str], dict[str, Any]]
    usd: str
    key: str = f"sandbox:{KEY}"


CASES = [
    Case(
        "runware",
        lambda box, prompt: {
            "model": RUNWARE_MODEL,
            "positivePrompt": prompt,
            "duration": 5,
            "frameImages": [{"inputImage": image(box), "frame": "first"}],
        },
        "0.925",
        KEY,
    ),
    Case(
        "higgsfield",
        lambda box, prompt: {
            "model": HIGGSFIELD_MODEL,
            "prompt": prompt,
            "image_url": image(box),
            "duration": 5,
            "resolution": "720p",
        },
        "0.35",
    ),
    Case(
        "fal",
        lambda box, prompt: {"model": FAL_MODEL, "prompt": prompt, "start_image_url": image(box), "duration": 5},
        "1.12",
    ),
    Case(
        "openrouter",
        lambda box, prompt: {
            "model": OPENROUTER_MODEL,
            "prompt": prompt,
            "image_url": image(box),
            "duration": 5,
            "resolution": "720p",
            "aspect_ratio": "16:9",
        },
        "0.75",
        KEY,
    ),
]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@asynccontextmanager
async def opened(sandbox: Sandbox, case: Case, **settings: str) -> AsyncIterator[Provider]:
    """A client whose base address is the sandbox's."""
    one = declared()[case.name]
    own = {setting.name: setting.default for setting in one.settings} | settings
    client: Provider = load(one.client)(Opening(f"{sandbox.url}/{case.name}", SecretStr(case.key), 10, own))
    try:
        yield client
    finally:
        await client.close()


def run(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one test's coroutine."""
    anyio.run(act)


def reference() -> Reference:
    """A new attempt's."""
    return Reference(uuid.uuid4().hex, str(uuid.uuid4()))


async def bought(client: Provider, body: dict[str, Any], ref: Reference | None = None) -> Answer:
    """The answer to a create."""
    outcome = (await client.create(client.request(body, ref or reference()), lambda: True)).outcome
    assert isinstance(outcome, Answer), outcome
    return outcome


def asked_by(answer: Answer) -> str:
    """What the provider is asked by."""
    return answer.handle or answer.generation_id or ""


@EACH
def test_a_clip_is_bought_looked_at_and_its_cost_is_known(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            answer = await bought(client, case.body(sandbox, "she smiles"))
            assert judge(answer).meaning is Meaning.ACCEPTED
            (charge,) = sandbox.charges()
            assert answer.generation_id == charge.generation_id
            look = await client.look(asked_by(answer))
            assert look.kind is LookKind.READY and look.url
            usd = answer.usd_charged if look.usd_charged is None else look.usd_charged
            assert usd == charge.usd == Decimal(case.usd)
            assert get(look.url).content[4:8] == b"ftyp"

    run(act)


@EACH
def test_equal_arguments_are_equal_requests(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            ref, body = reference(), case.body(sandbox, "she smiles")
            assert client.request(body, ref) == client.request(dict(body), ref)
            assert KEY not in str(client.request(body, ref))

    run(act)


@EACH
@pytest.mark.parametrize(
    "fault", [{"kind": "lost"}, {"kind": "charged_status"}, {"kind": "charged_html"}, {"kind": "charged_empty"}]
)
def test_a_lost_answer_is_settled_as_declared_and_charged_once(
    sandbox: Sandbox, case: Case, fault: dict[str, Any]
) -> None:
    sandbox.fault("create", provider=case.name, **fault)

    async def act() -> None:
        async with opened(sandbox, case) as client:
            ref, body = reference(), case.body(sandbox, "she smiles")
            request = client.request(body, ref)
            outcome = (await client.create(request, lambda: True)).outcome
            assert judge(outcome).meaning is Meaning.IN_DOUBT
            settling = declared()[case.name].settling
            if settling.asks:
                found = await client.find(Doubt(ref, *WINDOW, request=request))
                assert found is not None and found.generation_id == sandbox.charges()[0].generation_id
                look = await client.look(found.handle or found.generation_id)
                assert look.kind is LookKind.READY
            if settling.repeats:
                again = (await client.create(request, lambda: True)).outcome
                assert isinstance(again, Answer) and judge(again).meaning is Meaning.ACCEPTED
                assert again.generation_id == sandbox.charges()[0].generation_id
            if not settling.asks and not settling.repeats:
                with pytest.raises(LogUnavailable):
                    await client.find(Doubt(ref, *WINDOW, request=request))

    run(act)
    assert len(sandbox.charges()) == 1


@EACH
def test_what_never_arrived_is_not_found(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            ref = reference()
            request = client.request(case.body(sandbox, "never sent"), ref)
            if declared()[case.name].settling.asks:
                assert await client.find(Doubt(ref, *WINDOW, request=request)) is None

    run(act)


@EACH
@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (401, Meaning.STOP),
        (402, Meaning.STOP),
        (429, Meaning.WAIT),
        (400, Meaning.FAILED),
        (422, Meaning.FAILED),
        (500, Meaning.IN_DOUBT),
        (409, Meaning.IN_DOUBT),
    ],
)
def test_a_refusal_means_what_its_status_says(sandbox: Sandbox, case: Case, status: int, meaning: Meaning) -> None:
    sandbox.fault("create", "status", status=status, provider=case.name)

    async def act() -> None:
        async with opened(sandbox, case) as client:
            assert judge(await bought(client, case.body(sandbox, "she smiles"))).meaning is meaning

    run(act)
    assert sandbox.charges() == []


@EACH
def test_an_unknown_model_is_refused_by_name(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            body = case.body(sandbox, "she smiles") | {"model": "nobody/nothing:1@1"}
            answer = await bought(client, body)
            assert judge(answer).meaning is Meaning.FAILED and answer.names_model

    run(act)


@EACH
def test_moderation_and_failure_are_ends_without_a_charge(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            for prompt in ("something forbidden", "this will-fail"):
                answer = await bought(client, case.body(sandbox, prompt))
                if answer.generation_id is None:
                    assert judge(answer, covered=True).meaning is Meaning.FAILED
                    continue
                look = await client.look(asked_by(answer))
                assert look.kind is LookKind.FAILED and look.detail
            assert all(charge.refunded for charge in sandbox.charges())

    run(act)


@EACH
def test_trouble_while_looking_reads_as_still_generating(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            answer = await bought(client, case.body(sandbox, "she smiles"))
            for kind in ("status", "html", "close", "reset", "empty", "half"):
                sandbox.fault("poll", kind, provider=case.name)
                look = await client.look(asked_by(answer))
                assert look.kind is LookKind.GENERATING and look.transient, kind
            for kind in ("never", "back", "unknown"):
                sandbox.fault("poll", kind, provider=case.name)
                assert (await client.look(asked_by(answer))).kind is LookKind.GENERATING, kind
            assert (await client.look(asked_by(answer))).kind is LookKind.READY

    run(act)


@EACH
def test_a_job_that_nobody_knows_is_not_a_failure(sandbox: Sandbox, case: Case) -> None:
    async def act() -> None:
        async with opened(sandbox, case) as client:
            look = await client.look(str(uuid.uuid4()))
            assert look.kind is LookKind.GENERATING and look.transient

    run(act)


def case_of(name: str) -> Case:
    """The case of one provider."""
    return next(case for case in CASES if case.name == name)


def test_runware_tells_its_own_repeat_from_another_error(sandbox: Sandbox) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("runware")) as client:
            ref, body = reference(), case_of("runware").body(sandbox, "she smiles")
            first, again = await bought(client, body, ref), await bought(client, body, ref)
            assert first.generation_id == again.generation_id == ref.key
            wrong = await bought(client, body | {"duration": 7})
            assert judge(wrong).meaning is Meaning.FAILED and "duration" in wrong.detail

    run(act)
    assert len(sandbox.charges()) == 1


def test_higgsfields_key_is_the_attempt_and_a_used_one_is_refused(sandbox: Sandbox) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("higgsfield")) as client:
            ref = reference()
            await bought(client, case_of("higgsfield").body(sandbox, "she smiles"), ref)
            other = await bought(client, case_of("higgsfield").body(sandbox, "she frowns"), ref)
            assert other.status == 422 and other.generation_id is None
            assert [charge.client_request_id for charge in sandbox.charges()] == [ref.attempt_id]

    run(act)


def test_higgsfields_estimate_is_free(sandbox: Sandbox) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("higgsfield")) as client:
            assert await client.estimate(case_of("higgsfield").body(sandbox, "she smiles")) == Decimal("0.35")

    run(act)
    assert sandbox.charges() == []


@pytest.mark.parametrize("kind", ["missing", "ambiguous"])
def test_fals_history_that_is_late_or_ambiguous_settles_nothing(sandbox: Sandbox, kind: str) -> None:
    sandbox.fault("create", "lost", provider="fal")
    sandbox.fault("history", kind, provider="fal")

    async def act() -> None:
        async with opened(sandbox, case_of("fal")) as client:
            ref = reference()
            request = client.request(case_of("fal").body(sandbox, "she smiles"), ref)
            assert (await client.create(request, lambda: True)).outcome is Fault.ANSWER_LOST
            doubt = Doubt(ref, *WINDOW, request=request)
            assert await client.find(doubt) is None
            assert await client.find(doubt) is not None

    run(act)


def test_two_equal_requests_in_fals_history_are_none(sandbox: Sandbox) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("fal")) as client:
            body, ref = case_of("fal").body(sandbox, "she smiles"), reference()
            await bought(client, body)
            await bought(client, body)
            assert await client.find(Doubt(ref, *WINDOW, request=client.request(body, ref))) is None

    run(act)


def test_fals_key_goes_only_to_addresses_of_its_own_host(sandbox: Sandbox) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("fal")) as client:
            answer = await bought(client, case_of("fal").body(sandbox, "she smiles"))
            elsewhere = asked_by(answer).replace("127.0.0.1", "192.0.2.1")
            look = await client.look(elsewhere)
            assert look.kind is LookKind.GENERATING and "no address" in look.detail

    run(act)


@pytest.mark.parametrize("name", ["higgsfield", "fal"])
def test_a_queued_job_is_stopped_and_a_finished_one_is_not(sandbox: Sandbox, name: str) -> None:
    async def act() -> None:
        case = case_of(name)
        async with opened(sandbox, case) as client:
            answer = await bought(client, case.body(sandbox, "she smiles"))
            assert await client.cancel(asked_by(answer)) is False
        with Sandbox(SandboxConfig(time_scale=100, render="quick")) as slow:
            async with opened(slow, case) as client:
                answer = await bought(client, case.body(slow, "she smiles"))
                assert await client.cancel(asked_by(answer)) is True
                look = await client.look(asked_by(answer))
                assert look.kind is LookKind.FAILED and look.detail.startswith("cancelled")

    run(act)


def test_openrouters_key_goes_to_its_own_content_only(sandbox: Sandbox) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("openrouter")) as client:
            ours = f"{sandbox.url}/openrouter/videos/gen-vid-1/content?index=0"
            assert isinstance(client.result_auth(ours), httpx.Auth)
            for other in (
                f"{sandbox.url}/files/a.mp4",
                ours.replace("127.0.0.1", "127.0.0.2"),
                ours.replace("http:", "https:"),
            ):
                assert client.result_auth(other) is None

    run(act)


def test_openrouters_list_prices_what_it_serves(sandbox: Sandbox, tmp_path: Any) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of("openrouter")) as client:
            live = await client.live([OPENROUTER_MODEL, "nobody/nothing"], tmp_path)
            assert not live["nobody/nothing"].served and live[OPENROUTER_MODEL].served
            pricing = live[OPENROUTER_MODEL].pricing or {}
            prices = {entry["when"]["resolution"]: entry["price"] for entry in pricing["variants"]}
            assert prices["720p"] == Decimal("0.15")

    run(act)


@pytest.mark.parametrize(
    ("name", "balance"), [("fal", "1000"), ("openrouter", "1000"), ("higgsfield", None), ("runware", None)]
)
def test_the_balance_is_asked_where_there_is_a_question_for_it(
    sandbox: Sandbox, name: str, balance: str | None
) -> None:
    async def act() -> None:
        async with opened(sandbox, case_of(name)) as client:
            assert (await client.account_status()).balance_usd == (Decimal(balance) if balance else None)

    run(act)


def test_fals_ledger_is_read_by_request(sandbox: Sandbox) -> None:
    async def act() -> None:
        case = case_of("fal")
        async with opened(sandbox, case) as client:
            good = await bought(client, case.body(sandbox, "she smiles"))
            await bought(client, case.body(sandbox, "this will-fail"))
        account = load(str(declared()["fal"].account))(Opening(f"{sandbox.url}/fal", SecretStr(case.key), 10))
        postings = await account.postings(*WINDOW)
        assert [(posting.generation_id, posting.usd) for posting in postings] == [(good.generation_id, Decimal("1.12"))]
        requests = await account.requests(*WINDOW)
        assert sorted(entry.succeeded for entry in requests) == [False, True]
        await account.close()

    run(act)


def offers() -> list[Any]:
    """Each model that one of them offers."""
    names = [case.name for case in CASES]
    return [
        pytest.param(case_of(name), model, id=f"{name}-{model.id}")
        for model in load_catalog()
        for name in model.offers
        if name in names
    ]


@pytest.mark.parametrize(("case", "model"), offers())
def test_what_the_catalog_offers_is_taken_as_it_is_asked_for(sandbox: Sandbox, case: Case, model: Model) -> None:
    async def act() -> None:
        resolved = resolve_options(model, image_size=(1280, 720))
        assert isinstance(resolved, ResolvedOptions)
        for kind in model.kinds_at(case.name):
            url = image(sandbox) if kind == FROM_IMAGE else None
            body = request_body(model, case.name, resolved, prompt="she smiles", image_url=url)
            async with opened(sandbox, case) as client:
                assert judge(await bought(client, body)).meaning is Meaning.ACCEPTED

    run(act)
