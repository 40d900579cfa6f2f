"""FOCUS 1.2: every reported charge is a row, once, and its costs sum up to what the report says was charged."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.cli.app import main
from dailies.domain.money import ZERO, sum_usd
from dailies.domain.records import BatchRow
from dailies.domain.states import State
from dailies.report.credits import credits_of
from dailies.report.focus import COLUMNS, COSTS, focus_csv, focus_rows
from tests.ledger.factories import claim, open_ledger, plan, store
from tests.report.factories import a_batch_row, an_attempt_of

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName", "ServiceSubcategory",
}  # fmt: skip
NULL = {"ChargeClass", "RegionId", "RegionName", "x_CreditsUsed", "ConsumedQuantity", "ConsumedUnit"}

dollars = st.one_of(st.none(), st.decimals(0, 1000, places=9))
charges = st.lists(st.tuples(st.sampled_from(sorted(State)), dollars, st.booleans()), max_size=4)


def read(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by their columns."""
    return list(csv.DictReader(io.StringIO(text)))


def a_row_with(number: int, tried: list[tuple[State, Decimal | None, bool]]) -> BatchRow:
    """A row with one attempt for each state and charge; some rows have left their CSV."""
    row = a_batch_row(number, None)
    attempts = tuple(
        an_attempt_of(row.clip_key, row.id, state)._replace(id=f"{number}-{no}", no=no, usd_charged=usd)
        for no, (state, usd, _) in enumerate(tried, 1)
    )
    return row._replace(attempts=attempts, retired=any(gone for *_, gone in tried))


@given(st.lists(charges, max_size=5))
def test_the_costs_sum_up_to_what_was_charged(tried: list[list[tuple[State, Decimal | None, bool]]]) -> None:
    rows = [a_row_with(number, some) for number, some in enumerate(tried, 1)]
    told = credits_of("monday", rows).totals.usd_charged
    found = read(focus_csv(rows))
    for cost in COSTS:
        assert sum_usd(Decimal(charge[cost]) for charge in found) == (told or ZERO)
    names = [charge["x_AttemptId"] for charge in found]
    assert len(names) == len(set(names))


def test_the_columns_are_those_of_focus_and_what_must_be_there_is() -> None:
    assert set(COLUMNS) >= MANDATORY and list(COLUMNS) == sorted(COLUMNS)
    (charge,) = read(focus_csv([a_batch_row(labels={"client": "=acme", "ä": "x"})], {"aiml": "AI/ML API"}.__getitem__))
    assert {name for name, value in charge.items() if not value} <= NULL
    assert charge["ProviderName"] == "AI/ML API" and charge["BilledCost"] == "1.26"
    assert json.loads(charge["Tags"]) == {"client": "=acme", "ä": "x"}


@pytest.mark.parametrize(("at", "day", "month"), [
    (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), ("2026-12-31", "2027-01-01"), ("2026-12-01", "2027-01-01")),
    (datetime(2027, 1, 31, 0, 0, tzinfo=UTC), ("2027-01-31", "2027-02-01"), ("2027-01-01", "2027-02-01")),
])  # fmt: skip
def test_a_charge_belongs_to_its_utc_day_and_month(at: datetime, day: tuple[str, str], month: tuple[str, str]) -> None:
    (charge,) = read(focus_csv([a_batch_row(created_at=at)]))
    told = [charge[f"{period}Period{end}"] for period in ("Charge", "Billing") for end in ("Start", "End")]
    assert told == [f"{one}T00:00:00Z" for one in (*day, *month)]


def test_a_cell_that_a_spreadsheet_would_run_is_quoted() -> None:
    (charge,) = read(focus_csv([a_batch_row(id="=cmd()")]))
    assert charge["ResourceName"] == "'=cmd()"


def test_the_command_writes_it_to_a_file_or_alone_to_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    bought = ledger.mark_submitted(claim(ledger, plan(ledger)[0]).id, "gen-1")
    store(ledger, ledger.record_completed(bought, "https://c/1", Decimal("1.50")))
    ledger.close()
    assert main(["report", "--focus", "costs.csv", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    text = (tmp_path / "costs.csv").read_text()
    assert [Decimal(charge["BilledCost"]) for charge in read(text)] == [Decimal(str(answer["usd_charged"]))]
    assert main(["report", "--focus", "-"]) == 0
    assert capsys.readouterr().out == text
    assert main(["report", "--focus", "no/such/folder/x.csv"]) == 2


def test_a_charge_by_all_the_names_of_focus() -> None:
    row = a_batch_row(1, generation_id="g-1", labels={"z": "é", "a": "b"}, clip={"take": "2"})
    assert row.attempt
    (found,) = focus_rows([row], str.upper)
    usd, model = Decimal("1.26"), "openai/sora-2-pro-i2v"
    assert found == {
        **dict.fromkeys(COSTS, usd),
        "BillingAccountId": "aiml", "BillingAccountName": "AIML", "BillingAccountType": "Account", "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-11-01T00:00:00Z", "BillingPeriodEnd": "2026-12-01T00:00:00Z", "ChargeCategory": "Usage",
        "ChargeDescription": f"{model}, monday/row-01", "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": "2026-11-21T00:00:00Z", "ChargePeriodEnd": "2026-11-22T00:00:00Z",
        "ConsumedQuantity": 4, "ConsumedUnit": "Seconds", "InvoiceIssuerName": "AIML", "ProviderName": "AIML",
        "PublisherName": "openai", "PricingCategory": "Standard", "PricingQuantity": 1, "PricingUnit": "Clips",
        "ResourceId": row.clip_key, "ResourceName": "row-01", "ResourceType": "Video clip",
        "ServiceCategory": "AI and Machine Learning", "ServiceName": model, "ServiceSubcategory": "Generative AI",
        "SkuId": model, "SkuPriceId": f"{model}/720p/4", "SubAccountId": "monday", "SubAccountName": "monday",
        "Tags": '{"a": "b", "take": "2", "z": "é"}', "x_AttemptId": row.attempt.id, "x_CreditsUsed": 2_520_000,
        "x_GenerationId": "g-1", "x_QuotedCost": usd,
    }  # fmt: skip
    (bare,) = focus_rows([a_batch_row(2, clip={"resolution": None, "duration_s": None, "model": "own"})])
    assert (bare["SkuPriceId"], bare["PublisherName"], bare["Tags"]) == ("own", "own", '{"campaign": "spring"}')
    assert "ConsumedUnit" not in bare
