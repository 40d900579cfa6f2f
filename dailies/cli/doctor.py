"""`dailies doctor`: asks everything it depends on, spends nothing, and says what is wrong and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dailies.cli.deep import Finding, deeper
from dailies.cli.reachable import ways
from dailies.cli.screen import say
from dailies.cli.tables import table
from dailies.domain.commands import COLLECT, DOCTOR
from dailies.domain.money import show_usd
from dailies.errors import DailiesError
from dailies.ledger.address import shown
from dailies.prefect_api.address import configured_api_url
from dailies.registry import declared
from dailies.report.credits import dump
from dailies.runtime import Runtime, open_runtime
from dailies.settings import Settings, load_settings, sources
from dailies.steps.adopt import adopt_everything
from dailies.steps.recover import remaining
from dailies.steps.store import abilities_at
from dailies.storage.s3 import StoreTrouble, parse_s3_uri


def run_doctor(adopt: bool, json: bool, deep: bool = False) -> int:
    """Ask everything; with `adopt` first take in what the ledger has forgotten; `deep`: ask what takes longer, too. Exit code 0
    when nothing is wrong."""
    load_settings()  # what is wrong here is said before anything is asked
    blocks = _blocks()
    settings = load_settings(blocks=blocks)
    if adopt:
        for line in asyncio.run(_adopt(settings)) or [
            "nothing to adopt: the ledger knows all that spool and store know"
        ]:
            say(line)
    findings = asyncio.run(_examine(settings, deep))
    shown = sources(blocks=blocks)
    if json:
        print(dump({
            "findings": [{"what": f.what, "grade": f.grade, "says": f.detail} for f in findings],
            "settings": [{"name": s.name, "value": s.value, "source": s.source} for s in shown],
        }))  # fmt: skip
    else:
        table(["setting", "value", "from"], [[s.name, s.value, s.source] for s in shown])
        print()
        table(["asked", "", "says"], [[f.what, f.grade, f.detail] for f in findings])
    if not any(f.grade == "wrong" for f in findings):
        return 0
    say(f"Next, once that is mended: {DOCTOR}")
    return 2


async def _adopt(settings: Settings) -> list[str]:
    async with open_runtime(settings, need_keys=False) as runtime:
        return await adopt_everything(runtime)


async def _examine(settings: Settings, deep: bool) -> list[Finding]:
    findings = []
    async with open_runtime(settings, need_keys=False) as runtime:
        findings.append(Finding("ledger", "ok", shown(runtime.ledger.engine.url)))
        findings.append(Finding("catalog", "ok", f"{len(runtime.catalog)} models"))
        async for what, reached, says in ways(runtime):
            findings.append(Finding(what, "ok" if reached else "wrong", says))
        asks: list[tuple[str, Callable[[Runtime], Awaitable[Finding]]]] = [
            *((name, _provider(name)) for name in declared()),
            ("bucket", _bucket),
            ("left over", _left),
        ]
        for what, ask in asks:
            try:
                findings.append(await ask(runtime))
            except (DailiesError, StoreTrouble) as error:
                findings.append(Finding(what, "wrong", str(error)))
        if deep:
            findings += [finding async for finding in deeper(runtime)]
    findings.append(await _prefect())
    return findings


async def _prefect() -> Finding:
    if not configured_api_url():
        return Finding("Prefect", "ok", "none configured: runs start a local server")
    from dailies.prefect_api.check import check_prefect

    grade, says = await check_prefect()
    return Finding("Prefect", grade, says)


def _blocks() -> dict[str, str]:
    """What the configured Prefect server holds, so that settings and their sources are those of a run on a worker."""
    if not configured_api_url():
        return {}
    from dailies.prefect_api.blocks import blocks_if_reachable

    return asyncio.run(blocks_if_reachable())


def _provider(name: str) -> Callable[[Runtime], Awaitable[Finding]]:
    one = declared()[name]

    async def ask(runtime: Runtime) -> Finding:
        if runtime.settings.api_key(name) is None:
            return Finding(
                name, "warning", f"no key: set {one.key_name} or the Secret block {one.key_block} to buy there"
            )
        standing = await runtime.provider(name).account_status()
        if standing.refused:
            return Finding(name, "wrong", f"the key is refused: {standing.refused}")
        balance = standing.balance_usd
        if balance is not None:
            return Finding(name, "ok" if balance > 0 else "wrong", f"the key works; balance {show_usd(balance)}")
        if not one.tells_balance:
            return Finding(name, "ok", "a key is set; this provider documents nothing free to ask")
        return Finding(
            name, "wrong", f"{runtime.settings.base_url(name)} did not tell the balance: check the key and the address"
        )

    return ask


async def _bucket(runtime: Runtime) -> Finding:
    """One small object is put below DAILIES_TO with a clip's own headers, looked at, read and deleted."""
    if not runtime.settings.dailies_to:
        return Finding("bucket", "warning", "DAILIES_TO is not set; runs need --to s3://bucket/prefix")
    bucket, prefix = parse_s3_uri(runtime.settings.dailies_to)
    found = await abilities_at(runtime, bucket, prefix)
    how = "; ".join(found.sentences())
    return Finding("bucket", "ok", f"s3://{bucket}/{prefix} takes clips{': ' if how else ''}{how}")


async def _left(runtime: Runtime) -> Finding:
    left = await remaining(runtime)
    spooled = len(runtime.spool)
    words = left.sentence + (f" · {spooled} answers in the spool" if spooled else "")
    return Finding(
        "left over",
        "warning" if left.attempts or spooled else "ok",
        words + (f": {COLLECT}" if left.attempts or spooled else ""),
    )
