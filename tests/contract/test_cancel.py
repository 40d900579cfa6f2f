"""`dailies cancel`: what was not sent costs nothing, what waits is stopped by its provider, and a yes changes no state."""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from dailies.catalog import ResolvedOptions, load_catalog, request_body, resolve_options
from dailies.cli.app import main
from dailies.domain.creates import Accepted, Reference
from dailies.domain.outcomes import Answer
from dailies.domain.records import Attempt
from dailies.domain.retry import Kind, kind_of
from dailies.domain.states import State, may_claim
from dailies.ledger import Caps, Ledger
from dailies.providers.open import open_providers
from dailies.runtime import open_ledger
from dailies.sandbox import Sandbox, SandboxConfig
from dailies.settings import load_settings
from tests.contract.fronts import image
from tests.contract.sandbox_calls import KEY
from tests.ledger.factories import a_clip, a_row

MODELS = {"higgsfield": "bytedance/seedance-2-5", "fal": "bytedance/seedance-2-0", "aiml": "openai/sora-2-pro-i2v"}


@pytest.fixture(scope="module")
def slow() -> Iterator[Sandbox]:
    """A sandbox in which every job waits."""
    with Sandbox(SandboxConfig(time_scale=1000, render="quick")) as sandbox:
        yield sandbox


@dataclass
class Home:
    """A ledger with clips at a sandbox, and the command over it."""

    ledger: Ledger
    sandbox: Sandbox
    capture: pytest.CaptureFixture[str]

    def planned(self, number: int, name: str, batch: str = "monday") -> str:
        """A row that no run has sent. Returns its clip_key."""
        clip = a_clip(f"<{name}-{number}>", model=MODELS[name])
        row = a_row(number, clip, providers=(name,))
        self.ledger.plan(batch, f"{batch}.csv", "s3://clips/x", [row], {clip.key: Decimal("1.5")})
        return clip.key

    def submitted(self, number: int, name: str, batch: str) -> Attempt:
        """A clip that waits at its provider."""
        key = self.planned(number, name, batch)
        attempt = self.ledger.claim(key, batch, name, Decimal("1.5"), Caps(), "digest", "ab" * 32)
        assert isinstance(attempt, Attempt)
        answer = anyio.run(self._bought, name, attempt.id)
        return self.ledger.mark_submitted(attempt.id, Accepted(str(answer.generation_id), handle=answer.handle))

    async def _bought(self, name: str, attempt_id: str) -> Answer:
        model = load_catalog().find(MODELS[name])
        resolved = resolve_options(model, image_size=(1280, 720))
        assert isinstance(resolved, ResolvedOptions)
        body = request_body(model, name, resolved, prompt="she smiles", image_url=image(self.sandbox))
        client = open_providers(load_settings(dotenv=False), [name])[name]
        request = client.request(body, Reference(attempt_id, str(uuid.uuid4())))
        outcome = (await client.create(request, lambda: True)).outcome
        await client.close()
        assert isinstance(outcome, Answer)
        return outcome

    def cancel(self, *words: str) -> tuple[int, Any, str]:
        """The command: exit code, JSON, stderr."""
        self.capture.readouterr()
        code = main(["cancel", *words, "--json"])
        out, err = self.capture.readouterr()
        return code, json.loads(out) if out.strip() else None, err

    def found(self, key: str) -> tuple[Attempt, ...]:
        """The attempts of a clip."""
        return self.ledger.attempts(key)


