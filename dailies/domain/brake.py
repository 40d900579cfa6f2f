"""The brake on doubt: when a provider loses answers, how many more creates may be sent there, and when.

Three doubtful creates in a row halt claiming at a provider, for all processes that share the ledger. Then one create at a
time is sent as a probe; each that is lost too doubles the wait. An accepted create opens the brake again. After five lost
probes the rest of a run is not started; the next run begins with a probe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

DOUBTS_IN_A_ROW = 3
PROBES = 5
FIRST_PROBE_S = 10.0
LONGEST_WAIT_S = 900.0
"""A Retry-After that asks for more than this is not obeyed to the letter: probes are few, and each is one clip's quote."""
GIVEN_UP_FOR_S = 900.0
"""Who had begun before the probes were used up does not begin anew for so long; a later run does at once."""
AT_ONCE_FIRST = 5
RAMP_DOUBLINGS = 12  # then it is far above every limit
LOOK_AGAIN_S = 0.25
PROBE_LOOK_S = 1.0


class CreateResult(StrEnum):
    """What became of one create request, as it is counted per provider."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"
    NOT_SENT = "not_sent"
    STOPPED = "stopped"
    IN_DOUBT = "in_doubt"


class Phase(IntEnum):
    """How the brake of a provider stands; the numbers are those of the metric `dailies_brake`."""

    OPEN = 0
    PROBING = 1
    HALTED = 2


@dataclass(frozen=True, slots=True)
class Brake:
    """What the ledger remembers of a provider's lost answers. `probe` is the attempt whose answer is waited for."""

    doubts: int = 0
    probes: int = 0
    not_before: datetime | None = None
    probe: str | None = None
    given_up_at: datetime | None = None

    @property
    def phase(self) -> Phase:
        """Open, waiting for a probe's answer, or halted."""
        if self.doubts < DOUBTS_IN_A_ROW:
            return Phase.OPEN
        return Phase.PROBING if self.probe else Phase.HALTED


@dataclass(frozen=True, slots=True)
class Go:
    """The create may be claimed; as the probe where the brake is on. `brake` is what the ledger remembers from now on."""

    brake: Brake
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now: ask again after so many seconds. `phase` says why; open means that too many creates are unanswered.

    `accepted` is how many creates the provider has ever accepted, of all processes, where that was asked.
    """

    wait_s: float
    phase: Phase
    doubts: int = 0
    accepted: int | None = None

    def describe(self, provider: str) -> str:
        """What people read while the brake is on."""
        next_try = "one create is being tried"
        if self.phase is Phase.HALTED:
            next_try = f"one create is tried in {self.wait_s:.0f} s"
        return f"{provider}'s last {self.doubts} answers were lost: nothing more is sent there; {next_try}"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The probes are used up: nothing more is claimed at this provider by whoever was at work when they were."""

    doubts: int

    @property
    def detail(self) -> str:
        """Why nothing more is bought there."""
        return f"its last {self.doubts} answers were lost"


def may_send(
    brake: Brake, now: datetime, *, began_at: datetime, unanswered: int, at_once: int | None, probe_lives: bool
) -> Go | Hold | GivenUp:
    """Whether one more create may be claimed at a provider.

    `began_at` is when the asker opened the ledger; `unanswered` counts the provider's creates whose owners live and whose
    answers are not there yet; `at_once` is how many the asker lets there be (None: any number); `probe_lives` tells
    whether the create that is on record as the probe is still under way.
    """
    if brake.doubts < DOUBTS_IN_A_ROW:
        allowed = _allowed(brake, at_once)
        return Go(brake) if allowed is None or unanswered < allowed else Hold(LOOK_AGAIN_S, Phase.OPEN, brake.doubts)
    if brake.given_up_at is not None:
        away = abs(now - brake.given_up_at)  # further in the future: the clock was set back
        if began_at <= brake.given_up_at and away < timedelta(seconds=GIVEN_UP_FOR_S):
            return GivenUp(brake.doubts)
        brake = replace(brake, probes=0, given_up_at=None)
    if brake.probe and probe_lives:
        return Hold(PROBE_LOOK_S, Phase.PROBING, brake.doubts)
    left_s = (brake.not_before - now).total_seconds() if brake.not_before else 0.0
    if 0 < left_s < 2 * LONGEST_WAIT_S:  # nobody is told to wait for longer: the clock was set back
        return Hold(left_s, Phase.HALTED, brake.doubts)
    return Go(brake, probe=True)


def ramp(seconds: float) -> int:
    """How many creates a run lets be unanswered so long after the first accepted one, of all or since the last lost answer."""
    return AT_ONCE_FIRST << min(max(int(seconds), 0), RAMP_DOUBLINGS)


def _allowed(brake: Brake, at_once: int | None) -> int | None:
    """After a doubt no more are under way than would make a row of doubts."""
    return at_once if at_once is None or not brake.doubts else min(at_once, DOUBTS_IN_A_ROW - brake.doubts)


def after(brake: Brake, attempt_id: str, result: CreateResult, now: datetime, wait_s: float = 0.0) -> Brake:
    """The brake once the outcome of one create is known; `wait_s` is what a doubtful answer's Retry-After asks for.

    Only an accepted create opens it: a refusal proves that somebody reads requests, not that one would be made. A probe
    that could not be sent proves nothing either and is lost like one in doubt; any other end makes way for the next.
    """
    match result:
        case CreateResult.ACCEPTED:
            return Brake()
        case CreateResult.IN_DOUBT:
            return _doubted(brake, attempt_id, now, wait_s)
        case CreateResult.NOT_SENT if brake.probe == attempt_id:
            return _probe_lost(brake, now, wait_s)
        case _:
            return replace(brake, probe=None) if brake.probe == attempt_id else brake


def _doubted(brake: Brake, attempt_id: str, now: datetime, wait_s: float) -> Brake:
    counted = replace(brake, doubts=brake.doubts + 1)
    if brake.probe == attempt_id:
        return _probe_lost(counted, now, wait_s)
    if counted.doubts < DOUBTS_IN_A_ROW:
        return counted
    until = now + timedelta(seconds=max(FIRST_PROBE_S, min(wait_s, LONGEST_WAIT_S)))
    return replace(counted, not_before=max(until, brake.not_before or until))


def _probe_lost(brake: Brake, now: datetime, wait_s: float) -> Brake:
    probes = brake.probes + 1
    given_up_at = now if probes >= PROBES else None
    usual_s = FIRST_PROBE_S if given_up_at else FIRST_PROBE_S * 2**probes  # the next run begins as this one did
    until = now + timedelta(seconds=max(usual_s, min(wait_s, LONGEST_WAIT_S)))
    return replace(brake, probes=probes, probe=None, given_up_at=given_up_at, not_before=until)
