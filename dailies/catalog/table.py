"""Writes docs/models.md from the catalog: `python -m dailies.catalog.table docs/models.md` (or to standard output)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path

from dailies.catalog.find import Catalog
from dailies.catalog.load import load_catalog
from dailies.catalog.models import FROM_IMAGE, FROM_TEXT, Model, Offer, Option, Rate, ResolvedOptions
from dailies.catalog.options import resolve_options
from dailies.catalog.quote import quote
from dailies.catalog.values import spoken_seconds

INTRO = """\
# Models

Every model that makes a clip from one image and a prompt, or from a prompt alone. This page is written by
`python -m dailies.catalog.table docs/models.md` from `dailies/catalog/models/*.json`; a model is added there, or in a
file of the same form named by `DAILIES_MODELS`, without any Python. In such a file an entry whose id is known changes
only the fields it names.

A value in **bold** is taken when the row names none. Where a model takes exact pixels, the image decides resolution
and aspect ratio; elsewhere an image that has one of the listed ratios keeps it. A dash means that the model has no such
field: the column must be empty. Each option is a CSV column of that name. Times are typical, `~` marks an estimate by
family.

Dollars are for one clip with nothing asked for, by the last known price (see [Prices](#prices)); `~` marks a price
that was not seen at that provider. `dailies check` asks the provider for today's. Without a price a clip is not bought
unless `--allow-unpriced` says so.

An entry that says what you pay, for `DAILIES_MODELS`:

```json
{"models": [{"id": "luma/ray-2", "offers": {"aiml": {"price": {
  "rates": [{"usd": "0.20", "per": "second", "when": {"resolution": "720p"}}],
  "as_of": "2026-11-01", "source": "our invoice"}}}}]}
```

An entry for a model that OneRouter makes asynchronously, in its queue: the create is answered at once and nothing waits on
an open connection. A number in a field's path is a place in a list. None is built in, for no page says which of its names
is which model here; `seedance@onerouter` is yours to name.

```json
{"models": [{"id": "seedance@onerouter", "title": "Seedance, in OneRouter's queue", "family": "seedance",
  "duration": {"min": 4, "max": 12, "default": 5},
  "resolution": {"values": ["480p", "720p"], "default": "720p"},
  "aspect_ratio": {"values": ["adaptive", "16:9", "9:16"], "default": "adaptive"},
  "options": {"generate_audio": {"type": "bool"}, "watermark": {"type": "bool"}}, "typical_s": 139, "longest_s": 600,
  "offers": {"onerouter": {"name": "bytedance/seedance", "asynchronous": true, "takes_data_uri": false,
    "fields": {"prompt": "content.0.text", "image": "content.1.image_url.url", "aspect_ratio": "ratio"},
    "constants": {"content.0.type": "text", "content.1.type": "image_url"}}}}]}
```
"""


def models_page(catalog: Catalog, excluded: dict[str, str]) -> str:
    """The whole page as Markdown; the same catalog always gives the same text."""
    lines = [INTRO]
    by_maker = sorted(catalog, key=lambda model: (model.maker.casefold(), model.id))
    for maker, models in groupby(by_maker, key=lambda model: model.maker):
        lines += [f"## {maker or 'Your own'}", ""]
        head = ["model", "seconds", "resolution", "aspect ratio", "image", "options", "sound", "takes", "clip, USD"]
        lines += [*_table(head, (_model_row(model) for model in models)), ""]
    lines += ["## Prices", ""]
    lines += [*_table(["model", "provider", "USD", "as of", "source"], _price_rows(by_maker)), ""]
    lines += ["## Not included", "", "Models that take an image but do something else:", ""]
    lines += [*_table(["model", "reason"], ([f"`{name}`", reason] for name, reason in excluded.items())), ""]
    return "\n".join(lines)


def excluded_models() -> dict[str, str]:
    """Models that take an image and were left out on purpose, each with its reason."""
    text = (resources.files(__package__) / "excluded.json").read_text(encoding="utf-8")
    reasons: dict[str, str] = json.loads(text)
    return reasons


def main(arguments: Sequence[str]) -> None:
    """Writes the page to the file named first, or to standard output."""
    page = models_page(load_catalog(), excluded_models())
    if arguments:
        Path(arguments[0]).write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)


def _model_row(model: Model) -> list[str]:
    names = {f"`{offer.name}` at {provider}" for provider, offer in model.offers.items() if offer.name != model.id}
    withdrawn = [f"switched off {model.withdrawn_on}"] if model.withdrawn_on else []
    return [
        "<br>".join([f"`{model.id}`", model.title, *sorted(names), *withdrawn]),
        _seconds(model),
        _bold(model.resolution.values, model.resolution.default) if model.resolution else "-",
        _bold(model.aspect_ratio.values, model.aspect_ratio.default) if model.aspect_ratio else "-",
        _image(model),
        "<br>".join(_option(name, option) for name, option in model.options.items()) or "-",
        {True: "yes", False: "no", None: "not documented"}[model.audio],
        f"{'~' if model.typical_s_estimated else ''}{model.typical_s} s",
        "<br>".join(f"{provider} {_clip(model, offer)}" for provider, offer in model.offers.items()),
    ]


def _seconds(model: Model) -> str:
    if model.duration is None:
        return "-"
    allowed = spoken_seconds(model.duration.values)
    return f"{allowed}; **{model.duration.default}**" if len(model.duration.values) > 1 else f"**{allowed}**"


def _bold(values: Iterable[str], default: str) -> str:
    return ", ".join(f"**{value}**" if value == default else value for value in values)


def _image(model: Model) -> str:
    if FROM_IMAGE not in model.kinds:
        return "none"
    sizes, or_none = model.image.sizes, ", or none" if FROM_TEXT in model.kinds else ""
    if sizes is None:
        return f"at least {model.image.min_px} px{or_none}"
    exact = (f"{width}x{height}" for by_ratio in sizes.values() for width, height in by_ratio.values())
    return "exactly " + ", ".join(exact) + or_none


def _option(name: str, option: Option) -> str:
    limits = [f"{word} {limit}" for word, limit in (("from", option.min), ("to", option.max)) if limit is not None]
    if option.max_length is not None:
        limits.append(f"up to {option.max_length} characters")
    if option.type == "images":
        return f"`{name}`: up to {option.max_items} images"
    detail = ", ".join(option.values) if option.values else " ".join([option.type, *limits])
    return f"`{name}`: {detail}"


def _clip(model: Model, offer: Offer) -> str:
    resolved = resolve_options(model)
    usd = quote(offer, resolved) if isinstance(resolved, ResolvedOptions) else None
    if usd is None or offer.price is None:
        return "unknown"
    return f"{'~' if all(rate.estimated for rate in offer.price.rates) else ''}{usd:.3f}"


def _price_rows(models: Iterable[Model]) -> Iterator[list[str]]:
    for model in models:
        for provider, offer in model.offers.items():
            if offer.price is not None:
                rates = "<br>".join(_rate(rate) for rate in offer.price.rates)
                yield [f"`{model.id}`", provider, rates, str(offer.price.as_of), offer.price.source]


def _rate(rate: Rate) -> str:
    when = ", ".join(f"{key} {_word(value)}" for key, value in rate.when.items())
    return f"{'~' if rate.estimated else ''}{rate.usd} a {rate.per}{f' ({when})' if when else ''}"


def _word(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(head), line("---" for _ in head), *(line(row) for row in rows)]


if __name__ == "__main__":
    main(sys.argv[1:])