@pytest.fixture
def home(
    slow: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Home]:
    """A DAILIES_HOME of the test's own, every provider at the sandbox."""
    slow.reset()
    for name in list(os.environ):
        if name.startswith(("DAILIES_", "PREFECT_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    keys = {"AIML": KEY, "HIGGSFIELD": f"sandbox:{KEY}", "FAL": f"sandbox:{KEY}"}
    for name, key in keys.items():
        monkeypatch.setenv(f"{name}_API_KEY", key)
        monkeypatch.setenv(f"{name}_BASE_URL", slow.url if name == "AIML" else f"{slow.url}/{name.lower()}")
    (tmp_path / "home").mkdir(mode=0o700)
    ledger = open_ledger(load_settings(dotenv=False))
    yield Home(ledger, slow, capsys)
    ledger.close()


def test_what_was_not_sent_is_cancelled_without_asking_anybody(home: Home) -> None:
    key = home.planned(1, "aiml")
    code, done, _ = home.cancel("--yes")
    assert (code, done[0]["id"], done[0]["usd_quoted"], done[0]["usd_charged"]) == (0, "row-1", 1.5, 0)
    (attempt,) = home.found(key)
    assert attempt.state is State.FAILED and (attempt.error or "").startswith("cancelled")
    assert not may_claim([attempt]) and kind_of(attempt) is Kind.CANCELLED
    assert home.sandbox.requests() == []
    assert home.cancel("--yes")[:2] == (0, [])


def test_a_person_may_want_it_again(home: Home) -> None:
    key = home.planned(1, "aiml")
    home.cancel("--yes")
    assert may_claim([home.ledger.resubmit(home.found(key)[0].id, "wanted again")])


@pytest.mark.parametrize("name", ["higgsfield", "fal"])
def test_what_waits_is_stopped_and_its_end_is_the_providers(home: Home, name: str) -> None:
    attempt = home.submitted(1, name, "monday")
    code, (done,), err = home.cancel("--yes", "--batch", "monday")
    assert (code, done["agreed"], done["state"], done["usd_charged"]) == (0, True, "failed", 0)
    found = home.ledger.attempt(attempt.id)
    assert found and found.state is State.FAILED and (found.error or "").startswith("cancelled")
    assert (found.usd_charged, home.sandbox.charges()[0].refunded) == (Decimal(0), True)
    assert "costs nothing" in err, "the rule is said before"


@pytest.mark.parametrize("name", ["higgsfield", "fal"])
def test_a_yes_alone_changes_no_state(home: Home, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailies.steps.cancel.LOOKS_AFTER_S", (0.0,))
    attempt = home.submitted(1, name, "monday")
    home.sandbox.fault("poll", "never", provider=name)
    code, (done,), _ = home.cancel("--yes")
    assert (code, done["agreed"], done["state"]) == (0, True, "submitted")
    found = home.ledger.attempt(attempt.id)
    assert found and found.state is State.SUBMITTED


def test_a_provider_that_says_no_is_told_and_nothing_moves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = home.submitted(1, "higgsfield", "monday")
    monkeypatch.setattr("dailies.sandbox.higgsfield.Higgsfield.status", lambda self, generation: "generating")
    code, (done,), _ = home.cancel("--yes")
    assert (code, done["agreed"], done["state"]) == (1, False, "submitted")
    found = home.ledger.attempt(attempt.id)
    assert found and found.state is State.SUBMITTED


def test_without_a_terminal_and_without_yes_nothing_is_touched(home: Home) -> None:
    key = home.planned(1, "aiml")
    assert home.cancel()[0] == 2 and home.found(key) == ()
    assert main(["cancel"]) == 2 and home.found(key) == ()


def test_clips_are_named_and_others_stay(home: Home) -> None:
    one, other = home.planned(1, "aiml", "monday"), home.planned(2, "aiml", "tuesday")
    assert home.cancel("--yes")[0] == 2, "several batches have some"
    code, done, _ = home.cancel("--yes", "monday/row-1")
    assert (code, [entry["id"] for entry in done]) == (0, ["row-1"])
    assert home.found(one) and not home.found(other)
    code, done, _ = home.cancel("--yes", other[:12])
    assert (code, [entry["id"] for entry in done]) == (0, ["row-2"])
    assert home.cancel("--yes", "monday/nobody")[0] == 2
    assert home.cancel("--yes", "--batch", "nobody")[0] == 2


def test_each_batch_that_has_some_is_named_with_its_command(home: Home) -> None:
    """And each of these cancels its own, as it stands."""
    keys = [home.planned(number, "aiml", batch) for number, batch in enumerate(("it's monday", "tuesday"), 1)]
    assert main(["cancel", "--yes"]) == 2
    said = [line for line in home.capture.readouterr().err.splitlines() if line.strip().startswith("dailies cancel")]
    assert len(said) == 2
    for line in said:
        assert main([*shlex.split(line.split("    ")[0])[1:], "--yes"]) == 0
    assert all(home.found(key) for key in keys)


def test_what_waits_where_nothing_can_be_stopped_is_left_alone(home: Home) -> None:
    key = home.planned(1, "aiml")
    attempt = home.ledger.claim(key, "monday", "aiml", Decimal("1.5"), Caps(), "digest", "ab" * 32)
    assert isinstance(attempt, Attempt)
    home.ledger.mark_submitted(attempt.id, "gen-1")
    assert home.cancel("--yes")[:2] == (0, [])
