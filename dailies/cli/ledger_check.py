"""`dailies ledger check`: whether all is as it must be, in the record and in S3."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from decimal import Decimal

from dailies.cli.command_settings import settings_here
from dailies.domain.money import ZERO, show_usd
from dailies.domain.records import BatchRow
from dailies.ledger import Ledger
from dailies.ledger.invariants import Flaw, flaws_of
from dailies.runtime import make_home, open_ledger
from dailies.steps.places import Listings
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble


def run_ledger_check(json: bool) -> int:
    """Print what is off. Exit code 0 when nothing is, else 1. Nothing is changed."""
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        found = [*flaws_of(ledger), *_not_in_s3(ledger, S3())]
    finally:
        ledger.close()
    if json:
        print(jsonlib.dumps([_entry(flaw) for flaw in found], ensure_ascii=False))
    else:
        for flaw in found:
            dollars = ", ".join(f"{name.removeprefix('usd_')} {show_usd(usd)}" for name, usd in flaw.usd.items())
            print(f"{flaw.id or 'the ledger'}: {flaw.what}" + (f" ({dollars})" if dollars else ""))
        print(f"{len(found)} things are off" if found else "all is as it must be")
    return 1 if found else 0


def _entry(flaw: Flaw) -> dict[str, object]:
    return {"id": flaw.id, "what": flaw.what, **{name: float(usd) for name, usd in flaw.usd.items()}}


def _not_in_s3(ledger: Ledger, s3: S3) -> Iterator[Flaw]:
    """Delivered clips, and their copies for other batches, that don't lie in S3 with the size that is on record."""
    store, seen = Listings(s3), set[str]()
    for batch in ledger.batches():
        for row in ledger.each_row(batch):
            if row.forgotten:
                continue
            try:
                if row.clip_key not in seen:
                    yield from _missing(store, row)
                yield from _copy_missing(store, row)
            except (StoreRefused, StoreTrouble) as error:
                yield Flaw(None, f"S3 can't be asked whether the clips are there: {error}", {"usd_quoted": ZERO})
                return
            seen.add(row.clip_key)


def _missing(store: Listings, row: BatchRow) -> Iterator[Flaw]:
    for attempt in row.attempts:
        if attempt.s3_uri and not store.holds(attempt.s3_uri, attempt.size_bytes):
            charged: Decimal = attempt.usd_charged or ZERO
            yield Flaw(row.id, f"{attempt.s3_uri} is not there, or has another size", {"usd_charged": charged})


def _copy_missing(store: Listings, row: BatchRow) -> Iterator[Flaw]:
    """A batch's own copy of a clip that another one bought. No money hangs on it."""
    if row.copy_uri and row.attempt and not store.holds(row.copy_uri, row.attempt.size_bytes):
        what = f"the copy {row.copy_uri} is not there, or has another size: the next run of {row.batch} copies it again"
        yield Flaw(row.id, what, {"usd_charged": ZERO})
