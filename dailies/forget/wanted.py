"""What is to be forgotten: whose clips, which texts and pictures, and whether anything of it is unsettled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dailies.domain.commands import COLLECT, STATUS
from dailies.domain.needles import Needles
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.errors import BadInput
from dailies.ledger import Ledger

UNDER_WAY = frozenset({State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.IN_DOUBT})
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows of the clips that are to be forgotten, in all batches that have them."""

    rows: tuple[BatchRow, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The clip_keys, each once."""
        return tuple(dict.fromkeys(row.clip_key for row in self.rows))

    @property
    def batches(self) -> tuple[str, ...]:
        """The batches whose reports tell of these clips."""
        return tuple(dict.fromkeys(row.batch for row in self.rows))

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All that was tried for them."""
        return tuple({attempt.id: attempt for row in self.rows for attempt in row.attempts}.values())

    @property
    def pictures(self) -> frozenset[str]:
        """Digests of the images, as they lay there and as they were sent."""
        sent = {attempt.image_sha256 for attempt in self.attempts}
        return frozenset(digest for digest in sent | {row.clip.image.sha256 for row in self.rows} if digest)

    def texts(self) -> set[str]:
        """Prompts, texts of options, and where the images came from."""
        found: set[str] = set()
        for row in self.rows:
            found |= {row.clip.prompt, row.clip.image.source}
            found |= {value for value in row.clip.options.values() if isinstance(value, str)}
            found |= {attempt.result_url for attempt in row.attempts if attempt.result_url}
        return found - {""}


def wanted_of(ledger: Ledger, keys: Iterable[str]) -> Wanted:
    """What the ledger knows of clips."""
    return Wanted(tuple(ledger.rows_of_clips(keys)))


def refuse_unsettled(wanted: Wanted, attempts: Iterable[Attempt]) -> None:
    """Raise BadInput, naming them, while money of these clips is under way, in doubt or paid and not home, by these attempts."""
    unsettled = {attempt.clip_key for attempt in attempts if _unsettled(attempt)}
    rows = [row for row in wanted.rows if row.clip_key in unsettled]
    if not rows:
        return
    named = ", ".join(f"{row.batch}/{row.id}" for row in rows[:MOST_NAMED])
    more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
    raise BadInput(
        f"not settled yet: {named}{more}. What is paid for must come home, and what is in doubt be settled, before it can be "
        f"forgotten. Nothing was removed. First: {COLLECT}, then {STATUS}",
        trouble="unsettled",
    )


def _unsettled(attempt: Attempt) -> bool:
    return (
        attempt.state in UNDER_WAY
        or bool(attempt.usd_at_risk)
        or (attempt.state is State.ORPHANED and not attempt.ended)
    )


def needles_of(ledger: Ledger, wanted: Wanted, pictures: Sequence[str] = ()) -> Needles:
    """What must not be found any more: not what clips that stay have too. `pictures` are posters as pages embed them."""
    needles = Needles()
    needles.add((wanted.texts() | ledger.words_said_of(wanted.keys)) - ledger.texts_of_others(wanted.keys))
    needles.add_whole(pictures)
    return needles
