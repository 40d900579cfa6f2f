"""What ends first comes first: in the order in which paid clips are looked at, and among those that wait to be fetched."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.states import State
from dailies.domain.urgency import UNDOCUMENTED_LIFE, result_ends
from dailies.runtime.priority import PriorityLimiter
from flows.generate import paid_first
from tests.ledger.factories import NOON, a_row, an_attempt

HOUR = timedelta(hours=1)


def test_a_result_ends_a_documented_life_after_it_was_ready() -> None:
    ready = an_attempt(State.COMPLETED, submitted_at=NOON, completed_at=NOON + HOUR)
    assert result_ends(ready, 24 * HOUR) == NOON + 25 * HOUR
    assert result_ends(ready, None) == NOON + HOUR + UNDOCUMENTED_LIFE


def test_a_clip_that_nobody_saw_ready_may_have_been_so_since_its_create() -> None:
    assert result_ends(an_attempt(State.SUBMITTED, submitted_at=NOON + HOUR), HOUR) == NOON + 2 * HOUR
    assert result_ends(an_attempt(State.SUBMITTED), HOUR) == NOON + HOUR


def test_a_day_old_clip_of_a_provider_that_keeps_for_a_week_waits_for_one_that_is_kept_for_an_hour() -> None:
    patient = an_attempt(State.COMPLETED, completed_at=NOON - 24 * HOUR)
    urgent = an_attempt(State.COMPLETED, completed_at=NOON)
    assert result_ends(urgent, HOUR) < result_ends(patient, 7 * 24 * HOUR)


def test_paid_rows_come_before_those_that_are_to_be_bought_in_the_order_of_their_ends() -> None:
    rows = [a_row(number) for number in range(1, 6)]
    paid = [rows[4].clip.key, "of another batch", rows[2].clip.key]
    assert [row.number for row in paid_first(rows, paid)] == [5, 3, 1, 2, 4]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(1, 3))
def test_of_those_who_wait_the_one_whose_result_ends_first_is_let_in_first(ends: list[int], most: int) -> None:
    async def history() -> list[tuple[int, int]]:
        limiter, gate, begun = PriorityLimiter(most), anyio.Event(), []

        async def deliver(number: int, end: int) -> None:
            async with limiter.slot(NOON + end * HOUR):
                begun.append((end, number))
                await gate.wait()

        async with anyio.create_task_group() as group:
            for number, end in enumerate(ends):
                group.start_soon(deliver, number, end)
            await anyio.wait_all_tasks_blocked()
            assert len(begun) == min(most, len(ends))
            gate.set()
        return begun

    begun = anyio.run(history)
    assert begun[most:] == sorted(begun[most:]) and len(begun) == len(ends)


@pytest.mark.parametrize("handed_over", [False, True])
def test_who_is_interrupted_while_it_waits_takes_no_place_along(handed_over: bool) -> None:
    async def history() -> None:
        limiter = PriorityLimiter(1)
        async with anyio.create_task_group() as group:
            waiting = anyio.CancelScope()

            async def waits() -> None:
                with waiting:
                    async with limiter.slot(NOON):
                        pass

            async with limiter.slot(NOON):
                group.start_soon(waits)
                await anyio.wait_all_tasks_blocked()
                if not handed_over:
                    waiting.cancel()
                    await anyio.wait_all_tasks_blocked()
            waiting.cancel()
            with anyio.fail_after(5):
                async with limiter.slot(NOON):
                    pass

    anyio.run(history)
