"""What automations can act on: a few events per clip, none per poll.

    dailies.clip.bought | delivered | failed | in-doubt | overdue     resource dailies.clip.<clip_key>
    dailies.budget.nearly-spent | reached                             resource dailies.budget.<batch>
    dailies.provider.charged-more                                     resource dailies.provider.<provider>
    dailies.provider.halted | given-up | resumed                      resource dailies.provider.<provider>

Related resources name the batch, the provider and the model; Prefect adds the run, its flow, deployment and tags.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, Literal

import anyio.to_thread
from prefect.events import emit_event
from sqlalchemy.exc import SQLAlchemyError

from dailies.domain.brake import Phase
from dailies.domain.clips import slug
from dailies.domain.money import show_usd
from dailies.domain.records import Attempt
from dailies.errors import Charged, DailiesError, DeliveryDelayed, MaybeCharged, NotCharged, Stopped
from dailies.steps.budgets import budgets_of
from dailies.steps.create import BudgetReached
from dailies.steps.poll import Overdue
from dailies.studio import Studio, current_studio

logger = logging.getLogger("dailies.events")
News = Literal["bought", "delivered", "failed", "in-doubt", "overdue"]


def news_of(error: DailiesError) -> News | None:
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


def tell(news: News, label: str, clip_key: str, provider: str, payload: dict[str, Any] | None = None) -> None:
    """Emit one event about one clip. Costs no request: Prefect's client sends it in the background."""
    studio = current_studio()
    emit_event(
        event=f"dailies.clip.{news}",
        resource={"prefect.resource.id": f"dailies.clip.{clip_key}", "prefect.resource.name": label},
        related=_related(studio, clip_key, provider),
        payload=payload or {},
    )


def tell_attempt(news: News, label: str, attempt: Attempt) -> None:
    """Emit an event with what an attempt has cost, or may cost."""
    usd = attempt.usd_quoted if attempt.usd_charged is None else attempt.usd_charged
    payload = {
        "attempt": attempt.id, "generation": attempt.generation_id, "usd": str(usd), "quoted": attempt.usd_charged is None,
        "s3_uri": attempt.s3_uri, "batch": attempt.batch,
    }  # fmt: skip
    tell(news, label, attempt.clip_key, attempt.provider, payload)


def tell_error(error: DailiesError, label: str, clip_key: str, provider: str) -> None:
    """Emit the event that an error is worth, if any; a budget's end is told once in a run."""
    if isinstance(error, BudgetReached):
        studio = current_studio()
        if "budget" not in studio.told:
            studio.told.add("budget")
            _tell_budget(studio, "reached", {"error": str(error)})
        return
    news = news_of(error)
    if news:
        tell(news, label, clip_key, provider, {"error": str(error)})


async def tell_trouble(error: DailiesError, label: str, attempt_id: str) -> None:
    """Emit the event that an error of an attempt that was paid for is worth, if any."""
    attempt = await anyio.to_thread.run_sync(current_studio().ledger.attempt, attempt_id) if news_of(error) else None
    if attempt:
        tell_error(error, label, attempt.clip_key, attempt.provider)


async def tell_budgets() -> None:
    """Emit an event for each budget that the batch in hand will nearly use up: before anything is bought."""
    studio = current_studio()
    for budget in await budgets_of(studio):
        if budget.nearly_spent:
            words = f"{show_usd(budget.expected_usd)} of {show_usd(budget.cap_usd)} ({budget.name})"
            _tell_budget(studio, "nearly-spent", {"budget": budget.name, "says": words})


async def tell_brake(provider: str) -> None:
    """Emit an event when a provider's brake on doubt was put on, gave up, or was opened again: once each time."""
    studio = current_studio()
    with suppress(SQLAlchemyError, OSError):
        phase = (await anyio.to_thread.run_sync(studio.ledger.brakes)).get(provider, Phase.OPEN)
        given_up = phase is not Phase.OPEN and provider in studio.stopped
        news = "given-up" if given_up else "halted" if phase is not Phase.OPEN else "resumed"
        earlier = studio.brake_news.get(provider, "resumed")
        if news == earlier:
            return
        studio.brake_news[provider] = news
        emit_event(
            event=f"dailies.provider.{news}",
            resource={"prefect.resource.id": f"dailies.provider.{provider}", "prefect.resource.name": provider},
            related=[_resource("batch", studio.the_job.plan.batch)],
            payload={"says": studio.stopped.get(provider, "")},
        )


def tell_surcharge(label: str, attempt: Attempt) -> None:
    """Say at once, once for each price, that a provider charged more than it was quoted at."""
    studio, charged = current_studio(), attempt.usd_charged
    news = f"charged {attempt.provider} {charged}"
    if charged is None or charged <= attempt.usd_quoted or news in studio.told:
        return
    studio.told.add(news)
    words = f"charged {show_usd(charged)} for a clip quoted at {show_usd(attempt.usd_quoted)}"
    logger.warning("%s · %s %s: what follows is reserved at that price", label, attempt.provider, words)
    emit_event(
        event="dailies.provider.charged-more",
        resource={
            "prefect.resource.id": f"dailies.provider.{attempt.provider}",
            "prefect.resource.name": attempt.provider,
        },
        related=_related(studio, attempt.clip_key, ""),
        payload={"says": words, "attempt": attempt.id},
    )


def _tell_budget(studio: Studio, news: str, payload: dict[str, str]) -> None:
    batch = studio.the_job.plan.batch
    emit_event(
        event=f"dailies.budget.{news}",
        resource={"prefect.resource.id": f"dailies.budget.{slug(batch, 'batch')}", "prefect.resource.name": batch},
        related=[_resource("batch", batch)],
        payload=payload,
    )


def _related(studio: Studio, clip_key: str, provider: str) -> list[dict[str, str]]:
    row = studio.job.rows.get(clip_key) if studio.job else None
    found = [_resource("provider", provider)] if provider else []
    if row and studio.job:
        found += [_resource("batch", studio.job.plan.batch), _resource("model", row.clip.model)]
    return found


def _resource(role: str, name: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"dailies.{role}.{slug(name, role)}",
        "prefect.resource.role": role,
        "prefect.resource.name": name,
    }
