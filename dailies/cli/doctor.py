"""`dailies doctor`: asks everything it depends on, spends nothing, and says what is wrong and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from dailies.cli.deep import Finding, deeper
from dailies.cli.reachable import ways
from dailies.cli.screen import say
from dailies.cli.tables import table
from dailies.domain.commands import COLLECT, DOCTOR
from dailies.domain.money import show_usd
from dailies.errors import DailiesError
from dailies.ledger import Ledger, Owner, open_engine
from dailies.ledger.address import parse_address, shown
from dailies.prefect_api.address import configured_api_url
from dailies.registry import declared
from dailies.report.credits import dump
from dailies.runtime import Runtime, open_ledger, open_runtime
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
    made = deep or not _could_only_be_made(settings)  # `deep` tries a write to the real one
    async with open_runtime(settings, need_keys=False, ledger=open_ledger if made else _in_memory) as runtime:
        where = shown(parse_address(settings.ledger_url))
        findings.append(Finding("ledger", "ok", where if made else f"none yet; the first run makes {where}"))
        findings.append(Finding("catalog", "ok", f"{len(runtime.catalog)} models"))
        async for what, reached, says in ways(runtime):
            findings.append(Finding(what, "ok" if reached else "wrong", says))
        asks: list[tuple[str, Callable[[Runtime], Awaitable[Finding]]]] = [
            *((name, _provider(name)) for name in declared()),
            ("keys", _keys),
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


def _could_only_be_made(settings: Settings) -> bool:
    """Whether there is no ledger yet, where it would be a file. Asking makes none."""
    address = parse_address(settings.ledger_url)
    return (
        address.get_backend_name() == "sqlite" and bool(address.database) and not Path(str(address.database)).exists()
    )


def _in_memory(settings: Settings) -> Ledger:
    """A ledger that knows nothing and leaves nothing."""
    return Ledger(open_engine("sqlite://"), Owner.this_process(), settings.lease_s)


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


async def _keys(runtime: Runtime) -> Finding:
    """One provider's key is enough; with none nothing can be bought."""
    names = [name for name in declared() if runtime.settings.api_key(name) is not None]
    if names:
        return Finding("keys", "ok", f"set for {', '.join(names)}")
    return Finding(
        "keys", "wrong", f"no provider has one: set {', or '.join(one.key_name for one in declared().values())}"
    )


async def _bucket(runtime: Runtime) -> Finding:
    """One object as large as a clip is put below DAILIES_TO with a clip's own headers, looked at, read and deleted."""
    if not runtime.settings.dailies_to:
        return Finding("bucket", "wrong", "DAILIES_TO is not set: set it to s3://bucket/prefix, where clips go")
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
