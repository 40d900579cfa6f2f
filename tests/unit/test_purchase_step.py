"""What a run would buy now, for how much and how long it takes, and what of it needs a yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import inf
from typing import Any

import anyio
import pytest

from dailies.domain.approval import Approval
from dailies.domain.clips import Row
from dailies.domain.schedule import Bracket
from dailies.planning.plan import Plan
from dailies.steps.approval import ToApprove, to_approve
from dailies.steps.clips_on_record import OnRecord
from dailies.steps.purchase import FEWEST, Kind, Purchase, purchase_of, usual_of, usual_seconds
from dailies.steps.schedule import USUAL_S
from tests.ledger.factories import USD, a_clip, a_row
from tests.unit.steps_bench import catalog, fake, row_of

SORA: Kind = ("aiml", "openai/sora-2-pro-i2v", "720p", 4)
TYPICAL_S = float(catalog().find(SORA[1]).typical_s)
FIVE = [Bracket(10.0, 30.0), Bracket(0.0, 20.0), Bracket(30.0, 50.0), Bracket(90.0, 110.0), Bracket(900.0, 1100.0)]
"""Their middles are 20, 10, 40, 100 and 1000."""


def ledger(times: Mapping[Kind, Sequence[Bracket]] | None = None, **more: Any) -> Any:
    """A ledger that has seen so many generations of each kind."""
    seen: Mapping[Kind, Sequence[Bracket]] = times or {}
    return fake(generation_times=lambda *kind: seen.get(kind, ()), **more)


def runtime(times: Mapping[Kind, Sequence[Bracket]] | None = None, **more: Any) -> Any:
    return fake(ledger=ledger(times, **more), catalog=catalog())


def a_plan(*rows: Row, quotes: Sequence[Decimal | None] | None = None) -> Plan:
    return Plan(
        "smiles", "smiles.csv", rows, dict(zip((r.clip.key for r in rows), quotes or [USD] * len(rows), strict=True))
    )


def known(delivered: Sequence[Row] = (), taken: Sequence[Row] = ()) -> OnRecord:
    home = frozenset(row.clip.key for row in delivered)
    return OnRecord(home, home | {row.clip.key for row in taken}, frozenset())


def bought(times: Mapping[Kind, Sequence[Bracket]], plan: Plan, in_flight: int, standing: OnRecord) -> Purchase:
    return anyio.run(purchase_of, runtime(times), plan, in_flight, standing)


def test_usual_is_the_median_of_what_was_seen_from_five_on() -> None:
    """What still generates says nothing; the catalog knows the rest, and where it does not, nobody does."""
    assert usual_of(ledger({SORA: FIVE}), catalog(), SORA) == (40.0, True) and FEWEST == 5
    four = [*FIVE[:4], Bracket(7.0, inf)]
    assert usual_of(ledger({SORA: four}), catalog(), SORA) == (TYPICAL_S, False)
    assert usual_of(ledger({SORA: [*FIVE, Bracket(7.0, inf)]}), catalog(), SORA) == (40.0, True)
    assert usual_of(ledger(), catalog(), ("aiml", "gone/model", None, None)) == (USUAL_S[0], False)


def test_what_is_not_taken_is_bought() -> None:
    rows = [a_row(number) for number in range(1, 6)]
    plan = a_plan(*rows, quotes=[USD, Decimal(2), None, Decimal(4), Decimal(8)])
    found = bought({SORA: FIVE}, plan, 2, known(rows[:1], rows[3:4]))
    assert found.rows == (rows[1], rows[2], rows[4]) and found.delivered == {rows[0].clip.key}
    assert (found.usd, found.others, found.learned) == (Decimal(10), 1, True)
    assert found.seconds == 80.0, "two at once, then the third"
    assert bought({SORA: FIVE}, plan, 3, known(rows[:1], rows[3:4])).seconds == 40.0


def test_each_provider_makes_its_own_at_the_same_time_and_the_slowest_is_waited_for() -> None:
    rows = [row_of(a_row(1), ("aiml", "fal")), row_of(a_row(2), ("fal",)), row_of(a_row(3), ("fal", "aiml"))]
    fal: Kind = ("fal", *SORA[1:])
    found = bought({SORA: FIVE}, a_plan(*rows), 1, known())
    assert (found.seconds, found.learned) == (2 * TYPICAL_S, False)
    found = bought({SORA: FIVE, fal: [Bracket(0.0, 2.0)] * 5}, a_plan(*rows), 1, known())
    assert (found.seconds, found.learned) == (40.0, True)
    both = [rows[0], a_row(4, a_clip("long", duration_s=8))]
    times = {SORA: FIVE, (*SORA[:3], 8): [Bracket(0.0, 6.0)] * 5}
    assert bought(times, a_plan(*both), 1, known()).seconds == 43.0, "kinds at one provider add up"
    assert anyio.run(usual_seconds, runtime({SORA: FIVE, fal: [Bracket(0.0, 2.0)] * 5}), a_plan(*rows)) == {
        rows[0].clip.key: 40.0, rows[1].clip.key: 1.0, rows[2].clip.key: 1.0,
    }  # fmt: skip


def test_clips_of_one_kind_are_looked_up_once() -> None:
    """By model, resolution and seconds."""
    asked: list[tuple[object, ...]] = []

    def times(*kind: object) -> list[Bracket]:
        asked.append(kind)
        return []

    rows = [a_row(1), a_row(2), a_row(3, a_clip("long", duration_s=8)), a_row(4, a_clip("large", resolution="1080p"))]
    one = fake(ledger=fake(generation_times=times), catalog=catalog())
    anyio.run(usual_seconds, one, a_plan(*rows))
    expected = [SORA, (*SORA[:3], 8), (*SORA[:2], "1080p", 4)]
    assert asked == expected
    anyio.run(purchase_of, one, a_plan(*rows), 1, known())
    assert asked == expected * 2


def test_nothing_to_buy_takes_no_time() -> None:
    found = bought({}, a_plan(a_row(1)), 1, known([a_row(1)]))
    assert (found.rows, found.usd, found.seconds, found.learned, found.others) == ((), Decimal(0), 0.0, True, 0)


def test_a_purchase_is_said_so_that_it_adds_up() -> None:
    rows = (a_row(1), a_row(2))
    purchase = Purchase(rows, frozenset("abc"), Decimal("2.52"), 360.0, True, 4)
    assert purchase.overview(9) == (
        "9 clips, 3 in S3 already, 4 bought or refused earlier and not bought again. To buy: 2 for $2.52, in about 6 min."
    )
    assert Purchase(rows, frozenset(), Decimal("2.52"), 40.0, False, 0).overview(2) == (
        "2 clips, 0 in S3 already. To buy: 2 for $2.52, in about 40 s by typical times."
    )
    assert Purchase((), frozenset("a"), Decimal(0), 0.0, True, 0).sentence() == "To buy: 0 for $0.00."


@pytest.mark.parametrize("part", [True, False])
@pytest.mark.parametrize("earlier", [None, Approval(2, Decimal(3))])
def test_what_is_to_be_approved_is_what_is_left_beside_what_was_bought(part: bool, earlier: Approval | None) -> None:
    rows = [a_row(number) for number in range(1, 6)]
    plan = a_plan(*rows, quotes=[USD, Decimal(2), None, None, None])
    asked: list[str] = []

    def told(answer: Any) -> Any:
        def tell(batch: str) -> Any:
            asked.append(batch)
            return answer

        return tell

    one = runtime(counted=told(Decimal(5)), approval=told(earlier))
    found = anyio.run(to_approve, one, plan, known(rows[:1], rows[3:4]), part)
    assert found == ToApprove(3, Decimal(2), 2, Approval(5, Decimal(7)), earlier, part) and set(asked) == {"smiles"}


def test_a_plan_is_whole_unless_it_is_said_to_be_a_part() -> None:
    one = runtime(counted=lambda batch: Decimal(0), approval=lambda batch: None)
    assert anyio.run(to_approve, one, a_plan(a_row(1)), known()).part is False


@pytest.mark.parametrize(
    ("clips", "earlier", "words"),
    [
        (3, Approval(2, Decimal("2.52")), "5 clips for $6.30, beyond the 2 clips for $2.52 that were approved"),
        (0, Approval(2, Decimal("2.52")), ""), (3, None, ""), (3, Approval(5, Decimal("6.30")), ""),
    ],
)  # fmt: skip
def test_what_goes_beyond_an_approval_is_said(clips: int, earlier: Approval | None, words: str) -> None:
    assert ToApprove(clips, Decimal("3.78"), 0, Approval(5, Decimal("6.30")), earlier).beyond == words


@pytest.mark.parametrize(("usd", "asks"), [("10", False), ("10.01", True)])
def test_up_to_the_limit_nobody_is_asked(usd: str, asks: bool) -> None:
    assert ToApprove(1, Decimal(usd), 0, Approval(1, Decimal(usd)), None).needs_a_yes(Decimal(10)) is asks
