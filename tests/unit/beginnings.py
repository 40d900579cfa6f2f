"""What the beginning of a run is tried with: a sheet of two rows, and a bench on which nothing stands in its way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dailies.planning.batch import Batch
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.steps.start import (
    plan_batch,
    start_batch,
)
from dailies.storage.abilities import StoreAbilities
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on

MODEL, TALL = "alibaba/wan-2-7-t2v", "openai/sora-2-pro-i2v"
SHEET = f"id,prompt,model,negative_prompt,client\ndawn,a cat smiles,{MODEL},no dogs please,acme\ndusk,a dog,{MODEL},,\n"
PLACE = "s3://clips/smiles"


def ways_open(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    """A bench, for a fixture to hand on, from which every host can be reached and whose store is as S3 is."""

    async def reach(*_: object) -> None:
        """Every way is open."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dailies.steps.reachable.reach", reach)
        for bench in bench_on(sqlite_url, tmp_path, clock):
            bench.stores["clips", "smiles"] = StoreAbilities()
            yield bench


def written(bench: Bench, text: str, name: str = "smiles.csv") -> str:
    """A file in the bench's folder. Returns its path."""
    path = bench.folder / name
    path.write_text(text)
    return str(path)


def asking(bench: Bench, **asked: Any) -> BatchRequest:
    """What a batch of the bench's sheet is asked for."""
    asked.setdefault("prompts", str(bench.folder / "smiles.csv"))
    return BatchRequest(**{"to": PLACE} | asked)


def planned(bench: Bench, on_record: bool = False, **asked: Any) -> Plan:
    """The plan of it."""
    return bench.run(plan_batch, asking(bench, **asked), lambda *_: None, on_record)


def started(bench: Bench, plan: Plan | None = None, **asked: Any) -> Batch:
    """It put on record."""
    request = asking(bench, **asked)
    return bench.run(start_batch, request, plan or bench.run(plan_batch, request))


def picture(path: Path, width: int = 1280, height: int = 720) -> bytes:
    """A black PNG. Returns its bytes."""
    Image.new("RGB", (width, height)).save(path, "PNG")
    return path.read_bytes()
