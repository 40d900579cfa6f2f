"""What automations can act on: a few events per clip, none per poll.

    dailies.clip.bought | delivered | failed | in-doubt | overdue | expiring    resource dailies.clip.<clip_key>
    dailies.budget.nearly-spent | reached                             resource dailies.budget.<batch>
    dailies.provider.charged-more                                     resource dailies.provider.<provider>
    dailies.provider.halted | given-up | resumed                      resource dailies.provider.<provider>
    dailies.run.suspended (of asking.py)                              resource prefect.flow-run.<id>

Related resources name the batch, the provider and the model; Prefect adds the run, its flow, deployment and tags.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from prefect.events import emit_event

from dailies.domain.aging import Told
from dailies.domain.brake import Phase
from dailies.domain.clips import slug
from dailies.domain.money import show_usd
from dailies.domain.records import Attempt
from dailies.errors import Charged, DailiesError, DeliveryDelayed, MaybeCharged, NotCharged, Stopped
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.steps.budgets import budgets_of
from dailies.steps.create import BudgetReached
from dailies.steps.news import note_doubt_told, note_told, untold
from dailies.steps.poll import Overdue

logger = logging.getLogger("dailies.events")
EventName = Literal["bought", "delivered", "failed", "in-doubt", "overdue", "expiring"]
Payload = dict[str, Any]


def event_name_of(error: DailiesError) -> EventName | None:
    """Which event an error is worth. None for what is no clip's end: not started, still on its way, somebody else's."""
    match error:
        case MaybeCharged():
            return "in-doubt"
        case Overdue():
            return "overdue"
        case Stopped() | DeliveryDelayed():
            return None
        case NotCharged() | Charged():
            return "failed"
    return None


@dataclass(frozen=True, slots=True)
class Subject:
    """The clip that an event is about: what people call it, and whose it is."""

    label: str
    batch: str
    clip_key: str
    provider: str


def emit(runtime: Runtime, event_name: EventName, clip: Subject, payload: Payload) -> None:
    """Emit one event about one clip. Costs no request: Prefect's client sends it in the background."""
    emit_event(
        event=f"dailies.clip.{event_name}",
        resource={"prefect.resource.id": f"dailies.clip.{clip.clip_key}", "prefect.resource.name": clip.label},
        related=_related(runtime, clip.batch, clip.clip_key, clip.provider),
        payload=payload,
    )


def emit_attempt(runtime: Runtime, event_name: EventName, label: str, batch: str, attempt: Attempt) -> None:
    """Emit an event with what an attempt has cost, or may cost."""
    usd = attempt.usd_quoted if attempt.usd_charged is None else attempt.usd_charged
    payload = {
        "attempt": attempt.id, "generation": attempt.generation_id, "usd": str(usd), "quoted": attempt.usd_charged is None,
        "s3_uri": attempt.s3_uri, "batch": attempt.batch,
    }  # fmt: skip
    emit(runtime, event_name, Subject(label, batch, attempt.clip_key, attempt.provider), payload)


def emit_error(runtime: Runtime, error: DailiesError, clip: Subject) -> None:
    """Emit the event that an error is worth, if any; a budget's end is told once in a run."""
    if isinstance(error, BudgetReached):
        if "budget" not in runtime.emitted:
            runtime.emitted.add("budget")
            _emit_budget(clip.batch, "reached", {"error": str(error)})
        return
    event_name = event_name_of(error)
    if event_name:
        emit(runtime, event_name, clip, {"error": str(error)})


async def emit_attempt_error(runtime: Runtime, error: DailiesError, label: str, batch: str, attempt_id: str) -> None:
    """Emit the event that an error of an attempt that was paid for is worth, if any."""
    if event_name_of(error) is None:
        return
    attempt = await ledger_call(runtime.ledger.attempt, attempt_id)
    if attempt:
        emit_error(runtime, error, Subject(label, batch, attempt.clip_key, attempt.provider))


