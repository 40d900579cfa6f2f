"""What follows a verdict that is on record: sidecars that say it, and others who hear of it. Nobody waits, nothing fails by it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context

from dailies.domain.records import BatchRow
from dailies.domain.verdicts import Verdict
from dailies.errors import describe_error
from dailies.ledger import Ledger
from dailies.report.sidecars import keep_all_sidecars
from dailies.storage.s3 import S3

logger = logging.getLogger("dailies.review")
ENDS_WITHIN_S = 10.0
"""How long a room that closes waits for what its last verdicts lead to."""
SUMMED_UP_EVERY_S = 60.0

Announce = Callable[[Sequence[Verdict], Sequence[BatchRow]], None]
SumUp = Callable[[str, Sequence[BatchRow]], None]


class Aftermath:
    """Hears of verdicts, and does what follows in a thread of its own, in their order.

    `announce` gets verdicts with the rows that they are about, `sum_up` now and then all rows of a batch that was judged.
    """

    def __init__(self, ledger: Ledger, s3: S3, announce: Announce | None = None, sum_up: SumUp | None = None) -> None:
        self._ledger, self._s3, self._announce, self._sum_up = ledger, s3, announce, sum_up
        self._news: queue.Queue[Sequence[Verdict] | None] = queue.Queue()
        self._judged: dict[str, None] = {}
        # In the caller's context: whom it announces to is set there.
        self._thread = threading.Thread(target=copy_context().run, args=(self._work,), name="aftermath", daemon=True)
        self._thread.start()

    def __call__(self, entries: Sequence[Verdict]) -> None:
        """Take note; doesn't block."""
        if entries:
            self._news.put(entries)

    def close(self, within_s: float = ENDS_WITHIN_S) -> None:
        """Let what is under way come to its end, at most so long."""
        self._news.put(None)
        self._thread.join(within_s)

    def _work(self) -> None:
        summed_up_at = time.monotonic()
        while (entries := self._news.get()) is not None:
            self._follow(entries)
            if time.monotonic() - summed_up_at > SUMMED_UP_EVERY_S and self._news.empty():
                self._sum_up_all()
                summed_up_at = time.monotonic()
        self._sum_up_all()

    def _follow(self, entries: Sequence[Verdict]) -> None:
        keys = list(dict.fromkeys(entry.clip_key for entry in entries))
        keep_all_sidecars(self._ledger, self._s3, keys)
        if self._announce is None and self._sum_up is None:
            return
        try:
            rows = self._ledger.rows_of_clips(keys)
            self._judged |= dict.fromkeys(row.batch for row in rows)
            if self._announce:
                self._announce(entries, rows)
        except Exception as error:  # noqa: BLE001 - the verdict is on record: nothing that follows may harm it
            logger.info("a verdict was not announced: %s", describe_error(error))

    def _sum_up_all(self) -> None:
        judged, self._judged = self._judged, {}
        for batch in judged if self._sum_up else ():
            try:
                self._summed(batch, self._ledger.rows(batch))
            except Exception as error:  # noqa: BLE001 - as above
                logger.info("the verdicts of %s are not summed up: %s", batch, describe_error(error))

    def _summed(self, batch: str, rows: Iterable[BatchRow]) -> None:
        if self._sum_up:
            self._sum_up(batch, list(rows))
