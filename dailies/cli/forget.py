"""`dailies forget`: what people wrote and what was made of it is removed; what it cost stays on record."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import counting, say
from dailies.errors import BadInput
from dailies.forget.home import Traces, clean_home
from dailies.forget.reports import left_behind, other_files_with, write_anew
from dailies.forget.store import Removed, objects_of, remove
from dailies.forget.wanted import Wanted, needles_of, refuse_unsettled, wanted_of
from dailies.ledger import Ledger
from dailies.ledger.copies import copies_of
from dailies.ledger.naming import clip_named
from dailies.ledger.scrub import scrub, vacuum_ledger
from dailies.prefect_api.address import configured_api_url
from dailies.report.write import Places
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings
from dailies.storage.s3 import S3

LARGEST_POSTER = 4 << 20


def run_forget(batch: str | None, clip: str | None, yes: bool) -> int:
    """Forget one batch or one clip, after a question. Exit code 0 also where it was forgotten already."""
    if (batch is None) is (clip is None):
        raise BadInput("forget: say --batch NAME or --clip KEY. Nothing was removed.")
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        wanted = wanted_of(ledger, _keys(ledger, batch, clip))
        refuse_unsettled(wanted, wanted.attempts)
        forgotten = ledger.forgotten(wanted.keys)
        if not wanted.texts() and forgotten.issuperset(wanted.keys):
            say("forgotten already; the reports are written anew")
        else:
            _confirm(wanted, batch, yes)
            _forget(ledger, settings, wanted)
        places = Places(settings.home, ledger.report_folders())
        written = dict.fromkeys(name for batch in wanted.batches for name in places.written_with(batch))
        for note in dict.fromkeys(note for name in written for note in write_anew(ledger, S3(), places, name)):
            say(f"note: {note}")
    finally:
        ledger.close()
    if ledger.file:
        vacuum_ledger(ledger.file.path)
    print(f"{_clips(wanted)} forgotten. Money, ids, digests and states stay on record.")
    return 0


def _keys(ledger: Ledger, batch: str | None, clip: str | None) -> list[str]:
    if clip is not None:
        return [clip_named(ledger, clip)]
    if batch not in ledger.batches():
        raise BadInput(f"the ledger knows no batch {batch!r}. Nothing was removed.", trouble="which-one")
    return [row.clip_key for row in ledger.rows(str(batch))]


def _clips(wanted: Wanted) -> str:
    count = len(wanted.keys)
    return "1 clip" if count == 1 else f"{count} clips"


def _confirm(wanted: Wanted, batch: str | None, yes: bool) -> None:
    """Say what goes, and ask. Raises BadInput when the answer is no, and where nobody can be asked."""
    others = [name for name in wanted.batches if name != batch]
    say(
        f"{_clips(wanted)}: prompts, images, clips, posters and stored images are removed from S3, from the ledger and from "
        "DAILIES_HOME, for good. Money, ids, digests and states stay."
    )
    if batch is not None and others:
        say(f"some of them belong to other batches too, and go there as well: {', '.join(others)}")
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput("forget removes for good: say --yes. Nothing was removed.", trouble="nobody-to-ask")
    print(f"Forget {_clips(wanted)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was removed", trouble="not-approved")


def _forget(ledger: Ledger, settings: Settings, wanted: Wanted) -> None:
    """First what no record would lead to any more, last the record: what breaks off is done by saying it again."""
    ledger.mark_forgotten(wanted.keys, partial(refuse_unsettled, wanted))
    wanted = wanted_of(ledger, wanted.keys)  # a run may have brought one home since it was asked
    s3 = S3()
    destinations = {uri for name in wanted.batches if (uri := ledger.batch_destination(name))}
    copies = [uri for uris in ledger.copies_of(wanted.keys).values() for uri in uris]
    objects = objects_of(s3, wanted, copies, destinations, ledger.pictures_of_others(wanted.keys))
    pictures = _posters(s3, objects) + _posters_on_disk(settings.home, wanted)
    needles = needles_of(ledger, wanted, pictures)
    places = Places(settings.home, ledger.report_folders())
    for name in wanted.batches:
        if uri := ledger.batch_destination(name):
            objects |= other_files_with(s3, uri, name, places, needles)
            if all(ledger.batch_destination(other) != uri for other in places.written_with(name)[1:]):
                objects |= left_behind(s3, uri, name, places)
    removed = remove(s3, objects, counting("objects removed")) if objects else Removed()
    names = {a.id for a in wanted.attempts} | {key[:12] for key in wanted.keys}
    traces = Traces(needles, frozenset(names), wanted.pictures - ledger.pictures_of_others(wanted.keys))
    file = ledger.file.path if ledger.file else None
    clean_home(settings.home, traces, file, counting("files looked through"))
    for copy in copies_of(file) if file else ():
        scrub(copy, traces.without)  # of a ledger that lies elsewhere, too
    ledger.erase(wanted.keys, traces.without)
    for note in removed.notes:
        say(f"note: {note}")
    if configured_api_url():
        say(
            "note: the configured Prefect server keeps its own history (logs and artifacts of these runs): delete them there"
        )


def _posters(s3: S3, objects: set[tuple[str, str]]) -> list[str]:
    """Posters as pages and artifacts embed them."""
    found = []
    for bucket, key in sorted(objects):
        if key.endswith(".webp"):
            try:
                found.append(base64.b64encode(s3.read(bucket, key, LARGEST_POSTER)).decode())
            except KeyError:
                continue
    return found


def _posters_on_disk(home: Path, wanted: Wanted) -> list[str]:
    parts: Sequence[str] = [key[:12] for key in wanted.keys]
    files = [path for path in (home / "reports").rglob("*.webp") if any(part in path.name for part in parts)]
    return [base64.b64encode(path.read_bytes()).decode() for path in files]
