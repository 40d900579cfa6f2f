"""The models the sandbox serves: what a request may hold, how large and how dear its clip is."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

Size = tuple[int, int]

_SHORT_SIDE = {"hd": 720, "fhd": 1080, "2k": 1440, "4k": 2160}
_TYPES: dict[str | None, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
    None: Any,
}
_LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}


class InvalidRequest(ValueError):
    """A create body the provider's documents don't allow; the text says which field and why."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model: documented fields, typical seconds, USD per second by resolution, sizes an image must have; `queued`: its
    creates go into the provider's queue."""

    id: str
    seconds: float
    usd_per_s: Mapping[str, Decimal]
    fields: Mapping[str, Mapping[str, Any]]
    schema: type[BaseModel] = field(repr=False)
    pixels: Mapping[str, Size] = field(default_factory=dict)
    queued: bool = False

    def checked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with the documented defaults filled in; InvalidRequest names every field that is wrong."""
        try:
            return self.schema.model_validate(body).model_dump(exclude_none=True, mode="json")
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise InvalidRequest("; ".join(problems)) from None

    def usd(self, resolution: str | None, duration_s: int) -> Decimal:
        """The price of one clip in USD."""
        rate = self.usd_per_s.get(resolution or "") or next(iter(self.usd_per_s.values()))
        return rate * duration_s

    def priced(self, usd_per_s: Decimal, resolution: str | None) -> Model:
        """The same model at another price: for one resolution, or for all."""
        prices = {key: usd_per_s if resolution in (None, key) else old for key, old in self.usd_per_s.items()}
        return replace(self, usd_per_s=prices)

    def size(self, resolution: str | None, ratio: str | None, image: Size | None) -> Size:
        """The clip's (width, height) in pixels, always even; an open ratio or resolution follows the image."""
        wide = self.pixels.get(resolution or "")
        if wide:
            upright = ratio == "9:16"
            return (wide[1], wide[0]) if upright else wide
        return fitted(short_side(resolution), ratio, image)


def short_side(resolution: str | None) -> int:
    """The short side in pixels that a resolution's name promises; 720 if it names none."""
    name = (resolution or "720p").lower()
    return _SHORT_SIDE.get(name) or int(name.rstrip("p"))


def fitted(short: int, ratio: str | None, image: Size | None) -> Size:
    """The even (width, height) with this short side, in this `W:H` or else in the image's own proportions."""
    across, down = map(int, ratio.split(":")) if ratio and ":" in ratio else image or (16, 9)
    scale = short / min(across, down)
    return _even(across * scale), _even(down * scale)


@functools.lru_cache
def load_models(name: str) -> Mapping[str, Model]:
    """The models of one data file (`aiml_models.json`, `onerouter_models.json`) by id; read once per process."""
    text = resources.files("dailies.sandbox").joinpath("data", name).read_text("utf-8")
    return {model_id: model_of(model_id, data) for model_id, data in json.loads(text).items()}


def model_of(model_id: str, data: Mapping[str, Any]) -> Model:
    """One entry of a data file as a model."""
    required = set(data["required"])
    fields: dict[str, Any] = {
        name: (_annotation(spec), ... if name in required else spec.get("default"))
        for name, spec in data["fields"].items()
    }
    return Model(
        id=model_id,
        seconds=data["seconds"],
        usd_per_s={key: Decimal(usd) for key, usd in data["usd_per_s"].items()},
        fields=data["fields"],
        schema=create_model("Request", __config__=ConfigDict(extra="forbid", strict=True), **fields),
        pixels={key: (wide, high) for key, (wide, high) in data.get("pixels", {}).items()},
        queued=data.get("queued", False),
    )


def _annotation(spec: Mapping[str, Any]) -> Any:
    if "enum" in spec:
        return Literal[tuple(spec["enum"])]
    limits = {_LIMITS[key]: value for key, value in spec.items() if key in _LIMITS}
    if spec.get("format") == "uri":
        limits["pattern"] = "^(https?://|data:)"
    return Annotated[_TYPES[spec.get("type")], Field(**limits)]


def _even(pixels: float) -> int:
    return max(2, round(pixels / 2) * 2)
