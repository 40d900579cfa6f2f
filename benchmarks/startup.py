"""What `dailies --help`, `dailies check` and `dailies run` pay before they begin."""

from __future__ import annotations

import json
import sys
from statistics import median

from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage, dailies
from benchmarks.stage import run as run_program

HEAVY = ("prefect", "boto3", "pandas", "av", "sqlalchemy", "PIL", "jinja2", "uvicorn", "moto")
CHECK, ASKING = "dailies check, 1 row", "the same, its store asked"
FROM_SERVER = "the same, settings on a Prefect server"
RUN, SERVER = "dailies run, 1 delivered row", "Prefect's server, up and down"
IMPORTS = "import pandas, httpx, boto3"
UP_AND_DOWN = """
import socket, subprocess, sys, time, urllib.request
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = subprocess.Popen([sys.executable, "-m", "prefect", "server", "start", "--port", str(port)], stdout=-3, stderr=-3)
while True:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5)
        break
    except OSError:
        time.sleep(0.05)
server.terminate()
server.wait()
"""
LOADED = f"""
import json, sys
from dailies.cli import main
main(sys.argv[1:])
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


def run(stage: Stage, full: bool) -> Report:
    """The median of several starts, beside Python alone, what is imported, and Prefect's server."""
    stage.sandbox(0.0)
    times = 9 if full else 3
    prompts = str(stage.csv(1, "one"))
    check, python = ["check", prompts, "--json"], sys.executable
    commands = {
        "Python alone": [python, "-c", "pass"],
        "dailies --help": dailies("--help"),
        CHECK: dailies(*check),
        ASKING: dailies(*check),
        FROM_SERVER: dailies(*check),
        "prefect --version": [python, "-m", "prefect", "--version"],
        "import prefect": [python, "-c", "import prefect.main"],
        IMPORTS: [python, "-c", IMPORTS],
        RUN: dailies("run", prompts, "--json", "--yes"),
        SERVER: [python, "-c", UP_AND_DOWN],
    }
    with_server = stage.environ("startup")
    alone = {name: value for name, value in with_server.items() if name not in stage.prefect}
    own_home = {**alone, "PREFECT_HOME": str(stage.folder / "prefect-alone")}
    nowhere = {name: value for name, value in alone.items() if name != "DAILIES_TO"}
    environs = dict.fromkeys(commands, alone) | {CHECK: nowhere, FROM_SERVER: with_server, SERVER: own_home}
    for name in (RUN, SERVER):  # what they make at their first start, and the clip
        run_program(commands[name], environs[name])
    ran = {name: [run_program(command, environs[name]) for _ in range(times)] for name, command in commands.items()}
    walls = {name: median(one.wall_s for one in some) for name, some in ran.items()}
    cpus = {name: median(one.cpu_s for one in some) for name, some in ran.items()}
    asked = {"dailies --help": ["--help"], CHECK: check, ASKING: check, FROM_SERVER: check}
    loaded = {name: _loaded(arguments, environs[name]) for name, arguments in asked.items()}
    rows = [[name, wall_s, cpus[name], loaded.get(name, "")] for name, wall_s in walls.items()]
    bars = [
        Bar("`dailies --help`, s", walls["dailies --help"], 0.5),
        Bar(f"`{CHECK}` over `{IMPORTS}`, CPU", cpus[CHECK] / cpus[IMPORTS], 1.6),
        Bar(f"`{RUN}` beyond `{SERVER}`, s", walls[RUN] - walls[SERVER], 1.0),
    ]
    note = (
        f"The median of {times} starts. *Loaded*: which of {', '.join(HEAVY)} the command had imported at its end. The "
        "first check knows no store; the others, and the run, ask theirs for the row's clip. The run starts a local server and ends it."
    )
    chart = Chart("Seconds from start to end of the program", "s", walls)
    return Report("startup", "Start-up", ["", "s", "CPU, s", "loaded"], rows, bars, chart, [note])


def _loaded(arguments: list[str], environ: dict[str, str]) -> str:
    said = run_program([sys.executable, "-c", LOADED, *arguments], environ).stdout
    return ", ".join(json.loads(said.splitlines()[-1])) or "none"
