"""Every model's requests against the documented request fields of the providers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dailies.catalog import (
    FROM_IMAGE,
    FROM_TEXT,
    Kind,
    Model,
    Option,
    ResolvedOptions,
    check_prompt,
    load_catalog,
    problems_at,
    request_body,
    resolve_options,
)
from dailies.catalog.table import excluded_models

DATA = Path(__file__).parent / "data"
DOCUMENTS: dict[str, dict[str, Any]] = {
    **json.loads((DATA / "aiml-image-to-video-models.json").read_text("utf-8")),
    **json.loads((DATA / "aiml-text-to-video-models.json").read_text("utf-8")),
}
OPENAPI: dict[str, Any] = json.loads((DATA.parent / "openapi" / "onerouter.openapi.json").read_text("utf-8"))
ONEROUTER = OPENAPI["paths"]["/v1/videos/generations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
CATALOG = load_catalog()
MODELS = sorted(CATALOG, key=lambda model: model.id)
IMAGE_URL = "https://example.com/first.png"

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)


def documented(model: Model, provider: str) -> Draft202012Validator:
    """The documented request of a model, with every undocumented field forbidden."""
    if provider == "onerouter":
        return Draft202012Validator({**ONEROUTER, "additionalProperties": False})
    document = DOCUMENTS[model.offers["aiml"].name]
    properties = {"model": {"const": model.offers["aiml"].name}, **document["fields"]}
    if FROM_IMAGE not in model.kinds:
        properties.pop("image_url", None)
    required = ["model", *document["required"]]
    return Draft202012Validator({"properties": properties, "required": required, "additionalProperties": False})


def image_of(kind: Kind) -> str | None:
    """The image of a request of this kind."""
    return IMAGE_URL if kind == FROM_IMAGE else None


def core_choices(model: Model) -> Iterator[dict[str, object]]:
    """Every combination of resolution, aspect ratio and duration that the catalog allows."""
    resolutions = model.resolution.values if model.resolution else (None,)
    ratios = model.aspect_ratio.values if model.aspect_ratio else (None,)
    durations = model.duration.values if model.duration else (None,)
    for resolution, ratio, duration in product(resolutions, ratios, durations):
        yield {"resolution": resolution, "aspect_ratio": ratio, "duration": duration}


def option_values(option: Option) -> st.SearchStrategy[object]:
    """Cells that the option allows."""
    if option.values is not None:
        return st.sampled_from(option.values)
    low, high = option.min, option.max
    match option.type:
        case "bool":
            return st.sampled_from(["true", "no", True, False])
        case "int":
            return st.integers(int(low) if low is not None else -(2**31), int(high) if high is not None else 2**31)
        case "number":
            return st.decimals(low or Decimal(0), high or Decimal(100), places=3)
        case "image":
            return st.just("https://example.com/last.png")
        case "images":
            return st.integers(1, option.max_items or 1).map(lambda n: "|".join(["https://example.com/side.png"] * n))
        case "string":
            return st.text(min_size=1, max_size=min(option.max_length or 50, 50))


@st.composite
def option_cells(draw: st.DrawFn) -> tuple[Model, dict[str, object]]:
    """A model and a row's cells for some of its options."""
    model = draw(st.sampled_from(MODELS))
    names = draw(st.sets(st.sampled_from(sorted(model.options)))) if model.options else set()
    return model, {name: draw(option_values(model.options[name])) for name in sorted(names)}


def test_every_documented_model_is_included_or_excluded_with_a_reason() -> None:
    included = {offer.name for model in CATALOG for name, offer in model.offers.items() if name == "aiml"}
    excluded = excluded_models()
    assert included | set(excluded) == set(DOCUMENTS)
    assert not included & set(excluded)
    assert all(len(reason) > 10 for reason in excluded.values())


@each_model
def test_every_allowed_combination_makes_a_documented_request(model: Model) -> None:
    for provider in model.offers.keys() & {"aiml", "onerouter"}:  # the others' are in test_job_providers.py
        validator = documented(model, provider)
        for choice in core_choices(model):
            resolved = resolve_options(model, **choice)  # type: ignore[arg-type]
            assert isinstance(resolved, ResolvedOptions), resolved
            for kind in model.kinds_at(provider):
                body = request_body(model, provider, resolved, prompt="A slow pan.", image_url=image_of(kind))
                validator.validate(body)


@given(option_cells())
@settings(max_examples=400, deadline=None)
def test_every_allowed_option_makes_a_documented_request(case: tuple[Model, dict[str, object]]) -> None:
    model, cells = case
    resolved = resolve_options(model, options=cells)
    assert isinstance(resolved, ResolvedOptions), resolved
    kinds = [kind for kind in model.kinds if not problems_at(model, "aiml", resolved, kind)]
    left_out = {"last_image", "reference_images"} & cells.keys()
    assert kinds == list(model.kinds) or left_out, "a last frame needs a first one, references may not stand beside it"
    for kind in kinds:
        body = request_body(model, "aiml", resolved, prompt="A slow pan.", image_url=image_of(kind))
        documented(model, "aiml").validate(json.loads(json.dumps(body)))


