"""Claims of paid requests: T1 of a purchase, and of its repeat with the same key."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from uuid import uuid4

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, content_digest, keep
from dailies.domain.pictures import written_out
from dailies.domain.records import Attempt
from dailies.ledger import Ledger, Unclaimed
from dailies.ledger.transitions import new_attempt_id
from dailies.providers.base import Provider
from dailies.registry import declared
from dailies.sender.protocol import Purchase, Refusal, Repetition
from dailies.sender.shelf import Hold


@dataclass(frozen=True, slots=True)
class ClaimedRequest:
    """What may be sent now. Until `young_until`, on the sender's clock, a repeat's key is surely known; past it a repeat would
    buy anew."""

    attempt: Attempt
    request: PaidRequest
    repeat: bool = False
    young_until: float = math.inf

    def may_go_for_s(self, ours_for_s: float, at_s: float) -> float:
        """For how long it may be sent from `at_s` of the sender's clock on, where the ledger says that it is ours for so long."""
        return min(ours_for_s, self.young_until - at_s)


def claim(ledger: Ledger, provider: Provider, purchase: Purchase, hold: Hold) -> ClaimedRequest | Refusal:
    """T1 for a purchase, with the exact request that will be sent; or why it was not granted. `hold` has its pictures."""
    clip = purchase.row.clip
    reference = Reference(new_attempt_id(clip.key), str(uuid4()))
    request = request_for(provider, purchase, reference, hold)
    kept = keep(request, reference, ledger.now())
    granted = ledger.claim(
        clip.key, purchase.batch, purchase.provider, purchase.usd_quoted, purchase.caps, purchase.digest,
        clip.image.sha256, purchase.at_once, kept,
    )  # fmt: skip
    return ClaimedRequest(granted, request) if isinstance(granted, Attempt) else granted


def request_for(provider: Provider, purchase: Purchase, reference: Reference, hold: Hold) -> PaidRequest:
    """The exact request of a purchase, its pictures written when it is sent where the provider's client can do that."""
    if not hold:
        return provider.request(purchase.body, reference)
    if not provider.takes_pictures:
        return provider.request(written_out(purchase.body, hold), reference)
    return replace(provider.request(purchase.body, reference), texts=hold)


def claim_again(ledger: Ledger, repetition: Repetition, base_url: str, clock_s: float) -> ClaimedRequest | Refusal:
    """T1 for a repeat, at `clock_s` of the sender's clock; or why it was not granted. The request must be the one on record, and
    go where the key belongs."""
    kept = ledger.kept_request(repetition.attempt_id)
    request, settling = repetition.request, declared()[repetition.provider].settling
    same = kept is not None and (kept.address, kept.sha256) == (request.address, content_digest(request))
    if not same or not settling.repeats:
        return Unclaimed.TAKEN
    if not f"{request.address}/".startswith(f"{base_url}/"):
        return f"it was sent to {request.address}, which is no address of {repetition.provider}'s now"
    match ledger.claim_again(repetition.attempt_id, settling.key_life, repetition.at_once):
        case (Attempt() as attempt, KeptRequest(first_sent_at=first_sent_at)):
            left_s = (settling.key_life - (ledger.now() - first_sent_at)).total_seconds()
            return ClaimedRequest(attempt, request, repeat=True, young_until=clock_s + left_s)
        case refusal:
            return refusal
