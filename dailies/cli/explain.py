"""`dailies explain`: a kind of trouble in a few lines, or all of them in a table."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from typing import get_args

from dailies.cli.screen import tell
from dailies.domain.commands import command
from dailies.domain.troubles import KINDS, Kind
from dailies.errors import BadInput, Trouble


def run_explain(code: str | None, as_json: bool) -> int:
    """Print what a code means, cost and leads to; without one, what codes there are. Raises BadInput for an unknown one."""
    if code is None:
        _print_all(as_json)
        return 0
    found = known(code)
    kind = KINDS[found]
    if as_json:
        print(json.dumps(_entry(found, kind), ensure_ascii=False))
        return 0
    tell(f"{found}: {kind.means}")
    tell(f"Cost: {kind.cost}")
    tell(f"To do: {kind.cure}")
    for line in kind.commands:
        print(f"  {line}")
    return 0


def known(code: str) -> Trouble:
    """The code that is meant, underscores and capitals aside. Raises BadInput with the nearest ones."""
    wanted = code.strip().lower().replace("_", "-").strip("[]")
    codes = get_args(Trouble)
    if wanted in codes:
        found: Trouble = codes[codes.index(wanted)]
        return found
    near = difflib.get_close_matches(wanted, codes, n=3, cutoff=0.5)
    nearest = f" Did you mean {' or '.join(near)}?" if near else ""
    raise BadInput(f"{code}: there is no such code.{nearest} All of them: {command('explain')}")


def _print_all(as_json: bool) -> None:
    if as_json:
        print(json.dumps([_entry(code, kind) for code, kind in KINDS.items()], ensure_ascii=False))
        return
    width = max(map(len, KINDS))
    for code, kind in KINDS.items():
        tell(f"{code:<{width}}  {kind.means}")


def _entry(code: Trouble, kind: Kind) -> dict[str, object]:
    return {"code": code, **asdict(kind)}
