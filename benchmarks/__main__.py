"""`python -m benchmarks [names] [--small] [--docs]`: run benchmarks, print what they found, write JSON and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks import (
    budget,
    cost,
    delivery,
    flow,
    footprint,
    killed,
    limits,
    lost_answer,
    makespan,
    pictures,
    polling,
    rows,
    scale,
    shares,
    startup,
    waiting,
    workers,
)
from benchmarks.report import Report, into_docs, publish
from benchmarks.stage import Stage, stage

ON_STAGE: dict[str, Callable[[Stage, bool], Report]] = {
    "makespan": makespan.run,
    "waiting": waiting.run,
    "delivery": delivery.run,
    "rows": rows.run,
    "scale": scale.run,
    "flow": flow.run,
    "cost": cost.run,
    "shares": shares.run,
    "budget": budget.run,
    "limits": limits.run,
    "killed": killed.run,
    "pictures": pictures.run,
    "footprint": footprint.run,
    "startup": startup.run,
}
ALONE: dict[str, Callable[[bool], Report]] = {"polling": polling.run, "workers": workers.run}
NAMES = (*ALONE, *ON_STAGE, "lost_answer")


def main() -> None:
    """Run what is named, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--small", action="store_true", help="in a minute or two, for a look")
    parser.add_argument("--docs", action="store_true", help="put the outcome into docs/performance.md")
    given = parser.parse_args()
    names = given.names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    size = "small" if given.small else "full"

    def done(report: Report) -> None:
        publish(report, size)
        if given.docs:
            into_docs(report, size)

    for name in (name for name in names if name in ALONE):
        done(ALONE[name](not given.small))
    if on_stage := [name for name in names if name in ON_STAGE]:
        with stage() as made:
            for name in on_stage:
                done(ON_STAGE[name](made, not given.small))
    if "lost_answer" in names:
        lost_answer.main(())


if __name__ == "__main__":
    main()
