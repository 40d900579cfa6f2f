"""The JSON that asks a provider for one clip. Pure: the same row always makes the same request."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dailies.catalog.models import CORE_FIELDS, JSON, Model, Offer, OptionValue, ResolvedOptions
from dailies.domain.clips import IMAGE_LISTS, listed
from dailies.domain.pictures import Images, Picture

# Most providers take the last frame under this name.
_OPTION_FIELDS = {"last_image": "last_image_url"}


def request_body(
    model: Model,
    provider: str,
    resolved: ResolvedOptions,
    *,
    prompt: str,
    image_url: str | Picture | None,
    further: Mapping[str, Images] = MappingProxyType({}),
) -> dict[str, JSON]:
    """The create request as documented for this model at this provider.

    `resolved` comes from `resolve_options`, so its values are allowed; `image_url` is a URL, or a data URI where the offer
    takes one, or the picture that becomes one, or None where the clip is made of its prompt alone; `further` are
    images that are values of options, in the same forms. Raises BadInput if the provider doesn't offer the model.
    """
    offer = model.offer_at(provider)
    lists = {name: _as_list(value) for name, value in resolved.options.items() if name in IMAGE_LISTS}
    body: dict[str, JSON] = {"model": offer.called(image_url is not None, bool(lists))}
    words: dict[str, OptionValue | Images | None] = {
        "prompt": prompt,
        "image": image_url,
        "resolution": resolved.resolution,
        "aspect_ratio": resolved.aspect_ratio,
        "duration": resolved.duration_s,
        **resolved.options,
        **lists,
        **further,
    }
    size = (offer.sizes or {}).get(resolved.resolution or "", {}).get(resolved.aspect_ratio or "")
    if size:
        words |= {"resolution": None, "aspect_ratio": None, "width": size[0], "height": size[1]}
    for word, value in words.items():
        if value is not None and (path := field_of(offer, word)):
            _put(body, path, _wire(value, strings=offer.strings))
    for path, constant in offer.constants.items():
        if image_url is not None or not _of_the_image(offer, path):
            _put(body, path, constant)
    return body


def field_of(offer: Offer, word: str) -> str:
    """The provider's field, dotted where it is nested, for one of our words; empty for one that it is never told."""
    return offer.fields[word] if word in offer.fields else CORE_FIELDS.get(word) or _OPTION_FIELDS.get(word, word)


def _of_the_image(offer: Offer, path: str) -> bool:
    """Whether a constant stands beside the image, in the same object, and means nothing without it."""
    holder = path.rpartition(".")[0]
    return bool(holder) and field_of(offer, "image").startswith(f"{holder}.")


def _as_list(value: OptionValue) -> tuple[str, ...]:
    """Several images, as addresses or as a row names them."""
    return value if isinstance(value, tuple) else listed(str(value))


def _wire(value: OptionValue | Images, *, strings: bool) -> Any:
    if isinstance(value, Picture):
        return value
    if isinstance(value, tuple):
        return list(value)
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
