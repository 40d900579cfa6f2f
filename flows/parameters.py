"""The flows' parameters as types: what the form in the Prefect UI shows, and what the API refuses.

A flow that makes a batch takes a `BatchRequest`, and is called with its fields: deployments, schedules and scripts name
`prompts`, `to`, `budget_usd`, not one nested object, and the form shows one field after the other.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import Field, WithJsonSchema
from pydantic.fields import FieldInfo

from dailies.planning.flat import Flat
from dailies.planning.request import ENGINE, BatchRequest, S3Folder, explained
from flows.choices import as_choice, choices

R = TypeVar("R")
AsyncFunction = Callable[..., Coroutine[Any, Any, R]]

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
ApproveAbove = Annotated[
    Dollars,
    Field(description="Above this quote the run pauses and asks here, in the UI; without a yes nothing is bought."),
]
ShardRows = Annotated[int, Field(ge=1, le=1000, description="Rows in one shard. 200 to 1,000 read well in the UI.")]
ShardsAtOnce = Annotated[
    int,
    Field(
        ge=1,
        le=100,
        description="Shards of this batch that are made at the same time; each gets its part of in_flight.",
    ),
]
DeploymentName = Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", examples=["generate-clips/generate-shard"])]
ShardDeployment = Annotated[
    DeploymentName,
    Field(description="The deployment of generate-clips that makes a shard. Its work pool decides where."),
]
Destination = S3Folder


def takes_request(*without: str) -> Callable[[AsyncFunction[R]], AsyncFunction[R]]:
    """Let a flow's function, whose first parameter is a request, be called with the request's fields except `without`."""

    def flat(function: AsyncFunction[R]) -> AsyncFunction[R]:
        seen = Flat(
            function,
            [parameter for parameter in _fields() if parameter.name not in (*without, *ENGINE)],
            [parameter for parameter in _fields() if parameter.name in ENGINE and parameter.name not in without],
        )

        @functools.wraps(function)
        async def with_request(*args: Any, **kwargs: Any) -> R:
            asked, own = seen.read(args, kwargs)
            return await function(BatchRequest(**asked), **own)

        seen.shape(with_request)
        with_request.__doc__ = _documented(inspect.getdoc(function) or "", seen.signature)
        return with_request

    return flat


def _documented(summary: str, signature: inspect.Signature) -> str:
    """A docstring in which Prefect finds what each parameter means: it takes the form's words from nowhere else."""
    words = {
        name: about.description
        for name, parameter in signature.parameters.items()
        for about in parameter.annotation.__metadata__
        if isinstance(about, FieldInfo) and about.description
    }
    return "\n".join([summary, "", "Args:", *(f"    {name}: {text}" for name, text in words.items())])


def _fields() -> Iterator[inspect.Parameter]:
    """The request's fields as parameters, in a person's order."""
    form = BatchRequest.model_json_schema()["properties"]
    for name, hint in get_type_hints(BatchRequest, include_extras=True).items():
        if name not in BatchRequest.model_fields:
            continue
        field = BatchRequest.model_fields[name]
        empty = "" if field.default is None and form[name].get("type") == "string" else field.default
        default = inspect.Parameter.empty if field.is_required() else empty
        about = [Field(description=explained(name), examples=field.examples)]
        listed = [WithJsonSchema(as_choice(choices()[name]))] if name in choices() else []
        yield inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=default,
            annotation=Annotated[hint, *about, *listed],
        )
