"""A function of one request, called with the request's fields: what Prefect's form and the command line need.

Both read a function's signature. So the signature is made from the model, and nobody writes the fields down again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any


class Flat:
    """A function whose first parameter is a request, as one whose first parameters are the request's fields.

    `last` are fields that come after the function's own parameters, because they are seldom given.
    """

    def __init__(
        self, function: Callable[..., Any], fields: Iterable[inspect.Parameter], last: Iterable[inspect.Parameter] = ()
    ) -> None:
        found = inspect.signature(function, eval_str=True)
        own = list(found.parameters.values())[1:]
        self.signature = found.replace(parameters=[*fields, *own, *last])
        self._own = frozenset(parameter.name for parameter in own)

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a call says of the request, and what of the function's own parameters."""
        given = self.signature.bind(*args, **kwargs).arguments
        own = {name: given[name] for name in self._own & given.keys()}
        return {name: value for name, value in given.items() if name not in own}, own

    def shape(self, wrapper: Callable[..., Any]) -> None:
        """Let everybody who inspects `wrapper` see the flat parameters."""
        hints = {name: parameter.annotation for name, parameter in self.signature.parameters.items()}
        vars(wrapper)["__signature__"] = self.signature
        wrapper.__annotations__ = {**hints, "return": self.signature.return_annotation}
