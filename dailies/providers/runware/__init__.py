"""Runware: what it declares of itself."""

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="runware",
    title="Runware",
    rank=30,
    base_url="https://api.runware.ai/v1",
    client="dailies.providers.runware.client:open_client",
    front="dailies.sandbox.runware:Runware",
    settling=Settling(by=(SettledBy.OWN_ID, SettledBy.WEBHOOK)),
    webhook=True,
    tells_balance=False,
)
