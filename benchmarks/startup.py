"""What `dailies --help` and `dailies check` pay before they begin."""

from __future__ import annotations

import json
import sys
from statistics import median

from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage, dailies
from benchmarks.stage import run as run_program

HEAVY = ("prefect", "boto3", "pandas", "av", "sqlalchemy", "PIL", "jinja2", "uvicorn", "moto")
FROM_SERVER = "the same, settings on a Prefect server"
LOADED = f"""
import json, sys
from dailies.cli import main
main(sys.argv[1:])
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


def run(stage: Stage, full: bool) -> Report:
    """The median of several starts, beside Python alone and Prefect's import."""
    stage.sandbox(0.0)
    times = 9 if full else 3
    prompts = str(stage.csv(1, "one"))
    check, python = ["check", prompts, "--json"], sys.executable
    commands = {
        "Python alone": [python, "-c", "pass"],
        "dailies --help": dailies("--help"),
        "dailies check, 1 row": dailies(*check),
        FROM_SERVER: dailies(*check),
        "prefect --version": [python, "-m", "prefect", "--version"],
        "import prefect": [python, "-c", "import prefect.main"],
        "import pandas, boto3": [python, "-c", "import pandas, boto3"],
    }
    with_server = stage.environ("startup")
    alone = {name: value for name, value in with_server.items() if name not in stage.prefect}
    environs = {name: with_server if name == FROM_SERVER else alone for name in commands}
    walls = {
        name: median(run_program(command, environs[name]).wall_s for _ in range(times))
        for name, command in commands.items()
    }
    asked = {"dailies --help": ["--help"], "dailies check, 1 row": check, FROM_SERVER: check}
    loaded = {name: _loaded(arguments, environs[name]) for name, arguments in asked.items()}
    rows = [[name, wall_s, loaded.get(name, "")] for name, wall_s in walls.items()]
    bars = [Bar("`dailies --help`, s", walls["dailies --help"], 0.5)]
    note = f"The median of {times} starts. *Loaded*: which of {', '.join(HEAVY)} the command had imported at its end."
    chart = Chart("Seconds from start to end of the program", "s", walls)
    return Report("startup", "Start-up", ["", "s", "loaded"], rows, bars, chart, [note])


def _loaded(arguments: list[str], environ: dict[str, str]) -> str:
    said = run_program([sys.executable, "-c", LOADED, *arguments], environ).stdout
    return ", ".join(json.loads(said.splitlines()[-1])) or "none"
