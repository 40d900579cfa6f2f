"""A repeat is claimed for the request on record, where its key belongs, and may be sent while its key is surely known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from dailies.domain.brake import GivenUp
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.outcomes import Answer, Fault, Meaning
from dailies.domain.records import Attempt
from dailies.ledger import Ledger, Unclaimed
from dailies.providers.base import Created
from dailies.registry import declared
from dailies.sender.claims import ClaimedRequest, claim_again
from dailies.sender.desk import Desk
from dailies.sender.protocol import Repetition
from tests.ledger.factories import a_row, an_attempt

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
BASE = "https://api.example"
REQUEST = PaidRequest(f"{BASE}/v1", [{"prompt": "she smiles"}])
KEPT = keep(REQUEST, Reference("attempt", "key"), NOON)
LIFE_S = declared()["runware"].settling.key_life.total_seconds()
AGAIN = Repetition("attempt", cast(Any, a_row()), "a.csv", "s3://bucket/clips", "runware", REQUEST)


@dataclass
class Doubted:
    """A ledger with one attempt in doubt, whose request was first sent at noon."""

    kept: KeptRequest | None = KEPT
    grants: object = None
    later_s: float = 0.0
    asked: int = 0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.later_s)

    def kept_request(self, attempt_id: str) -> KeptRequest | None:
        return self.kept if attempt_id == "attempt" else None

    def claim_again(self, *_: object) -> object:
        self.asked += 1
        return self.grants


def claimed(ledger: Doubted, repetition: Repetition = AGAIN, base_url: str = BASE) -> object:
    return claim_again(cast(Ledger, ledger), repetition, base_url, clock_s=1000.0)


def granted(later_s: float) -> ClaimedRequest:
    found = claimed(Doubted(grants=(an_attempt(), KEPT), later_s=later_s))
    assert isinstance(found, ClaimedRequest)
    return found


@pytest.mark.parametrize("later_s", [0.0, 60.0, LIFE_S - 1])
def test_it_may_be_sent_until_its_key_may_have_been_forgotten(later_s: float) -> None:
    """A lease that lasts longer changes nothing: past that moment the same request buys another clip."""
    found = granted(later_s)
    assert found.repeat and found.request is REQUEST and isinstance(found.attempt, Attempt)
    left_s = LIFE_S - later_s
    assert found.may_go_for_s(1e9, 1000.0) == left_s
    assert found.may_go_for_s(1e9, 1000.0 + left_s) == 0
    assert found.may_go_for_s(left_s / 2, 1000.0) == left_s / 2, "nor longer than it is ours"


@pytest.mark.parametrize(
    ("passed_s", "sends"), [(0.0, True), (LIFE_S - 1, True), (LIFE_S, False), (LIFE_S + 60, False)]
)
def test_the_desk_sends_it_no_longer_than_that_however_long_it_is_ours(passed_s: float, sends: bool) -> None:
    """Right before the first byte is written it is asked once more, on the sender's clock."""
    times, asked = iter([1000.0, 1000.0 + passed_s]), list[bool]()

    class Vendor:
        async def create(self, request: PaidRequest, may_send: Callable[[], bool]) -> Created:
            asked.append(may_send())
            return Created(Answer(200, "task") if asked[-1] else Fault.NOT_OURS)

    ledger = SimpleNamespace(ours_for_s=lambda _: 1e9, usd_in_flight=lambda _: 0)
    settings, spool = SimpleNamespace(dailies_pictures_mb=1), SimpleNamespace()
    desk = Desk(cast(Any, settings), cast(Any, ledger), cast(Any, spool), lambda _: None, lambda: next(times))
    claimed = granted(0.0)
    desk._providers[claimed.attempt.provider] = cast(Any, Vendor())
    verdict, _ = anyio.run(desk._send_once, claimed)
    assert asked == [sends] and (verdict.meaning is Meaning.ACCEPTED) == sends


def test_a_first_request_may_be_sent_while_it_is_ours() -> None:
    assert ClaimedRequest(an_attempt(), REQUEST).may_go_for_s(5.0, 1000.0) == 5.0


@pytest.mark.parametrize("refusal", [Unclaimed.TAKEN, GivenUp(3)])
def test_what_the_ledger_refuses_is_refused_in_its_words(refusal: object) -> None:
    assert claimed(Doubted(grants=refusal)) is refusal


@pytest.mark.parametrize("kept", [None, replace(KEPT, sha256="other"), replace(KEPT, address=f"{BASE}/v2")])
def test_a_request_that_is_not_the_one_on_record_is_not_claimed(kept: KeptRequest | None) -> None:
    ledger = Doubted(kept)
    assert claimed(ledger) is Unclaimed.TAKEN and ledger.asked == 0


def test_a_provider_that_knows_no_keys_is_asked_for_nothing_twice() -> None:
    ledger = Doubted()
    assert claimed(ledger, replace(AGAIN, provider="aiml")) is Unclaimed.TAKEN and ledger.asked == 0


@pytest.mark.parametrize("now_at", ["https://api.example.org", "https://api.exam", f"{BASE}/v"])
def test_a_key_goes_nowhere_but_where_it_belongs(now_at: str) -> None:
    ledger = Doubted()
    assert "no address of runware's now" in str(claimed(ledger, base_url=now_at)) and ledger.asked == 0
