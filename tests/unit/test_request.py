"""What a batch may be asked for stands once: each field reaches form, options, shards, record and documents unchanged."""

from __future__ import annotations

import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from dailies.cli.app import app, main
from dailies.cli.batch_options import request_of, takes_request
from dailies.errors import BadInput
from dailies.planning.request import ENGINE, FOLDERS, OPTIONS, WHICH_ROWS, BatchRequest, request_table
from dailies.planning.shards import Shard, part_of
from flows.choices import as_choice, choices
from flows.dispatch import generate_large
from flows.generate import generate_clips
from flows.parameters import ApproveAbove
from flows.parameters import takes_request as flow_takes_request

SAID: dict[str, Any] = {
    "prompts": "my prompts.csv", "to": "s3://studio/clips", "batch": "x y", "provider": "onerouter,aiml", "model": "a/b",
    "resolution": "720p", "aspect_ratio": "9:16", "duration": 8, "take": "b", "budget_usd": Decimal("12.5"), "in_flight": 3,
    "takes": 3, "stop_when_kept": True, "only": "retake", "draft": True, "final": True,
    "matrix": ("seed=1,2,3", "model=a,b"),
    "fit": "crop", "allow_unpriced": True, "require_live": True, "report_dir": "r", "keep_local": "-k", "ids": "a,'b'",
    "limit": 3, "rows": "4-6", "fingerprint": "0123456789ab",
}  # fmt: skip
"""Something for every field that is not what it is where nobody says anything."""
FIELDS = tuple(BatchRequest.model_fields)
each_field = pytest.mark.parametrize("name", FIELDS)
SHARD = Shard("7-9", ("k",), "ba9876543210")


def asked(name: str) -> BatchRequest:
    """A request that says one thing, beside its CSV."""
    return BatchRequest(**{"prompts": SAID["prompts"], name: SAID[name]})


def typed(request: BatchRequest) -> BatchRequest:
    """The request that comes from typing the command line which a request suggests."""
    found: list[BatchRequest] = []

    @takes_request()
    def command(request: BatchRequest) -> int:
        found.append(request)
        return 0

    words = shlex.split(request.as_command())[2:]
    probe = type(app)(name="probe")
    probe.default(command)
    probe(words, exit_on_error=False, result_action="return_value")
    return found[0]


async def _called(flow_parameters: dict[str, Any]) -> BatchRequest:
    @flow_takes_request()
    async def flow(request: BatchRequest, approve_above_usd: ApproveAbove = None) -> BatchRequest:
        assert approve_above_usd is None
        return request

    return await flow(**flow_parameters)


def called(flow_parameters: dict[str, Any]) -> BatchRequest:
    """The request that comes from calling the flow with these parameters, after they are checked as Prefect does."""
    return anyio.run(_called, generate_clips.validate_parameters(flow_parameters))


def test_every_field_is_tried() -> None:
    assert SAID.keys() == set(FIELDS)
    nothing = BatchRequest(prompts="p.csv")
    assert all(getattr(nothing, name) != value for name, value in SAID.items())


@each_field
def test_a_field_is_in_the_form_in_words_with_its_bounds_and_one_plain_input(name: str) -> None:
    form = parameter_schema(generate_clips).model_dump()["properties"][name]
    bounds = BatchRequest.model_json_schema()["properties"][name]
    assert form["description"].startswith(str(BatchRequest.model_fields[name].description))
    same = ("type", "anyOf", "enum", "pattern", "minLength", "maxLength", "examples")
    if name in choices():  # the form lists what there is; the options take a word
        assert form["anyOf"] == as_choice(choices()[name])["anyOf"] and form["default"] == ""
        return
    assert {k: form.get(k) for k in same} == {k: bounds.get(k) for k in same}
    assert name == "prompts" or form["default"] == (
        "" if form.get("type") == "string" and name != "fit" else bounds["default"]
    )


@each_field
def test_a_field_is_an_option_with_its_help_or_the_dispatchs_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert OPTIONS.get(name, "PROMPTS") in text
    first = str(BatchRequest.model_fields[name].description).split(".")[0]
    assert (first in text) is (name not in ENGINE)


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ENGINE])
def test_what_is_typed_as_suggested_asks_for_the_same(name: str) -> None:
    assert typed(asked(name)) == asked(name)


