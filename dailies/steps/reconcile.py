"""Reads the provider's account and sets it against our ledger, patient with charges that are posted late."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import anyio

from dailies.domain.money import usd_to_credits
from dailies.domain.records import BatchRow
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.providers.base import Account, AccountUnavailable
from dailies.providers.open import open_account
from dailies.registry import declared
from dailies.report.reconcile import Reconciliation, Verdict, reconcile, together
from dailies.report.select import Selection, chosen
from dailies.settings import Settings

logger = logging.getLogger("dailies.reconcile")
MARGIN = timedelta(hours=1)  # the provider's clock and ours may differ
JUST_NOW = timedelta(minutes=10)
PAUSES_S = (2.0, 4.0, 8.0, 16.0)
"""How long a charge of the last minutes is waited for; after that it is noted as not yet posted."""


async def reconciliation_of(settings: Settings, everything: Sequence[BatchRow], selection: Selection) -> Reconciliation:
    """Our ledger against those of all providers that publish one and were bought from, with the settings' keys.

    Where several are read, one that can't be is left out and said. Raises AccountUnavailable where none can be, BadInput, and
    Misconfigured without a key.
    """
    names = to_read(settings, everything, selection)
    results: list[Reconciliation] = []
    failed: AccountUnavailable | None = None
    for name in names:
        account = open_account(settings, name)
        assert account is not None
        try:
            results.append(await read_reconciliation(account, everything, selection, name))
        except AccountUnavailable as error:
            failed = error
            if len(names) > 1:
                logger.warning("%s is left out: %s", name, error)
        finally:
            await account.close()
    if failed and not results:
        raise failed
    return together(results, chosen(everything, selection))


def to_read(settings: Settings, everything: Sequence[BatchRow], selection: Selection) -> list[str]:
    """The providers whose ledgers are read: the one that is named, else all with a key at which something was bought.

    Raises BadInput for one that publishes none.
    """
    publish = [one.name for one in declared().values() if one.account]
    if selection.provider:
        if selection.provider not in publish:
            raise BadInput(
                f"--reconcile: {selection.provider} publishes no ledger to compare with; there are those of {' and '.join(publish)}"
            )
        return [selection.provider]
    keyed = [name for name in publish if settings.api_key(name)] or publish[:1]
    bought = {attempt.provider for row in chosen(everything, selection) for attempt in row.attempts}
    return [name for name in keyed if name in bought] or keyed[:1]


async def read_reconciliation(
    account: Account,
    everything: Sequence[BatchRow],
    selection: Selection,
    provider: str,
    pauses_s: Sequence[float] = PAUSES_S,
) -> Reconciliation:
    """Our ledger against the provider's, for what was chosen. `everything` is all rows of all batches.

    Raises AccountUnavailable.
    """
    selected = chosen(everything, selection)
    known = {a.generation_id for row in everything for a in row.attempts if a.generation_id}
    begun = [a.created_at for row in selected for a in row.attempts if a.provider == provider]
    since = selection.start or min(begun, default=datetime.now(UTC)) - MARGIN
    for pause_s in (*pauses_s, None):
        now = datetime.now(UTC)
        postings = await account.postings(since - MARGIN, now + MARGIN)
        requests = await account.requests(since - MARGIN, now + MARGIN)
        reconciliation = reconcile(
            selected, known, postings, requests, since, selection.end or now + MARGIN, now, provider
        )
        if pause_s is None or not _worth_waiting(reconciliation, selected, now):
            return reconciliation
        logger.info("some charges are not posted yet; the provider's ledger is read again in %.0f s", pause_s)
        await anyio.sleep(pause_s)
    raise AssertionError("unreachable")


def _worth_waiting(reconciliation: Reconciliation, selected: Sequence[BatchRow], now: datetime) -> bool:
    missing = {entry.attempt for entry in reconciliation.entries if entry.verdict is Verdict.NOT_POSTED}
    ended = (a.completed_at for row in selected for a in row.attempts if a.id in missing)
    return any(moment is not None and now - moment < JUST_NOW for moment in ended)


def learn_charges(ledger: Ledger, reconciliation: Reconciliation) -> int:
    """Write down what attempts cost whose answers did not say so. Returns how many there were."""
    learned = [
        e for e in reconciliation.entries if e.verdict is Verdict.LEARNED and e.attempt and e.usd_posted is not None
    ]
    for entry in learned:
        assert entry.attempt is not None and entry.usd_posted is not None
        ledger.record_charged(entry.attempt, entry.usd_posted, usd_to_credits(entry.usd_posted))
    return len(learned)
