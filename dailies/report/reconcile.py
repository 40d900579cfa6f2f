"""Our ledger against the provider's: quoted, answered and posted, generation by generation. Pure.

The sums differ by exactly what the rows differ by, so whatever does not agree has a row that says why.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from dailies.domain.account import LogEntry, Posting
from dailies.domain.commands import resolve
from dailies.domain.money import ZERO, show_usd, sum_usd
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.report.cells import safe_cell

LATE = timedelta(hours=24)
"""A charge is posted some time after `completed`; the documents do not say how long. After a day it is missing."""


class Verdict(StrEnum):
    """Why a row is listed, the most urgent first."""

    FOUND = "in doubt here, charged there"
    FAILED_CHARGED = "charged though failed"
    NOT_OURS = "charged and not in our ledger"
    PRICE = "price changed"
    NOT_CHARGED = "in our ledger and not charged"
    NOT_POSTED = "not yet posted"
    LEARNED = "charge learned from the provider's ledger"
    REFUNDED = "refunded"
    OTHER = "another movement of the account"
    AGREES = "agrees"


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation in both ledgers; `reconciliation.csv` has these columns in this order.

    `usd_answered` is what the provider's answer said, `usd_posted` what its ledger says, refunds taken off;
    `usd_difference` is posted minus answered. None: not known.
    """

    verdict: Verdict
    id: str
    batch: str
    attempt: str | None
    generation_id: str | None
    model: str | None
    state: str
    at: datetime
    usd_quoted: Decimal | None
    usd_answered: Decimal | None
    usd_posted: Decimal | None
    usd_difference: Decimal
    note: str
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The two ledgers side by side over one span; `left_out` are attempts at providers that publish no ledger."""

    provider: str
    since: datetime
    until: datetime
    read_at: datetime
    entries: tuple[Entry, ...]
    left_out: int = 0
    usd_left_out: Decimal = ZERO

    @property
    def usd_ours(self) -> Decimal:
        """What the provider's answers added up to."""
        return sum_usd(entry.usd_answered for entry in self.entries)

    @property
    def usd_theirs(self) -> Decimal:
        """What the provider's ledger adds up to."""
        return sum_usd(entry.usd_posted for entry in self.entries)

    @property
    def differences(self) -> tuple[Entry, ...]:
        """Every row that does not simply agree, the most urgent first."""
        order = list(Verdict)
        found = (entry for entry in self.entries if entry.verdict is not Verdict.AGREES)
        return tuple(sorted(found, key=lambda entry: (order.index(entry.verdict), entry.at)))

    @property
    def waiting(self) -> bool:
        """Whether a charge may still be posted."""
        return any(entry.verdict is Verdict.NOT_POSTED for entry in self.entries)

    def sentence(self) -> str:
        """`$50.40 posted, $51.66 in our ledger: $1.26 less. 1 not yet posted (−$1.26)`, or that they agree."""
        sums = f"{show_usd(self.usd_theirs)} posted by {self.provider}, {show_usd(self.usd_ours)} in our ledger"
        gap = self.usd_theirs - self.usd_ours
        words = (
            f"{sums}: they agree to the cent"
            if not gap
            else f"{sums}: {show_usd(abs(gap))} {'more' if gap > 0 else 'less'}"
        )
        reasons = [f"{count} {verdict}{_signed(usd)}" for verdict, count, usd in self.reasons()]
        if self.left_out:
            left = f"{self.left_out} attempts ({show_usd(self.usd_left_out)}) at providers without a ledger"
            reasons.append(f"{left}: what their own answers or estimates said is all there is")
        return f"{words}. {' · '.join(reasons)}" if reasons else words + "."

    def reasons(self) -> list[tuple[Verdict, int, Decimal]]:
        """How many rows each reason has, and what they add up to."""
        counts = Counter(entry.verdict for entry in self.differences)
        return [
            (verdict, counts[verdict], sum_usd(e.usd_difference for e in self.differences if e.verdict is verdict))
            for verdict in Verdict
            if counts[verdict]
        ]


def reconcile(  # noqa: PLR0913 - two books, and what each knows
    selected: Sequence[BatchRow], known: Collection[str], postings: Sequence[Posting], requests: Sequence[LogEntry],
    since: datetime, until: datetime, read_at: datetime, provider: str,
) -> Reconciliation:  # fmt: skip
    """Compare. `known` are the generation ids of the whole ledger: a charge for one of them is ours, whatever its span.

    `postings` may reach beyond `until` (charges are posted late); what isn't ours counts only within the span.
    """
    attempts = _attempts(selected)
    mine = [(row, attempt) for row, attempt in attempts if attempt.provider == provider]
    others = [attempt for _, attempt in attempts if attempt.provider != provider and attempt.usd_charged]
    by_id: dict[str, list[Posting]] = defaultdict(list)
    for posting in postings:
        if posting.generation_id:
            by_id[posting.generation_id].append(posting)
    by_reference = {request.reference: request for request in requests if request.reference}
    logged = {request.generation_id: request for request in requests}
    entries = [
        entry
        for row, attempt in mine
        for entry in [_ours(row, attempt, by_id, by_reference.get(attempt.id), logged, read_at)]
        if entry
    ]
    matched = set(known) | {entry.generation_id for entry in entries if entry.generation_id}
    entries += [
        _theirs(posting, logged.get(posting.generation_id or ""))
        for posting in postings
        if since <= posting.at < until and posting.generation_id not in matched
    ]
    named = tuple(replace(entry, provider=provider) for entry in entries)
    return Reconciliation(provider, since, until, read_at, named, len(others), sum_usd(a.usd_charged for a in others))


