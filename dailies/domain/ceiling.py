"""How many generations a provider allows at once, which it does not say: learned from what it accepts and what it refuses.

An accepted create proves that so many are allowed, for nothing. A refusal proves that one more is too many, and is a request
wasted: from then on no more are asked for than is proven, but for a probe now and then, which accepted creates pay for.
"""

from __future__ import annotations

from dataclasses import dataclass

UNANSWERED_FIRST = 5
ANSWERS_WITHIN_S = 3.0
"""At first so many creates are young and unanswered, later half of what is held: the wave that is too large is no flood. An
older one is being made: some providers answer only when the clip is there."""
CREDIT, DEEPEST_DEBT = 3.0, -3.0
CREDIT_PER_CREATE, CREDIT_PER_ROUND = 0.025, 0.5
CREDIT_PER_PROBE = 0.25
"""A refusal costs a credit, and a probe needs one. An accepted create earns a little, but all that are allowed at once
no more than a half: in the long run one create in forty is refused, and fewer where many are under way. So in a few minutes,
too, of which a single refusal is a large part, it is less than one in twenty."""
SHORTEST_PACE_S, LONGEST_PACE_S = 0.25, 10.0
RISEN = 4
"""So many probes accepted in a row say that the limit has risen, and the next ones wait for nothing. Fewer may be accepted because
clips have ended there of which nobody here knows yet."""
FALLEN = 1.0, 0.75, 0.5
"""What is asked for of what was held when it was refused, once, twice, and more often in a row: the limit has fallen, and how far is found
from below. A limit on requests a second looks the same, so the second step is a small one."""


@dataclass(slots=True, eq=False)
class Sending:
    """A create without its answer, sent so long after the one before it. `held`: the most of ours that the provider was
    known to hold since then."""

    sent_at: float
    after_s: float
    held: int
    probe: bool = False


class Ceiling:
    """What is believed of one provider. Times are seconds on one clock; nothing waits here.

    `held` generations are ours there. `proven` are allowed at once; with `refused_at` of them another one was refused.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self.proven = self.refused_at = most
        self.found = False
        self._unanswered: list[Sending] = []
        self._credit = CREDIT
        self._pace_s = SHORTEST_PACE_S
        self._probe_at = self._news_at = self._sent_at = float("-inf")
        self._refused_in_a_row = self._probes_in_a_row = 0

    @property
    def unanswered(self) -> int:
        """How many creates have no answer yet."""
        return len(self._unanswered)

    def room_at(self, now: float) -> float | None:
        """From when on one more create may be sent (`now` or earlier: at once). None: not before something has changed."""
        under_way = self.held + len(self._unanswered)
        if not self.found:
            return self._next_wave_at(now) if under_way < self.most else None
        if under_way < self.proven:
            return now if self._credit >= 0 else self._one_by_one_at(now)
        if under_way > self.proven or self.proven >= self.most or any(one.probe for one in self._unanswered):
            return None
        if under_way < self.refused_at and not self._refused_in_a_row:
            return now  # until one is accepted again, it may have fallen further
        return self._probe_at if self._credit >= 1 else None

    def _next_wave_at(self, now: float) -> float:
        old_at = sorted(one.sent_at + ANSWERS_WITHIN_S for one in self._unanswered)
        young = [at for at in old_at if at > now]
        wave = max(UNANSWERED_FIRST, (self.held + len(old_at) - len(young)) // 2)
        return now if len(young) < wave else young[-wave]

    def _one_by_one_at(self, now: float) -> float:
        return max((one.sent_at + ANSWERS_WITHIN_S for one in self._unanswered), default=now)

    def send(self, now: float) -> Sending:
        """One create is sent, where there is room."""
        probe = self.found and self.held + len(self._unanswered) >= self.proven
        sending = Sending(now, now - self._sent_at, self.held, probe)
        self._sent_at = now
        self._unanswered.append(sending)
        return sending

    def accepted(self, sending: Sending, now: float) -> None:
        """The provider took it: from now on it is one of those held, which `hold` says."""
        self._unanswered.remove(sending)
        self._refused_in_a_row = 0
        earned = min(CREDIT_PER_CREATE, CREDIT_PER_ROUND / self.proven) + CREDIT_PER_PROBE * sending.probe
        self._credit = min(CREDIT, self._credit + earned)
        if sending.probe:
            self._probes_in_a_row += 1
            self._pace_s = max(SHORTEST_PACE_S, 0.8 * self._pace_s)
            self._probe_at = now + (self._pace_s if self._probes_in_a_row < RISEN else 0)

    def hold(self) -> None:
        """One more is held: of a create that was accepted, or of an earlier run."""
        self.held += 1
        for other in self._unanswered:
            other.held = max(other.held, self.held)
        if self.found:
            self.proven = min(self.most, max(self.proven, self.held))
            self.refused_at = max(self.refused_at, self.proven)

    def refused(self, sending: Sending, now: float, wait_s: float) -> None:
        """It was one too many. What was on its way already when that came out is no further news."""
        self._unanswered.remove(sending)
        self._probes_in_a_row = 0
        news = sending.sent_at > self._news_at
        if news:
            self._news_at = now
            self._pace_s = min(LONGEST_PACE_S, max(wait_s, 2 * self._pace_s))
            self._refused_in_a_row += not sending.probe
        self._probe_at = now + self._pace_s
        if self._credit < 0 and not sending.probe and self._refused_in_a_row <= 1 and sending.after_s < wait_s:
            return  # refused too often for a ceiling: requests may only come too fast, which the repetition tells
        self.found = True
        times = min(self._refused_in_a_row, len(FALLEN)) if news and not sending.probe else 1
        held = max(sending.held, self.held + sum(other.sent_at <= sending.sent_at for other in self._unanswered))
        self.proven = max(1, min(self.proven, int(held * FALLEN[times - 1])))
        self.refused_at = held or self.refused_at
        self._credit = max(DEEPEST_DEBT, self._credit - news)

    def dropped(self, sending: Sending) -> None:
        """It ended in another way, which says nothing of how many are allowed."""
        self._unanswered.remove(sending)

    def ended(self) -> None:
        """One that was held is over."""
        self.held -= 1
