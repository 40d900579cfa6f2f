"""`dailies review`: the screening room, and its verdicts as a file."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import say
from dailies.domain.records import BatchRow
from dailies.domain.text import as_utf8
from dailies.domain.verdicts import Verdict
from dailies.errors import Misconfigured
from dailies.ledger import Ledger
from dailies.net import Trust
from dailies.prefect_api.address import configured_api_url
from dailies.prompts import read_local
from dailies.report.select import Selection, chosen
from dailies.report.target import file_named
from dailies.report.write import replace
from dailies.review.sheet import decided, read_verdicts, verdicts_csv
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings

if TYPE_CHECKING:
    from dailies.storage.s3 import S3

TEXT_BROWSERS = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})


def run_review(batch: str | None, port: int, browser: bool) -> int:
    """Serve the screening room until Ctrl-C; its address is the first line on stdout."""
    from dailies.review.serve import open_room
    from dailies.storage.s3 import S3

    with _ledger() as (settings, ledger):
        rows_of(ledger, batch)  # an unknown batch is refused before anything is served
        trust, s3 = Trust.parse(settings.dailies_trusted_hosts), S3()
        with (
            suppress(KeyboardInterrupt),  # Ctrl-C before the server has taken it for its own
            _what_follows(ledger, s3) as told,
            open_room(ledger, s3, batch, reviewer(settings), trust, port, told) as room,
        ):
            _announce(room.address, browser)
            room.serve()
    return 0


def _announce(address: str, browser: bool) -> None:
    print(address, flush=True)
    say("The screening room is open: k keeps, r retakes, x rejects, ? shows every key. Ctrl-C closes it.")
    if browser:
        threading.Thread(target=_open, args=(address,), daemon=True).start()  # some browsers take their time


def _open(address: str) -> None:
    import webbrowser

    with suppress(webbrowser.Error):
        found = webbrowser.get()
        if getattr(found, "name", "") not in TEXT_BROWSERS:  # they would take the terminal, and play nothing
            found.open(address)


def write_out(batch: str | None, file: str) -> int:
    """Write the verdicts of one batch, or of all, as a CSV; `-` is stdout."""
    path = None if file == "-" else file_named("--export", file, "verdicts.csv")
    with _ledger() as (_, ledger):
        rows = rows_of(ledger, batch)
    text = verdicts_csv(rows)
    if path is None:
        print(text, end="")
        return 0
    try:
        replace(path, as_utf8(text))
    except OSError as error:
        raise Misconfigured(f"{path} can't be written: {error.strerror}", trouble="disk") from error
    say(f"{sum(1 for row in rows if row.verdict and row.verdict.said.word)} verdicts are in {path}")
    return 0


def take_in(batch: str | None, file: str) -> int:
    """Take in the verdicts of a file, all or none. Raises BadRows naming every line that can't be meant."""
    lines = read_verdicts(read_local(Path(file).expanduser()), file)
    with _ledger() as (settings, ledger):
        names = {line.batch or batch for line in lines if not line.clip_key}
        rows = [row for name in names if name for row in ledger.each_row(name)]
        rows += ledger.rows_of_clips(line.clip_key for line in lines if line.clip_key)
        found = decided(lines, rows, batch, file)
        here = reviewer(settings)
        authors = {key: one.author or here for key, one in found.items()}
        news = ledger.judge({key: one.said for key, one in found.items()}, authors)
        with _what_follows(ledger) as told:
            told(news)
    say(f"{len(found)} clips in {file}: {len(news)} verdicts are new, {len(found) - len(news)} stood already")
    return 0


def rows_of(ledger: Ledger, batch: str | None) -> list[BatchRow]:
    """The rows of a batch, or each clip of the ledger once. Raises BadInput for a batch that the ledger does not know."""
    names = [batch] if batch else ledger.batches()
    return chosen((row for name in names for row in ledger.each_row(name)), Selection(batch))


def reviewer(settings: Settings) -> str:
    """Who gives verdicts here: as set, else the user who is logged in, else the user's number. Never empty."""
    if settings.dailies_reviewer:
        return settings.dailies_reviewer
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user: a container that runs under a bare number
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"


@contextmanager
def _what_follows(ledger: Ledger, s3: S3 | None = None) -> Iterator[Callable[[Sequence[Verdict]], None]]:
    """What is to be called with verdicts that are on record: sidecars say them too, and a configured Prefect API hears."""
    from dailies.review.aftermath import Aftermath
    from dailies.storage.s3 import S3

    if configured_api_url():
        from dailies.prefect_api.verdicts import announce, sum_up

        aftermath = Aftermath(ledger, s3 or S3(), announce, sum_up)
    else:
        aftermath = Aftermath(ledger, s3 or S3())
    try:
        yield aftermath
    finally:
        aftermath.close()


@contextmanager
def _ledger() -> Iterator[tuple[Settings, Ledger]]:
    settings = settings_here()
    make_home(settings.home)
    with closing(open_ledger(settings)) as ledger:
        yield settings, ledger
