"""The options of `dailies run` and `dailies check`, from what a batch may be asked for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import ValidationError

from dailies.errors import BadInput
from dailies.planning.flat import Flat
from dailies.planning.request import OPTIONS, BatchRequest, explained, kind_of

Command = Callable[..., int]


def takes_request(*without: str, without_csv: Callable[..., int] | None = None) -> Callable[[Command], Command]:
    """Let a command whose first parameter is a request take the CSV and an option for each field except `without`.

    `without_csv` is called instead, with what was asked and the command's own options, where no CSV is named.
    """

    def flat(command: Command) -> Command:
        fields = [parameter for parameter in _fields() if parameter.name not in without]
        seen = Flat(command, [_optional(fields[0]), *fields[1:]] if without_csv else fields)

        @functools.wraps(command)
        def with_request(*args: Any, **kwargs: Any) -> int:
            asked, own = seen.read(args, kwargs)
            if without_csv and asked.get("prompts") is None:
                return without_csv(asked, **own)
            return command(request_of(asked), **own)

        seen.shape(with_request)
        return with_request

    return flat


def request_of(asked: Mapping[str, Any]) -> BatchRequest:
    """The request that options ask for. Raises BadInput naming each option that can't be."""
    if (
        asked.get("ids") is not None and not asked["ids"].strip()
    ):  # `--rows "$IDS"` of an empty variable must not buy all
        raise BadInput(f"{OPTIONS['ids']} names no row; leave it out for all of them. Nothing was bought.")
    try:
        return BatchRequest.model_validate({name: value for name, value in asked.items() if value is not None})
    except ValidationError as error:
        raise BadInput("\n".join(_explain(detail) for detail in error.errors())) from None


def _explain(detail: Any) -> str:
    field = str(detail["loc"][0])
    return f"{OPTIONS.get(field, 'PROMPTS.csv')} {detail['input']}: {detail['msg']}. Nothing was bought."


def _optional(prompts: inspect.Parameter) -> inspect.Parameter:
    about = Annotated[str | None, Parameter(help=explained("prompts"))]
    return prompts.replace(default=None, annotation=about)


def _fields() -> Iterator[inspect.Parameter]:
    yield inspect.Parameter(
        "prompts", inspect.Parameter.POSITIONAL_ONLY, annotation=Annotated[str, Parameter(help=explained("prompts"))]
    )
    for name, option in OPTIONS.items():
        field, kind = BatchRequest.model_fields[name], kind_of(name)
        hint = kind | None if field.default is None else kind
        about = Parameter(name=option, help=explained(name))
        yield inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[hint, about]
        )
