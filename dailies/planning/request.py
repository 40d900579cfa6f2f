"""What one batch may be asked for, said once.

From `BatchRequest` come the options of `dailies run` and `check` with their help, the form in the Prefect UI, what the
API refuses, a shard's parameters, and the table in docs/batch.md. To add an option, add a field, and use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from dailies.domain.clips import slug
from dailies.domain.commands import command
from dailies.domain.takes import MOST_TAKES
from dailies.registry import default_provider, provider_names

S3_FOLDER = r"^\s*(s3://[^/]+(/.*)?)?$"
ROWS = r"^\s*([1-9]\d{0,8}\s*(-\s*[1-9]\d{0,8}\s*)?)?$"
FINGERPRINT = r"^[0-9a-f]{12}$"
NOTED = " · "
"""What follows it in a name that was chosen from a form's list is its price."""


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _without_note(value: Any) -> Any:
    return _none_if_empty(value.split(NOTED)[0] if isinstance(value, str) else value)


def _without_sign(value: Any) -> Any:
    return value.strip().removeprefix("$") or None if isinstance(value, str) else value


def shown(kind: str, **about: Any) -> WithJsonSchema:
    """How a field looks in a form: one plain field that may be left empty, not a choice between a type and nothing."""
    return WithJsonSchema({"type": kind, **about})


EMPTY_IS_NONE = BeforeValidator(_none_if_empty)
Fit = Literal["strict", "crop", "pad"]
Text = Annotated[str | None, EMPTY_IS_NONE, shown("string")]
Listed = Annotated[str | None, BeforeValidator(_without_note), shown("string")]
S3Folder = Annotated[Annotated[str, Field(pattern=S3_FOLDER)] | None, EMPTY_IS_NONE, shown("string", pattern=S3_FOLDER)]
BatchName = Annotated[Annotated[str, Field(max_length=200)] | None, EMPTY_IS_NONE, shown("string", maxLength=200)]
RowNumbers = Annotated[Annotated[str, Field(pattern=ROWS)] | None, EMPTY_IS_NONE, shown("string", pattern=ROWS)]
Fingerprint = Annotated[
    Annotated[str, Field(pattern=FINGERPRINT)] | None, EMPTY_IS_NONE, shown("string", pattern="^([0-9a-f]{12})?$")
]
Only = Annotated[Literal["retake"] | None, EMPTY_IS_NONE, shown("string", enum=["", "retake"])]
Dollars = Annotated[
    Annotated[Decimal, Field(ge=0, allow_inf_nan=False), shown("number", minimum=0)] | None,
    BeforeValidator(_without_sign),
]


