"""`dailies fetch`: delivered clips to disk."""

from __future__ import annotations

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import counting, say
from dailies.domain.counting import how_many
from dailies.errors import BadInput
from dailies.report.credits import credits_of, dump
from dailies.report.select import Selection, chosen
from dailies.report.target import folder_named
from dailies.runtime import make_home, open_ledger
from dailies.steps.to_disk import fetch_all, originals_of
from dailies.storage.s3 import S3


def run_fetch(batch: str | None, to: str, json: bool) -> int:
    """Bring the delivered clips of one batch, or of all, into a folder. Exit code 1 when one of them could not be had."""
    if "://" in to:
        raise BadInput(f"--to {to}: fetch brings clips to a folder on this machine, such as --to clips")
    folder = folder_named("--to", to)
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        names = [batch] if batch else ledger.batches()
        rows = chosen((row for name in names for row in ledger.rows(name) if not row.forgotten), Selection(batch))
    finally:
        ledger.close()
    lines = [line for line in credits_of("", rows).lines if line.s3_uri and line.counted]
    found = fetch_all(S3(), lines, folder, counting("clips fetched"), originals=originals_of(rows)) if lines else []
    missing = [one for one in found if one.problem]
    for one in missing:
        say(f"{one.id}: {one.problem}")
    new, there = sum(one.new for one in found), sum(not one.new and not one.problem for one in found)
    if json:
        clips = [{"id": one.id, "path": str(one.path), "error": one.problem} for one in found]
        print(dump({"fetched": new, "already_there": there, "missing": len(missing), "clips": clips}))
    else:
        print(
            f"{how_many(new, 'clip')} fetched, {there} {'was' if there == 1 else 'were'} there already"
            + (f", {len(missing)} missing" if missing else "")
            + f": {folder}"
        )
    return 1 if missing else 0
