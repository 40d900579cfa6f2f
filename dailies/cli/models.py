"""`dailies models`: what can be bought, for how much, and from whom."""

from __future__ import annotations

import asyncio
import json as json_text
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dailies.domain.commands import check_with_model, show_model
from dailies.errors import BadInput, Misconfigured

if TYPE_CHECKING:
    from dailies.catalog import Catalog, Model
    from dailies.planning.live import LiveView
    from dailies.planning.offers import Entry, Wish
    from dailies.providers.live import Live
    from dailies.settings import Settings

models_app = App(
    help_format="markdown",
    name="models",
    help="What can be bought, for how much, and from whom.",
    default_parameter=Parameter(negative=()),
)
PIPE_WIDTH = 240
JsonFlag = Annotated[bool, Parameter(help="Print JSON on stdout, and nothing else there.")]
LiveFlag = Annotated[bool, Parameter(help="Ask the providers what they serve and what it costs now; needs no key.")]


@models_app.default
def table(  # noqa: PLR0913 - a command's options are its parameters
    *,
    provider: str | None = None,
    with_key: bool = False,
    for_image: Annotated[Path | None, Parameter(name="--for")] = None,
    duration: int | None = None,
    resolution: str | None = None,
    aspect_ratio: str | None = None,
    sound: bool = False,
    at_most: str | None = None,
    live: LiveFlag = False,
    json: JsonFlag = False,
) -> int:
    """What can be bought, for how much, and from whom. Works without a network and without a key.

    Parameters
    ----------
    provider
        Only what these sell, such as `aiml` or `aiml,onerouter`.
    with_key
        Only what is sold by a provider whose key is set here.
    for_image
        Only models that take this image as it is.
    duration
        Only models that make clips of so many seconds; prices are for these.
    resolution
        Only models that have this resolution, such as `720p`; prices are for it.
    aspect_ratio
        Only models that have this ratio, such as `9:16`.
    sound
        Only models that make sound.
    at_most
        Only where one clip is known to cost no more dollars than this.
    """
    from dailies.planning.offers import Wish, entries

    settings, catalog = _opened()
    wish = Wish(
        _providers(settings, provider, with_key),
        duration,
        resolution,
        aspect_ratio,
        sound,
        _image(for_image),
        dollars("--at-most", at_most),
    )
    view = asyncio.run(_ask(settings, catalog, wish)) if live else _nobody_asked()
    found = entries(catalog, view, _today(), wish)
    if json:
        print(_dump([entry.as_json() for entry in found]))
    else:
        _print(found, view)
    return 0


@models_app.command
def show(id: str, /, *, live: LiveFlag = False, json: JsonFlag = False) -> int:  # noqa: A002 - cyclopts names the argument so in its help
    """One model: what it takes, its options, how long it needs, its price and where that is from.

    Parameters
    ----------
    id
        The model's id, or what a provider calls it.
    """
    from dailies.cli.models_show import page
    from dailies.planning.offers import offers_of

    settings, catalog = _opened()
    model = catalog.find(id)
    view = asyncio.run(_ask_about(settings, [(p, model) for p in model.offers])) if live else _nobody_asked()
    found = list(offers_of(model, view, _today()))
    if json:
        details = model.model_dump(mode="json", include={"title", "maker", "duration", "resolution", "aspect_ratio", "prompt_max",
                                                         "image", "options", "typical_s", "longest_s", "successors"})  # fmt: skip
        print(_dump({**details, "id": model.id, "offers": [entry.as_json() for entry in found]}))
        return 0
    print("\n".join(page(model, found, _width())))
    print(f"\nNext: {check_with_model(model.id)}")
    return 0


