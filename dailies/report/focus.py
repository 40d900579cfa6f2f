"""The credits as FOCUS 1.2, the FinOps Foundation's columns for cost and usage: what finance tools take in. Pure.

One row for each charge that its provider reported; what was not reported is no row, for nothing here is guessed. All costs are
in US dollars, and all four are what was charged: dailies knows of no discounts and no commitments.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from dailies.domain.records import Attempt, BatchRow
from dailies.report.cells import safe_cell

COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd",
    "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId",
    "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId", "SkuPriceId",
    "SubAccountId", "SubAccountName", "Tags", "x_AttemptId", "x_CreditsUsed", "x_GenerationId", "x_QuotedCost",
)  # fmt: skip
"""In the order of the alphabet, as FOCUS has them; what is not FOCUS's own begins with `x_`."""


def focus_csv(rows: Iterable[BatchRow], title: Callable[[str], str] = str) -> str:
    """The charges of these rows as CSV. `title` gives a provider's name for people."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for charge in focus_rows(rows, title):
        writer.writerow([safe_cell(charge.get(name)) for name in COLUMNS])
    return out.getvalue()


def focus_rows(rows: Iterable[BatchRow], title: Callable[[str], str] = str) -> Iterator[Mapping[str, object]]:
    """Each charge by the names of FOCUS; a column that is not there is null."""
    for row in rows:
        for attempt in row.attempts:
            if attempt.generation_id and attempt.usd_charged is not None:
                yield _charge(row, attempt, attempt.usd_charged, title(attempt.provider))


def _charge(row: BatchRow, attempt: Attempt, usd: Decimal, provider: str) -> dict[str, object]:
    clip, day = row.clip, attempt.created_at.astimezone(UTC).date()
    month = day.replace(day=1)
    kind = "/".join(str(part) for part in (clip.model, clip.resolution, clip.duration_s) if part)
    seconds = {"ConsumedQuantity": clip.duration_s, "ConsumedUnit": "Seconds"} if clip.duration_s else {}
    return {
        **dict.fromkeys(COSTS, usd),
        "BillingAccountId": attempt.provider, "BillingAccountName": provider, "BillingAccountType": "Account",
        "BillingCurrency": "USD",
        "BillingPeriodStart": _moment(month), "BillingPeriodEnd": _moment((month + timedelta(days=32)).replace(day=1)),
        "ChargeCategory": "Usage", "ChargeDescription": f"{clip.model}, {row.batch}/{row.id}", "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _moment(day), "ChargePeriodEnd": _moment(day + timedelta(days=1)),
        **seconds,
        "InvoiceIssuerName": provider, "ProviderName": provider, "PublisherName": clip.model.partition("/")[0] or provider,
        "PricingCategory": "Standard", "PricingQuantity": 1, "PricingUnit": "Clips",
        "ResourceId": row.clip_key, "ResourceName": row.id, "ResourceType": "Video clip",
        "ServiceCategory": "AI and Machine Learning", "ServiceName": clip.model, "ServiceSubcategory": "Generative AI",
        "SkuId": clip.model, "SkuPriceId": kind, "SubAccountId": row.batch, "SubAccountName": row.batch,
        "Tags": json.dumps({**row.labels, **({"take": clip.take} if clip.take else {})}, ensure_ascii=False, sort_keys=True),
        "x_AttemptId": attempt.id, "x_CreditsUsed": attempt.credits_used, "x_GenerationId": attempt.generation_id,
        "x_QuotedCost": attempt.usd_quoted,
    }  # fmt: skip


def _moment(day: date) -> str:
    return datetime.combine(day, datetime.min.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
