"""What another round of retakes would come to, by the quotes on record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dailies.domain.money import sum_usd
from dailies.domain.records import BatchRow
from dailies.domain.takes import Take, answers_to
from dailies.domain.verdicts import Word
from dailies.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Round:
    """How many takes `run --only retake` would buy, and what those that they answer are quoted at."""

    clips: int
    usd_quoted: Decimal
    unpriced: int


def retake_round(ledger: Ledger, rows: Collection[BatchRow]) -> Round:
    """The round for these rows; one reading of the ledger, and none where nothing is sent back."""
    sent_back = {row.clip_key: row for row in rows if is_sent_back(row)}
    if not sent_back:
        return Round(0, Decimal(0), 0)
    bases = ledger.row_clip_of(list(sent_back))
    providers = {bases.get(key, key): row.providers for key, row in sent_back.items()}
    return round_of(sent_back, list(ledger.takes_of(providers).values()))


def round_of(sent_back: Mapping[str, BatchRow], takes: Sequence[Sequence[Take]]) -> Round:
    """The round for clips that were sent back, by clip_key, with all takes of each of their rows. Pure.

    A take that is under way already, or failed for good, is not bought again.
    """
    quotes = []
    for some in takes:
        settled = {take.number for take in some if take.settled}
        wanted = [answer for answer in answers_to(some) if answer.number not in settled and answer.to.key in sent_back]
        quotes += [sent_back[answer.to.key].usd_quoted for answer in wanted]
    return Round(len(quotes), sum_usd(quotes), quotes.count(None))


def is_sent_back(row: BatchRow) -> bool:
    """Whether a row's clip is to be made again."""
    retake = row.verdict is not None and row.verdict.said.word is Word.RETAKE
    return retake and row.counted and not (row.retired or row.forgotten)
