"""DAILIES_MODEL and DAILIES_PROVIDER: for rows and runs that name none."""

from __future__ import annotations

from dailies.catalog import Catalog
from dailies.errors import BadInput, Misconfigured
from dailies.planning.request import BatchRequest
from dailies.planning.routing import provider_problems
from dailies.settings import Settings


def with_defaults(order: BatchRequest, settings: Settings, catalog: Catalog) -> BatchRequest:
    """The order with the settings' model and provider where it names none. Raises Misconfigured naming the setting."""
    model, provider = settings.dailies_model, settings.dailies_provider
    if model:
        try:
            catalog.find(model)
        except BadInput as error:
            raise Misconfigured(f"DAILIES_MODEL={model}: {error}. Nothing was bought.") from None
    for problem in provider_problems(provider) if provider else ():
        raise Misconfigured(f"DAILIES_PROVIDER={provider}: {problem}. Nothing was bought.")
    return order.but(model=order.model or model, provider=order.provider or provider)
