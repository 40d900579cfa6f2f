"""What a clip makes Prefect and the ledger do: requests, messages, statements, commits, waits for the disk; on two Prefects, and the
engine alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmarks import clips, probed
from benchmarks.probed import Seen
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import ROOT, Stage
from benchmarks.stage import stage as open_stage

OTHER = os.environ.get("DAILIES_BENCH_PREFECT", "")
"""An interpreter whose Prefect is another one (3.9 beside 3.8), with what else the project needs."""


def run(stage: Stage, full: bool) -> Report:
    """So many clips and one, with a provider that takes no time; everything is counted at the server and in the ledger."""
    count = 100 if full else 30
    found = measured(stage, count)
    if shutil.which(OTHER):
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [OTHER, "-m", "benchmarks.shares", str(count)]
        other = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
        found |= {name: _seen(seen) for name, seen in json.loads(other.stdout).items()}
    return _report(found, count)


def _seen(told: dict[str, Any]) -> Seen:
    counted = {what: Counter(how) for what, how in told.items() if what not in ("held", "peak_mb")}
    return Seen(**counted, held=told["held"])  # type: ignore[arg-type]


def measured(stage: Stage, count: int) -> dict[str, Seen]:
    """Ours and the engine alone, on the Prefect that is installed here."""
    stage.sandbox(0.0, 7, str(clips.small(stage.folder / "shares.mp4")))
    idle, said = stage.idle_share(), version("prefect")
    return {
        f"dailies, Prefect {said}": probed.per_clip(count, probed.ours(stage, "shares", idle)),
        f"Prefect {said} alone": probed.per_clip(count, probed.engine(stage, "engine", idle)),
    }


def _report(found: dict[str, Seen], count: int) -> Report:
    rows = [
        [name, _http(seen), _messages(seen), seen.cpu_ms["server"], _own_ms(seen), *_ledger(seen)]
        for name, seen in found.items()
    ]
    ours = next(seen for name, seen in found.items() if name.startswith("dailies"))
    asked = [f"{number:.2f} × `{what}`" for what, number in ours.requests.most_common(6) if number >= 0.02]
    done = [f"{number:.1f} × `{what}`" for what, number in ours.statements.most_common(8)]
    begun = [f"{number:.1f} × `{what}`" for what, number in ours.begun.most_common(10) if number >= 0.05]
    synced = [f"{number:.1f} × `{what}`" for what, number in ours.syncs.most_common(4) if number >= 0.02]
    notes = [
        f"Of a run of {count} clips less a run of one, over {count - 1}; three task runs a clip. *Alone* is an empty async flow "
        "with the same task runs, in the same run. Client and server carry the probe, which costs CPU of its own.",
        f"A clip of ours asks Prefect's server for {', '.join(asked) or 'nothing'}. Of the ledger: {', '.join(done)}; "
        f"its transactions by who begins them: {', '.join(begun)}. "
        f"Waits for the disk: {', '.join(synced) or 'not counted here, for want of strace'}.",
    ]
    bars = [Bar("requests to Prefect's server per clip, in a run without trouble", _http(ours), 1)]
    columns = [
        "", "requests a clip", "messages a clip", "server's CPU, ms", "program's CPU, ms", "statements", "commits", "fsyncs",
    ]  # fmt: skip
    chart = Chart(
        "Events and logs sent to Prefect's server, a clip", "", {n: _messages(seen) for n, seen in found.items()}
    )
    return Report("shares", "What a clip makes Prefect and the ledger do", columns, rows, bars, chart, notes)


def _http(seen: Seen) -> float:
    return float(sum(number for what, number in seen.requests.items() if not what.startswith("message")))


def _messages(seen: Seen) -> float:
    return float(sum(number for what, number in seen.requests.items() if what.startswith("message")))


def _own_ms(seen: Seen) -> float:
    return float(sum(ms for what, ms in seen.cpu_ms.items() if what not in ("server", "sender", "this measurement")))


def _ledger(seen: Seen) -> list[float]:
    commits = seen.statements["COMMIT"]
    turns = commits + seen.statements["BEGIN"] + seen.statements["ROLLBACK"]
    return [float(sum(seen.statements.values()) - turns), float(commits), float(sum(seen.syncs.values()))]


if __name__ == "__main__":
    with open_stage() as made:
        print(json.dumps({name: asdict(seen) for name, seen in measured(made, int(sys.argv[1])).items()}))
