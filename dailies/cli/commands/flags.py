"""Options that many commands take."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

JsonFlag = Annotated[bool, Parameter(help="Print one JSON object on stdout; logs go to stderr.")]
YesFlag = Annotated[bool, Parameter(help="Do not ask before spending.")]
