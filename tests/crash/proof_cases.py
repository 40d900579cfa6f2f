"""Fault × crash point × provider × database, each put to a whole run: `make proof` writes what became of it as a table.

No test of the usual suite: pytest finds it only by its name. Each case leaves one line; `tests/crash/proof_page.py` makes the table.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from itertools import product
from pathlib import Path

import pytest

from dailies.domain.states import State
from tests.crash.proof_page import LINES, Case
from tests.crash.test_kill import SENDING
from tests.e2e.fixtures import MakeWorld
from tests.e2e.forks import KILLED
from tests.e2e.invariants import assert_invariants

FAULTS = {"none": "", "answer lost": "lost", "answer unreadable": "charged_html", "error, nothing charged": "status"}
POINTS = (
    "",
    "after-claim",
    "before-post",
    "after-post",
    "before-answer",
    "after-answer",
    "before-completed",
    "before-stored",
)
PROVIDERS = ("aiml", "onerouter")
DATABASES = ("sqlite", "postgres")
CLIPS = 2
CASES = [
    case
    for case in product(FAULTS, POINTS, PROVIDERS, DATABASES)
    if case[0] in ("none", "answer lost") or not case[1]  # the other faults without a crash
]


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("fault", "point", "provider", "database"), CASES)
def test_case(
    fault: str, point: str, provider: str, database: str, make_world: MakeWorld, request: pytest.FixtureRequest
) -> None:
    """A first run meets the fault and dies at the point, with its sender; further ones go on until nothing is left to do."""
    world = make_world(request.getfixturevalue("postgres_url") if database == "postgres" else None)
    world.csv(CLIPS, provider=provider)
    if FAULTS[fault]:
        world.sandbox.fault("create", FAULTS[fault])
    if point:
        who = "kill-both" if point in SENDING else "kill"  # a sender's parent is the flow, and a flow's parent is ours
        if world.start(DAILIES_FAILPOINTS=f"{point}={who}").wait(120) != KILLED:
            pytest.skip(f"{provider} never passes {point}")
    else:
        world.run()
    assert_invariants(world)
    attempts = world.attempts()
    known = {attempt.id: attempt for attempt in attempts}
    charges = world.charges()
    per_clip = Counter(
        known[charge.client_request_id].clip_key for charge in charges if charge.client_request_id in known
    )
    safe = {a.id for a in attempts if a.delivered or a.state is State.IN_DOUBT}
    case = Case(
        fault, point or "–", provider, database, clips=CLIPS, delivered=sum(a.delivered for a in attempts),
        runs=1 + len(world.outputs), charges=len(charges), lost=sum(c.client_request_id not in safe for c in charges),
        double=sum(count - 1 for count in per_clip.values()), doubts=sum(a.state is State.IN_DOUBT for a in attempts),
    )  # fmt: skip
    folder = Path(os.environ.get("DAILIES_PROOF", "proof")) / LINES
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{'_'.join((fault, point, provider, database)).replace(' ', '-')}.json").write_text(
        json.dumps(asdict(case))
    )
    assert (case.lost, case.double) == (0, 0)
