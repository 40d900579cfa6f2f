"""The price rises fourfold while a batch is made: its budget holds for all that was not sent yet."""

from __future__ import annotations

import threading
from decimal import Decimal

from tests.e2e.harness import World, until
from tests.e2e.invariants import assert_budgets, assert_charges

MODEL, PRICE = "openai/sora-2-pro-i2v", Decimal("1.26")
IN_FLIGHT = 2


def test_a_price_that_rises_in_mid_batch_does_not_pass_the_budget(world: World) -> None:
    """$50.40 were charged of a budget of $13."""
    world.csv(10)

    def rises() -> None:
        until(lambda: len(world.charges()) >= 3, 120)
        world.sandbox.price(MODEL, 4 * PRICE / 4)

    watcher = threading.Thread(target=rises)
    watcher.start()
    result = world.run("--budget", "13", "--in-flight", str(IN_FLIGHT))
    watcher.join()
    charges = [Decimal(charge.usd) for charge in world.charges()]
    assert 4 * PRICE in charges, "the price did rise"
    assert sum(charges) <= 13 + IN_FLIGHT * 3 * PRICE, "what was in flight when it rose, and no more"
    assert result.code == 1 and result.json["not_started"] > 0
    assert "charged $5.04" in result.stderr and "quoted at $1.26" in result.stderr
    again = world.run("--budget", "13", "--in-flight", str(IN_FLIGHT))
    assert again.code in (1, 2) and len(world.charges()) == len(charges), "nor does the next run"
    assert_charges(world, world.attempts())
    assert_budgets(world, world.attempts())