async def emit_untold(runtime: Runtime) -> None:
    """Emit what nobody was told yet of paid clips: doubts that dead processes left, and what grows old. Once each."""
    with suppress(*LEDGER_AWAY):
        found = await untold(runtime)
        for news in found:
            attempt = news.attempt
            payload = {
                "error": news.sentence, "attempt": attempt.id, "generation": attempt.generation_id,
                "usd": str(attempt.usd_quoted), "batch": attempt.batch, "ends": news.ends.isoformat(),
            }  # fmt: skip
            name: EventName = "in-doubt" if news.what is Told.IN_DOUBT else "expiring"
            logger.warning("%s · %s", news.label, news.sentence)
            emit(runtime, name, Subject(news.label, attempt.batch, attempt.clip_key, attempt.provider), payload)
        await note_told(runtime, found)


async def emit_doubt(runtime: Runtime, error: MaybeCharged, clip: Subject) -> None:
    """Emit that a create's answer was lost, and keep on record that it was told."""
    emit_error(runtime, error, clip)
    with suppress(*LEDGER_AWAY):
        await note_doubt_told(runtime, clip.clip_key)


async def emit_budgets(runtime: Runtime, batch: Batch) -> None:
    """Emit an event for each budget that a batch will nearly use up: before anything is bought."""
    for budget in await budgets_of(runtime, batch):
        if budget.nearly_spent:
            words = f"{show_usd(budget.expected_usd)} of {show_usd(budget.cap_usd)} ({budget.name})"
            _emit_budget(batch.name, "nearly-spent", {"budget": budget.name, "says": words})


async def emit_brake(runtime: Runtime, batch: str, provider: str) -> None:
    """Emit an event when a provider's brake on doubt was put on, gave up, or was opened again: once each time."""
    with suppress(*LEDGER_AWAY):
        phase = (await ledger_call(runtime.ledger.brakes)).get(provider, Phase.OPEN)
        given_up = phase is not Phase.OPEN and provider in runtime.halted_providers
        event_name = "given-up" if given_up else "halted" if phase is not Phase.OPEN else "resumed"
        earlier = runtime.brake_events.get(provider, "resumed")
        if event_name == earlier:
            return
        runtime.brake_events[provider] = event_name
        emit_event(
            event=f"dailies.provider.{event_name}",
            resource={"prefect.resource.id": f"dailies.provider.{provider}", "prefect.resource.name": provider},
            related=[_resource("batch", batch)],
            payload={"says": runtime.halted_providers.get(provider, "")},
        )


def emit_surcharge(runtime: Runtime, label: str, batch: str, attempt: Attempt) -> None:
    """Say at once, once for each price, that a provider charged more than it was quoted at."""
    charged, provider = attempt.usd_charged, attempt.provider
    surcharge = f"charged {provider} {charged}"
    if charged is None or charged <= attempt.usd_quoted or surcharge in runtime.emitted:
        return
    runtime.emitted.add(surcharge)
    words = f"charged {show_usd(charged)} for a clip quoted at {show_usd(attempt.usd_quoted)}"
    logger.warning("%s · %s %s: what follows is reserved at that price", label, provider, words)
    emit_event(
        event="dailies.provider.charged-more",
        resource={"prefect.resource.id": f"dailies.provider.{provider}", "prefect.resource.name": provider},
        related=_related(runtime, batch, attempt.clip_key, ""),
        payload={"says": words, "attempt": attempt.id},
    )


def _emit_budget(batch: str, event_name: str, payload: dict[str, str]) -> None:
    emit_event(
        event=f"dailies.budget.{event_name}",
        resource={"prefect.resource.id": f"dailies.budget.{slug(batch, 'batch')}", "prefect.resource.name": batch},
        related=[_resource("batch", batch)],
        payload=payload,
    )


def _related(runtime: Runtime, batch: str, clip_key: str, provider: str) -> list[dict[str, str]]:
    row = runtime.batches.row(clip_key)
    found = [_resource("provider", provider)] if provider else []
    return [*found, _resource("batch", batch), *([_resource("model", row.clip.model)] if row else [])]


def _resource(role: str, name: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"dailies.{role}.{slug(name, role)}",
        "prefect.resource.role": role,
        "prefect.resource.name": name,
    }
