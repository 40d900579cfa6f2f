"""A choice that nothing can meet, such as a provider of a name that nobody has, is refused: its zeros would read as nothing spent."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace

from dailies.catalog import Catalog
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger.naming import models_on_record, providers_on_record
from dailies.registry import provider_names
from dailies.report.select import Selection, is_called


def with_known_names(selection: Selection, ledger: Ledger, catalog: Callable[[], Catalog]) -> Selection:
    """The choice, its model by its id. The record's names count, and those that could be bought by today.

    Raises BadInput with the nearest names. Blocks.
    """
    if selection.since and selection.until and selection.since > selection.until:
        raise BadInput(
            f"--since {selection.since} --until {selection.until}: no day is in this span; exchange the two days"
        )
    if selection.provider is not None:
        _refuse_strange_provider(selection.provider, ledger)
    if selection.model is None or any(is_called(model, selection.model) for model in models_on_record(ledger)):
        return selection
    return replace(selection, model=catalog().find(selection.model).id)


def _refuse_strange_provider(name: str, ledger: Ledger) -> None:
    if name in provider_names():
        return
    known = sorted({*provider_names(), *providers_on_record(ledger)})
    if name not in known:
        near = difflib.get_close_matches(name.strip().casefold(), known)
        meant = f"; did you mean {near[0]}?" if near else "."
        raise BadInput(f"--provider {name}: no provider is called so{meant} There are {', '.join(known)}")
