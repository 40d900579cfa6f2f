"""A provider's account is read for the span that is reported, a little beyond it, and again while a charge is on its way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from dailies.domain.account import LogEntry, Posting
from dailies.domain.records import BatchRow
from dailies.domain.states import State
from dailies.errors import BadInput
from dailies.providers.base import AccountUnavailable
from dailies.report.reconcile import Reconciliation, Verdict
from dailies.report.select import Selection
from dailies.settings import Settings
from dailies.steps import reconcile
from dailies.steps.reconcile import (
    JUST_NOW,
    MARGIN,
    PAUSES_S,
    learn_charges,
    read_reconciliation,
    reconciliation_of,
    to_read,
)
from tests.report.factories import a_batch_row
from tests.unit.steps_bench import fake

MOMENT = timedelta(seconds=30)
AT_ONCE = (0.0,) * 3
EVERYTHING = Selection()


@dataclass
class Books:
    """A provider's account: what it has posted each time that it is read, the last again and again."""

    posted: list[list[Posting]] = field(default_factory=lambda: [[]])
    log: list[LogEntry] = field(default_factory=list)
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    closed: int = 0

    async def postings(self, since: datetime, until: datetime) -> list[Posting]:
        self.spans.append((since, until))
        return self.posted.pop(0) if len(self.posted) > 1 else self.posted[0]

    async def requests(self, since: datetime, until: datetime) -> list[LogEntry]:
        assert (since, until) == self.spans[-1]
        return self.log

    async def close(self) -> None:
        self.closed += 1


def made(number: int = 1, ago: timedelta = timedelta(minutes=1), provider: str = "aiml", **changes: Any) -> BatchRow:
    """A delivered clip that was ready so long ago."""
    ready = datetime.now(UTC) - ago
    row = a_batch_row(number, created_at=ready - timedelta(seconds=91), **{"completed_at": ready} | changes)
    assert row.attempt
    return row._replace(attempts=(row.attempt._replace(provider=provider),))


def charge(row: BatchRow) -> Posting:
    """What its provider posts for it."""
    attempt = row.attempt
    assert attempt and attempt.usd_charged is not None
    return Posting(attempt.created_at, "MODEL_USAGE", attempt.usd_charged, attempt.generation_id, row.clip.model)


def read(
    books: Books,
    rows: Sequence[BatchRow],
    selection: Selection = EVERYTHING,
) -> Reconciliation:
    """The comparison, waiting for nothing."""
    return anyio.run(read_reconciliation, books, rows, selection, "aiml", AT_ONCE)


def verdicts(found: Reconciliation) -> list[Verdict]:
    return [entry.verdict for entry in found.entries]


def test_it_is_read_from_the_first_create_there_until_now_and_an_hour_beyond() -> None:
    books = Books()
    rows = [
        made(1, timedelta(days=2)),
        made(2, timedelta(days=5)),
        made(3, timedelta(days=9), "fal"),
        a_batch_row(4, None),
    ]
    found = read(books, rows)
    ((since, until),) = books.spans
    first = rows[1].attempt
    assert first is not None and found.since == first.created_at - MARGIN == since + MARGIN
    assert abs(until - MARGIN - datetime.now(UTC)) < MOMENT and until == found.until
    assert abs(found.read_at - datetime.now(UTC)) < MOMENT and found.provider == "aiml"


def test_of_a_span_of_days_it_is_that_span() -> None:
    today = datetime.now(UTC).date()
    span = Selection(since=today - timedelta(days=9), until=today - timedelta(days=7))
    books = Books()
    found = read(books, [made(1, timedelta(days=8))], span)
    assert (found.since, found.until) == (span.start, span.end) and span.start and span.end
    assert books.spans[0][0] == span.start - MARGIN and books.spans[0][1] > span.end


def test_where_nothing_was_bought_there_it_is_the_last_hour() -> None:
    found = read(Books(), [made(provider="fal")])
    assert abs(found.since + MARGIN - datetime.now(UTC)) < MOMENT


def test_a_charge_for_a_clip_of_another_selection_is_no_strangers() -> None:
    """Whatever is reported, what the ledger knows is ours."""
    one, other = made(1), made(2, clip={"model": "google/veo-3.1-i2v"})
    found = read(Books([[charge(one), charge(other)]]), [one, other], Selection(model="google/veo-3.1-i2v"))
    assert verdicts(found) == [Verdict.AGREES] and found.entries[0].id == other.id


def test_it_is_read_again_until_a_charge_of_the_last_minutes_is_posted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    row = made()
    books = Books([[], [], [charge(row)]])
    assert verdicts(read(books, [row])) == [Verdict.AGREES] and len(books.spans) == 3
    assert caplog.messages == ["some charges are not posted yet; the provider's ledger is read again in 0 s"] * 2