def together(results: Sequence[Reconciliation], selected: Sequence[BatchRow]) -> Reconciliation:
    """The ledgers of several providers as one table; `left_out` is what none of them could tell of. At least one is given."""
    if len(results) == 1:
        return results[0]
    names = [result.provider for result in results]
    others = [a for _, a in _attempts(selected) if a.provider not in names and a.usd_charged]
    return Reconciliation(
        " and ".join(names),
        min(result.since for result in results),
        max(result.until for result in results),
        max(result.read_at for result in results),
        tuple(entry for result in results for entry in result.entries),
        len(others),
        sum_usd(a.usd_charged for a in others),
    )


def _attempts(rows: Iterable[BatchRow]) -> list[tuple[BatchRow, Attempt]]:
    """Each attempt once, with the row of the batch that made it where that is selected."""
    found: dict[str, tuple[BatchRow, Attempt]] = {}
    for row in rows:
        for attempt in row.attempts:
            if attempt.id not in found or attempt.batch == row.batch:
                found[attempt.id] = (row, attempt)
    return list(found.values())


def _ours(
    row: BatchRow, attempt: Attempt, by_id: dict[str, list[Posting]], by_reference: LogEntry | None,
    logged: dict[str, LogEntry], read_at: datetime,
) -> Entry | None:  # fmt: skip
    generation = attempt.generation_id or (by_reference.generation_id if by_reference else None)
    if generation is None:
        return None  # never answered and never logged: money at risk, or none
    found = by_id.get(generation, [])
    posted = sum_usd(posting.usd for posting in found) if found else None
    answered = ZERO if attempt.state is State.FAILED and attempt.usd_charged is None else attempt.usd_charged
    verdict, note = _verdict(row, attempt, answered, posted, logged.get(generation), read_at)
    at = min((posting.at for posting in found), default=attempt.created_at)
    quoted = attempt.usd_quoted if row.usd_quoted is not None else None
    return Entry(
        verdict, row.id, attempt.batch, attempt.id, generation, row.clip.model, str(attempt.state), at, quoted, answered,
        posted, (posted or ZERO) - (answered or ZERO), note,
    )  # fmt: skip


def _verdict(
    row: BatchRow, attempt: Attempt, answered: Decimal | None, posted: Decimal | None, logged: LogEntry | None,
    read_at: datetime,
) -> tuple[Verdict, str]:  # fmt: skip
    if attempt.generation_id is None and attempt.state is not State.FAILED:
        generation = logged.generation_id if logged else ""
        return Verdict.FOUND, resolve(attempt.id, f"--charged={generation}")
    if (attempt.state is State.FAILED or attempt.failure) and not answered:
        if posted:
            return Verdict.FAILED_CHARGED, f"failed ({attempt.error or 'no reason'}), and {show_usd(posted)} was posted"
        return (
            (Verdict.AGREES, "failed, not charged") if posted is None else (Verdict.REFUNDED, "charged and given back")
        )
    if posted is None:
        return _missing(attempt, logged, read_at)
    if posted == ZERO:
        return Verdict.REFUNDED, "charged and given back"
    if answered is None:
        return Verdict.LEARNED, f"the answer did not say what it cost; {show_usd(posted)} was posted"
    quoted = attempt.usd_quoted if row.usd_quoted is not None else answered
    if posted == answered == quoted:
        return Verdict.AGREES, ""
    return Verdict.PRICE, f"quoted {show_usd(quoted)}, answered {show_usd(answered)}, posted {show_usd(posted)}"


def _missing(attempt: Attempt, logged: LogEntry | None, read_at: datetime) -> tuple[Verdict, str]:
    if attempt.completed_at is None and attempt.state is not State.RESULT_LOST:
        return Verdict.NOT_POSTED, "still generating: charges are posted after completion"
    if read_at - (attempt.completed_at or attempt.created_at) < LATE:
        cost = f"; its log says {show_usd(logged.usd)}" if logged else ""
        return Verdict.NOT_POSTED, f"completed less than a day ago{cost}"
    said = f"its log says {show_usd(logged.usd)}" if logged else "its log does not list it either"
    return Verdict.NOT_CHARGED, f"completed more than a day ago and never posted; {said}"


def _theirs(posting: Posting, logged: LogEntry | None) -> Entry:
    verdict = Verdict.NOT_OURS if posting.generation_id and posting.usd > 0 else Verdict.OTHER
    if verdict is Verdict.OTHER:
        note = f"{posting.kind.replace('_', ' ').lower()}, without a generation of ours"
    elif logged and logged.reference:
        note = f"sent with the reference {logged.reference!r}, which this ledger does not know"
    else:
        note = "someone else used the key, or another ledger of ours did"
    return Entry(
        verdict,
        "",
        "",
        None,
        posting.generation_id,
        posting.model,
        "",
        posting.at,
        None,
        None,
        posting.usd,
        posting.usd,
        note,
    )


def reconciliation_csv(result: Reconciliation) -> str:
    """Every row, differences first; formula-safe, money as exact decimals."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [field.name for field in fields(Entry)]
    writer.writerow(names)
    agreeing = [entry for entry in result.entries if entry.verdict is Verdict.AGREES]
    for entry in (*result.differences, *agreeing):
        cells = (getattr(entry, name) for name in names)
        writer.writerow(
            [cell.isoformat(timespec="seconds") if isinstance(cell, datetime) else _cell(cell) for cell in cells]
        )
    return out.getvalue()


def _cell(value: object) -> str:
    return str(value) if isinstance(value, StrEnum) else safe_cell(value)


def _signed(usd: Decimal) -> str:
    return f" ({'+' if usd > 0 else '−'}{show_usd(abs(usd))})" if usd else ""
