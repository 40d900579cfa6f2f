"""What can go wrong on request. A fault waits in the box until a matching request takes it."""

from __future__ import annotations

import threading
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Where = Literal["create", "poll", "download", "logs", "billing", "models", "history", "webhook"]

_ANY = {
    "delay": "the right answer, delay_s late",
    "status": "an error answer with this status; nothing is charged",
    "busy": "429, with retry_after as the Retry-After text if given",
    "html": "a gateway's HTML page (502, or status); nothing is charged",
    "redirect": "302 to url",
    "close": "the connection is closed without a byte, nothing is done",
    "reset": "the connection is reset (RST); of a download, half-way",
}
_POLL = {
    "empty": "200 with no body",
    "half": "200 with half a JSON",
    "never": "still generating, whatever the time",
    "back": "queued again",
    "say": "the status word given as `say`",
    "unknown": "a status nobody documented",
    "no_url": "completed, without a URL",
    "failed": "the generation fails for good, and is refunded",
    "usd_spent": "completed, with usd_spent in place of credits_used",
}
KINDS: dict[Where, dict[str, str]] = {
    "create": _ANY
    | {
        "lost": "charged; the connection is closed without a byte (end=reset: RST)",
        "late": "charged; the right answer, delay_s late (5 s if not given)",
        "charged_status": "charged; then an error answer with this status (500)",
        "charged_html": "charged; 200 with HTML",
        "charged_empty": "charged; 200 with no body",
        "charged_half": "charged; 200 with half a JSON",
        "charged_no_id": "charged; 200 without an id",
        "charged_absurd_id": "charged; 200 with an id of 10,000 characters",
        "same_id": "charged; answers the id of the generation before",
        "renamed_id": "charged; the id is called generation_id",
        "error_in_200": "200 with an error in its body; nothing is charged",
        "key_expired": "the caller's key is forgotten first, so that a repeat is a new order",
    },
    "poll": _ANY | _POLL,
    "download": _ANY
    | {
        "expired": "403, as of a URL past its time",
        "short": "Content-Length tells the whole, half is sent, the connection closes",
        "pieces": "never more than size_bytes in one answer, which breaks off; the rest can be asked for (Range, If-Range)",
        "cut": "half is sent, without a length; the connection closes in good order",
        "html": "200 (or status) with HTML",
        "empty": "200 with no bytes",
        "bomb": "Content-Encoding gzip; size_bytes (256 MiB) once unpacked",
        "endless": "the clip, and then zeros for ever",
        "slow": "one byte each interval_s (1 s)",
        "other": "a whole clip, but of other bytes than before",
        "wrong": "a whole clip of width, height, duration_s or audio that nobody ordered",
    },
    "logs": _ANY | {"empty": "200 with no body", "half": "200 with half a JSON"},
    "history": _ANY
    | {
        "empty": "200 with no body",
        "half": "200 with half a JSON",
        "missing": "the newest request is not in the history yet",
        "ambiguous": "each request stands there twice, under two ids",
    },
    "billing": _ANY | {"empty": "200 with no body", "half": "200 with half a JSON"},
    "models": _ANY | {"empty": "200 with no body", "half": "200 with half a JSON"},
    "webhook": {
        "lost": "never sent",
        "delay": "sent delay_s late",
        "doubled": "sent twice",
        "forged": "signed with somebody else's key",
        "stale": "signed ten minutes ago",
        "out_of_order": "sent once more after the end, telling of a job that is going on",
    },
}


class Fault(BaseModel):
    """One fault: where it strikes, what it does, whom it strikes and how often.

    `times` None is for ever; the first `after` matching requests are spared. `match` is a part of the prompt, the
    generation id or the model. Only requests that would have been accepted are struck. `kind` is a key of
    KINDS[where]; the other fields belong to single kinds and are explained there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: Where
    kind: str
    times: int | None = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0)
    match: str | None = None
    provider: str | None = None
    delay_s: float = Field(default=0, ge=0)
    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: str | None = None
    body: Literal["problem", "legacy", "html"] = "problem"
    end: Literal["close", "reset"] = "close"
    url: str = "http://192.0.2.1/elsewhere"
    say: str = "queued"
    width: int | None = Field(default=None, ge=2, le=4096, multiple_of=2)
    height: int | None = Field(default=None, ge=2, le=4096, multiple_of=2)
    duration_s: int | None = Field(default=None, ge=1, le=60)
    audio: bool = True
    size_bytes: int = Field(default=256 * 2**20, ge=1)
    interval_s: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        if self.kind not in KINDS[self.where]:
            raise ValueError(f"no fault {self.kind!r} at {self.where}; there are {', '.join(KINDS[self.where])}")
        return self

    def fits(self, where: Where, provider: str, texts: tuple[str, ...]) -> bool:
        """Whether a request at this place, by this provider, with these texts is one it strikes."""
        return (
            self.where == where
            and self.provider in (None, provider)
            and (self.match is None or any(self.match in text for text in texts))
        )


class FaultBox:
    """The faults still to come, in the order they were asked for; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put one fault at the end of the queue."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget every fault still to come."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[dict[str, Any]]:
        """The faults still to come, as JSON."""
        with self._lock:
            return [fault.model_dump(exclude_defaults=True) for fault in self._faults]

    def take(self, where: Where, provider: str, *texts: str) -> Fault | None:
        """The first fault this request meets, counted down under the lock, so `times=1` strikes exactly once."""
        with self._lock:
            for place, fault in enumerate(self._faults):
                if not fault.fits(where, provider, texts):
                    continue
                if fault.after:
                    self._faults[place] = fault.model_copy(update={"after": fault.after - 1})
                    continue
                self._count_down(place, fault)
                return fault
        return None

    def _count_down(self, place: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._faults[place]
        elif fault.times:
            self._faults[place] = fault.model_copy(update={"times": fault.times - 1})
