"""What one provider takes of a model's own choices: values and options that it does not name are refused there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dailies.catalog.models import FROM_IMAGE, FROM_TEXT, Choice, IntChoice, Kind, Model, Problem, ResolvedOptions
from dailies.catalog.values import one_of


def problems_at(model: Model, provider: str, resolved: ResolvedOptions, kind: Kind) -> list[Problem]:
    """Every reason why this provider does not make what the model can; none where it does."""
    offer = model.offer_at(provider)
    found = [] if kind in model.kinds_at(provider) else [_no_such_form(model, provider, kind)]
    chosen = {"duration": resolved.duration_s, "resolution": resolved.resolution, "aspect_ratio": resolved.aspect_ratio}
    for word, values in offer.only.items():
        value = chosen[word]
        if value is not None and value not in values:
            reason = f"{value} is no {word.replace('_', ' ')} of {model.id} at {provider}"
            found.append(Problem(word, reason, f"use {one_of(values)}, or another provider"))
    named = options_at(model, provider)
    for name in resolved.options:
        if name not in named:
            reason = f"{provider} has no option {name} for {model.id}"
            found.append(Problem(name, reason, "leave it empty, or use another provider"))
        elif kind == FROM_TEXT and model.options[name].type == "image":
            found.append(Problem(name, "needs a first image beside it", "fill in image, or leave it empty"))
        elif kind == FROM_IMAGE and name in offer.without_image:
            reason = f"{provider} takes it for {model.id} only where image is empty"
            found.append(Problem(name, reason, "leave one of the two empty, or use another provider"))
    return found


def options_at(model: Model, provider: str) -> tuple[str, ...]:
    """The options that a provider takes for a model."""
    named = model.offer_at(provider).options
    return tuple(model.options) if named is None else named


def values_at(model: Model, provider: str, word: str) -> tuple[str | int, ...]:
    """What a provider takes as `duration`, `resolution` or `aspect_ratio`; empty where there is no choice."""
    choice: Choice | IntChoice | None = getattr(model, word)
    own: Sequence[str | int] = choice.values if choice else ()
    return tuple(model.offer_at(provider).only.get(word, own))  # type: ignore[call-overload]


def image_problem(model: Model, has_image: bool) -> Problem | None:
    """What is wrong with an image that the model does not take, or needs and has not."""
    if has_image and FROM_IMAGE not in model.kinds:
        return Problem("image", f"{model.id} takes none", "leave it empty, or use a model that takes one")
    if not has_image and FROM_TEXT not in model.kinds:
        return Problem("image", "is empty", "fill it in")
    return None


def _no_such_form(model: Model, provider: str, kind: Kind) -> Problem:
    others = [name for name in model.offers if kind in model.kinds_at(name)]
    cure = f"fill it in, or use {one_of(others)}" if others else "fill it in"
    return Problem("image", f"is empty, and {provider} makes {model.id} of an image alone", cure)
