"""A delivered clip's footage looked at, from the download, when the clip is on record and its slot is free.

Its failure is a log line: the clip counts as not looked at.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dailies.domain.clips import Clip
from dailies.domain.records import Attempt, BatchRow
from dailies.errors import describe_error
from dailies.logs import about
from dailies.media.footage import Bought, image_grey, look
from dailies.media.likeness import Grey
from dailies.media.unchanged import read_unchanged
from dailies.planning.images import read_object
from dailies.report.sidecars import keep_sidecars
from dailies.runtime import Runtime

logger = logging.getLogger("dailies.look")
ENDING = ".look"
STALE_S = 24 * 3600.0
"""No look waits so long."""
WANTS_CUTS = re.compile(
    r"\b(cuts? to|jump[ -]cuts?|multi[ -]shot|montage|new shot|flash\w*|strob\w+|lightning)\b", re.I
)
"""Words of a prompt that ask for a cut or a flash: then none is unwanted."""


def start_look(runtime: Runtime, stored: Attempt, row: BatchRow, path: Path, audio: bool | None) -> None:
    """Have a stored clip looked at later, from a link to its download that is the look's own. Blocks shortly; never raises."""
    if runtime.settings.dailies_look != "full":
        return
    own = path.with_name(f"{stored.id}{ENDING}")
    try:
        if runtime.looks.idle:
            _sweep(path.parent)
        _link(path, own)

        def looks(stopped: Callable[[], bool]) -> None:
            _look(runtime, stored, row, own, audio, stopped)

        taken = runtime.looks.add(looks, lambda: _remove(own), stored.size_bytes or 0)
    except Exception as error:  # noqa: BLE001 - the clip is paid for and stored: no look is worth failing its delivery
        logger.info("%s · not looked at: %s", row.id, describe_error(error))
        taken = False
    if not taken:
        _remove(own)


def _look(
    runtime: Runtime, stored: Attempt, row: BatchRow, path: Path, audio: bool | None, stopped: Callable[[], bool]
) -> None:
    try:
        marks = look(path, _bought(runtime, row.clip, row.clip_key, audio), stopped=stopped)
        runtime.ledger.record_marks(stored.id, marks)
        keep_sidecars(runtime.ledger, runtime.s3(), stored.clip_key)
    except Exception as error:  # noqa: BLE001 - as above; and a file may be made to break a decoder
        logger.info("%s · not looked at: %s", row.id, describe_error(error), extra=about(stored))
        return
    if marks.found:
        logger.warning("%s · worth a look: %s", row.id, marks, extra=about(stored))


def _bought(runtime: Runtime, clip: Clip, clip_key: str, audio: bool | None) -> Bought:
    return Bought(
        first=_picture(lambda: _image_sent(runtime, clip, clip_key)),
        last=_picture(lambda: _object(runtime, str(clip.options.get("last_image", "")))),
        audio=audio is True,
        cuts=bool(WANTS_CUTS.search(clip.prompt)),
    )


def _picture(read: Callable[[], bytes | None]) -> Grey | None:
    """An image to compare with; None where it can't be had any more."""
    try:
        content = read()
        return image_grey(content) if content else None
    except Exception as error:  # noqa: BLE001 - decoders raise anything; the rest of the clip is looked at all the same
        logger.debug("frames are not compared: %s", describe_error(error))
        return None


def _image_sent(runtime: Runtime, clip: Clip, clip_key: str) -> bytes | None:
    """The image as this run has sent it, or could read it again; what only an address knows is not fetched a second time."""
    for batch in runtime.batches:
        file = batch.plan.files.get(clip_key)
        if file is not None:
            return read_unchanged(file.path, file.sha256)
    return _object(runtime, clip.image.source)


def _object(runtime: Runtime, source: str) -> bytes | None:
    return read_object(runtime.s3(), source) if source.startswith("s3://") else None


def _link(path: Path, own: Path) -> None:
    """The same bytes under a second name, so that delivery need not wait to tidy its own away."""
    own.unlink(missing_ok=True)
    try:
        os.link(path, own)
    except OSError:  # a file system without links
        shutil.copyfile(path, own)


def _sweep(folder: Path) -> None:
    """Remove what the looks of killed processes left behind."""
    for other in folder.glob(f"*{ENDING}"):
        with suppress(FileNotFoundError):
            if time.time() - other.stat().st_mtime > STALE_S:
                other.unlink()


def _remove(own: Path) -> None:
    with suppress(OSError):
        own.unlink(missing_ok=True)
