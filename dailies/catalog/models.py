"""The words of the catalog: what a model accepts, what each provider calls it, and what it costs.

Everything here is data read from JSON (see `load.py`); nothing here knows a network, a database or a table of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dailies.catalog.values import one_of
from dailies.domain.clips import IMAGE_LISTS
from dailies.errors import BadInput

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
OptionValue: TypeAlias = bool | int | Decimal | str | tuple[str, ...]
Pixels: TypeAlias = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]

CORE_FIELDS: Mapping[str, str] = {
    "prompt": "prompt",
    "image": "image_url",
    "resolution": "resolution",
    "aspect_ratio": "aspect_ratio",
    "duration": "duration",
}
"""Our words that every model may use, and the field most providers give them."""


Kind: TypeAlias = Literal["image-to-video", "text-to-video"]
FROM_IMAGE: Final[Kind] = "image-to-video"
FROM_TEXT: Final[Kind] = "text-to-video"


class Data(BaseModel):
    """A piece of a catalog file: can't be changed, and an unknown field is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Choice(Data):
    """One of a few words, and the one taken when nothing is asked for."""

    values: tuple[str, ...] = Field(min_length=1)
    default: str

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.default not in self.values:
            raise ValueError(f"the default {self.default!r} is not among the values {', '.join(self.values)}")
        return self


class IntChoice(Data):
    """Whole seconds a clip may last: in a file either `values`, or `min` and `max`; `default` is one of them."""

    values: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=1)
    default: int

    @model_validator(mode="before")
    @classmethod
    def _range(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("min"), int) and isinstance(data.get("max"), int):
            rest = {key: value for key, value in data.items() if key not in ("min", "max")}
            if "values" in rest:
                raise ValueError("give either values, or min and max")
            return {**rest, "values": tuple(range(data["min"], data["max"] + 1))}
        return data

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.default not in self.values:
            raise ValueError(f"the default {self.default} is not among the allowed seconds")
        return self


class Option(Data):
    """An optional request field that a CSV column of the same name may set. `image` is a URL or a data URI; `images` are up
    to `max_items` of them."""

    type: Literal["bool", "int", "number", "string", "image", "images"]
    values: tuple[str, ...] | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    max_length: int | None = Field(default=None, gt=0)
    max_items: int | None = Field(default=None, gt=0)


class ImageRule(Data):
    """What the first frame must be: exact pixels by resolution and aspect ratio, or at least `min_px` on each side."""

    sizes: dict[str, dict[str, Pixels]] | None = None
    min_px: int = Field(default=64, gt=0)
    formats: tuple[Literal["png", "jpeg", "webp"], ...] = ("png", "jpeg", "webp")


class Rate(Data):
    """US dollars for one second or one clip, under the conditions in `when`. `estimated`: not seen at this provider."""

    usd: Decimal = Field(gt=0)
    per: Literal["second", "clip"] = "second"
    when: dict[str, str | int | bool] = {}
    estimated: bool = False


class Price(Data):
    """All rates of one offer, with the day they were read and where they stood. Never a promise: ask the provider."""

    rates: tuple[Rate, ...] = Field(min_length=1)
    as_of: date
    source: str = Field(min_length=1)


class Offer(Data):
    """How one provider sells a model.

    `fields` maps our words to that provider's fields where they differ; a dot descends: `keyframes.frame0.url`.
    A number in it is a place in a list: `content.0.text`; an empty name is never sent. `constants` are always sent. `strings`:
    every option travels as text. `synchronous`: the create's answer is the clip itself, and takes as long. `asynchronous`: it
    goes into the provider's queue, where the provider has both. `price` is None where none was found.

    `sizes`: exact pixels by resolution and aspect ratio, sent as `width` and `height` in place of both words.

    `text` is what a model that takes an image or none is called there without one; None: there it needs one. `reference` is
    what it is called there for a clip of reference images. `options` are those of the model's that the provider names, and
    `only` the values that it takes of `duration`, `resolution` and `aspect_ratio`; all where nothing is said. `without_image`
    are options that may not stand beside a first image there. `source` and `as_of` say where that stands, and of when it is.
    """

    name: str = Field(min_length=1)
    text: str | None = Field(default=None, min_length=1)
    reference: str | None = Field(default=None, min_length=1)
    without_image: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    options: tuple[str, ...] | None = None
    only: dict[Literal["duration", "resolution", "aspect_ratio"], tuple[str | int, ...]] = {}
    sizes: dict[str, dict[str, Pixels]] | None = None
    source: str | None = Field(default=None, min_length=1)
    as_of: date | None = None
    fields: dict[str, str] = {}
    constants: dict[str, str | int | bool] = {}
    strings: bool = False
    takes_data_uri: bool = True
    synchronous: bool = False
    asynchronous: bool = False
    price: Price | None = None

    def called(self, has_image: bool, has_references: bool = False) -> str:
        """What the model is called there, for a clip of an image, of reference images, or of a prompt alone."""
        if has_references and self.reference:
            return self.reference
        return self.name if has_image else self.text or self.name

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.synchronous and self.asynchronous:
            raise ValueError("an offer is synchronous or asynchronous, not both")
        return self


