"""All models together: found by any of their names, or by what they can do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from dailies.catalog.models import FROM_IMAGE, Kind, Model, ResolvedOptions
from dailies.catalog.options import resolve_options
from dailies.errors import BadInput


class Catalog:
    """The models that can be asked for, by id, by a provider's name or by an alias; letter case doesn't matter."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = {model.id: model for model in models}
        self._by_name: dict[str, Model] = {}
        self._names_at: dict[str, dict[str, Model]] = {}
        for model in self.models.values():
            for provider, offer in model.offers.items():
                forms = (offer.name, offer.text or offer.name, offer.reference or offer.name)
                for name in dict.fromkeys((*forms, *offer.aliases)):
                    self._names_at.setdefault(provider, {})[name.casefold()] = model
                    self._by_name.setdefault(name.casefold(), model)
        # An id always means its own model, whatever another model is called somewhere.
        self._by_name.update({model.id.casefold(): model for model in self.models.values()})

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models.values())

    def __len__(self) -> int:
        return len(self.models)

    def find(self, name: str) -> Model:
        """The model of this name. Raises BadInput with the nearest names."""
        model = self._by_name.get(name.strip().casefold())
        if model is None:
            raise BadInput(
                f"no model is called {name!r}{self._suggestion(name)}; docs/models.md lists all",
                trouble="model-unknown",
            )
        return model

    def provider_of(self, name: str) -> str | None:
        """The one provider that calls a model so; None for a model's own id or a name that several providers share."""
        wanted = name.strip().casefold()
        model = self._by_name.get(wanted)
        if model is None or model.id.casefold() == wanted:
            return None
        providers = [provider for provider, names in self._names_at.items() if wanted in names]
        return providers[0] if len(providers) == 1 else None

    def option_words(self) -> frozenset[str]:
        """Every option that some model has: CSV columns of these names are requests, not the team's own notes."""
        return frozenset(word for model in self for word in model.options)

    def nearest(
        self,
        model: Model,
        *,
        duration: object = None,
        resolution: object = None,
        aspect_ratio: object = None,
        kind: Kind = FROM_IMAGE,
    ) -> list[Model]:
        """Models that take the same rows unchanged, best first; none that is withdrawn.

        The catalog's named successors come first, then the same family, then the others.
        """
        order = {name: position for position, name in enumerate(model.successors)}
        fitting = [
            other
            for other in self
            if other.id != model.id
            and other.withdrawn_on is None
            and kind in other.kinds_at(next(iter(other.offers)))
            and isinstance(
                resolve_options(other, duration=duration, resolution=resolution, aspect_ratio=aspect_ratio),
                ResolvedOptions,
            )
        ]
        fitting.sort(key=lambda other: (order.get(other.id, len(order)), other.family != model.family))
        return fitting

    def _suggestion(self, name: str) -> str:
        """Names that contain what was written, spelled however, before those that merely look like it."""
        wanted = _letters(name)
        containing = [known for known in self._by_name if wanted and wanted in _letters(known)]
        alike = difflib.get_close_matches(name.strip().casefold(), self._by_name, n=3, cutoff=0.5)
        if not containing and not alike:  # without its maker's name, which is half of an id
            own = {_letters(known.rpartition("/")[2]): known for known in self._by_name}
            alike = [own[near] for near in difflib.get_close_matches(wanted, own, n=1, cutoff=0)]
        ids = list(dict.fromkeys(self._by_name[known].id for known in [*containing, *alike]))[:3]
        return f"; did you mean {' or '.join(ids)}?" if ids else ""


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
