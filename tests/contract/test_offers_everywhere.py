"""One model id at every provider: what the catalog lets through is what that provider's strict sandbox takes, and no more."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from dailies.catalog import (
    FROM_IMAGE,
    Kind,
    Model,
    ResolvedOptions,
    load_catalog,
    problems_at,
    request_body,
    resolve_options,
)
from dailies.domain.creates import Reference
from dailies.providers.base import Opening, Provider
from dailies.registry import declared, load
from dailies.sandbox.models import load_models

CATALOG = load_catalog()
OTHERS = ("runware", "higgsfield", "fal", "openrouter")
EACH = pytest.mark.parametrize(
    ("model", "provider", "kind"),
    [
        pytest.param(model, provider, kind, id=f"{model.id} {provider} {kind}")
        for model in CATALOG
        for provider in model.offers
        if provider in OTHERS
        for kind in model.kinds_at(provider)
    ],
)
SHARED = {
    "google/veo-3.1-i2v": {"aiml", "runware", "fal", "openrouter"},
    "google/veo-3.1-i2v-fast": {"aiml", "runware", "fal", "openrouter"},
    "bytedance/seedance-2-0": {"aiml", "runware", "fal", "openrouter"},
    "bytedance/seedance-2-5": {"aiml", "higgsfield", "fal", "openrouter"},
    "klingai/video-v3-pro-image-to-video": {"aiml", "runware", "fal", "openrouter"},
    "klingai/video-v3-turbo-pro-image-to-video": {"aiml", "higgsfield"},
    "alibaba/wan-2-7-i2v": {"aiml", "fal", "openrouter"},
    "alibaba/wan-3-0-video": {"aiml"},
    "minimax/hailuo-2.3": {"aiml", "fal", "openrouter"},
    "minimax/h3": {"aiml", "fal", "openrouter"},
    "alibaba/happyhorse-1.1": {"aiml", "openrouter"},
    "x-ai/grok-imagine-video": {"aiml", "fal"},
    "ltxv/ltxv-2": {"aiml", "fal"},
}


def client_of(provider: str) -> Provider:
    """Makes requests, and sends none."""
    one = declared()[provider]
    own = {setting.name: setting.default for setting in one.settings}
    client: Provider = load(one.client)(Opening("http://127.0.0.1:1", None, 10, own))
    return client


def as_sent(provider: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What stands on the wire of a body of the catalog's: the model's name, and the fields that its document names."""
    sent = client_of(provider).request(body, Reference("a" * 32, "b" * 32)).body
    sent = dict(sent[0] if isinstance(sent, list) else sent)
    own = (
        "model",
        "taskType",
        "taskUUID",
        "deliveryMethod",
        "includeCost",
        "outputType",
        "outputFormat",
        "frame_images",
        "input_references",
    )
    return str(body["model"]), {name: value for name, value in sent.items() if name not in own}


@EACH
def test_every_combination_that_is_let_through_is_taken_there(model: Model, provider: str, kind: Kind) -> None:
    served = load_models(f"{provider}_models.json")
    resolutions = model.resolution.values if model.resolution else (None,)
    ratios = model.aspect_ratio.values if model.aspect_ratio else (None,)
    durations = model.duration.values if model.duration else (None,)
    passed = 0
    for resolution, ratio, duration in product(resolutions, ratios, durations):
        resolved = resolve_options(model, resolution=resolution, aspect_ratio=ratio, duration=duration)
        assert isinstance(resolved, ResolvedOptions)
        if problems_at(model, provider, resolved, kind):
            continue
        image = "https://example.com/first.png" if kind == FROM_IMAGE else None
        name, fields = as_sent(provider, request_body(model, provider, resolved, prompt="A slow pan.", image_url=image))
        served[name].checked(fields)
        passed += 1
    assert passed, "nothing of the model can be bought there"


@EACH
def test_every_option_that_the_offer_names_is_taken_there_and_no_other_is_let_through(
    model: Model, provider: str, kind: Kind
) -> None:
    cells = {"bool": "true", "int": "25", "number": "0.5", "image": "https://example.com/last.png", "string": "calm"}
    cells["images"] = f"{cells['image']}|https://example.com/side.png"
    served = load_models(f"{provider}_models.json")
    named = model.offers[provider].options
    for option, what in model.options.items():
        cell = what.values[0] if what.values else cells[what.type]
        resolved = resolve_options(model, resolution=first(model, provider, "resolution"), options={option: cell})
        assert isinstance(resolved, ResolvedOptions)
        wrong = [problem.column for problem in problems_at(model, provider, resolved, kind)]
        needs_image = what.type == "image" and kind != FROM_IMAGE
        alone = kind == FROM_IMAGE and option in model.offers[provider].without_image
        assert (option in wrong) is (needs_image or alone or (named is not None and option not in named))
        if not wrong:
            image = "https://example.com/first.png" if kind == FROM_IMAGE else None
            served_name, fields = as_sent(
                provider, request_body(model, provider, resolved, prompt="A pan.", image_url=image)
            )
            served[served_name].checked(fields)


def first(model: Model, provider: str, word: str) -> object:
    """A value that the provider takes, where it takes only some."""
    values = model.offers[provider].only.get(word)  # type: ignore[call-overload]
    return values[0] if values else None


@pytest.mark.parametrize("model_id", SHARED)
def test_what_the_six_share_has_one_id(model_id: str) -> None:
    assert set(CATALOG.find(model_id).offers) == SHARED[model_id]


def test_every_offer_beside_aimls_says_where_it_stands_and_since_when() -> None:
    for model in CATALOG:
        for provider, offer in model.offers.items():
            if provider != "aiml":
                assert offer.source and offer.as_of, f"{model.id} at {provider}"


def test_what_a_provider_does_not_make_is_a_reason_with_a_cure() -> None:
    model = CATALOG.find("minimax/hailuo-2.3")
    resolved = resolve_options(model, resolution="1080p")
    assert isinstance(resolved, ResolvedOptions)
    (problem,) = problems_at(model, "fal", resolved, FROM_IMAGE)
    assert (problem.column, problem.cure) == ("resolution", "use 768P, or another provider")
    assert problem.reason == "1080P is no resolution of minimax/hailuo-2.3 at fal"
