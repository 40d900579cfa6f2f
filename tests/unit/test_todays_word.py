"""What the providers say of their models today: who is asked what, what is noted of it, and which clips cost alike."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import pytest

from dailies.catalog import Model, Problem, ResolvedOptions
from dailies.errors import Misconfigured
from dailies.planning.live import LiveView, alike, ask_all
from dailies.providers.live import Live, LiveUnavailable
from tests.unit.planned import CATALOG

SEEDANCE, KLING = CATALOG.find("bytedance/seedance-2-0"), CATALOG.find("klingai/video-v3-pro-image-to-video")
AWAY = "aiml could not be asked whether its models are served and what they cost now (HTTP 503)"
PLAIN = ResolvedOptions("720p", "16:9", 5)


def asked(
    *wanted: tuple[str, Model], require_live: bool = False, **answers: Live | LiveUnavailable
) -> tuple[LiveView, list[tuple[str, list[str]]]]:
    """The view, and who was asked for which names; each provider says the same of all its models."""
    questions: list[tuple[str, list[str]]] = []

    async def ask(provider: str, names: list[str]) -> dict[str, Live]:
        questions.append((provider, names))
        answer = answers[provider]
        if isinstance(answer, LiveUnavailable):
            raise answer
        return dict.fromkeys(names, answer)

    return anyio.run(ask_all, wanted, ask, require_live), questions


def test_each_provider_is_asked_once_for_all_its_models_by_its_own_names() -> None:
    view, questions = asked(("fal", SEEDANCE), ("aiml", SEEDANCE), ("aiml", KLING), ("aiml", KLING), aiml=Live(True),
                            fal=Live(False))  # fmt: skip
    names = sorted([SEEDANCE.offer_at("aiml").name, KLING.offer_at("aiml").name])
    assert questions == [("aiml", names), ("fal", [SEEDANCE.offer_at("fal").name])]
    assert view.found == {
        ("aiml", SEEDANCE.id): Live(True), ("aiml", KLING.id): Live(True), ("fal", SEEDANCE.id): Live(False),
    }  # fmt: skip
    assert view.notes == ()


def test_two_models_that_have_one_name_there_are_both_answered_for() -> None:
    twin = SEEDANCE.model_copy(update={"id": "bytedance/seedance-2-0-text"})
    view, questions = asked(("aiml", SEEDANCE), ("aiml", twin), aiml=Live(True))
    assert len(questions[0][1]) == 1 and set(view.found) == {("aiml", SEEDANCE.id), ("aiml", twin.id)}


def test_one_that_can_not_be_asked_is_noted_and_the_others_are_asked_all_the_same() -> None:
    view, _ = asked(("aiml", KLING), ("fal", SEEDANCE), aiml=LiveUnavailable("HTTP 503"), fal=Live(True))
    assert view.notes == (f"{AWAY}; prices are the catalog's",)
    assert view.found == {("fal", SEEDANCE.id): Live(True)}


def test_where_they_have_to_be_asked_nothing_is_bought() -> None:
    with pytest.raises(Misconfigured) as caught:
        asked(("aiml", KLING), require_live=True, aiml=LiveUnavailable("HTTP 503"))
    assert str(caught.value) == f"{AWAY}. Nothing was bought (--require-live)" and caught.value.trouble == "network"


@pytest.mark.parametrize(("live", "note"), [
    (Live(True, "deprecated", "2027-01-31", "kling/v4"),
     f"{KLING.id} is deprecated at aiml and ends on 2027-01-31; its successor is kling/v4"),
    (Live(True, "superseded"), f"{KLING.id} is superseded at aiml"),
    (Live(True, "active", "2027-01-31"), None), (Live(False, "deprecated"), None),
])  # fmt: skip
def test_a_model_that_will_end_is_noted_while_it_is_served(live: Live, note: str | None) -> None:
    assert asked(("aiml", KLING), aiml=live)[0].notes == ((note,) if note else ())


LISTS = Live(True, durations=(5, 10), resolutions=("720P",), aspect_ratios=("16:9", "9:16"))


@pytest.mark.parametrize(("live", "wanted", "problem"), [
    (LISTS, PLAIN, None),
    (LISTS, replace(PLAIN, duration_s=8), Problem("duration", "8 is no duration of {} at aiml today", "use 5 or 10, or another provider")),
    (LISTS, replace(PLAIN, resolution="480p"),
     Problem("resolution", "480p is no resolution of {} at aiml today", "use 720P, or another provider")),
    (LISTS, replace(PLAIN, aspect_ratio="1:1"),
     Problem("aspect_ratio", "1:1 is no aspect ratio of {} at aiml today", "use 16:9 or 9:16, or another provider")),
    (LISTS, ResolvedOptions(None, None, None), None),  # what is not asked for is in no list
    (Live(True), replace(PLAIN, duration_s=8), None),  # what is not listed is not refused
    (replace(LISTS, served=False), replace(PLAIN, duration_s=8), None),  # that it is gone is said by itself
    (None, replace(PLAIN, duration_s=8), None),
])  # fmt: skip
def test_a_value_that_todays_list_does_not_have(
    live: Live | None, wanted: ResolvedOptions, problem: Problem | None
) -> None:
    view = LiveView({("aiml", KLING.id): live} if live else {})
    expected = problem and replace(problem, reason=problem.reason.format(KLING.id))
    assert view.outside(KLING, "aiml", wanted) == expected
    assert view.outside(KLING, "fal", wanted) is None, "another provider's list says nothing of it"


def with_options(**options: Any) -> ResolvedOptions:
    return replace(PLAIN, options=options)


def test_clips_cost_alike_where_they_differ_in_what_no_price_depends_on() -> None:
    def key(resolved: ResolvedOptions = PLAIN, model: Model = SEEDANCE, provider: str = "aiml") -> object:
        return alike(model, provider, resolved)

    others = (
        key(provider="fal"), key(model=KLING), key(replace(PLAIN, resolution="480p")), key(replace(PLAIN, duration_s=10)),
        key(replace(PLAIN, aspect_ratio="1:1")), key(with_options(generate_audio=True)), key(with_options(generate_audio=False)),
        key(with_options(last_image="a")),
    )  # fmt: skip
    assert len({key(), *others}) == len(others) + 1
    assert key(with_options(seed=1)) == key(with_options(seed=2))
    assert key(with_options(last_image="a")) == key(with_options(last_image="b"))
    assert key() == key(replace(PLAIN))


def test_what_the_account_says_comes_before_any_list_and_what_nobody_says_is_unknown() -> None:
    model = CATALOG.find("minimax/hailuo-2.3")
    wanted = ResolvedOptions(model.resolution.values[0] if model.resolution else None, None, 6)
    view = LiveView(
        {("aiml", model.id): Live(True, pricing={"kind": "fixed", "units": [{"price": 1, "unit": "second"}]})}
    )
    told = LiveView(view.found, estimates={alike(model, "aiml", wanted): Decimal("0.123456789012")})
    assert told.quote(model, "aiml", wanted) == (Decimal("0.123456789"), "live"), "to a billionth of a dollar"
    assert view.quote(model, "aiml", wanted) == view.quote(model, "aiml", wanted) == (Decimal(6), "live")
    unsold = model.model_copy(update={"offers": {"aiml": model.offers["aiml"].model_copy(update={"price": None})}})
    assert LiveView().quote(unsold, "aiml", wanted) == (None, "unknown")
