"""fal: what it declares of itself. It has no key for a create, but a history of requests with what was asked for."""

from dailies.domain.provider import Declaration, SettledBy, Settling, TextSetting

PROVIDER = Declaration(
    name="fal",
    title="fal",
    rank=50,
    base_url="https://queue.fal.run",
    client="dailies.providers.fal.client:open_client",
    offers="dailies.providers.fal:offers.json",
    front="dailies.sandbox.fal_account:FalFront",
    vendor_keys=(("FAL_KEY",), ("FAL_KEY_ID", "FAL_KEY_SECRET")),
    settings=(
        TextSetting(
            "FAL_JWKS_URL",
            "https://rest.alpha.fal.ai/.well-known/jwks.json",
            "where fal's public keys are, by which its webhooks are known",
        ),
    ),
    settling=Settling(by=(SettledBy.HISTORY, SettledBy.WEBHOOK)),
    account="dailies.providers.fal.account:open_account",
    tells_balance=False,
    cancels=True,
    cancel_rule="what waits is stopped and costs nothing; what runs already may be made all the same, is paid then, and comes home",
    webhook=True,
    webhook_signature="Ed25519",
    cost_from="its billing events",
)
