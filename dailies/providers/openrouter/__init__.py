"""OpenRouter: what it declares of itself. It has neither key nor list of jobs: only its webhook knows a lost one."""

from dailies.domain.provider import Declaration, SettledBy, Settling, TextSetting

PROVIDER = Declaration(
    name="openrouter",
    title="OpenRouter",
    rank=60,
    base_url="https://openrouter.ai/api/v1",
    client="dailies.providers.openrouter.client:open_client",
    offers="dailies.providers.openrouter:offers.json",
    front="dailies.sandbox.openrouter:OpenRouter",
    settings=(
        TextSetting(
            "OPENROUTER_WEBHOOK_SECRET", "", "the secret of the workspace that signs OpenRouter's webhooks", secret=True
        ),
    ),
    settling=Settling(by=(SettledBy.WEBHOOK,)),
    webhook=True,
    webhook_signature="HMAC",
    cost_from="the result",
)
