"""Runware: what it declares of itself. The caller makes the task's id, so a lost answer is asked for by it."""

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="runware",
    title="Runware",
    rank=30,
    base_url="https://api.runware.ai/v1",
    client="dailies.providers.runware.client:open_client",
    offers="dailies.providers.runware:offers.json",
    front="dailies.sandbox.runware:Runware",
    settling=Settling(by=(SettledBy.OWN_ID, SettledBy.SAME_KEY, SettledBy.WEBHOOK)),
    tells_balance=False,
    webhook=True,
    cost_from="the result",
)
