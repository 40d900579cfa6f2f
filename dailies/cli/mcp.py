"""`dailies mcp`: for agents. Reads, and buys only under a budget, after a person's yes above a limit.

Each tool is the command of the same name in a process of its own, with `--json`: what it refuses, prints and keeps to itself is
the command's own. No tool resolves a doubt, retries or cancels.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial, wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dailies import __version__
from dailies.cli.models import dollars
from dailies.environment import AWS_KEYS, read_dotenv, variables
from dailies.errors import BadInput, Misconfigured, describe_error, trouble_of
from dailies.logs.redaction import MASK, SHORTEST_SECRET
from dailies.settings import SECRETS, VENDOR_NAMES, load_settings

INSTRUCTIONS = """\
Turns a CSV of prompts and images into video clips in S3. Clips cost dollars: check first, tell the person the price, then run with
a budget. run answers at once; status and report tell how it goes on. Above the limit a person has to approve in the Prefect UI."""
Answer = dict[str, Any]
Tool = Callable[..., Awaitable[Answer]]
KEYS = {name.upper() for name in SECRETS} | VENDOR_NAMES | AWS_KEYS - {"AWS_ACCESS_KEY_ID"}


class Project:
    """The commands of dailies as they may be used inside one folder."""

    def __init__(self, folder: Path, approve_above: Decimal) -> None:
        self.folder, self.approve_above = folder.resolve(), approve_above

    def inside(self, path: str) -> str:
        """The absolute path of a file of the project. Raises BadInput for what lies elsewhere, links followed."""
        try:
            found = (self.folder / path).resolve()
        except (OSError, ValueError, RuntimeError):  # a loop of links, or no name that a file can have
            found = None
        if found is None or "://" in path or not found.is_relative_to(self.folder):
            raise BadInput(
                f"{path}: only files below {self.folder.name}/ can be read here. Nothing was bought.", trouble="no-file"
            )
        return str(found)

    async def models(self, provider: str | None = None, image: str | None = None, live: bool = False) -> Answer:
        """What can be bought, from whom, for how much. `image`: only models that take this file of the project as it is."""
        looks = [self.inside(image)] if image else []
        return await self._answer(
            "models", *_options(provider=provider), *(["--for", *looks] if looks else []), *_flag("--live", live)
        )

    async def check(self, prompts: str, model: str | None = None, budget_usd: float | None = None) -> Answer:
        """Spends nothing: every row of a CSV with its price, what a run would buy, and whatever it would refuse."""
        return await self._answer("check", self.inside(prompts), *_options(model=model, budget=budget_usd))

    async def status(self, batch: str | None = None) -> Answer:
        """What is in flight, in doubt or overdue, and the money at risk."""
        return await self._answer("status", *_options(batch=batch))

    async def report(self, batch: str | None = None) -> Answer:
        """What was made, where it is in S3, and what it cost."""
        return await self._answer("report", *_options(batch=batch))

    async def show(self, clip: str, batch: str | None = None) -> Answer:
        """Everything the report knows of one clip, by its id or the first digits of its clip_key."""
        answer = await self.report(batch)
        clips = [one for one in answer.get("clips", ()) if one["id"] == clip or one["clip_key"].startswith(clip)]
        return {"exit_code": answer["exit_code"], "clips": clips}

    async def run(self, prompts: str, budget_usd: float, to: str | None = None, model: str | None = None) -> Answer:
        """Buy the clips of a CSV for at most `budget_usd`. Answers at once with the batch's name; the run goes on by itself.

        Quoted above the limit, the run waits for a person's yes in the Prefect UI; without one nothing is bought.
        """
        budget = dollars("budget_usd", str(budget_usd))
        if not budget:
            raise BadInput("a run needs a budget above 0. Nothing was bought.", trouble="budget")
        path, wishes = self.inside(prompts), _options(to=to, model=model, budget=budget)
        checked = await self._answer("check", path, *wishes)
        if checked["exit_code"] != 0 or "error" in checked:
            return checked
        asks = Decimal(str(checked["usd_to_buy"])) > self.approve_above
        _start(self.folder, checked["batch"], ["run", path, *wishes, f"--approve-above={self.approve_above}", "--json"])
        told = {name: checked[name] for name in ("batch", "to_buy", "usd_to_buy")}
        return {**told, "started": True, "waits_for_approval": asks}

    async def _answer(self, *words: str) -> Answer:
        """What a command prints, as it is, beside its exit code."""
        process = await asyncio.create_subprocess_exec(
            *_command([*words, "--json"]), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await process.communicate()
        try:
            document = json.loads(out)
        except ValueError:
            raise BadInput("the command gave no answer; see it in a terminal") from None
        said = document if isinstance(document, dict) else {"entries": document}
        return {"exit_code": process.returncode, **said}


def run_mcp(approve_above: str) -> int:
    """Serve the tools on stdin and stdout until they are closed. Raises Misconfigured without the extra."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise Misconfigured("this needs the extra `mcp`: pip install 'dailies-video[mcp]'", trouble="extra") from error
    project = Project(Path.cwd(), dollars("--approve-above", approve_above) or Decimal(0))
    told = partial(without_keys, project.folder)
    server = MCPServer("dailies", instructions=INSTRUCTIONS, version=__version__)
    for tool in (project.models, project.check, project.status, project.report, project.show):
        server.tool(annotations=ToolAnnotations(read_only_hint=True))(told(tool))
    server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True))(
        told(project.run)
    )
    server.run("stdio")
    return 0


def without_keys(folder: Path, tool: Tool) -> Tool:
    """The tool, whose answers and errors repeat no key that the project has, whoever put it there."""

    @wraps(tool)
    async def told(*words: Any, **named: Any) -> Answer:
        try:
            answer: Answer = _masked(await tool(*words, **named), _keys(folder))
        except Exception as error:  # noqa: BLE001 - whatever it is, its text goes to an agent
            raise BadInput(_masked(describe_error(error), _keys(folder)), trouble=trouble_of(error)) from None
        return answer

    return told


def _keys(folder: Path) -> list[str]:
    """Keys and passwords in the environment and in `.env`, whole and in their parts, the longest first."""
    named = dict(variables())
    with suppress(Misconfigured):  # which the command says; none of its values
        named |= {f".env {name}": value for name, value in read_dotenv(frozenset(), folder / ".env").items()}
    found: set[str] = set()
    for name, value in named.items():
        if name.removeprefix(".env ") in KEYS:
            found |= {value.strip(), *value.strip().split(":")}
        with suppress(ValueError):  # no address
            found.add(urlsplit(value.strip()).password or "")
    return sorted((key for key in found if len(key) >= SHORTEST_SECRET), key=len, reverse=True)


def _masked(said: Any, keys: list[str]) -> Any:
    """The same document without them."""
    if isinstance(said, dict):
        return {name: _masked(value, keys) for name, value in said.items()}
    if isinstance(said, list):
        return [_masked(value, keys) for value in said]
    if isinstance(said, str):
        for key in keys:
            said = said.replace(key, MASK)
    return said


def _options(**values: object) -> list[str]:
    """`--name=value` for each that is said: a value that begins with a dash is still a value."""
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def _flag(name: str, on: bool) -> list[str]:
    return [name] if on else []


def _command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "dailies", *words]


def _start(folder: Path, batch: str, words: list[str]) -> None:
    """A run that outlives this server; what it says stands in a file below DAILIES_HOME."""
    logs = load_settings().home / "mcp"
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in batch)
    with open(os.open(logs / f"{name}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as log:
        subprocess.Popen(  # noqa: S603 - our own command
            _command(words),
            cwd=folder,
            env=dict(variables()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
