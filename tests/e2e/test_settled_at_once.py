"""A lost answer settles itself in the run that lost it, wherever the provider allows it: one charge a clip, and no doubt left."""

from __future__ import annotations

import pytest

from dailies.domain.states import State
from dailies.registry import declared, load
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import AIML_KEY, World

PAIR = "the-id:the-secret"
LOST = ("lost", "charged_status", "charged_no_id", "charged_html", "charged_half")
"""Ways in which the answer to a create is lost after it was accepted."""
COLUMNS = {
    "runware": {"model": "klingai/v2.1-master-image-to-video", "resolution": "", "aspect_ratio": "", "duration": "5"},
    "higgsfield": {"model": "bytedance/seedance-2-5"},
    "fal": {"model": "bytedance/seedance-2-0"},
    "openrouter": {"model": "bytedance/seedance-2-0"},
}


def a_world(make_world: MakeWorld, provider: str) -> World:
    """A world whose batch is made at this provider, below its own path of the sandbox."""
    world: World = make_world(api_keys=frozenset({AIML_KEY, PAIR}))
    one = declared()[provider]
    world.environ |= {
        one.base_url_name: world.sandbox.url + load(str(one.front)).below,
        one.key_name: PAIR if provider == "higgsfield" else AIML_KEY,
    }
    return world


def columns(provider: str) -> dict[str, str]:
    """What the rows say of a provider and a model that it has."""
    return {"provider": provider, **COLUMNS[provider]}


def creates(world: World) -> int:
    """How many creates reached the provider."""
    asked = [seen.path for seen in world.sandbox.requests() if seen.method == "POST"]
    return len([path for path in asked if not path.endswith("/cancel") and "/estimate/" not in path])


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost answer is asked about at once, and after several of them the provider is tried again in a moment."""
    monkeypatch.setattr("dailies.steps.settle.PAUSES_S", (0.0,))
    monkeypatch.setattr("dailies.domain.brake.FIRST_PROBE_S", 0.05)


@pytest.mark.parametrize("provider", ["higgsfield", "runware", "fal"])
def test_a_lost_answer_is_settled_in_its_own_run_and_charged_once(make_world: MakeWorld, provider: str) -> None:
    world = a_world(make_world, provider)
    world.csv([{"id": kind, "prompt": f"the answer is {kind} here"} for kind in (*LOST, "well")], **columns(provider))
    for kind in LOST:
        world.sandbox.fault("create", kind, match=f"answer is {kind} ")
    result = world.run("--allow-unpriced", "--in-flight", "1")
    assert result.code == 0, result.json
    assert len(world.charges()) == len(LOST) + 1
    assert {(attempt.provider, attempt.state) for attempt in world.attempts()} == {(provider, State.STORED)}
    with world.ledger() as ledger:
        assert not any(ledger.kept_request(attempt.id) for attempt in world.attempts())
    assert {c.generation_id for c in world.charges()} == {a.generation_id for a in world.attempts()}


def test_where_only_a_webhook_tells_it_stays_in_doubt_and_is_not_sent_again(make_world: MakeWorld) -> None:
    world = a_world(make_world, "openrouter")
    world.csv(1, **columns("openrouter"))
    world.sandbox.fault("create", "lost")
    assert world.run("--allow-unpriced").code == 1
    assert len(world.charges()) == 1 and [a.state for a in world.attempts()] == [State.IN_DOUBT]
    assert world.run("--allow-unpriced").code == 1
    assert len(world.charges()) == 1


def test_collect_never_repeats_a_request(make_world: MakeWorld) -> None:
    """It buys nothing: the first one may not have been accepted, and then the repeat would buy."""
    world = a_world(make_world, "higgsfield")
    world.csv(1, **columns("higgsfield"))
    world.sandbox.fault("create", "lost", times=3)  # the create, the repeat at once, the one at the end
    assert world.run("--allow-unpriced").code == 1
    posts = creates(world)
    world.sandbox.clear_faults()
    assert world.command("collect", "--json").code == 1
    assert creates(world) == posts and [a.state for a in world.attempts()] == [State.IN_DOUBT]
    world.sql("DELETE FROM brake")  # three lost answers in a row: the next one would wait
    assert world.run("--allow-unpriced").code == 0, "a run does, with the same key"
    assert len(world.charges()) == 1


@pytest.mark.parametrize("sent_at", ["2026-01-01", "2099-01-01"])
def test_a_key_that_the_provider_may_have_forgotten_is_not_repeated(make_world: MakeWorld, sent_at: str) -> None:
    """One that was sent in the future, by a clock that was set back since, may be as old as any."""
    world = a_world(make_world, "higgsfield")
    world.csv(1, **columns("higgsfield"))
    world.sandbox.fault("create", "lost", times=3)  # the create, the repeat at once, the one at the end
    assert world.run("--allow-unpriced").code == 1
    world.sandbox.clear_faults()
    world.sql("DELETE FROM brake", f"UPDATE request SET first_sent_at = '{sent_at} 00:00:00.000000'")
    world.sandbox.fault("create", "key_expired")
    posts = creates(world)
    assert world.run("--allow-unpriced").code == 1
    assert creates(world) == posts and [a.state for a in world.attempts()] == [State.IN_DOUBT]


def test_a_person_may_have_it_asked_again_now(make_world: MakeWorld) -> None:
    """The same attempt with the same key: one charge; nothing to ask is a refusal, and a second time there is nothing to do."""
    world = a_world(make_world, "higgsfield")
    world.csv(1, **columns("higgsfield"))
    world.sandbox.fault("create", "lost", times=3)
    assert world.run("--allow-unpriced").code == 1
    (attempt,) = world.attempts()
    assert f"resolve {attempt.id[:8]} --ask-again" in world.command("resolve", attempt.id).stdout
    world.sandbox.clear_faults()
    world.sql("DELETE FROM brake")
    asked = world.command("resolve", attempt.id, "--ask-again", "--json")
    assert asked.code == 0 and asked.json[0]["state"] == "submitted", asked.stderr
    assert len(world.charges()) == 1 and [a.id for a in world.attempts()] == [attempt.id]
    assert world.command("resolve", attempt.id, "--ask-again").code == 2, "there is nothing to resolve"
    assert world.command("collect", "--json").code == 0 and len(world.charges()) == 1


@pytest.mark.parametrize(("provider", "code"), [("higgsfield", 1), ("openrouter", 2)])
def test_asking_again_sends_nothing_where_the_key_is_old_or_nothing_can_be_asked(
    make_world: MakeWorld, provider: str, code: int
) -> None:
    world = a_world(make_world, provider)
    world.csv(1, **columns(provider))
    world.sandbox.fault("create", "lost", times=3)
    assert world.run("--allow-unpriced").code == 1
    (attempt,) = world.attempts()
    world.sandbox.clear_faults()
    world.sql("DELETE FROM brake", "UPDATE request SET first_sent_at = '2026-01-01 00:00:00.000000'")
    posts = creates(world)
    assert world.command("resolve", attempt.id, "--ask-again").code == code
    assert creates(world) == posts and [a.state for a in world.attempts()] == [State.IN_DOUBT]
