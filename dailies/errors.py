"""Every error that dailies raises on purpose. The tree answers the money question first.

    DailiesError
    ├── BadInput            rows, images, names: the person who wrote them can mend them; nothing was bought
    │   └── BadRows         all bad rows of one CSV at once
    ├── Misconfigured       settings, keys, buckets, databases; nothing was bought by this call
    ├── NotCharged          a create that certainly cost nothing
    │   ├── NotSent         the request never reached the provider
    │   ├── Busy            the provider was too busy for too long (429)
    │   ├── Refused         the provider said no to this clip (moderation, invalid request)
    │   └── Stopped         the provider says no to every clip (key, credits): stop claiming there
    ├── MaybeCharged        a create whose answer was lost: in doubt
    └── Charged             money was spent and something afterwards went wrong
        ├── GenerationFailed  the provider's own failure after it accepted
        ├── ResultLost        the clip was paid for and can no longer be downloaded
        └── DeliveryDelayed   the clip is safe (at the provider or on disk) but not yet in S3: run `dailies collect`

A message says what happened, to which clip, what it cost and what to do next. Each error has the code of its kind of `trouble`,
which `dailies explain` explains (`dailies/domain/troubles.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Trouble = Literal[
    "request", "bad-rows", "no-file", "model-unknown", "model-gone", "no-price", "budget", "not-approved", "nobody-to-ask",
    "which-one", "batch-name", "settings", "no-key", "key-refused", "no-destination", "store", "network", "prefect", "disk",
    "port", "extra", "dispatch", "catalog", "ledger", "ledger-busy", "ledger-elsewhere", "ledger-newer", "spool", "unsettled",
    "not-in-doubt", "in-doubt", "overdue", "delayed", "failed", "refused", "stopped", "busy", "lost", "unexpected",
]  # fmt: skip
"""The kinds of trouble. A code is a contract: scripts and pages of others name it, so it is never renamed."""


class DailiesError(Exception):
    """Base of all errors raised on purpose; its text is written for the person at the terminal."""

    trouble: Trouble = "unexpected"

    def __init__(self, *words: object, trouble: Trouble | None = None) -> None:
        super().__init__(*words)
        if trouble is not None:
            self.trouble = trouble


class BadInput(DailiesError):
    """Something the user wrote can't be used. Nothing was bought."""

    trouble: Trouble = "request"


@dataclass(frozen=True, slots=True)
class BadRow:
    """One reason why one row can't be bought. `row` is its number in the spreadsheet (the header is row 1); 0 means the
    whole file. `cure` says what to do about it."""

    row: int
    column: str
    reason: str
    id: str = ""
    cure: str = ""

    def __str__(self) -> str:
        name = f" ({self.id})" if self.id else ""
        where = f"row {self.row}" if self.row else "the file"
        return f"{where}, {self.column}{name}: {self.said}" if self.column else f"{where}{name}: {self.said}"

    @property
    def said(self) -> str:
        """The reason with its cure."""
        return f"{self.reason}; {self.cure}" if self.cure else self.reason

    @property
    def kind(self) -> tuple[str, str, str]:
        """Equal for the same trouble in another row: the column, and the reason without what is that row's own."""
        return self.column, _OWN_WORDS.sub("…", self.reason), _OWN_WORDS.sub("…", self.cure)


_OWN_WORDS = re.compile(r"'[^']*'|\"[^\"]*\"|\S*[\d/\\]\S*")


class BadRows(BadInput):
    """All bad rows of one CSV, in order. Nothing was bought, or `so` says what else was not done."""

    trouble: Trouble = "bad-rows"

    def __init__(self, source: str, rows: Sequence[BadRow], so: str = "nothing was bought") -> None:
        self.source = source
        self.rows = tuple(rows)
        count = "1 problem" if len(self.rows) == 1 else f"{len(self.rows)} problems"
        lines = "".join(f"\n  {line}" for line in _told_once(self.rows))
        super().__init__(f"{source}: {count}, {so}{lines}")


EACH_ITS_LINE = 3
"""The same trouble in more rows than this is one line."""


def _told_once(rows: Sequence[BadRow]) -> list[str]:
    """One line for each bad row; one for all that have the same trouble, where there are many, with the first of them."""
    kinds: dict[tuple[str, str, str], list[BadRow]] = {}
    for bad in rows:
        kinds.setdefault(bad.kind, []).append(bad)
    lines: list[str] = []
    for alike in kinds.values():
        if len(alike) <= EACH_ITS_LINE or not alike[0].row:
            lines += map(str, alike)
            continue
        first = ", ".join(f"{bad.row} ({bad.id})" if bad.id else str(bad.row) for bad in alike[:EACH_ITS_LINE])
        lines.append(f"{len(alike)} rows, {alike[0].column}: {first}, …; the first: {alike[0].said}")
    return lines


class Misconfigured(DailiesError):
    """Settings, keys, bucket or database don't fit together. Nothing was bought by this call."""

    trouble: Trouble = "settings"


class NotCharged(DailiesError):
    """A create that certainly cost nothing."""

    trouble: Trouble = "refused"


class NotSent(NotCharged):
    """The request never reached the provider."""

    trouble: Trouble = "network"


class Busy(NotCharged):
    """The provider refused for too long because it was too busy."""

    trouble: Trouble = "busy"


class Refused(NotCharged):
    """The provider refused this clip; asking again in the same words would be refused again."""


class Stopped(NotCharged):
    """The provider refuses every clip (bad key, no credits); no more is claimed there."""

    trouble: Trouble = "stopped"


class MaybeCharged(DailiesError):
    """The create was sent and its answer was lost."""

    trouble: Trouble = "in-doubt"


class Charged(DailiesError):
    """Money was spent, and a later step went wrong."""

    trouble: Trouble = "delayed"


class GenerationFailed(Charged):
    """The provider accepted the clip and then failed to make it."""

    trouble: Trouble = "failed"


class ResultLost(Charged):
    """The clip was made and paid for, and no URL leads to it any more."""

    trouble: Trouble = "lost"


class DeliveryDelayed(Charged):
    """The clip is paid for and safe, but not yet in S3."""


def trouble_of(error: BaseException) -> Trouble:
    """The kind of trouble of any error: of ours as they are, of a database's that it is the ledger."""
    if isinstance(error, DailiesError):
        return error.trouble
    return "ledger" if _of_a_database(error) else "unexpected"


def describe_error(error: BaseException) -> str:
    """Any error as one message for a person: ours as they are, a database's by what to do, others by their kind."""
    if isinstance(error, DailiesError):
        return str(error)
    kind = type(error).__name__
    if _of_a_database(error):
        reason = next(iter(str(getattr(error, "orig", None) or error).strip().splitlines()), kind)
        return (
            f"the ledger can't be used: {reason}. Whatever was paid is on record there or in the spool: "
            "see that the database answers, then run the same command again"
        )
    text = str(error).strip().splitlines()
    return f"{kind}: {text[0] if text else 'no more is known'}"


def _of_a_database(error: BaseException) -> bool:
    return any(kind.__module__.startswith("sqlalchemy") for kind in type(error).__mro__)
