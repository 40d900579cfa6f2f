"""`dailies mcp` asked by the protocol's own client: reads its folder, buys under a budget, and waits for a person above a limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from dailies import __version__
from tests.e2e.harness import SECRETS, World, until

if TYPE_CHECKING:
    from mcp import ClientSession

Ask = Callable[..., Awaitable[dict[str, Any]]]


def with_tools(world: World, story: Callable[[Ask, ClientSession], Awaitable[None]], *options: str) -> None:
    """A session with the server as an agent's program starts it; everything it answers is searched for keys."""
    from mcp import ClientSession, StdioServerParameters, stdio_client  # a second's work, which collecting need not do

    started = StdioServerParameters(
        command=sys.executable, args=["-m", "dailies", "mcp", *options], env=world.outside, cwd=world.folder
    )

    async def session() -> None:
        async with stdio_client(started) as (read, write), ClientSession(read, write) as client:
            assert (await client.initialize()).server_info.version == __version__

            async def ask(name: str, **arguments: Any) -> dict[str, Any]:
                result = await client.call_tool(name, arguments)
                text = "".join(getattr(part, "text", "") for part in result.content)
                assert not [key for key in SECRETS if key in text]
                return {"refused": text} if result.is_error else json.loads(text)

            await story(ask, client)

    anyio.run(session)


def test_an_agent_reads_and_is_refused_what_lies_elsewhere(world: World) -> None:
    world.csv(1)
    elsewhere = world.folder.parent / "elsewhere.csv"
    elsewhere.write_text("prompt,image\nx,y.png\n")
    (world.folder / "link.csv").symlink_to(elsewhere)

    async def story(ask: Ask, client: ClientSession) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"models", "check", "status", "report", "show", "run"}
        assert [name for name, tool in tools.items() if not tool.annotations.read_only_hint] == ["run"]  # type: ignore[union-attr]
        assert len((await ask("models"))["entries"]) > 50
        checked = await ask("check", prompts="batch.csv")
        assert (checked["exit_code"], checked["to_buy"], checked["usd_to_buy"]) == (0, 1, 1.26)
        assert (await ask("status"))["exit_code"] == 0
        for path in ("../elsewhere.csv", str(elsewhere), "link.csv", "s3://bucket/x.csv"):
            for tool in ("check", "run"):
                more = {"budget_usd": 5} if tool == "run" else {}
                assert "refused" in await ask(tool, prompts=path, **more), (tool, path)
        assert "refused" in await ask("run", prompts="batch.csv")
        assert "refused" in await ask("run", prompts="batch.csv", budget_usd=0)
        assert (await ask("run", prompts="batch.csv", budget_usd=1))["exit_code"] == 2

    with_tools(world, story)
    assert world.charges() == []


@pytest.mark.production
@pytest.mark.parametrize(("limit", "waits"), [("5", False), ("0", True)])
def test_a_run_goes_on_by_itself_or_waits_for_a_yes(world: World, limit: str, waits: bool) -> None:
    """It answers at once; below the limit the clip is bought and delivered, above it nothing is bought without a person."""
    world.csv(1)

    async def story(ask: Ask, client: ClientSession) -> None:
        said = await ask("run", prompts="batch.csv", budget_usd=5)
        assert (said["batch"], said["started"], said["waits_for_approval"]) == ("batch", True, waits)

    with_tools(world, story, "--approve-above", limit)
    log = world.home / "mcp" / "batch.log"
    try:
        until(lambda: paused(world) if waits else '"delivered": 1' in log.read_text(), 150)
        assert len(world.charges()) == (0 if waits else 1), log.read_text()
        assert bool(paused(world)) is waits, log.read_text()
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if str(world.prompts) in (process.info["cmdline"] or []):
                process.kill()


def paused(world: World) -> list[Any]:
    """The runs of this test's CSV that wait in Prefect."""
    wanted = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
    runs = world.ask_prefect("flow_runs/filter", **wanted)
    return [run for run in runs if str(world.prompts) in json.dumps(run["parameters"])]
