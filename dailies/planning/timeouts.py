"""Whether a paid request may wait long enough for its answer: a time-out that no answer can meet buys nothing but doubt."""

from __future__ import annotations

from collections.abc import Iterable

from dailies.catalog import Catalog
from dailies.domain.clips import Row
from dailies.errors import Misconfigured
from dailies.settings import Settings


def refuse_short_timeout(settings: Settings, catalog: Catalog, rows: Iterable[Row]) -> None:
    """Raise Misconfigured where a create answers with the clip itself and may take longer than we would wait for it."""
    longest = {
        (provider, model.id): model.longest_s
        for provider, model_id in {(name, row.clip.model) for row in rows for name in row.providers}
        for model in [catalog.find(model_id)]
        if model.offer_at(provider).synchronous and model.longest_s > settings.create_timeout_s(provider)
    }
    if not longest:
        return
    (provider, model_id), least_s = max(longest.items(), key=lambda item: item[1])
    raise Misconfigured(
        f"DAILIES_CREATE_TIMEOUT_S={settings.create_timeout_s(provider):g} is too short: {provider} answers a create of "
        f"{model_id} with the clip itself, which may take {least_s} s, and whatever is not waited for may be charged and in "
        f"doubt. Set it to at least {least_s}, or leave it out. Nothing was bought."
    )