def test_all_options_together_ask_for_the_same() -> None:
    whole = BatchRequest(**{name: value for name, value in SAID.items() if name not in ENGINE})
    assert typed(whole) == whole


@each_field
def test_a_flow_is_asked_for_the_same_by_flat_parameters(name: str) -> None:
    assert called(asked(name).parameters()) == asked(name)


@each_field
def test_a_shard_is_asked_for_the_same_but_its_rows_and_its_machines_folders(name: str) -> None:
    whole = asked(name)
    part = called(part_of(whole, SHARD).parameters())
    own = {"rows": SHARD.rows, "fingerprint": SHARD.fingerprint}
    expected = own.get(name, None if name in (*WHICH_ROWS, *FOLDERS) else getattr(whole, name))
    assert getattr(part, name) == expected
    assert part.model_dump() == {**BatchRequest(prompts=whole.prompts).model_dump(), name: expected, **own}


def test_what_is_settled_for_all_shards_comes_before_what_was_asked() -> None:
    part = part_of(BatchRequest(**SAID), SHARD, to="s3://b/p", in_flight=1, budget_usd=Decimal(7))
    assert (part.to, part.in_flight, part.budget_usd, part.rows) == ("s3://b/p", 1, Decimal(7), "7-9")


@each_field
def test_the_record_remembers_what_was_asked_of_the_whole_batch(name: str) -> None:
    again = BatchRequest.from_asked({**asked(name).asked(), "of_a_later_version": 1})
    if name in ("prompts", *FOLDERS):  # it means the same wherever one stands
        assert getattr(again, name) == str(Path(SAID[name]).absolute())
    else:
        assert getattr(again, name) == (None if name in WHICH_ROWS else getattr(asked(name), name))


@each_field
def test_the_documents_tell_of_a_field(name: str) -> None:
    assert f"| `{name}` | {BatchRequest.model_fields[name].description}" in request_table()


def test_a_large_batch_takes_what_a_batch_takes_but_a_choice_of_rows_and_folders() -> None:
    form, large = (parameter_schema(flow).model_dump()["properties"] for flow in (generate_clips, generate_large))
    assert form.keys() - large.keys() == {*WHICH_ROWS, *FOLDERS}
    assert large.keys() - form.keys() == {"shard_rows", "shards_at_once", "deployment"}
    placed = {name: {k: v for k, v in about.items() if k != "position"} for name, about in form.items()}
    assert all(about.items() >= placed[name].items() for name, about in large.items() if name in form)


def test_the_form_begins_with_what_a_person_says_and_ends_with_what_a_dispatch_fills_in() -> None:
    form = list(parameter_schema(generate_clips).model_dump()["properties"])
    assert form[:3] == ["prompts", "to", "batch"] and tuple(form[-2:]) == ENGINE


def test_what_is_left_empty_in_the_form_is_not_said() -> None:
    form = parameter_schema(generate_clips).model_dump()["properties"]
    empty = {
        name: about["default"] for name, about in form.items() if "default" in about and name != "approve_above_usd"
    }
    assert called({"prompts": "p.csv", **empty}) == BatchRequest(prompts="p.csv")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "ten"], "--budget ten"),
        (["--budget", "-1"], "--budget -1"),
        (["--budget", "nan"], "--budget nan"),
        (["--in-flight", "0"], "--in-flight 0"),
        (["--in-flight", "5001"], "--in-flight 5001"),
        (["--limit", "0"], "--limit 0"),
        (["--duration", "0"], "--duration 0"),
        (["--to", "clips"], "--to clips"),
    ],
)
def test_an_option_that_means_nothing_is_refused_by_its_name(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "prompts.csv", *words]) == 2
    told = capsys.readouterr().err
    assert said in told and "Nothing was bought" in told


def test_dollars_may_carry_their_sign() -> None:
    assert BatchRequest(prompts="p", budget_usd="$12.50").budget_usd == Decimal("12.50")


def test_a_request_does_not_change_and_knows_no_other_field() -> None:
    with pytest.raises(ValidationError):
        BatchRequest(prompts="p", aspect="16:9")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        asked("to").to = "s3://other"  # type: ignore[misc]


@pytest.mark.parametrize("blank", ["", " "])
def test_rows_of_an_empty_variable_are_not_all_rows(blank: str) -> None:
    with pytest.raises(BadInput, match="--rows names no row"):
        request_of({"prompts": "batch.csv", "ids": blank})
