"""How far a batch is, at one moment: each clip counted once, and a guess of when the last one is home. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dailies.domain.estimate import makespan_s
from dailies.domain.records import Brief
from dailies.domain.states import RETRYABLE, State, current


class Stage(StrEnum):
    """Where a clip is on its way, in the words of the progress line, from its end to its beginning."""

    DELIVERED = "delivered"
    DELIVERING = "being delivered"
    GENERATING = "generating"
    CREATING = "being created"
    WAITING = "waiting"
    IN_DOUBT = "in doubt"
    FAILED = "failed"


ENDED = frozenset({Stage.DELIVERED, Stage.IN_DOUBT, Stage.FAILED})
"""Stages that a run does not wait for."""


def stage_of(attempts: Sequence[Brief]) -> Stage:
    """Where one clip is, by the attempt that speaks for it."""
    attempt = current(attempts)
    if attempt is None or attempt.state is State.SUPERSEDED:
        return Stage.WAITING
    if attempt.delivered:
        return Stage.DELIVERED
    match attempt.state:
        case State.FAILED:
            return Stage.WAITING if attempt.failure in RETRYABLE else Stage.FAILED
        case State.RESULT_LOST:
            return Stage.FAILED
        case State.IN_DOUBT:
            return Stage.IN_DOUBT
        case State.SUBMITTING:
            return Stage.CREATING
        case State.COMPLETED:
            return Stage.DELIVERING
        case _:
            return Stage.FAILED if attempt.failure else Stage.GENERATING


def tally(stages: Iterable[Stage]) -> dict[Stage, int]:
    """How many clips are at each stage; the counts add up to the clips."""
    counted = Counter(stages)
    return {stage: counted[stage] for stage in Stage}


def seconds_left(
    stages: Mapping[str, Stage], usual_s: Mapping[str, float], age_s: Mapping[str, float], in_flight: int
) -> float:
    """Seconds until the last clip is ready, if each takes its usual time; `age_s` is how long those under way have taken.

    A clip that has taken longer than usual counts for nothing: it may end at any moment.
    """
    under_way = [
        max(0.0, usual_s[key] - age_s.get(key, usual_s[key] / 2))
        for key, stage in stages.items()
        if stage in (Stage.GENERATING, Stage.CREATING)
    ]
    waiting = [usual_s[key] for key, stage in stages.items() if stage is Stage.WAITING]
    return makespan_s([*sorted(under_way), *waiting], in_flight)


@dataclass(slots=True)
class EndGuess:
    """When a batch will be done, as it is shown: it comes nearer, and moves away only when there is a reason.

    Small changes of the guess are not shown; a clip that takes much longer than usual is a reason.
    """

    end_s: float | None = field(default=None)

    def left_s(self, now_s: float, guess_s: float) -> float:
        """Seconds to show as left at a moment, given a fresh guess."""
        end_s = now_s + guess_s
        slack = max(15.0, 0.25 * guess_s)
        if self.end_s is None or end_s < self.end_s or end_s > self.end_s + slack:
            self.end_s = end_s
        return max(0.0, self.end_s - now_s)
