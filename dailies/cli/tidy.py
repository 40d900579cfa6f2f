"""`dailies tidy`: removes what is left over in DAILIES_HOME and in S3, by age and by size; never what is paid for and not home."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dailies.cli.command_settings import settings_here
from dailies.cli.resolve import span
from dailies.cli.screen import say
from dailies.cli.tables import table
from dailies.domain.states import State
from dailies.errors import BadInput
from dailies.forget.leftovers import Leftover, due_downloads, due_remains, remakeable_in, too_old_or_too_much
from dailies.ledger import Ledger
from dailies.ledger.remains import remains_in
from dailies.prefect_api.history import HistoryInUse, history_of, remove_runs, runs_in
from dailies.runtime import make_home, open_ledger
from dailies.storage.probe import NAME, STAMP, stale
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri

SHOWN = 20


def run_tidy(older_than: str | None, keep_mb: int | None, dry_run: bool, yes: bool, as_json: bool) -> int:
    """List what may go, ask, and remove it. Exit code 1 where something could not be removed."""
    age = None if older_than is None else span(older_than)
    if keep_mb is not None and keep_mb < 0:
        raise BadInput("--keep-mb: a size is not negative. Nothing was removed.")
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    if not (dry_run or yes or asks):
        raise BadInput(
            "tidy removes for good: say --yes, or --dry-run to see what. Nothing was removed.", trouble="nobody-to-ask"
        )
    settings = settings_here()
    make_home(settings.home)
    age = timedelta(days=settings.dailies_keep_days) if age is None else age
    keep_mb = settings.dailies_keep_mb if keep_mb is None else keep_mb
    most_bytes = None if keep_mb is None else keep_mb << 20
    ledger = open_ledger(settings)
    try:
        going = [*leftovers_of(ledger, settings.home, age, most_bytes), *_probes(ledger)]
        if not as_json or not (dry_run or yes):
            _show(going)
        if going and not dry_run and not yes:
            _confirm(going)
            still = {one.where for one in leftovers_of(ledger, settings.home, age, most_bytes)}
            going = [one for one in going if one.path is None or one.where in still]  # a run may need one by now
    finally:
        ledger.close()
    gone = going if dry_run else _remove(going)
    if as_json:
        print(json.dumps([entry(one) for one in gone], ensure_ascii=False))
    else:
        print(f"{len(gone)} {'would be' if dry_run else 'were'} removed, {_mib(gone)}")
    return 0 if len(gone) == len(going) else 1


def leftovers_of(ledger: Ledger, home: Path, older_than: timedelta, most_bytes: int | None = None) -> list[Leftover]:
    """Everything on this disk that may go. Changes nothing."""
    now = datetime.now(UTC)
    unsettled = frozenset(attempt.id for attempt in (*ledger.unsettled(), *ledger.unfinished()))
    remains = remains_in(home, ledger.file.path if ledger.file else None)
    return [
        *due_remains(remains, now, older_than, unsettled),
        *due_downloads(home / "downloads", now, older_than, needless(ledger)),
        *too_old_or_too_much([*remakeable_in(home), *_history(home)], now, older_than, most_bytes),
    ]


def _history(home: Path) -> list[Leftover]:
    """Runs in the local Prefect server's history. One that is in use or not understood is left out, and said."""
    database = history_of(home)
    try:
        return runs_in(database) if database else []
    except (HistoryInUse, sqlite3.Error, OSError, ValueError) as error:
        say(f"note: Prefect's history of local runs was left out: {error}")
        return []


def needless(ledger: Ledger) -> Callable[[str], bool]:
    """Whether nothing of an attempt is needed on this disk: its clip is in S3, or there never was one."""

    def says(attempt_id: str) -> bool:
        attempt = ledger.attempt(attempt_id)
        return attempt is not None and (attempt.delivered or attempt.state is State.FAILED)

    return says


def entry(one: Leftover) -> dict[str, object]:
    """One leftover as JSON."""
    return {
        "kind": one.kind, "path": one.where, "bytes": one.size_bytes,
        "changed_at": one.changed_at.isoformat(timespec="seconds"), "attempt": one.attempt_id,
    }  # fmt: skip


def _probes(ledger: Ledger) -> Iterator[Leftover]:
    """Objects with which stores were tried more than an hour ago. A store that does not answer is left out, and said."""
    places = {uri for name in ledger.batches() if (uri := ledger.batch_destination(name))}
    s3 = S3() if places else None
    for bucket, prefix in sorted({parse_s3_uri(uri) for uri in places}):
        folder = f"{prefix}/" if prefix else ""
        try:
            names = stale(s3.names(bucket, folder + NAME), datetime.now(UTC)) if s3 else []
        except (StoreRefused, StoreTrouble) as error:
            say(f"note: s3://{bucket}/{prefix} was left out: {error}")
            continue
        for name in names:
            stamp = name.rpartition(NAME)[2].partition("-")[0]
            made_at = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
            yield Leftover("probe", f"s3://{bucket}/{name}", 0, made_at)


def _remove(going: Sequence[Leftover]) -> list[Leftover]:
    """Remove them. Returns what is gone: runs go from Prefect's history at once, or not at all."""
    runs = {one.run_id: one.path for one in going if one.run_id and one.path}
    gone = [one for one in going if not one.run_id and _removed(one)]
    for database in dict.fromkeys(runs.values()):
        try:
            remove_runs(database, [str(run) for run in runs])
        except (HistoryInUse, sqlite3.Error, OSError) as error:
            say(
                f"{database}: what is listed of it stays, or its file is as large as before: {error}. Say the same command again"
            )
            continue
        gone += [one for one in going if one.run_id]
    return gone


def _removed(one: Leftover) -> bool:
    """Whether it is gone now. What can't be removed is said, and stops nothing else."""
    try:
        if one.path is None:
            S3().delete(*parse_s3_uri(one.where))
        elif one.path.is_dir():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
    except (OSError, StoreRefused, StoreTrouble) as error:
        say(f"{one.where} stays: {error}")
        return False
    except KeyError:  # somebody was faster
        return True
    return True


def _confirm(going: Sequence[Leftover]) -> None:
    print(f"Remove {len(going)}, {_mib(going)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was removed", trouble="not-approved")


def _show(going: Sequence[Leftover]) -> None:
    rows = [[one.kind, one.where, f"{one.size_bytes:,}", f"{one.changed_at:%Y-%m-%d}"] for one in going[:SHOWN]]
    if rows:
        table(["what", "where", "bytes", "last changed"], rows, ["bytes"], stderr=True)
    if len(going) > SHOWN:
        say(f"and {len(going) - SHOWN} more")


def _mib(some: Sequence[Leftover]) -> str:
    return f"{sum(one.size_bytes for one in some) / (1 << 20):.1f} MiB"
