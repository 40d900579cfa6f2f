"""OpenRouter: what it declares of itself."""

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="openrouter",
    title="OpenRouter",
    rank=60,
    base_url="https://openrouter.ai/api/v1",
    client="dailies.providers.openrouter.client:open_client",
    front="dailies.sandbox.openrouter:OpenRouter",
    settling=Settling(by=(SettledBy.WEBHOOK,)),
    webhook=True,
)
