"""Takes, drafts and finals in shards: each shard plans the very clips that were dispatched, by the ledger as it is by then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.domain.clips import Row
from dailies.domain.states import State
from dailies.domain.verdicts import Said, Word
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.planning.shards import Shard, part_of, split
from dailies.steps.shards import open_shards
from dailies.steps.start import refuse_another_plan
from tests.ledger.factories import bring_to, open_ledger
from tests.unit.planned import plan

HEAD = "id,prompt,image,model,resolution,duration,aspect_ratio"
CSV = "\n".join([HEAD, *(f"{name},{name} runs,c.png,bytedance/seedance-2-0,1080p,10,16:9" for name in "abcd")])
SIZE = 2
KEEP = Said(Word.KEEP)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield found
    found.close()


def asked_for(asked: dict[str, Any]) -> BatchRequest:
    said: dict[str, Any] = {"prompts": "a.csv", "batch": "smiles", **asked}
    return BatchRequest(**said)


def _beside(request: BatchRequest) -> dict[str, Any]:
    return {name: value for name, value in request.said().items() if name != "prompts"}


def plan_of(ledger: Any, request: BatchRequest) -> Plan:
    return plan(CSV, record=ledger, **_beside(request))


def runtime_of(ledger: Ledger) -> Any:
    """All that these steps ask of a runtime."""
    return SimpleNamespace(ledger=ledger)


def planned(ledger: Ledger, **asked: Any) -> Plan:
    """A plan, put on record (T0)."""
    request = asked_for(asked)
    made = plan_of(ledger, request)
    ledger.plan(
        made.batch, "a.csv", "s3://clips", made.rows, made.quotes, request.partial, request.asked(), made.takes,
        made.replaced,
    )  # fmt: skip
    return made


def in_shards(ledger: Ledger, whole: Plan, **asked: Any) -> list[list[Row]]:
    """What each shard of a dispatched batch plans, one after the other. Raises BadInput as a shard's run does."""
    parts: list[list[Row]] = []
    for shard in split(whole.rows, SIZE):
        part = part_of(asked_for(asked), shard)
        parts.append(list(_part(ledger, BatchRequest(**part.parameters())).rows))
    return parts


def _part(ledger: Ledger, request: BatchRequest) -> Plan:
    made = plan_of(ledger, request)
    anyio.run(refuse_another_plan, runtime_of(ledger), request, made)
    return planned(ledger, **_beside(request))


def names(rows: list[Row] | tuple[Row, ...]) -> list[str]:
    return [f"{row.id}{row.clip.take}" for row in rows]


def deliver(ledger: Ledger, rows: list[Row] | tuple[Row, ...]) -> dict[str, str]:
    """The clip_keys by name."""
    for row in rows:
        bring_to(ledger, State.STORED, row.clip.key)
    return {f"{row.id}{row.clip.take}": row.clip.key for row in rows}


def left(ledger: Ledger, whole: Plan) -> list[Shard]:
    batch: Any = SimpleNamespace(plan=whole)
    return anyio.run(open_shards, runtime_of(ledger), batch, SIZE)


def standing(ledger: Ledger) -> list[str]:
    return sorted(f"{row.id}{row.clip.take}" for row in ledger.rows("smiles") if not row.retired)


def test_all_takes_of_a_row_are_made_by_one_shard_each_as_it_was_dispatched(ledger: Ledger) -> None:
    deliver(ledger, planned(ledger).rows[:1])
    whole = planned(ledger, takes=2)
    assert names(whole.rows) == ["a", "a2", "b", "b2", "c", "c2", "d", "d2"]
    parts = in_shards(ledger, whole, takes=2)
    assert [names(part) for part in parts] == [["a", "a2", "b", "b2"], ["c", "c2", "d", "d2"]]
    assert [row.clip.key for part in parts for row in part] == [row.clip.key for row in whole.rows]
    assert planned(ledger, takes=2).rows == whole.rows, "dispatched again it is the same"


def test_drafts_and_their_finals_are_made_in_shards(ledger: Ledger) -> None:
    drafts = planned(ledger, takes=2, draft=True)
    parts = in_shards(ledger, drafts, takes=2, draft=True)
    assert {row.clip.duration_s for part in parts for row in part} == {4}
    assert [row.clip.key for part in parts for row in part] == [row.clip.key for row in drafts.rows]
    keys = deliver(ledger, drafts.rows)
    ledger.judge(
        {keys["a"]: Said(Word.RETAKE, prompt="a at dawn"), **{keys[n]: KEEP for n in ("b", "b2", "d2")}}, "Ana"
    )
    again = planned(ledger, draft=True, only="retake")
    assert names(again.rows) == ["a3"]
    deliver(ledger, again.rows)
    ledger.judge({again.rows[0].clip.key: KEEP}, "Ana")
    whole = planned(ledger, final=True)
    assert names(whole.rows) == ["a3", "b", "b2", "d2"] and {row.clip.duration_s for row in whole.rows} == {10}
    assert whole.rows[0].clip.prompt == "a at dawn"
    parts = in_shards(ledger, whole, final=True)
    assert [row.clip.key for part in parts for row in part] == [row.clip.key for row in whole.rows]
    assert standing(ledger) == ["a3", "b", "b2", "c", "c2", "d2"], "finals took their drafts' place, c has none"
    assert len(left(ledger, whole)) == len(parts)
    deliver(ledger, whole.rows)
    assert left(ledger, planned(ledger, final=True)) == [], "made in full is made"


def test_a_shard_makes_nothing_when_the_choice_has_changed_since_its_dispatch_and_says_why(ledger: Ledger) -> None:
    """It would be another purchase than the one that was priced and approved; dispatched again it is made."""
    keys = deliver(ledger, planned(ledger).rows)
    asked: dict[str, Any] = {"takes": 2, "stop_when_kept": True}
    whole = planned(ledger, **asked)
    ledger.judge({keys["c"]: KEEP}, "Ana")
    with pytest.raises(BadInput, match="a verdict was given since"):
        in_shards(ledger, whole, **asked)
    again = planned(ledger, **asked)
    assert [names(part) for part in in_shards(ledger, again, **asked)] == [["a", "a2", "b", "b2"], ["c", "d", "d2"]]