class BatchRequest(BaseModel):
    """One batch to make. None means: not said here, so the CSV, the settings or the model decide."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: Annotated[str, Field(min_length=1)] = Field(
        description="The CSV: a path, or an s3:// address. A worker needs one that it has.",
        examples=["s3://studio/prompts/monday.csv", "data/prompts.csv"],
    )
    to: S3Folder = Field(
        None, description="Where the clips go. Default: the setting DAILIES_TO.", examples=["s3://studio/clips"]
    )
    batch: BatchName = Field(
        None,
        description="The batch's name, used in S3 keys and reports. Default: the file's name without its ending.",
        examples=["monday"],
    )
    provider: Listed = Field(
        None,
        description="For rows that name none; several are asked in their order, and cheapest is whoever asks least for the row. "
        f"Default: the setting DAILIES_PROVIDER, else {default_provider()}.",
        examples=[provider_names()[0], ",".join(provider_names()[:2])],
    )
    model: Listed = Field(
        None,
        description="For rows that name none. Default: the setting DAILIES_MODEL, else openai/sora-2-pro-i2v.",
        examples=["google/veo-3.1-i2v-fast", "alibaba/wan-2-7-i2v"],
    )
    resolution: Text = Field(
        None,
        description="For rows that name none. Default: what the image fits, or the model's own.",
        examples=["720p", "1024p", "1280x720"],
    )
    aspect_ratio: Text = Field(
        None,
        description="For rows that name none. Default: what the image fits, or the model's own.",
        examples=["16:9", "9:16", "1:1"],
    )
    duration: Annotated[int, Field(ge=1, le=600)] | None = Field(
        None, description="Seconds, for rows that name none. Default: the model's own.", examples=[4, 8, 12]
    )
    take: Text = Field(
        None, description="A label that makes another clip of the same row, bought on purpose.", examples=["b"]
    )
    takes: Annotated[int, Field(ge=1, le=MOST_TAKES)] | None = Field(
        None,
        description="How many takes each row is to have in all, for rows that don't say. Default: 1.",
        examples=[3],
    )
    stop_when_kept: bool = Field(False, description="Make no further takes of rows that have a keeper.")
    draft: bool = Field(
        False, description="Make each row at the cheapest setting that its model has, to look at it first."
    )
    final: bool = Field(False, description="Make in full those rows of which a draft is kept, and no others.")
    matrix: tuple[str, ...] = Field(
        (),
        description="Make every row with each combination of these values: a column with its values, or a file whose lines are "
        "combinations.",
        examples=["seed=1,2,3", "looks.csv"],
    )
    budget_usd: Dollars = Field(
        None,
        description="Hard cap for this batch in US dollars. Refused before the first cent when it does not fit.",
        examples=[100.0],
    )
    in_flight: Annotated[int, Field(ge=1, le=5000)] | None = Field(
        None,
        description="Generations at once, per provider, over all workers. Default: the setting DAILIES_IN_FLIGHT (20).",
        examples=[20],
    )
    fit: Fit = Field("strict", description="An image of the wrong size: refuse it, crop it or pad it.")
    allow_unpriced: bool = Field(False, description="Buy clips whose price is not known.")
    require_live: bool = Field(
        False, description="Refuse when a provider can't be asked whether it serves the models and what they cost now."
    )
    report_dir: Text = Field(
        None,
        description="Folder for the report, on the machine that makes the batch. Default: in DAILIES_HOME.",
        examples=["/srv/dailies/reports"],
    )
    keep_local: Text = Field(
        None,
        description="Folder in which a copy of each clip is kept, on the machine that makes the batch.",
        examples=["/srv/dailies/clips"],
    )
    ids: Text = Field(
        None, description="Only the rows with these ids. Default: all.", examples=["sunrise-03,harbour-01"]
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Only the first so many rows: a few of ten thousand, to look at first.", examples=[3]
    )
    only: Only = Field(None, description="Only the next takes of what was sent back: retake.", examples=["retake"])
    rows: RowNumbers = Field(
        None,
        description="Only the rows with these numbers; the others of the batch stay as they are. Filled in by generate-large.",
        examples=["1-500"],
    )
    fingerprint: Fingerprint = Field(
        None, description="What these rows must still be. Filled in by generate-large: leave it empty."
    )

    @property
    def batch_name(self) -> str:
        """The batch's name: as given, else the file's stem."""
        return self.batch or default_batch(self.prompts)

    @property
    def partial(self) -> bool:
        """Whether only some rows of the CSV are made; the others of the batch stay as they are."""
        return self.final or any(getattr(self, name) is not None for name in WHICH_ROWS if name != "fingerprint")

    @property
    def title(self) -> str:
        """What a run of it is called: the batch, and the rows where it makes only a part."""
        parts = (
            f"rows {self.rows}" if self.rows else "",
            f"rows {self.ids}" if self.ids else "",
            f"first {self.limit}" if self.limit else "",
            "drafts" if self.draft else "finals" if self.final else "",
            "retakes" if self.only else "",
        )
        return " · ".join([self.batch_name, *filter(None, parts)])

    def but(self, **fields: Any) -> Self:
        """The same request with some other fields, which are right already."""
        return self.model_copy(update=fields)

    def said(self) -> dict[str, Any]:
        """What differs from saying nothing, by field."""
        return {name: value for name, value in self if value not in (None, False, ())}

    def parameters(self) -> dict[str, Any]:
        """The parameters of a flow that ask for the same, as values that JSON knows."""
        return {name: float(value) if isinstance(value, Decimal) else value for name, value in self.said().items()}

    def asked(self) -> dict[str, Any]:
        """What is asked of the whole batch, for the record: a part of it is asked for in the same way."""
        places: dict[str, Any] = {
            name: _absolute(value) for name in ("prompts", *FOLDERS) if (value := getattr(self, name))
        }
        places["matrix"] = tuple(_absolute(text) if is_file(text) else text for text in self.matrix)
        whole = self.but(**dict.fromkeys(WHICH_ROWS), **places)
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in whole.said().items()}

    @classmethod
    def from_asked(cls, asked: Mapping[str, Any]) -> Self:
        """The request that `asked` tells of; what a later version wrote and this one does not know is left out."""
        return cls.model_validate({name: value for name, value in asked.items() if name in cls.model_fields})

    def as_command(self, verb: str = "run") -> str:
        """The command line that asks for the same, to be typed as it stands."""
        said = {OPTIONS[name]: value for name, value in self.said().items() if name in OPTIONS}
        if self.fit == "strict":
            said.pop(OPTIONS["fit"])
        words = [part for option, value in said.items() for part in _words(option, value)]
        return command(verb, self.prompts, *words)


WHICH_ROWS = ("ids", "limit", "only", "rows", "fingerprint")
"""Fields that choose rows of the CSV; the rest is asked of the whole batch."""
FOLDERS = ("report_dir", "keep_local")
"""Fields that mean something only on the machine that makes the clips."""
ENGINE = ("rows", "fingerprint")
"""Fields that a dispatch fills in, not a person."""
SHEETS = (".csv", ".tsv", ".xlsx")
OTHER_NAMES = {"budget_usd": "budget", "ids": "rows"}
"""Options that are not called like their field."""
OPTIONS = {
    name: "--" + OTHER_NAMES.get(name, name).replace("_", "-")
    for name in BatchRequest.model_fields
    if name != "prompts" and name not in ENGINE
}
"""The options of the command line, by field."""


def kind_of(name: str) -> Any:
    """What a person types for a field: `bool`, `int`, `str`, or the words that there are; a list where it is said again."""
    hint = _hints()[name]
    if get_origin(hint) is tuple:
        return list[str]
    return next((kind for kind in (hint, *get_args(hint)) if kind in (bool, int, Fit)), str)


@cache
def _hints() -> Mapping[str, Any]:
    return get_type_hints(BatchRequest)


def explained(name: str) -> str:
    """A field in words, with examples of what is text."""
    field = BatchRequest.model_fields[name]
    examples = " or ".join(example for example in (field.examples or ())[:2] if isinstance(example, str))
    return f"{field.description}{f' Such as {examples}.' if examples else ''}"


def request_table() -> str:
    """The documents' table of all that a batch may be asked for."""
    lines = ["| option | parameter | |", "|---|---|---|"]
    for name in BatchRequest.model_fields:
        option = "PROMPTS.csv" if name == "prompts" else OPTIONS.get(name)
        lines.append(f"| {f'`{option}`' if option else '–'} | `{name}` | {explained(name)} |")
    return "\n".join(lines)


def _words(option: str, value: object) -> tuple[str, ...]:
    """An option as it is typed, once for each of several values; a value that looks like an option is tied to it."""
    if isinstance(value, tuple):
        return tuple(word for one in value for word in _words(option, one))
    text = str(value)
    return (option,) if value is True else (f"{option}={text}",) if text.startswith("-") else (option, text)


def default_batch(source: str) -> str:
    """The batch's name where none is given: the file's stem."""
    return slug(Path(source.rstrip("/").rsplit("/", 1)[-1]).stem, "batch")


def is_file(text: str) -> bool:
    """Whether one matrix is the name of a file: it has no `=`, or it ends as sheets do."""
    return bool(text.strip()) and ("=" not in text or text.lower().endswith(SHEETS))


def _absolute(path: str) -> str:
    """A path that means the same wherever one stands."""
    return path if "://" in path else str(Path(path).expanduser().absolute())
