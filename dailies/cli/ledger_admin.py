"""`dailies ledger check`, `upgrade`, `copy` and `archive`: what is done to the ledger as a whole."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from dailies.domain.commands import COLLECT, of_ledger

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dailies.ledger.copying import Copied, Sums
    from dailies.ledger.spool import Spool
    from dailies.ledger.upgrade import Upgrade

ledger_app = App(
    help_format="markdown",
    name="ledger",
    help="Check the ledger, upgrade it, archive what is old, or move it to another database.",
)
JsonFlag = Annotated[bool, Parameter(help="Print one JSON object on stdout.")]


@ledger_app.command
def upgrade(*, json: JsonFlag = False) -> int:
    """Bring the ledger to this version's schema now, as the first start would."""
    from dailies.cli.command_settings import settings_here
    from dailies.ledger.address import shown
    from dailies.ledger.engine import connect
    from dailies.ledger.upgrade import bring_up
    from dailies.report.credits import dump
    from dailies.runtime import make_home

    settings = settings_here()
    make_home(settings.home)
    engine = connect(settings.ledger_url)
    try:
        done = bring_up(engine)
    finally:
        engine.dispose()
    where = shown(engine.url)
    if json:
        beside = str(done.copy) if done.copy else None
        print(dump({"ledger": where, "before": done.before, "schema": done.after, "copy": beside}))
    else:
        print(_in_words(where, done))
    return 0


def _in_words(where: str, done: Upgrade) -> str:
    if done.before is None:
        return f"{where} is new, with schema {done.after}"
    if done.before == done.after:
        return f"{where} has schema {done.after} already"
    words = f"{where}: schema {done.before} → {done.after}"
    return f"{words}\nas it was before: {done.copy}" if done.copy else words


@ledger_app.command
def check(*, json: Annotated[bool, Parameter(help="Print a list of what is off on stdout.")] = False) -> int:
    """Whether sums, states, ids and S3 are as they must be. Changes nothing; exit code 1 when something is off."""
    from dailies.cli.ledger_check import run_ledger_check

    return run_ledger_check(json)


@ledger_app.command
def copy(
    to_url: str | None = None,
    /,
    *,
    source: Annotated[str | None, Parameter(name="--from")] = None,
    json: JsonFlag = False,
) -> int:
    """Copy the whole ledger into an empty database, compare, and seal the old one. From then on the copy is the ledger.

    Parameters
    ----------
    to_url
        Where to, such as `postgresql://user:password@host/db` or `sqlite:////path/ledger.db`. Default: the configured ledger.
    source
        Where from. Default: the configured ledger; if that is where it goes, the SQLite ledger in DAILIES_HOME.
    """
    from dailies.cli.command_settings import settings_here
    from dailies.ledger.address import parse_address
    from dailies.ledger.copying import copy_ledger
    from dailies.ledger.spool import Spool
    from dailies.report.credits import dump

    settings = settings_here()
    target = to_url or settings.ledger_url
    is_configured = parse_address(target) == parse_address(settings.ledger_url)
    usual = f"sqlite:///{settings.home / 'ledger.db'}" if is_configured else settings.ledger_url
    done = copy_ledger(source or usual, target, partial(_refuse_waiting_answers, Spool(settings.home / "spool")))
    if json:
        tables = {name: _figures(sums) for name, sums in done.tables.items()}
        print(dump({"source": done.source, "target": done.target, "tables": tables}))
    else:
        _show(done, is_configured)
    return 0


@ledger_app.command
def archive(
    folder: Path,
    /,
    *,
    older_than: str | None = None,
    dry_run: bool = False,
    compare: bool = False,
    yes: bool = False,
    json: JsonFlag = False,
) -> int:
    """Write old attempts, whole and with their histories, into Parquet files; of each history one line stays. What was paid, and
    what may be bought, is told by the ledger as before.

    Parameters
    ----------
    folder
        Where the files go. What lies there already stays.
    older_than
        Only what was last changed so long ago, such as 400d. Default: DAILIES_KEEP_HISTORY_DAYS.
    dry_run
        Only count what would be archived.
    compare
        Archive nothing: whether the dollars of every attempt in the folder's files are those on record. Exit code 1 when not.
    yes
        Do not ask.
    """
    from dailies.cli.archive import run_archive, run_compare

    return run_compare(folder, json) if compare else run_archive(folder, older_than, dry_run, yes, json)


def _refuse_waiting_answers(spool: Spool, source: Engine) -> None:
    """Answers that the ledger has not taken yet would be looked for in vain in its copy."""
    from dailies.errors import Misconfigured
    from dailies.ledger import Ledger, Owner
    from dailies.ledger.address import shown
    from dailies.ledger.record import on_record

    ledger = Ledger(source, Owner.this_process())
    waiting = len(spool) - sum(on_record(ledger, spooled) for _, spooled in spool)
    if waiting:
        where = shown(source.url)
        cure = of_ledger(where, COLLECT) if source.dialect.name == "sqlite" else COLLECT
        raise Misconfigured(
            f"{waiting} answers wait in {spool.folder} that the ledger {where} has not taken yet. Nothing was "
            f"changed. Let it take them first: {cure}",
            trouble="spool",
        )


def _figures(sums: Sums) -> dict[str, object]:
    return {"rows": sums.rows, **sums.usd}


def _show(done: Copied, is_configured: bool) -> None:
    from dailies.cli.tables import table
    from dailies.domain.money import show_usd

    lines = [
        [name, str(sums.rows), " · ".join(f"{show_usd(usd)} {column}" for column, usd in sums.usd.items())]
        for name, sums in done.tables.items()
    ]
    table(["table", "rows", "sums"], lines, ["rows"])
    print(f"{done.source} was copied to {done.target}, counted on both sides, and is sealed")
    if not is_configured:
        print("From now on set DAILIES_LEDGER_URL to that address (with its password), on every machine")