@models_app.command
def prices(*, write: bool = False, provider: str | None = None, json: JsonFlag = False) -> int:
    """Every known price with its source and its day.

    Parameters
    ----------
    write
        Ask the providers for today's prices and keep them in the file that DAILIES_MODELS names, else in `prices.json` here.
    provider
        Only what these sell.
    """
    from dailies.planning.offers import Wish, entries

    settings, catalog = _opened()
    wish = Wish(_providers(settings, provider, False))
    view = asyncio.run(_ask(settings, catalog, wish)) if write else _nobody_asked()
    if write:
        from dailies.cli.price_file import keep_prices

        keep_prices(settings, view, _today())
    found = [entry for entry in entries(catalog, view, _today(), wish) if entry.usd is not None]
    if json:
        print(_dump([entry.as_json() for entry in found]))
        return 0
    from dailies.cli.models_table import price
    from dailies.cli.tables import table as print_table

    rows = [[e.model.id, e.provider, price(e), str(e.price_date), e.price_source or ""] for e in found]
    print_table(["model", "provider", "one clip", "as of", "source"], rows)
    return 0


def _opened() -> tuple[Settings, Catalog]:
    from dailies.catalog import load_catalog
    from dailies.settings import load_settings

    settings = load_settings()
    return settings, load_catalog(settings.dailies_models)


def _today() -> date:
    return datetime.now(UTC).date()


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def _dump(document: Any) -> str:
    return json_text.dumps(document, ensure_ascii=False)


def _providers(settings: Settings, said: str | None, with_key: bool) -> tuple[str, ...]:
    from dailies.registry import provider_names

    names = tuple(name.strip().lower() for name in said.split(",")) if said else provider_names() if with_key else ()
    strange = [name for name in names if name not in provider_names()]
    if strange:
        raise BadInput(f"--provider {strange[0]}: there are {', '.join(provider_names())}")
    if not with_key:
        return names
    keyed = tuple(name for name in names if settings.api_key(name))
    if not keyed:
        raise Misconfigured("--with-key: no key is set for any of these providers", trouble="no-key")
    return keyed


def _image(path: Path | None) -> Any:
    if path is None:
        return None
    from dailies.media.images import measure_file

    return measure_file(path.expanduser(), path.expanduser().absolute().parent).facts


def dollars(option: str, text: str | None) -> Decimal | None:
    """An amount from the command line. Raises BadInput that names the option."""
    from dailies.domain.money import to_usd

    try:
        return None if text is None else to_usd(text.strip().lstrip("$"))
    except ValueError:
        raise BadInput(f"{option} {text}: not an amount in dollars. Nothing was bought.") from None


def _nobody_asked() -> LiveView:
    from dailies.planning.live import LiveView

    return LiveView()


async def _ask(settings: Settings, catalog: Catalog, wish: Wish) -> LiveView:
    pairs = [
        (name, model) for model in catalog for name in model.offers if not wish.providers or name in wish.providers
    ]
    return await _ask_about(settings, pairs)


async def _ask_about(settings: Settings, pairs: Sequence[tuple[str, Model]]) -> LiveView:
    from dailies.planning.live import ask_all
    from dailies.providers.open import open_providers

    async def ask(name: str, names: list[str]) -> dict[str, Live]:
        client = open_providers(settings, [name], need_keys=False)[name]
        try:
            return await client.live(names, settings.home / "cache" / "models")
        finally:
            await client.close()

    view = await ask_all(pairs, ask, require_live=False)
    gone = {(name, model.id) for name, model in pairs if view.gone(model, name)}
    # Sixty notes on models that end are read by nobody: the table says it of each.
    return replace(view, notes=tuple(note for note in view.notes if "could not be asked" in note)) if gone else view


def _print(found: list[Entry], view: LiveView) -> None:
    from rich.console import Console

    from dailies.cli.models_table import lay_out
    from dailies.cli.screen import say

    for note in view.notes:
        say(f"note: {note}")
    if not found:
        print("No model in the catalog is all of this; leave one wish out.")
        return
    console = Console(highlight=False, markup=False, emoji=False, width=_width(), soft_wrap=True)
    for line, ended in lay_out(found, _width()):
        console.print(line, style="dim" if ended else None)
    unknown = sum(entry.usd is None and entry.served is not False for entry in found)
    words = f"{len(found)} offers; ~: a price that was not seen at this provider."
    words += f" {unknown} without a known price: --live asks." if unknown else ""
    first = next((entry.model.id for entry in found if entry.served is not False), found[0].model.id)
    print()
    for text in (words, f"More about one: {show_model(first)}"):
        print(textwrap.fill(text, _width(), break_long_words=False, break_on_hyphens=False))
