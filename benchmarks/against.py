"""What `check` and `run` of delivered rows cost beside another version: `python -m benchmarks.against TREE [ROWS] [ROUNDS]`.

TREE is a checkout of the other version. Both plan the same CSV on ledgers of their own, all of it is put on record as
delivered and lies in one store, a real S3 server (SeaweedFS) that answers as quickly as one does, and then they take turns under
the same interpreter. Prints a table of CPU and wall seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import machine
from benchmarks.rows import IMAGES, on_record
from benchmarks.stage import BUCKET, ROOT, Ran, Stage, dailies, run, stage
from tests.storage.seaweed import Seaweed

ACCOUNT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
COMMANDS: Mapping[str, tuple[str, ...]] = {"check": ("--json",), "run": ("--json", "--yes")}


def main() -> None:
    """Stage both versions, let them take turns, print medians and their ratio."""
    other, numbers = Path(sys.argv[1]).absolute(), [int(text) for text in sys.argv[2:]]
    rows, rounds = (*numbers, *(10_000, 3)[len(numbers) :])
    with stage() as made, Seaweed(Path(tempfile.mkdtemp(dir=made.folder))) as store:
        made.sandbox(0.0)
        made.s3(store.url, *ACCOUNT.values()).create_bucket(Bucket=BUCKET)
        prompts = made.csv(rows, "rows", IMAGES)
        sides = {
            name: environ_of(made, store.url, name, tree, prompts) for name, tree in (("other", other), ("this", ROOT))
        }
        found: dict[tuple[str, str], list[Ran]] = {}
        for number in range(rounds):
            for command, options in COMMANDS.items():
                for name in sides if number % 2 else reversed(sides):
                    ran = run(dailies(command, str(prompts), *options), sides[name], cwd=made.folder)
                    if json.loads(ran.stdout)["already_delivered"] != rows:
                        raise RuntimeError(f"{name}: not all of its rows counted as delivered")
                    found.setdefault((command, name), []).append(ran)
    print(f"{rows:,} delivered rows, {rounds} rounds in turn, {machine()}, load {os.getloadavg()[0]:.0f}")
    print(table(found))


def environ_of(made: Stage, store: str, name: str, tree: Path, prompts: Path) -> dict[str, str]:
    """One version's world: its ledger has planned all rows and has them as delivered, and the store holds them."""
    where = {"DAILIES_TO": f"s3://{BUCKET}/rows", "AWS_ENDPOINT_URL_S3": store, **ACCOUNT}
    environ = made.environ(name, PYTHONPATH=str(tree), **where)
    plan = [sys.executable, "-m", "benchmarks.plan_rows", str(prompts)]
    subprocess.run(plan, env=environ, cwd=tree, check=True, capture_output=True)
    fill(made.s3(store, *ACCOUNT.values()), on_record(made.folder / name / "ledger.db", prompts.stem))
    return environ


def fill(client: Any, places: Sequence[str]) -> None:
    """A byte under each address."""
    names = [place.removeprefix(f"s3://{BUCKET}/") for place in places]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.put_object(Bucket=BUCKET, Key=name, Body=b"x"), names))


def table(found: Mapping[tuple[str, str], list[Ran]]) -> str:
    """Medians of both, and this version's over the other's."""
    lines = [
        "| | this, CPU s | other, CPU s | ratio | this, wall s | other, wall s | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for command in COMMANDS:
        cells = [command]
        for of in (lambda ran: ran.cpu_s, lambda ran: ran.wall_s):
            this, other = (median(map(of, found[command, name])) for name in ("this", "other"))
            cells += [f"{this:.2f}", f"{other:.2f}", f"{this / other:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
