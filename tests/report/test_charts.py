"""What the page draws, to the percent: lengths, labels and the sentence below."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from dailies.domain.figures import Sum
from dailies.domain.money import ZERO
from dailies.report.charts import (
    MOST_BARS,
    MOST_DAYS,
    Bar,
    Bars,
    Pillar,
    bars_of,
    charts_of,
    seconds_per_clip,
    spend_by_day,
)
from tests.report.factories import a_batch_row, credits

DAY = date(2026, 11, 21)


def spent(charged: str | None, at_risk: str = "0", unreported: str = "0", asked: str = "0", clips: int = 1) -> Sum:
    """A sum of so many clips."""
    found = Sum()
    found.count["delivered"] = clips
    found.charged = None if charged is None else Decimal(charged)
    found.usd_at_risk, found.usd_unreported, found.usd_asked = Decimal(at_risk), Decimal(unreported), Decimal(asked)
    return found


def test_bars_are_as_long_as_their_money_and_the_dearest_comes_first() -> None:
    """What nobody has reported counts at its quote; the longest of all bars is the whole length."""
    groups = {
        "b": spent("1"),
        "a": spent("1", asked="1"),
        "dear": spent("4", at_risk="2", unreported="1", asked="8", clips=3),
        "unknown": spent(None, unreported="3"),
        "nothing": spent(None),
    }
    assert bars_of("model", groups) == Bars(
        "Spend by model",
        "model",
        (
            Bar("dear", 3, "$8.00", "$4.00 + ~$1.00", "$2.00", "62.50", "25.00", "100.00"),
            Bar("unknown", 1, "$0.00", "~$3.00", "", "37.50", "0.00", "0.00"),
            Bar("a", 1, "$1.00", "$1.00", "", "12.50", "0.00", "12.50"),
            Bar("b", 1, "$0.00", "$1.00", "", "12.50", "0.00", "0.00"),
            Bar("nothing", 1, "$0.00", "$0.00", "", "0.00", "0.00", "0.00"),
        ),
    )
    assert bars_of("model", {}) is None and bars_of("model", None) is None


def test_as_many_bars_as_can_be_compared_are_drawn_and_the_rest_are_others() -> None:
    groups = {f"model {number:02d}": spent(str(100 - number)) for number in range(MOST_BARS + 1)}
    all_shown = bars_of("model", dict([*groups.items()][:MOST_BARS]))
    assert all_shown and [bar.name for bar in all_shown.bars] == [*groups][:MOST_BARS]
    summed = bars_of("model", groups)
    assert summed and [bar.name for bar in summed.bars] == [*[*groups][: MOST_BARS - 1], "2 others"]
    assert summed.bars[-1].charged == "$177.00" and summed.bars[-1].clips == 2


def test_what_differs_has_bars_and_the_model_always() -> None:
    rows = [a_batch_row(number, provider=provider) for number, provider in enumerate(("aiml", "fal", "fal"), 1)]
    bars, pillars = charts_of(credits(rows).sums)
    assert [one.column for one in bars] == ["model", "provider"] and pillars == ()
    assert [(bar.name, bar.clips) for bar in bars[1].bars] == [("fal", 2), ("aiml", 1)]


def test_where_nothing_was_spent_no_bar_has_a_length() -> None:
    found = bars_of("model", {"a": spent(None)})
    assert found and (found.bars[0].charged_pct, found.bars[0].risk_pct, found.bars[0].quoted_pct) == ("0.00",) * 3


def test_days_stand_beside_each_other_with_their_money() -> None:
    found = spend_by_day({DAY: Decimal(1), DAY + timedelta(3): Decimal(4)})
    assert found is not None
    assert (found.title, found.label, found.value) == ("Spend by day", "day", "spent or at risk")
    assert found.summary == "$5.00 in all; most on 2026-11-24: $4.00."
    assert (found.width_pct, found.first, found.last) == ("20.500", "2026-11-21", "2026-11-24")
    assert found.pillars == (
        Pillar("2026-11-21", "$1.00", "0.000", "75.00", "25.00"),
        Pillar("2026-11-22", "$0.00", "25.000", "100.00", "0.00"),
        Pillar("2026-11-23", "$0.00", "50.000", "100.00", "0.00"),
        Pillar("2026-11-24", "$4.00", "75.000", "0.00", "100.00"),
    )
    assert spend_by_day({DAY: Decimal(1)}) is None and spend_by_day({}) is None


def test_a_long_span_is_shown_by_month_over_the_turn_of_a_year() -> None:
    days = spend_by_day({DAY: ZERO, DAY + timedelta(MOST_DAYS - 1): Decimal(1)})
    assert days and len(days.pillars) == MOST_DAYS and days.title == "Spend by day"
    months = spend_by_day({DAY: Decimal(1), DAY + timedelta(1): Decimal(2), DAY + timedelta(MOST_DAYS): Decimal(1)})
    assert months and (months.title, months.label) == ("Spend by month", "month")
    assert [(one.label, one.value) for one in months.pillars] == [
        ("2026-11", "$3.00"),
        ("2026-12", "$0.00"),
        ("2027-01", "$1.00"),
    ]
    assert months.summary == "$4.00 in all; most on 2026-11: $3.00."


def test_seconds_are_counted_in_round_steps() -> None:
    found = seconds_per_clip([31.0, 30.0, 44.9, 72.0, 30.5, 44.0, 33.0, 34.0, 36.0, 60.0])
    assert found is not None
    assert (found.title, found.label, found.value) == ("Seconds per clip", "seconds", "clips")
    assert found.summary == "Half took less than 35 s, nine in ten less than 60 s."
    assert [(one.label, one.value) for one in found.pillars] == [
        ("30–35 s", "5 clips"),
        ("35–40 s", "1 clip"),
        ("40–45 s", "2 clips"),
        ("45–50 s", "0 clips"),
        ("50–55 s", "0 clips"),
        ("55–60 s", "0 clips"),
        ("60–65 s", "1 clip"),
        ("65–70 s", "0 clips"),
        ("70–75 s", "1 clip"),
    ]
    assert (found.pillars[0].height_pct, found.pillars[2].height_pct) == ("100.00", "40.00")
    assert seconds_per_clip([30.0] * 4) is None


def test_seconds_that_are_all_alike_are_one_pillar() -> None:
    found = seconds_per_clip([30.2] * 5)
    assert found and [(one.label, one.value) for one in found.pillars] == [("30–30.5 s", "5 clips")]
