"""Caps by column: read whole or refused, and nobody's spelling slips past one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dailies.domain.caps import Caps, ColumnCap, read_column_caps
from dailies.errors import BadInput, Misconfigured
from dailies.settings import load_settings
from dailies.steps.budgets import refuse_near_names
from tests.ledger.factories import a_row

ACME = ColumnCap("client", "acme", Decimal(200))


def test_caps_are_read_as_people_write_them() -> None:
    assert read_column_caps(" client=acme: $200 ,client=zeta b:50.25,") == (
        ACME,
        ColumnCap("client", "zeta b", Decimal("50.25")),
    )
    assert read_column_caps("link=https://a:1:0") == (ColumnCap("link", "https://a:1", Decimal(0)),)
    found = load_settings(environ={"DAILIES_COLUMN_BUDGETS": "client=acme:200"}, dotenv=False)
    assert found.dailies_column_budgets == (ACME,)
    assert load_settings(environ={}, dotenv=False).dailies_column_budgets is None


@pytest.mark.parametrize("text", [
    "client", "client=acme", "client:5", "=acme:5", "client=:5", "client=acme:", "client=acme:-1", "client=acme:nan",
    "client=acme:1,client=acme:2", ",", "client=acme:5;client=b:2", "model=sora:5", "Provider=aiml:5",
])  # fmt: skip
def test_a_cap_that_can_not_be_read_refuses(text: str) -> None:
    with pytest.raises(Misconfigured, match="DAILIES_COLUMN_BUDGETS"):
        load_settings(environ={"DAILIES_COLUMN_BUDGETS": text}, dotenv=False)


@pytest.mark.parametrize("text", ["much", "-1", "inf"])
def test_a_monthly_cap_that_can_not_be_read_refuses(text: str) -> None:
    with pytest.raises(Misconfigured, match="DAILIES_MONTHLY_BUDGET_USD"):
        load_settings(environ={"DAILIES_MONTHLY_BUDGET_USD": text}, dotenv=False)


@pytest.mark.parametrize("labels", [{"Client": "acme"}, {"client": "ACME"}, {"client": "acme "}, {" client": "Acme"}])
def test_a_row_that_writes_it_nearly_so_is_refused(labels: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="write both alike"):
        refuse_near_names(Caps(columns=(ACME,)), [a_row(labels=labels)])


@pytest.mark.parametrize("labels", [{"client": "acme"}, {"client": "zeta"}, {}, {"client": ""}])
def test_a_row_that_writes_it_so_or_otherwise_is_not(labels: dict[str, str]) -> None:
    refuse_near_names(Caps(columns=(ACME,)), [a_row(labels=labels)])
    refuse_near_names(Caps(), [a_row(labels={"Client": "acme"})])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("b=2:1,a=1:1,a=1:2,b=2:3", "names a=1, b=2 twice"),
        (" , ", "' , ' names no budget such as client=acme:200"),
        ("client", "'client' is not a budget such as client=acme:200"),
        ("a=1:x", "'a=1:x' is not a budget such as client=acme:200: 'x' is not an amount of money"),
    ],
)
def test_what_is_wrong_with_one_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"budget|twice") as error:
        read_column_caps(text)
    assert str(error.value) == words
