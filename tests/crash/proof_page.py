"""The table of `make proof`, as HTML and JSON: what became of each case, and of which commit that is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from html import escape
from pathlib import Path

LINES = "lines"
COUNTS = ("clips", "delivered", "runs", "charges", "lost", "double", "doubts")


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One cell: `lost` are charges whose clip is neither home nor in doubt, `double` those beyond one for each clip."""

    fault: str
    crash_point: str
    provider: str
    database: str
    clips: int
    delivered: int
    runs: int
    charges: int
    lost: int
    double: int
    doubts: int


def sums(cases: Sequence[Case]) -> dict[str, int]:
    """Every count over all cases. Pure."""
    return {name: sum(getattr(case, name) for case in cases) for name in COUNTS}


def as_json(cases: Sequence[Case], commit: str, at: datetime) -> str:
    """The table for programs. Pure."""
    told = {
        "commit": commit,
        "at": at.isoformat(),
        "sums": sums(cases),
        "cases": [asdict(case) for case in sorted(cases)],
    }
    return json.dumps(told, indent=1) + "\n"


def as_html(cases: Sequence[Case], commit: str, at: datetime) -> str:
    """The table for people: one file, nothing fetched; what must be zero and is not stands out. Pure."""
    names = [field.name for field in fields(Case)]
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    total = sums(cases)
    foot = "".join(f"<td>{total.get(name, '')}</td>" for name in names)
    rows = "\n".join(
        f"<tr>{''.join(_cell(name, getattr(case, name)) for name in names)}</tr>" for case in sorted(cases)
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>dailies: the proof</title>
<style>body {{ font: 15px system-ui; margin: 2em }} table {{ border-collapse: collapse }}
th, td {{ padding: .2em .8em; text-align: left; border-bottom: 1px solid #ddd }} tfoot {{ font-weight: bold }}
.bad {{ background: #c00; color: #fff }}</style>
<h1>{len(cases)} faults and crashes: {total["charges"]} charges, {total["lost"]} lost, {total["double"]} double</h1>
<p>Each line is a batch of clips whose first run meets the fault and is killed at the point, with the process that sends; further
runs go on until nothing is left to do. The charges are the provider's own list. A doubt is shown as money at risk and never
bought again by itself. Commit {escape(commit)}, {at:%Y-%m-%d %H:%M} UTC.</p>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody><tfoot><tr>{foot}</tr></tfoot></table></html>
"""


def _cell(name: str, value: str | int) -> str:
    bad = name in ("lost", "double") and value
    return f"<td{' class=bad' if bad else ''}>{escape(str(value))}</td>"


def _commit() -> str:
    git = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main(folder: Path) -> int:
    """Read the lines that the cases left, and write `index.html` and `proof.json` beside them. 1 where money was lost."""
    lines = folder / LINES
    cases = [Case(**json.loads(file.read_text())) for file in sorted(lines.glob("*.json"))]
    told = (cases, _commit(), datetime.now(UTC))
    (folder / "index.html").write_text(as_html(*told), encoding="utf-8")
    (folder / "proof.json").write_text(as_json(*told), encoding="utf-8")
    shutil.rmtree(lines, ignore_errors=True)
    total = sums(cases)
    print(f"{folder / 'index.html'}: {len(cases)} cases, {total['lost']} lost, {total['double']} double")
    return 1 if not cases or total["lost"] or total["double"] else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "proof")))
