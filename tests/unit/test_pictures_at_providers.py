"""Several pictures in one request, first frame, last frame and references: at each provider the same bytes, the same record and
the same request again as with their texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from dailies.catalog import FROM_IMAGE, Model, ResolvedOptions, load_catalog, options_at, request_body, resolve_options
from dailies.domain.creates import Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.pictures import Images, Picture, pictures_in, written_out
from dailies.providers.base import Opening, Provider
from dailies.registry import declared, load
from dailies.sender.claims import request_for
from dailies.sender.shelf import Hold, Shelf

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
REFERENCE = Reference("attempt", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
SIZES = {"first": 9000, "last": 20, "side": 5000, "other": 6001}
"""One of them is so small that it stands in the record as it is."""
ADDRESS = "https://x.example/a.png"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    folder = tmp_path_factory.mktemp("pictures")
    made = {}
    for name, size in SIZES.items():
        content = (name.encode() * size)[:size]
        path = folder / f"{name}.png"
        path.write_bytes(content)
        made[name] = Picture(str(path), sha256(content).hexdigest(), "png", size)
    return made


@pytest.fixture(scope="module")
def hold(pictures: dict[str, Picture]) -> Hold:
    """The texts of all of them."""
    held = Hold(Shelf(10**9), pictures.values())
    anyio.run(held.take)
    return held


def opened(name: str) -> Provider:
    one = declared()[name]
    settings = {setting.name: setting.default for setting in one.settings}
    client: Provider = load(one.client)(Opening(one.base_url, SecretStr("id:secret"), 10, settings))
    return client


def forms(
    model: Model, provider: str, pictures: dict[str, Picture]
) -> Iterator[tuple[Picture | None, dict[str, Images]]]:
    """Every way in which pictures stand in a request of this offer: alone, beside each other, beside an address, in a list."""
    offer, options = model.offers[provider], options_at(model, provider)
    first = pictures["first"] if FROM_IMAGE in model.kinds_at(provider) else None
    if first:
        yield first, {}
    if first and "last_image" in options:
        yield first, {"last_image": pictures["last"]}
        yield first, {"last_image": first}
    if "reference_images" in options:
        several = (pictures["side"], ADDRESS, pictures["other"], pictures["side"], pictures["last"])
        beside = None if "reference_images" in offer.without_image else first
        yield beside, {"reference_images": several}
        yield beside, {"reference_images": (pictures["other"],)}


def as_texts(value: Any, hold: Hold) -> Any:
    """What a client was given before it could be given pictures."""
    if isinstance(value, tuple):
        return tuple(as_texts(one, hold) for one in value)
    return hold.text(value).decode() if isinstance(value, Picture) else value


def of_each_shape(provider: str) -> Iterator[Model]:
    """One model for each way in which this provider takes pictures."""
    shapes = set()
    for model in (one for one in load_catalog() if provider in one.offers):
        offer, options = model.offers[provider], options_at(model, provider)
        places = [(word, offer.fields.get(word)) for word in ("image", "last_image", "reference_images")]
        taken = {"last_image", "reference_images"}.intersection(options)
        shape = (*places, *sorted(taken), *model.kinds_at(provider), *offer.constants, *offer.without_image)
        if shape not in shapes:
            shapes.add(shape)
            yield model


@pytest.mark.parametrize("provider", declared())
def test_pictures_are_the_same_bytes_the_same_record_and_the_same_request_again(
    provider: str, pictures: dict[str, Picture], hold: Hold
) -> None:
    client, seen = opened(provider), 0
    for model in of_each_shape(provider):
        resolved = resolve_options(model)
        assert isinstance(resolved, ResolvedOptions)
        for first, further in forms(model, provider, pictures):
            texts = {name: as_texts(value, hold) for name, value in further.items()}
            plain_body = body(model, provider, resolved, as_texts(first, hold), texts)
            held_body = body(model, provider, resolved, first, further)
            assert [*pictures_in(held_body)] and written_out(held_body, hold) == plain_body
            plain = client.request(plain_body, REFERENCE)
            streamed = request_for(client, Order(held_body), REFERENCE, hold)  # type: ignore[arg-type]
            assert (streamed.texts is hold) is client.takes_pictures
            assert streamed.content == plain.content, (model.id, further)
            kept = keep(streamed, REFERENCE, NOON)
            assert kept == keep(plain, REFERENCE, NOON)
            assert len(json.dumps(kept.body)) < 2000, "no picture is on record"
            again = on_record(kept).again(all_texts(first, texts, hold))
            assert again == plain and again is not None and again.content == streamed.content
            assert not kept.needs_texts or on_record(kept).again([]) is None
            seen += 1
    assert seen
    anyio.run(client.close)


class Order:
    """As much of a purchase as a request is made of."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


def body(model: Model, provider: str, resolved: ResolvedOptions, first: Any, further: dict[str, Any]) -> dict[str, Any]:
    return dict(request_body(model, provider, resolved, prompt='a "café"', image_url=first, further=further))


def all_texts(first: Picture | None, texts: dict[str, Any], hold: Hold) -> list[str]:
    further = [one for value in texts.values() for one in (value if isinstance(value, tuple) else (value,))]
    return [*([hold.text(first).decode()] if first else []), *further]


def on_record(kept: KeptRequest) -> KeptRequest:
    """As the ledger gives it back."""
    return replace(kept, body=json.loads(json.dumps(kept.body)))
