"""Pictures in a request, one and several, as each provider's client sends them to its front: accepted as they are, and a lost
answer is settled with one charge."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from dailies.catalog import ResolvedOptions, load_catalog, request_body, resolve_options
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import keep
from dailies.domain.outcomes import Answer, Meaning, judge
from dailies.domain.pictures import Images, Picture, pictures_in
from dailies.providers.base import Doubt, Opening, Provider
from dailies.registry import declared, load
from dailies.sandbox import Sandbox
from dailies.sender.claims import request_for
from dailies.sender.shelf import Hold, Shelf
from tests.contract.sandbox_calls import KEY
from tests.e2e.harness import picture

SEEDANCE, KLING = "bytedance/seedance-2-0", "klingai/v2.1-master-image-to-video"
NAMES = ("first", "last", "side", "other")


@dataclass(frozen=True)
class Case:
    """A request's pictures by their names."""

    provider: str
    model: str
    first: str | None = "first"
    further: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


ALONE = {"reference_images": ("side", "other", "side")}
CASES = [
    Case("aiml", SEEDANCE),
    Case("aiml", SEEDANCE, "first", {"last_image": "last", "reference_images": ("side", "other", "first")}),
    Case("runware", KLING),
    Case("fal", SEEDANCE, "first", {"last_image": "last"}),
    Case("fal", SEEDANCE, None, ALONE),
    Case("openrouter", SEEDANCE, "first", {"last_image": "last"}),
    Case("openrouter", SEEDANCE, None, ALONE),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    folder, made = tmp_path_factory.mktemp("pictures"), {}
    for at, name in enumerate(NAMES):
        content = picture(1280, 720 + at) + bytes(9000)
        path: Path = folder / name
        path.write_bytes(content)
        made[name] = Picture(str(path), sha256(content).hexdigest(), "png", len(content))
    return made


def body_of(case: Case, pictures: dict[str, Picture]) -> dict[str, Any]:
    model = load_catalog().find(case.model)
    named = {name: "|".join(value) if isinstance(value, tuple) else value for name, value in case.further.items()}
    resolved = resolve_options(model, options=named, image_size=(1280, 720) if case.first else None)
    assert isinstance(resolved, ResolvedOptions)
    further: dict[str, Images] = {
        name: tuple(pictures[one] for one in value) if isinstance(value, tuple) else pictures[value]
        for name, value in case.further.items()
    }
    first = pictures[case.first] if case.first else None
    return dict(request_body(model, case.provider, resolved, prompt="she smiles", image_url=first, further=further))


@pytest.mark.parametrize("lost", [False, True], ids=["told", "lost"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.provider}-{len(case.further)}-{case.first}")
def test_pictures_arrive_and_are_paid_for_once(
    sandbox: Sandbox, pictures: dict[str, Picture], case: Case, lost: bool
) -> None:
    one = declared()[case.provider]
    base_url = sandbox.url + getattr(load(str(one.front)), "below", "")
    own = {setting.name: setting.default for setting in one.settings}
    ref, body = Reference(uuid.uuid4().hex, str(uuid.uuid4())), body_of(case, pictures)

    async def act() -> None:
        client: Provider = load(one.client)(Opening(base_url, SecretStr(KEY), 10, own))
        hold = Hold(Shelf(10**9), pictures_in(body))
        await hold.take()
        texts = [hold.text(each).decode() for each in pictures_in(body)]
        request = request_for(client, Order(body), ref, hold)  # type: ignore[arg-type]
        kept = keep(request, ref, datetime.now(UTC))
        if lost:
            sandbox.fault("create", "lost", provider=case.provider)
        outcome = (await client.create(request, lambda: True)).outcome
        assert judge(outcome).meaning is (Meaning.IN_DOUBT if lost else Meaning.ACCEPTED), outcome
        (charge,) = sandbox.charges()
        told = [outcome.generation_id] if isinstance(outcome, Answer) else []
        if lost and one.settling.asks:
            now, hour = datetime.now(UTC), timedelta(hours=1)
            recorded = PaidRequest(kept.address, kept.body, dict(kept.headers), kept.method)
            found = await client.find(Doubt(ref, now - hour, now + hour, request=recorded))
            told.append(found.generation_id if found else None)
        if one.settling.repeats:
            again = kept.again(texts)
            assert again is not None
            repeated = (await client.create(again, lambda: True)).outcome
            assert isinstance(repeated, Answer)
            told.append(repeated.generation_id)
        assert {*told} <= {charge.generation_id} and (told or not one.settling.asks)
        await client.close()

    anyio.run(act)
    assert len(sandbox.charges()) == 1


class Order:
    """As much of a purchase as a request is made of."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
