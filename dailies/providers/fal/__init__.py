"""fal: what it declares of itself."""

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="fal",
    title="fal",
    rank=50,
    base_url="https://queue.fal.run",
    client="dailies.providers.fal.client:open_client",
    front="dailies.sandbox.fal_account:FalFront",
    vendor_keys=(("FAL_KEY",),),
    settling=Settling(by=(SettledBy.HISTORY, SettledBy.WEBHOOK)),
    cancels=True,
    webhook=True,
    tells_balance=False,  # the balance needs an administrator's key
)