@each_model
def test_every_documented_choice_is_in_the_catalog(model: Model) -> None:
    """What the documents allow, the catalog allows: no duration, resolution or ratio was forgotten."""
    fields = DOCUMENTS[model.offers["aiml"].name]["fields"]
    ratio = fields.get("aspect_ratio") or fields.get("ratio") or {}
    duration = fields.get("duration", {})
    seconds = duration.get("enum") or list(range(duration.get("minimum", 1), duration.get("maximum", 0) + 1))
    assert list(model.resolution.values if model.resolution else []) == fields.get("resolution", {}).get("enum", [])
    assert list(model.aspect_ratio.values if model.aspect_ratio else []) == ratio.get("enum", [])
    assert list(model.duration.values if model.duration else []) == seconds
    assert model.prompt_max == fields["prompt"].get("maxLength")


@each_model
def test_one_step_outside_is_refused_before_a_request_exists(model: Model) -> None:
    longest = max(model.duration.values) if model.duration else 5
    wrong = [
        ("duration", resolve_options(model, duration=longest + 1)),
        ("duration", resolve_options(model, duration="0")),
        ("resolution", resolve_options(model, resolution="8000p")),
        ("aspect_ratio", resolve_options(model, aspect_ratio="17:3")),
        ("no_such_option", resolve_options(model, options={"no_such_option": "1"})),
    ]
    for column, outcome in wrong:
        assert isinstance(outcome, list), outcome
        assert [problem.column for problem in outcome] == [column]
    if model.prompt_max is not None:
        assert not check_prompt(model, "x" * model.prompt_max)
        assert check_prompt(model, "x" * (model.prompt_max + 1))[0].column == "prompt"


@each_model
def test_options_of_other_models_are_refused(model: Model) -> None:
    """A column that means something to another model is never dropped in silence."""
    for word in CATALOG.option_words() - set(model.options):
        outcome = resolve_options(model, options={word: "1"})
        assert isinstance(outcome, list)
        assert outcome[0].column == word


def test_the_documented_sora_samples_are_reproduced() -> None:
    """The two requests that the project was created from, field by field."""
    model = CATALOG.find("openai/sora-2-pro-i2v")
    resolved = resolve_options(model, resolution="720p", duration=4, image_size=(1280, 720))
    assert isinstance(resolved, ResolvedOptions)
    assert request_body(model, "aiml", resolved, prompt="She smiles.", image_url=IMAGE_URL) == {
        "model": "openai/sora-2-pro-i2v",
        "prompt": "She smiles.",
        "image_url": IMAGE_URL,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "duration": 4,
    }
    assert request_body(model, "onerouter", resolved, prompt="She smiles.", image_url=IMAGE_URL) == {
        "model": "openai/sora-2-pro-image-to-video",
        "prompt": "She smiles.",
        "image_url": IMAGE_URL,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "duration": "4",
        "output_format": "url",
    }


def test_a_model_is_made_of_text_alone_only_where_its_document_says_so() -> None:
    for model in MODELS:
        needs = {"image_url", "keyframes"} & set(DOCUMENTS[model.offers["aiml"].name]["required"])
        assert not needs or FROM_TEXT not in model.kinds, model.id


def test_without_an_image_nothing_of_it_is_sent() -> None:
    model = CATALOG.find("luma/ray-2")
    resolved = resolve_options(model)
    assert isinstance(resolved, ResolvedOptions)
    assert "keyframes" not in request_body(model, "aiml", resolved, prompt="A wave.", image_url=None)


def test_luma_gets_its_image_as_a_keyframe() -> None:
    model = CATALOG.find("luma/ray-2")
    resolved = resolve_options(model)
    assert isinstance(resolved, ResolvedOptions)
    body = request_body(model, "aiml", resolved, prompt="A wave.", image_url=IMAGE_URL)
    assert body["keyframes"] == {"frame0": {"type": "image", "url": IMAGE_URL}}
    assert "image_url" not in body


def test_minimax_h3_gets_its_aspect_ratio_under_its_own_name() -> None:
    model = CATALOG.find("minimax/h3")
    resolved = resolve_options(model, aspect_ratio="9x16")
    assert isinstance(resolved, ResolvedOptions)
    body = request_body(model, "aiml", resolved, prompt="A wave.", image_url=IMAGE_URL)
    assert body["ratio"] == "9:16"
    assert "aspect_ratio" not in body
