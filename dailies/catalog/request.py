"""The JSON that asks a provider for one clip. Pure: the same row always makes the same request."""

from __future__ import annotations

from decimal import Decimal

from dailies.catalog.models import CORE_FIELDS, JSON, Model, Offer, OptionValue, ResolvedOptions

# Most providers take the last frame under this name.
_OPTION_FIELDS = {"last_image": "last_image_url"}


def request_body(
    model: Model, provider: str, resolved: ResolvedOptions, *, prompt: str, image_url: str
) -> dict[str, JSON]:
    """The create request as documented for this model at this provider.

    `settled` comes from `settle`, so its values are allowed; `image_url` is a URL, or a data URI where the offer takes
    one. Raises BadInput if the provider doesn't offer the model.
    """
    offer = model.offer_at(provider)
    body: dict[str, JSON] = {"model": offer.name}
    words: dict[str, OptionValue | None] = {
        "prompt": prompt,
        "image": image_url,
        "resolution": resolved.resolution,
        "aspect_ratio": resolved.aspect_ratio,
        "duration": resolved.duration_s,
        **resolved.options,
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
    holder: JSON = body
    for name, following in zip(parents, path.split(".")[1:], strict=True):
        holder = _at(holder, name, path, [] if following.isdigit() else {})
    _at(holder, leaf, path, value, replace=True)


def _at(holder: JSON, name: str, path: str, value: JSON, replace: bool = False) -> JSON:
    """What stands under a name of an object, or at a place of a list; `value` is put there where nothing is."""
    if isinstance(holder, list) and name.isdigit():
        holder.extend({} for _ in range(int(name) + 1 - len(holder)))
        if replace or not holder[int(name)]:
            holder[int(name)] = value
        return holder[int(name)]
    if isinstance(holder, dict):
        if replace:
            holder[name] = value
        return holder.setdefault(name, value)
    raise ValueError(f"{path}: what stands before {name} is a value, not an object")
