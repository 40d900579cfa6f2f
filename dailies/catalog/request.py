"""The JSON that asks a provider for one clip. Pure: the same row always makes the same request."""

from __future__ import annotations

from decimal import Decimal

from dailies.catalog.models import CORE_FIELDS, JSON, Model, Offer, OptionValue, Settled

# Most providers take the last frame under this name.
_OPTION_FIELDS = {"last_image": "last_image_url"}


def request_body(model: Model, provider: str, settled: Settled, *, prompt: str, image_url: str) -> dict[str, JSON]:
    """The create request as documented for this model at this provider.

    `settled` comes from `settle`, so its values are allowed; `image_url` is a URL, or a data URI where the offer takes
    one. Raises BadInput if the provider doesn't offer the model.
    """
    offer = model.offer_at(provider)
    body: dict[str, JSON] = {"model": offer.name}
    words: dict[str, OptionValue | None] = {
        "prompt": prompt,
        "image": image_url,
        "resolution": settled.resolution,
        "aspect_ratio": settled.aspect_ratio,
        "duration": settled.duration_s,
        **settled.options,
    }
    for word, value in words.items():
        if value is not None:
            _put(body, field_of(offer, word), _wire(value, strings=offer.strings))
    for path, constant in offer.constants.items():
        _put(body, path, constant)
    return body


def field_of(offer: Offer, word: str) -> str:
    """The provider's field, dotted where it is nested, for one of our words."""
    return offer.fields.get(word) or CORE_FIELDS.get(word) or _OPTION_FIELDS.get(word, word)


def _wire(value: OptionValue, *, strings: bool) -> JSON:
    if strings:
        return str(value).lower() if isinstance(value, bool) else str(value)
    return float(value) if isinstance(value, Decimal) else value


def _put(body: dict[str, JSON], path: str, value: JSON) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        inner = body.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{path}: {parent} is both a value and an object")
        body = inner
    body[leaf] = value
