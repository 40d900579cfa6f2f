"""Change the program in one small place at a time and see which changes no test notices: `make mutants`.

`python -m tests.mutants` tries all of them, which takes hours; `--sample 300 --seed 7` as many of each room, chosen by the
seed. What survived and is not excused in `survivors.txt` (a pattern of names and a reason, a line each) is listed, room by room.

`python -m tests.mutants --only dailies/steps/start.py --by tests/unit/test_start_step.py` tries one file's by one file of tests,
in a minute, and shows what the survivors change; without `--by`, by all tests that judge (`pyproject.toml`, `chosen.py`).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from tests.mutants.judge import SURVIVED, UNTESTED, judged

ROOT = Path(__file__).resolve().parents[2]
MUTATED = ROOT / "mutants" / "dailies"
EXCUSED = Path(__file__).with_name("survivors.txt")
MUTMUT = Path(sys.executable).with_name("mutmut")
ANY = "dailies.domain.money.*"


def main(arguments: list[str] | None = None) -> int:
    """Run mutmut, then say per room how many were tried and killed. Returns 1 where one survived without an excuse."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "patterns", nargs="*", default=["*"], help="only mutants whose names match, such as 'dailies.domain.*'"
    )
    parser.add_argument("--sample", type=int, help="so many of each room, or with --only of each file")
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--only", nargs="+", type=Path, default=[], help="only mutants of these files")
    parser.add_argument("--by", nargs="+", default=[], help="with --only: the tests that judge them")
    asked = parser.parse_args(arguments)
    if asked.only:
        few = partial(choose, sample=asked.sample, seed=asked.seed, part=module)
        return told(*judged(asked.only, asked.by, few), module)
    if not any(MUTATED.rglob("*.meta")):
        mutmut(ANY)  # makes all mutants, and finds out which test enters which function
    chosen = choose([name for name in outcomes() if matches(name, asked.patterns)], asked.sample, asked.seed)
    mutmut(*chosen)
    found = outcomes()
    return told({name: found[name] for name in chosen})


def mutmut(*names: str) -> None:
    """Try these mutants; what mutmut prints goes to stderr."""
    subprocess.run([MUTMUT, "run", *names], cwd=ROOT, check=True, stdout=sys.stderr)


def outcomes() -> dict[str, int | None]:
    """Each mutant by its name, with mutmut's exit code; None for one that was not tried."""
    found: dict[str, int | None] = {}
    for path in sorted(MUTATED.rglob("*.meta")):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of these patterns covers a name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def room(name: str) -> str:
    """The package of a mutant."""
    return name.split(".")[1]


def module(name: str) -> str:
    """The module of a mutant."""
    return name.rpartition(".x")[0]


def choose(names: list[str], sample: int | None, seed: int, part: Callable[[str], str] = room) -> list[str]:
    """All of them, or as many of each part by this seed."""
    if sample is None:
        return names
    dice = random.Random(seed)
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(part(name), []).append(name)
    return [name for of_one in parts.values() for name in dice.sample(of_one, min(sample, len(of_one)))]


def excuses() -> dict[str, str]:
    """The reason for each pattern of survivors that stay."""
    lines = [line.partition("  ") for line in EXCUSED.read_text(encoding="utf-8").splitlines()]
    return {pattern: reason.strip() for pattern, _, reason in lines if pattern and not pattern.startswith("#")}


def told(
    found: Mapping[str, int | None], change: Callable[[str], str] | None = None, part: Callable[[str], str] = room
) -> int:
    """Print the figures of each part and the names of those that survived without an excuse. Returns the exit code."""
    excused = excuses()
    alive = sorted(name for name, code in found.items() if code in (SURVIVED, UNTESTED))
    left = [name for name in alive if not matches(name, excused)]
    for one in sorted({part(name) for name in found}):
        tried = [name for name in found if part(name) == one]
        untested = sum(found[name] == UNTESTED for name in tried)
        survived = sum(part(name) == one for name in alive)
        killed = len(tried) - survived
        print(f"{one:9} tried {len(tried):6}  killed {killed:6} ({killed / len(tried):.0%})  "
              f"survived {survived - untested:6}  entered by no test {untested:6}")  # fmt: skip
    print(f"{len(alive) - len(left)} survivors are excused in {EXCUSED.name}; without an excuse: {len(left)}")
    for name in left:
        print(name, *([change(name)] if change else []), sep="\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
