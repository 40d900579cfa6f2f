"""One clip's way is the list of calls that docs/decisions/way.md shows."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

from tests.e2e.forks import ROOT
from tests.e2e.harness import World

PAGE = ROOT / "docs" / "decisions" / "way.md"
CALL = re.compile(r"([\w/]+\.py):([\w.]+)")


@contextmanager
def calls_of(wanted: frozenset[str]) -> Iterator[list[str]]:
    """The calls of these functions while the block runs, here or in a thread that begins meanwhile, in their order."""
    called: list[str] = []
    names: dict[CodeType, str] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code not in names:
            names[code] = f"{code.co_filename.removeprefix(f'{ROOT}/').removeprefix('dailies/')}:{code.co_qualname}"
        if event == "call" and names[code] in wanted:
            called.append(names[code])

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def test_a_clip_goes_the_way_that_is_on_the_page(world: World) -> None:
    """A function that is gone, or comes no more at its place of the way, is missed."""
    written = [":".join(call) for call in CALL.findall(PAGE.read_text(encoding="utf-8"))]
    world.csv(1)
    with calls_of(frozenset(written)) as called:
        assert world.run().code == 0
    rest = iter(called)
    missed = [call for call in written if call not in rest]
    assert len(written) > 40 and missed == []
