"""Who works with a ledger at this moment: those who may hold a paid request, or watch a paid clip, and are alive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dailies.domain.states import State
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from dailies.ledger.leases import living_owners
from tests.ledger.factories import MakeLedger, a_dead_owner, an_owner, bring_to, plan


def living(ledger: Ledger) -> frozenset[str]:
    with ledger.engine.connect() as connection:
        return living_owners(connection)


def test_whoever_holds_a_live_lease_is_alive(make_ledger: MakeLedger) -> None:
    """Not the dead of this machine, nor who was silent too long on another, nor whose clips are all at an end."""
    now = datetime.now(UTC)
    names = ("sends", "watches", "silent", "idle")
    owners = {name: an_owner(machine="far", nonce=name) for name in names} | {"dead": a_dead_owner()}
    long_ago = now - timedelta(days=1)
    ledgers = {
        name: make_ledger(owner, clock=lambda name=name: long_ago if name == "silent" else now)  # type: ignore[misc]
        for name, owner in owners.items()
    }
    states = {
        "sends": State.SUBMITTING,
        "watches": State.COMPLETED,
        "silent": State.SUBMITTING,
        "dead": State.SUBMITTED,
        "idle": State.STORED,
    }
    keys = plan(ledgers["sends"], len(states))
    for (name, state), key in zip(states.items(), keys, strict=True):
        attempt = bring_to(ledgers[name], state, key)
        with ledgers[name].engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
            lease = long_ago if name == "silent" else now + timedelta(minutes=5)
            values = {"owner": str(owners[name]), "lease_until": lease}
            connection.execute(t.attempt.update().where(t.attempt.c.id == attempt.id).values(**values))
    assert living(ledgers["sends"]) == {str(owners["sends"]), str(owners["watches"])}


def test_where_nobody_works_nobody_is_alive(ledger: Ledger) -> None:
    assert living(ledger) == frozenset()
