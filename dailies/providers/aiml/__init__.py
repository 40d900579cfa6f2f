"""AI/ML API: what it declares of itself."""

from dailies.domain.provider import Declaration, SettledBy, Settling

PROVIDER = Declaration(
    name="aiml",
    title="AI/ML API",
    rank=10,
    base_url="https://api.aimlapi.com",
    client="dailies.providers.aiml.client:open_client",
    account="dailies.providers.aiml.account:open_account",
    offers="dailies.providers.aiml:offers.json",
    front="dailies.sandbox.aiml:Aiml",
    settling=Settling(by=(SettledBy.LOG,)),
    cost_from="the answer, its account",
)
