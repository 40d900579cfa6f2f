"""The ledger in figures: clips counted once, dollars by what they are, as Prometheus text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dailies.domain.states import State
from dailies.domain.verdicts import Said, Word
from dailies.ledger import Ledger
from dailies.ledger.metering import metering_of
from dailies.report.credits import credits_of
from dailies.report.prometheus import metrics_text
from dailies.report.select import Selection, chosen
from tests.ledger.factories import USD, FakeClock, bring_to, plan


def _samples(ledger: Ledger) -> dict[tuple[str, ...], float]:
    text = metrics_text(metering_of(ledger)).decode()
    families = text_string_to_metric_families(text)
    return {
        (s.name, *(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
        if not s.name.endswith("_created")
    }


def test_an_empty_ledger_has_all_four_dollars(ledger: Ledger) -> None:
    found = _samples(ledger)
    assert {key[1]: value for key, value in found.items() if key[0] == "dailies_usd"} == dict.fromkeys(
        ("quoted", "charged", "at_risk", "kept"), 0.0
    )
    assert found["dailies_polls_total",] == 0


def test_what_came_home_and_how_old_the_oldest_is_that_did_not(ledger: Ledger, clock: FakeClock) -> None:
    keys = plan(ledger, 3)
    stored = bring_to(ledger, State.STORED, keys[0])
    assert metering_of(ledger).oldest_s == 0
    bring_to(ledger, State.IN_DOUBT, keys[1])
    clock.advance(600)
    bring_to(ledger, State.SUBMITTED, keys[2])
    found = _samples(ledger)
    assert found["dailies_oldest_unfinished_seconds",] == 600
    assert found["dailies_delivered_bytes_total",] == stored.size_bytes
    assert 0 < found["dailies_ledger_seconds",] < 60


def test_every_clip_counts_once_by_the_attempt_that_speaks_for_it(ledger: Ledger) -> None:
    keys = plan(ledger, 5)
    stored = bring_to(ledger, State.STORED, keys[0])
    doubt = bring_to(ledger, State.IN_DOUBT, keys[1])
    bring_to(ledger, State.SUBMITTED, keys[2])
    given_up = bring_to(ledger, State.IN_DOUBT, keys[3])
    ledger.resubmit(given_up.id, "again")
    ledger.record_charged(stored.id, Decimal("1.5"), 1)
    found = _samples(ledger)
    clips = {key[1:]: value for key, value in found.items() if key[0] == "dailies_clips"}
    assert sum(clips.values()) == 5
    assert clips == {
        (stored.provider, "stored"): 1, (doubt.provider, "in_doubt"): 1, (doubt.provider, "submitted"): 1, ("", "planned"): 2,
    }  # fmt: skip
    assert found["dailies_usd", "charged"] == 1.5
    assert found["dailies_usd", "at_risk"] == float(2 * USD), "what was given up and not settled is at risk, too"
    assert found["dailies_usd", "quoted"] == float(5 * USD)
    assert found["dailies_usd", "kept"] == 0
    ledger.judge({keys[0]: Said(Word.KEEP)}, "ann")
    assert _samples(ledger)["dailies_usd", "kept"] == 1.5
    ledger.judge({keys[0]: Said(Word.REJECT)}, "ann")
    assert _samples(ledger)["dailies_usd", "kept"] == 0


@pytest.mark.parametrize("reported", [None, Decimal(0), Decimal("0.7")])
def test_its_dollars_are_those_of_the_report(ledger: Ledger, reported: Decimal | None) -> None:
    """In every state at once: charged, at risk and quoted as the report sums them, and kept as its lines are judged."""
    keys = plan(ledger, len(State) + 1)
    for state, key in zip(State, keys, strict=False):
        attempt = bring_to(ledger, state, key)
        if reported is not None and attempt.unreported:
            ledger.record_charged(attempt.id, reported, 1)
    ledger.judge(
        {key: Said(word) for word, key in zip([Word.KEEP, Word.REJECT] * len(State), keys, strict=False)}, "ann"
    )
    totals = credits_of("all", chosen(ledger.each_row("smiles"), Selection())).totals
    lines = credits_of("all", chosen(ledger.each_row("smiles"), Selection())).lines
    found = _samples(ledger)
    assert found["dailies_usd", "charged"] == pytest.approx(float(totals.usd_charged or 0))
    assert found["dailies_usd", "at_risk"] == pytest.approx(float(totals.usd_at_risk))
    assert found["dailies_usd", "quoted"] == pytest.approx(float(totals.usd_quoted))
    kept = sum((line.usd_charged or 0) for line in lines if line.verdict == Word.KEEP)
    assert found["dailies_usd", "kept"] == pytest.approx(float(kept))
    assert sum(v for k, v in found.items() if k[0] == "dailies_clips") == totals.rows


def test_creates_and_brakes_are_told_by_provider(ledger: Ledger) -> None:
    keys = plan(ledger, 4)
    provider = bring_to(ledger, State.SUBMITTED, keys[0]).provider
    for key in keys[1:]:
        bring_to(ledger, State.IN_DOUBT, key)
    found = _samples(ledger)
    assert found["dailies_creates_total", "accepted", provider] == 1
    assert found["dailies_creates_total", "in_doubt", provider] == 3
    assert found["dailies_brake", provider] in (1, 2)
