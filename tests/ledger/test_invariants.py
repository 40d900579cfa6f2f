"""What must always be so in a ledger is told when it is not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dailies.domain.states import State
from dailies.ledger import Ledger
from dailies.ledger.invariants import flaws_of
from tests.ledger.factories import bring_to, plan


def _sql(ledger: Ledger, statement: str) -> None:
    with ledger.engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        connection.exec_driver_sql(statement)


def test_a_ledger_of_every_state_is_as_it_must_be(ledger: Ledger) -> None:
    for key, state in zip(plan(ledger, len(State)), State, strict=True):
        bring_to(ledger, state, key)
    assert flaws_of(ledger) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE spend SET usd_counted = usd_counted + 1000000000 WHERE scope = 'batch'", "budget of batch smiles"),
        ("DELETE FROM spend WHERE scope = 'day'", "budget of day"),
        ("DELETE FROM event", "no history"),
        ("UPDATE attempt SET state = 'completed'", "history ends with stored"),
        ("UPDATE attempt SET usd_charged = -1", "negative price"),
        ("UPDATE attempt SET result_url = 'https://cdn/clip?signed'", "signed address"),
        ("INSERT INTO erased SELECT clip_key, created_at FROM clip", "forget it once more"),
    ],
)
def test_what_is_off_is_said_with_its_clip_and_dollars(ledger: Ledger, damage: str, said: str) -> None:
    bring_to(ledger, State.STORED)
    _sql(ledger, damage)
    found = flaws_of(ledger)
    assert any(said in flaw.what for flaw in found)
    assert all(flaw.usd and all(isinstance(usd, Decimal) for usd in flaw.usd.values()) for flaw in found)
