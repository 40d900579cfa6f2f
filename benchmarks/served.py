"""The sandbox in a process of its own, as a benchmark needs it: `python -m benchmarks.served [CLIP] [PLACES] -- [options]`.

`CLIP` is a file that is everybody's clip; `PLACES` says how many it makes at once before it refuses, and from which second on
(`20,7@120`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dailies.sandbox import files
from dailies.sandbox.__main__ import main
from dailies.sandbox.api import Api


def serve_clip(clip: Path) -> None:
    """Each clip still ends with a stamp of its own, so that no two are alike."""
    data = clip.read_bytes()
    vars(files)["render"] = lambda _spec, _image: data


def places_at(places: str, seconds: float) -> int:
    """How many at once, so many seconds after the first create."""
    now = 0
    for part in places.split(","):
        number, _, since = part.partition("@")
        now = int(number) if seconds >= float(since or 0) else now
    return now


def limit(places: str) -> None:
    """More than so many at once are refused with a 429, as a provider's own limit is."""
    create: Any = Api.create
    first_at = 0.0

    async def limited(self: Api, request: Any) -> Any:
        nonlocal first_at
        first_at = first_at or time.monotonic()
        world = self.world
        running = sum(not world.ended(generation) for generation in world.generations.values())
        if running >= places_at(places, time.monotonic() - first_at):
            return self.problem(429, "TooManyRequestsError", "Too many generations at once.")
        return await create(self, request)

    Api.create = limited  # type: ignore[method-assign]


def served(arguments: Sequence[str]) -> None:
    """Set up, then the sandbox's own options."""
    split = list(arguments).index("--")
    for word in arguments[:split]:
        if word.endswith(".mp4"):
            serve_clip(Path(word))
        else:
            limit(word)
    main(arguments[split + 1 :])


if __name__ == "__main__":
    served(sys.argv[1:])
