"""Higgsfield: what it declares of itself."""

from datetime import timedelta

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="higgsfield",
    title="Higgsfield",
    rank=40,
    base_url="https://api.higgsfield.ai",
    client="dailies.providers.higgsfield.client:open_client",
    front="dailies.sandbox.higgsfield:Higgsfield",
    vendor_keys=(("HF_KEY",), ("HF_API_KEY", "HF_API_SECRET")),
    settling=Settling(by=(SettledBy.SAME_KEY, SettledBy.WEBHOOK)),
    result_life=timedelta(days=7),
    cancels=True,
    webhook=True,
    tells_balance=False,
)
