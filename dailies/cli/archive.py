"""`dailies ledger archive`: old attempts go to Parquet files, and a folder of them is compared with the ledger."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from dailies.cli.command_settings import settings_here
from dailies.cli.resolve import span
from dailies.cli.screen import say
from dailies.domain.money import show_usd
from dailies.errors import BadInput
from dailies.forget.archive import Sums, archive, differing, due
from dailies.report.credits import dump
from dailies.report.target import folder_named
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings


def run_archive(folder: Path, older_than: str | None, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Count what is old, ask, write it down and let it go."""
    folder_named("ledger archive", folder)
    age = None if older_than is None else span(older_than)
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    if not (dry_run or yes or asks):
        raise BadInput(
            "archive takes histories out of the ledger: say --yes, or --dry-run to see how many. Nothing was archived.",
            trouble="nobody-to-ask",
        )
    settings = _settings()
    age = timedelta(days=settings.dailies_keep_history_days) if age is None else age
    ledger = open_ledger(settings)
    try:
        before = ledger.now() - age
        total = due(ledger, before)
        files: list[Path] = []
        if not dry_run:
            if total.attempts and not yes:
                _confirm(total)
            total = Sums()
            for file, sums in archive(ledger, folder, before):
                files, total = [*files, file], total.plus(sums)
                say(f"{file}: {_in_words(sums)}")
    finally:
        ledger.close()
    if as_json:
        told = {"before": before.isoformat(timespec="seconds"), "files": [str(file) for file in files]}
        print(dump({**told, **_figures(total)}))
    else:
        print(f"{_in_words(total)} {'would be' if dry_run else 'were'} archived")
    return 0


def run_compare(folder: Path, as_json: bool) -> int:
    """Whether every attempt in a folder's files stands once there, with the dollars that the ledger has. Changes nothing."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", trouble="no-file")
    ledger = open_ledger(_settings())
    try:
        total, wrong = differing(ledger, folder)
    finally:
        ledger.close()
    if as_json:
        print(dump({**_figures(total), "differing": wrong}))
    else:
        for attempt_id in wrong:
            print(f"attempt {attempt_id} is not on record as it stands there")
        print(f"{_in_words(total)} in {folder}: {f'{len(wrong)} differ' if wrong else 'all as on record'}")
    return 1 if wrong else 0


def _settings() -> Settings:
    settings = settings_here()
    make_home(settings.home)
    return settings


def _confirm(total: Sums) -> None:
    print(f"Archive {_in_words(total)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was archived", trouble="not-approved")


def _in_words(sums: Sums) -> str:
    return (
        f"{sums.attempts} attempts ({sums.moves} moves, {show_usd(sums.usd_quoted)} quoted, "
        f"{show_usd(sums.usd_charged)} charged)"
    )


def _figures(sums: Sums) -> dict[str, object]:
    return {
        "attempts": sums.attempts, "moves": sums.moves, "usd_quoted": sums.usd_quoted, "usd_charged": sums.usd_charged,
    }  # fmt: skip