class Model(Data):
    """One video model: what it accepts, how long it takes, and who offers it. `None` means that it has no such field.

    `kinds`: from an image, from text alone, or both. `typical_s` is a documented or estimated generating time; past
    `longest_s` a clip is overdue.
    """

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    maker: str = ""
    family: str = Field(min_length=1)
    kinds: tuple[Kind, ...] = Field(default=(FROM_IMAGE,), min_length=1)
    successors: tuple[str, ...] = ()
    withdrawn_on: date | None = None
    duration: IntChoice | None = None
    resolution: Choice | None = None
    aspect_ratio: Choice | None = None
    prompt_max: int | None = Field(default=None, gt=0)
    image: ImageRule = ImageRule()
    options: dict[str, Option] = {}
    audio: bool | None = None
    typical_s: int = Field(gt=0)
    typical_s_estimated: bool = False
    longest_s: int = Field(ge=600)
    offers: dict[str, Offer] = Field(min_length=1)

    def kinds_at(self, provider: str) -> tuple[Kind, ...]:
        """From what this provider makes its clips. Raises BadInput where it does not offer the model."""
        offer = self.offer_at(provider)
        both = len(self.kinds) > 1
        return tuple(kind for kind in self.kinds if not both or kind == FROM_IMAGE or offer.text)

    def offer_at(self, provider: str) -> Offer:
        """The offer of this provider. Raises BadInput naming who does offer the model."""
        if offer := self.offers.get(provider):
            return offer
        raise BadInput(f"{provider} does not offer {self.id}; {one_of(self.offers)} does", trouble="model-unknown")

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for resolution, by_ratio in (self.image.sizes or {}).items():
            if self.resolution is None or resolution not in self.resolution.values:
                raise ValueError(f"image.sizes names the resolution {resolution!r}, which is not among the values")
            for ratio in by_ratio:
                if self.aspect_ratio is None or ratio not in self.aspect_ratio.values:
                    raise ValueError(f"image.sizes names the aspect ratio {ratio!r}, which is not among the values")
        strange = [name for name, option in self.options.items() if (option.type == "images") != (name in IMAGE_LISTS)]
        if strange:
            raise ValueError(
                f"options.{strange[0]}: a list of images is called {one_of(IMAGE_LISTS)}, and nothing else is"
            )
        for provider, offer in self.offers.items():
            strange = [word for word in offer.fields if word not in CORE_FIELDS and word not in self.options]
            if strange:
                raise ValueError(f"offers.{provider}.fields names {strange[0]!r}, which this model does not have")
            unknown = sorted({*(offer.options or ()), *offer.without_image} - set(self.options))
            if unknown:
                raise ValueError(f"offers.{provider}.options names {unknown[0]!r}, which this model does not have")
            if offer.text and len(self.kinds) < len((FROM_IMAGE, FROM_TEXT)):
                raise ValueError(f"offers.{provider}.text is for a model that takes an image or none")
            for word, values in offer.only.items():
                choice: Choice | IntChoice | None = getattr(self, word)
                beyond = [value for value in values if choice is None or value not in choice.values]
                if beyond or not values:
                    raise ValueError(f"offers.{provider}.only.{word} must be some of the model's own values")
        return self


@dataclass(frozen=True, slots=True)
class ResolvedOptions:
    """Exactly what will be asked for: every value is one the model accepts; None where it has no such field."""

    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one value of a row can't be bought: the column it stands in, the reason, and what would do."""

    column: str
    reason: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class ExpectedVideo:
    """What the finished MP4 should be; None where the documents don't say.

    Either exact pixels, or a size class (`short_side_px`) and an aspect ratio, or neither: a model declares which.
    """

    width: int | None
    height: int | None
    duration_s: int | None
    audio: bool | None
    short_side_px: int | None = None
    aspect_ratio: str | None = None
    fps: int | None = None
