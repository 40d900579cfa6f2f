"""Higgsfield: what it declares of itself. The same request under the same key is the same purchase."""

from datetime import timedelta

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="higgsfield",
    title="Higgsfield",
    rank=40,
    base_url="https://api.higgsfield.ai",
    client="dailies.providers.higgsfield.client:open_client",
    offers="dailies.providers.higgsfield:offers.json",
    front="dailies.sandbox.higgsfield:Higgsfield",
    vendor_keys=(("HF_KEY",), ("HF_API_KEY", "HF_API_SECRET")),
    result_life=timedelta(days=7),
    settling=Settling(by=(SettledBy.SAME_KEY, SettledBy.WEBHOOK)),
    tells_balance=False,
    cancels=True,
    cancel_rule="what is still queued is stopped and costs nothing; what runs already is made, paid, and comes home",
    webhook=True,
    cost_from="its estimate",
)
