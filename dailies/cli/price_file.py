"""A file of prices of one's own: what providers told today, kept where DAILIES_MODELS finds it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from dailies.catalog.prices import as_entry, merged, price_of
from dailies.cli.screen import say
from dailies.errors import Misconfigured
from dailies.planning.live import LiveView
from dailies.settings import Settings

PRICE_FILE = "prices.json"


def keep_prices(settings: Settings, view: LiveView, today: date) -> None:
    """Write today's prices into the user's file of models; whatever else stands in it stays. Raises Misconfigured."""
    told = (
        (model_id, provider, price_of(live.pricing, today, f"asked of {provider}"))
        for (provider, model_id), live in sorted(view.found.items())
        if live.pricing
    )
    kept = [as_entry(model_id, provider, price) for model_id, provider, price in told if price]
    for note in view.notes:
        say(f"note: {note}")
    if not kept:
        raise Misconfigured("no provider told a price now; nothing was written", trouble="network")
    named = settings.dailies_models.expanduser() if settings.dailies_models else None
    path = named / PRICE_FILE if named and named.is_dir() else named or Path(PRICE_FILE)
    try:
        before = json.loads(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
        path.write_text(json.dumps(merged(before, kept), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} can't be written: {error}", trouble="disk") from error
    say(f"{len(kept)} prices of today are in {path}" + ("" if named else f"; to use them set DAILIES_MODELS={path}"))
