"""One model as a page for a terminal: what it takes, how long it needs, who sells it and for how much. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from dailies.catalog import FROM_IMAGE, FROM_TEXT, Model, Offer, Option, Rate
from dailies.catalog.values import spoken_seconds
from dailies.cli.models_table import price
from dailies.planning.offers import Entry

LABEL = 15
NARROWEST = 24
INDENT = "  "


def page(model: Model, entries: Sequence[Entry], width: int) -> Iterator[str]:
    """The lines of the page, none wider than `width` where that leaves room for words."""
    by = f", by {model.maker}" if model.maker else ""
    yield from _line("", f"{model.title}{by}", width)
    yield from _line("id", model.id, width)
    for name, text in _facts(model):
        yield from _line(name, text, width)
    for name, option in model.options.items():
        yield from _line(name, f"option: {_limits(option)}", width)
    for entry in entries:
        yield ""
        for name, text in _offer(entry):
            yield from _line(name, text, width)


def _facts(model: Model) -> Iterator[tuple[str, str]]:
    if model.withdrawn_on:
        yield "switched off", model.withdrawn_on.isoformat()
    if model.duration:
        yield "duration", f"{spoken_seconds(model.duration.values)} s; {model.duration.default} s by default"
    for name, choice in (("resolution", model.resolution), ("aspect_ratio", model.aspect_ratio)):
        if choice:
            yield name, f"{', '.join(choice.values)}; {choice.default} by default"
    yield "image", _image(model)
    if model.prompt_max:
        yield "prompt", f"at most {model.prompt_max} characters"
    yield "sound", {True: "yes", False: "no", None: "not documented"}[model.audio]
    about = "about " if model.typical_s_estimated else ""
    yield "takes", f"{about}{model.typical_s} s; overdue after {model.longest_s} s"
    if model.successors:
        yield "instead of it", ", ".join(model.successors)


def _image(model: Model) -> str:
    if FROM_IMAGE not in model.kinds:
        return "none"
    sizes = [f"{w}x{h}" for by_ratio in (model.image.sizes or {}).values() for w, h in by_ratio.values()]
    size = f"exactly {', '.join(sizes)}" if sizes else f"at least {model.image.min_px} px on each side"
    return f"{size}; {', '.join(model.image.formats)}" + ("; or none" if FROM_TEXT in model.kinds else "")


def _limits(option: Option) -> str:
    if option.values:
        return ", ".join(option.values)
    if option.type == "images":
        return f"up to {option.max_items} images, separated by |"
    bounds = [f"{word} {limit}" for word, limit in (("from", option.min), ("to", option.max)) if limit is not None]
    if option.max_length:
        bounds.append(f"up to {option.max_length} characters")
    return " ".join([option.type, *bounds])


def _offer(entry: Entry) -> Iterator[tuple[str, str]]:
    offer: Offer = entry.offer
    yield "at", entry.provider + (", without an image" if entry.kind == FROM_TEXT else "")
    if entry.name != entry.model.id:
        yield "called there", entry.name
    fields = ", ".join(f"{word} as {field}" for word, field in offer.fields.items() if field)
    if fields:
        yield "fields", fields
    for word in offer.only:
        yield word, ", ".join(map(str, entry.values(word)))
    if offer.options is not None:
        yield "options", ", ".join(offer.options) or "none"
    if offer.source:
        yield "as in", f"{offer.as_of}: {offer.source}"
    yield "one clip", price(entry)
    if offer.price is not None:
        yield "rates", "; ".join(map(_rate, offer.price.rates))
    if entry.price_source:
        yield "price from", f"{entry.price_date}: {entry.price_source}"


def _rate(rate: Rate) -> str:
    when = ", ".join(f"{key} {str(value).lower()}" for key, value in rate.when.items())
    return f"{'~' if rate.estimated else ''}${rate.usd} a {rate.per}{f' ({when})' if when else ''}"


def _line(name: str, text: str, width: int) -> list[str]:
    """A label and its text, wrapped beside it; a label or a word that is wider than its column stands alone."""
    room = max(width - LABEL, NARROWEST)
    if any(len(word) > room for word in text.split()):
        return [
            name,
            *textwrap.wrap(text, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False),
        ]
    wrapped = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    if not name:
        return wrapped
    if len(name) >= LABEL:
        return [name, *(" " * LABEL + line for line in wrapped)]
    return [name.ljust(LABEL) + wrapped[0], *(" " * LABEL + line for line in wrapped[1:])]
