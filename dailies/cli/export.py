"""`dailies export`: a batch's clips for an editor, as a timeline, a list or an archive."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import counting, say
from dailies.domain.clips import slug
from dailies.errors import BadInput
from dailies.report.credits import credits_of, dump
from dailies.report.handover import handed
from dailies.report.select import Selection, chosen
from dailies.report.target import folder_named, path_named
from dailies.report.timeline import ADAPTERS, require_library
from dailies.runtime import make_home, open_ledger
from dailies.steps.export import Export, write_export
from dailies.steps.to_disk import originals_of
from dailies.storage.s3 import S3

Kind = Literal["otio", "edl", "csv", "zip"]


def run_export(batch: str, kept: bool, kind: Kind, to: str | None, names: str, json: bool) -> int:
    """Write the hand-over. Exit code 1 where a clip could not be had. Raises BadInput before anything is written."""
    if to is not None and "://" in to:
        raise BadInput(f"--to {to}: export writes to this machine, such as --to handover/{slug(batch)}.{kind}")
    file = _file(to, batch, kind)
    if kind in ADAPTERS:
        require_library()
    settings = settings_here()
    make_home(settings.home)
    with closing(open_ledger(settings)) as ledger:
        rows = chosen((row for row in ledger.rows(batch) if not row.forgotten), Selection(batch))
    clips = handed(credits_of(batch, rows), kept, names, kind)
    wanted = Export(batch, kind, file, originals_of(rows))
    found = write_export(None if kind == "csv" else S3(), wanted, clips, counting("clips fetched"))
    missing = [one for one in found if one.problem]
    for one in missing:
        say(f"{one.id}: {one.problem}")
    if json:
        problems = {one.path.stem: one.problem for one in found}
        entries = [
            {"id": one.line.id, "take": one.line.take, "clip_key": one.line.clip_key, "name": f"{one.name}.mp4",
             "error": problems.get(one.name)}
            for one in clips
        ]  # fmt: skip
        print(dump({"file": str(wanted.file), "as": kind, "missing": len(missing), "clips": entries}))
    else:
        print(f"{len(clips)} clips" + (f", {len(missing)} missing" if missing else "") + f": {wanted.file}")
    return 1 if missing else 0


def _file(to: str | None, batch: str, kind: str) -> Path:
    """The file that is written: as named, in the folder that is named, else in the one where one stands. Raises BadInput."""
    usual = f"{slug(batch, 'batch')}.{kind}"
    if to is None:
        return Path(usual).absolute()
    path = path_named("--to", to)
    if to.endswith(("/", "\\")) or path.is_dir():
        return folder_named("--to", to) / usual
    folder_named("--to", Path(to).parent)
    return path
