"""What is asked of a ledger all the time, timed in a process of its own: `python -m benchmarks.questions LEDGER.db`, or its URL."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import sqlalchemy as sa

from dailies.ledger import Caps, Ledger, Owner, open_engine
from dailies.ledger import tables as t

TIMES = 15
USD = Decimal("1.26")


def timed(ask: Callable[[], object]) -> float:
    """The quickest of some, in milliseconds."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        ask()
        found.append((time.perf_counter() - began) * 1000)
    return min(found)


def asked(url: str) -> dict[str, float]:
    """What a start, `status`, `collect`, a claim and a settling ask for."""
    began = time.perf_counter()
    ledger = Ledger(open_engine(url), Owner.this_process())
    opened = (time.perf_counter() - began) * 1000
    with ledger.engine.connect() as connection:
        key = connection.execute(sa.select(t.attempt.c.clip_key).limit(1)).scalar_one()
    since = ledger.now() - timedelta(days=7)
    questions: dict[str, Callable[[], object]] = {
        "start: dead owners' attempts": ledger.reap,
        "start: leases": ledger.renew,
        "status: unfinished": ledger.unfinished,
        "status: in doubt": ledger.unsettled,
        "status: counted today": ledger.counted,
        "status: counted this month": ledger.counted_in_month,
        "collect: lost": lambda: ledger.lost(since),
        "claim": lambda: ledger.claim(key, "scale", "aiml", USD, Caps(USD, USD), "digest"),
        "a clip's attempts": lambda: ledger.attempts(key),
        "how long clips took": lambda: ledger.generation_times("aiml", "kind", None, None),
        "settling: in flight": lambda: ledger.usd_in_flight("aiml"),
    }
    return {"start: opened": opened} | {name: timed(ask) for name, ask in questions.items()}


if __name__ == "__main__":
    where = sys.argv[1]
    json.dump(asked(where if "://" in where else f"sqlite:///{where}"), sys.stdout)
