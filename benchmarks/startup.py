"""What `dailies --help` and `dailies check` pay before they begin."""

from __future__ import annotations

import json
import sys
from statistics import median

from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage, dailies
from benchmarks.stage import run as run_program

HEAVY = ("prefect", "boto3", "pandas", "av", "sqlalchemy", "PIL", "jinja2", "uvicorn", "moto")
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
    python = sys.executable
    commands = {
        "Python alone": [python, "-c", "pass"],
        "dailies --help": dailies("--help"),
        "dailies check, 1 row": dailies("check", prompts, "--json"),
        "prefect --version": [python, "-m", "prefect", "--version"],
        "import prefect": [python, "-c", "import prefect.main"],
        "import pandas, boto3": [python, "-c", "import pandas, boto3"],
    }
    environ = stage.environ("startup")
    walls = {
        name: median(run_program(command, environ).wall_s for _ in range(times)) for name, command in commands.items()
    }
    asked = {"dailies --help": ["--help"], "dailies check, 1 row": ["check", prompts, "--json"]}
    loaded = {
        name: ", ".join(json.loads(run_program([python, "-c", LOADED, *arguments], environ).stdout.splitlines()[-1]))
        or "none"
        for name, arguments in asked.items()
    }
    rows = [[name, wall_s, loaded.get(name, "")] for name, wall_s in walls.items()]
    bars = [Bar("`dailies --help`, s", walls["dailies --help"], 0.5)]
    note = f"The median of {times} starts. *Loaded*: which of {', '.join(HEAVY)} the command had imported at its end."
    chart = Chart("Seconds from start to end of the program", "s", walls)
    return Report("startup", "Start-up", ["", "s", "loaded"], rows, bars, chart, [note])
