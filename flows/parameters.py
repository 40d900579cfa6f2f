"""The flows' parameters as types: what the form in the Prefect UI shows, and what the API refuses.

An optional text is shown as one plain field that may be left empty, not as a choice between a type and nothing.
"""

from __future__ import annotations

from itertools import permutations
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from dailies.registry import provider_names

MODELS = ["openai/sora-2-pro-i2v", "openai/sora-2-i2v"]
PROVIDERS = ["", *provider_names(), *(",".join(pair) for pair in permutations(provider_names()[:2]))]
S3_FOLDER = r"^\s*(s3://[^/]+(/.*)?)?$"
ROWS = r"^\s*([1-9]\d{0,8}\s*(-\s*[1-9]\d{0,8}\s*)?)?$"


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


EMPTY_IS_NONE = BeforeValidator(_none_if_empty)


def _shown(kind: str, **about: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **about})


Prompts = Annotated[str, Field(min_length=1, examples=["s3://studio/prompts/monday.csv", "data/prompts.csv"])]
Destination = Annotated[
    Annotated[str, Field(pattern=S3_FOLDER)] | None,
    EMPTY_IS_NONE,
    _shown("string", pattern=S3_FOLDER, examples=["s3://studio/clips"]),
]
BatchName = Annotated[
    Annotated[str, Field(max_length=200)] | None, EMPTY_IS_NONE, _shown("string", maxLength=200, examples=["monday"])
]
Provider = Annotated[str | None, EMPTY_IS_NONE, _shown("string", enum=PROVIDERS)]
Model = Annotated[str | None, EMPTY_IS_NONE, _shown("string", examples=MODELS)]
Resolution = Annotated[str | None, EMPTY_IS_NONE, _shown("string", examples=["720p", "1024p", "1280x720"])]
AspectRatio = Annotated[str | None, EMPTY_IS_NONE, _shown("string", examples=["16:9", "9:16", "1:1"])]
Seconds = Annotated[int, Field(ge=1, le=600, examples=[4, 8, 12])] | None
Take = Annotated[str | None, EMPTY_IS_NONE, _shown("string", examples=["b"])]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False, examples=[100.0])] | None
InFlight = Annotated[int, Field(ge=1, le=5000, examples=[20])] | None
Fit = Literal["strict", "crop", "pad"]
Folder = Annotated[str | None, EMPTY_IS_NONE, _shown("string", examples=["/srv/dailies/reports"])]
Rows = Annotated[
    Annotated[str, Field(pattern=ROWS)] | None, EMPTY_IS_NONE, _shown("string", pattern=ROWS, examples=["1-500"])
]
Ids = Annotated[str | None, EMPTY_IS_NONE, _shown("string", examples=["sunrise-03,harbour-01"])]
Limit = Annotated[int, Field(ge=1, examples=[3])] | None
Fingerprint = Annotated[
    Annotated[str, Field(pattern="^[0-9a-f]{12}$")] | None, EMPTY_IS_NONE, _shown("string", pattern="^([0-9a-f]{12})?$")
]
ShardRows = Annotated[int, Field(ge=1, le=1000)]
ShardsAtOnce = Annotated[int, Field(ge=1, le=100)]
DeploymentName = Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", examples=["generate-clips/generate-shard"])]
InboxFolder = Annotated[
    Annotated[str, Field(pattern=S3_FOLDER)] | None,
    EMPTY_IS_NONE,
    _shown("string", pattern=S3_FOLDER, examples=["s3://studio/inbox"]),
]
