"""OneRouter, now Infron: what it declares of itself."""

from dailies.domain.provider import Declaration, TextSetting

PROVIDER = Declaration(
    name="onerouter",
    title="OneRouter (Infron)",
    rank=20,
    base_url="https://video.onerouter.pro",
    client="dailies.providers.onerouter.client:open_client",
    offers="dailies.providers.onerouter:offers.json",
    front="dailies.sandbox.onerouter_queue:OneRouterFront",
    settings=(
        TextSetting("ONEROUTER_AUTH", "bearer", "how OneRouter's key is sent: `bearer` or `raw`", ("bearer", "raw")),
    ),
    create_timeout_s=900.0,
    creates_at_once=None,
    tells_balance=False,
    cost_from="the task",
    sells_more=True,
)
