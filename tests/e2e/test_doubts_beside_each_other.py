"""Two runs of one batch at the same moment, at all six providers, each of which loses answers: one charge a clip all the same."""

from __future__ import annotations

from collections import Counter

import pytest

from dailies.domain.states import State
from tests.e2e.harness import World
from tests.e2e.test_job_flows import LEFT_TO_A_PERSON, SIX

WAYS = [("lost", "charged_status"), ("charged_no_id", "charged_half")]
"""Two at a time: a third doubt in a row would halt the provider, which is another test's."""


@pytest.mark.parametrize("ways", WAYS, ids="+".join)
def test_two_runs_beside_each_other_settle_every_lost_answer_once(world: World, ways: tuple[str, str]) -> None:
    image = f"{world.sandbox.url}/images/1280x720.png"
    world.csv([
        {"id": f"{name}-{way}", "prompt": f"<{name}-{way}>", "provider": name, "image": image, **SIX[name]}
        for name in SIX
        for way in ways
    ])  # fmt: skip
    for name in SIX:
        for way in ways:
            world.sandbox.fault("create", way, provider=name, match=f"<{name}-{way}>")
    run = ("run", str(world.prompts), "--json", "--allow-unpriced")
    both = [world.start(*run), world.start(*run)]
    assert {child.wait(180) for child in both} <= {0, 1}
    assert world.command("collect", "--json").code == 1

    attempts = world.attempts()
    assert Counter(attempt.clip_key for attempt in attempts).most_common(1)[0][1] == 1, "one attempt a clip"
    charges = [charge.generation_id for charge in world.charges()]
    assert len(charges) == len(set(charges)) == 2 * len(SIX), "and each was charged once"
    doubts = Counter(attempt.provider for attempt in attempts if attempt.state is State.IN_DOUBT)
    assert doubts == dict.fromkeys(LEFT_TO_A_PERSON, 2), "where the provider allows it no doubt is left"
    assert {attempt.state for attempt in attempts} == {State.STORED, State.IN_DOUBT}
    stored = {attempt.generation_id for attempt in attempts if attempt.state is State.STORED}
    assert stored <= set(charges) and len(world.clips()) == len(stored)