def test_after_the_last_pause_it_is_noted() -> None:
    books = Books()
    assert verdicts(read(books, [made()])) == [Verdict.NOT_POSTED] and len(books.spans) == len(AT_ONCE) + 1


@pytest.mark.parametrize("row", [made(1, JUST_NOW + timedelta(minutes=1)), made(1, completed_at=None)])
def test_for_what_is_not_of_the_last_minutes_nobody_waits(row: BatchRow) -> None:
    books = Books()
    assert verdicts(read(books, [row])) == [Verdict.NOT_POSTED] and len(books.spans) == 1


def test_a_clip_of_just_now_whose_charge_is_there_keeps_nobody_waiting_for_an_older_one() -> None:
    new, old = made(1), made(2, timedelta(hours=2))
    books = Books([[charge(new)]])
    assert sorted(verdicts(read(books, [new, old]))) == sorted([Verdict.AGREES, Verdict.NOT_POSTED])
    assert len(books.spans) == 1


def test_half_a_minute_is_waited_in_all() -> None:
    assert PAUSES_S == (2.0, 4.0, 8.0, 16.0)


# Whose accounts


KEYS = Settings(aiml_api_key=SecretStr("k"), fal_api_key=SecretStr("k"))


def compared(
    monkeypatch: pytest.MonkeyPatch, books: dict[str, Books], refused: dict[str, str], rows: Sequence[BatchRow]
) -> Reconciliation:
    """All accounts read, of which some refuse."""

    def opened(settings: Settings, name: str) -> Books:
        assert settings is KEYS
        return books[name]

    async def reading(account: Books, everything: object, selection: Selection, name: str) -> Reconciliation:
        assert account is books[name] and everything is rows and selection is EVERYTHING
        if name in refused:
            raise AccountUnavailable(refused[name])
        now = datetime.now(UTC)
        return Reconciliation(name, now, now, now, ())

    monkeypatch.setattr(reconcile, "open_account", opened)
    monkeypatch.setattr(reconcile, "read_reconciliation", reading)
    return anyio.run(reconciliation_of, KEYS, rows, EVERYTHING)


@pytest.mark.parametrize(("refused", "said"), [({}, []), ({"aiml": "it is away"}, ["aiml is left out: it is away"])])
def test_each_is_closed_and_one_that_can_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, refused: dict[str, str], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    books = {"aiml": Books(), "fal": Books()}
    found = compared(monkeypatch, books, refused, [made(1), made(2, provider="fal")])
    assert [account.closed for account in books.values()] == [1, 1] and caplog.messages == said
    assert found.provider == ("fal" if refused else "aiml and fal")


def test_the_only_one_that_can_not_be_read_is_an_error_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    books = {"aiml": Books()}
    with pytest.raises(AccountUnavailable, match="it is away"):
        compared(monkeypatch, books, {"aiml": "it is away"}, [made(1)])
    assert books["aiml"].closed == 1 and caplog.messages == []


def test_without_a_key_the_first_that_publishes_one_is_named() -> None:
    assert to_read(Settings(), [made(provider="fal")], Selection()) == ["aiml"]
    with pytest.raises(BadInput) as error:
        to_read(KEYS, [], Selection(provider="runware"))
    words = "--reconcile: runware publishes no ledger to compare with; there are those of aiml and fal"
    assert str(error.value) == words


def test_what_was_bought_before_the_span_names_no_account() -> None:
    rows = [made(1, timedelta(days=40)), made(2, provider="fal")]
    since = datetime.now(UTC).date() - timedelta(days=2)
    assert to_read(KEYS, rows, Selection(since=since)) == ["fal"]
    assert to_read(KEYS, rows, Selection()) == ["aiml", "fal"]


def test_an_attempt_that_is_lost_is_compared_too() -> None:
    row = made(state=State.RESULT_LOST)
    assert verdicts(read(Books([[charge(row)]]), [row])) == [Verdict.AGREES]


def test_only_a_charge_that_no_answer_told_is_learned() -> None:
    """What agrees, or differs, stays as the answer told it; without an attempt or a charge there is nothing to learn."""
    told: list[tuple[str, Decimal, int | None]] = []
    entries = [
        fake(verdict=verdict, attempt=attempt, usd_posted=usd)
        for verdict, attempt, usd in (
            *((verdict, f"an-{verdict}", Decimal("1.3")) for verdict in Verdict),
            (Verdict.LEARNED, None, Decimal("1.3")),
            (Verdict.LEARNED, "b", None),
        )
    ]
    ledger = fake(record_charged=lambda *charge: told.append(charge))
    assert learn_charges(ledger, fake(entries=entries)) == 1
    assert told == [(f"an-{Verdict.LEARNED}", Decimal("1.3"), 2_600_000)]
