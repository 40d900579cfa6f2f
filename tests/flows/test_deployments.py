"""prefect.yaml and deployments/: what a team deploys is what Prefect takes, and deploying it twice changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.cli.deploy._models import ConcurrencyLimitSpec, DeploymentConfig, PrefectYamlModel, RawScheduleConfig
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.settings.models.client import ClientSettings
from prefect.settings.models.flows import FlowsSettings
from prefect.utilities.callables import parameter_schema
from prefect.utilities.importtools import import_object
from pydantic import BaseModel

from dailies.cli.app import main
from dailies.cli.place import project_folder
from dailies.planning.request import BatchRequest
from deployments.deploy import (
    HEARTBEAT,
    HERE,
    NOTIFY_BLOCK,
    POOL,
    POOL_TYPES,
    ROOT,
    automation_of,
    heartbeat_s,
    patient,
)

TEXT = yaml.safe_load((ROOT / "prefect.yaml").read_text())
DEPLOYMENTS: dict[str, dict[str, Any]] = {deployment["name"]: deployment for deployment in TEXT["deployments"]}
IDS = {"collect-clips/collect": uuid4(), "retakes/retakes": uuid4()}
AUTOMATIONS = yaml.safe_load((HERE / "automations.yaml").read_text())
SPENDS = {"generate-clips", "generate-large", "inbox", "retakes"}


def names_of(model: type[BaseModel]) -> set[str]:
    """The keys that a model knows, under whichever name the file may use."""
    return {field.alias or name for name, field in model.model_fields.items()}


def flow_of(name: str) -> Flow[..., Any]:
    """The flow of a deployment, loaded as a worker loads it."""
    return load_flow_from_entrypoint(DEPLOYMENTS[name]["entrypoint"])


def automation(name: str) -> AutomationCore:
    """One automation with every reference filled in."""
    text = next(text for text in AUTOMATIONS if text["name"] == name)
    return automation_of(text, IDS, uuid4())


def test_no_key_of_prefect_yaml_is_one_that_prefect_would_ignore() -> None:
    PrefectYamlModel.model_validate(TEXT)
    assert TEXT.keys() <= names_of(PrefectYamlModel)
    for name, deployment in DEPLOYMENTS.items():
        DeploymentConfig.model_validate(deployment)
        assert deployment.keys() <= names_of(DeploymentConfig), name
        assert deployment.get("concurrency_limit", {}).keys() <= names_of(ConcurrencyLimitSpec), name
        for schedule in deployment.get("schedules", []):
            assert RawScheduleConfig.model_validate(schedule).slug, (
                f"{name}: a schedule without a slug can't be updated"
            )
        for trigger in deployment.get("triggers", []):
            assert trigger.keys() <= names_of(DeploymentEventTrigger), name
            DeploymentEventTrigger.model_validate(trigger)


def test_the_deployments_are_those_that_production_needs() -> None:
    wanted = {"generate-clips", "generate-shard", "generate-large", "collect", "credits-report", "inbox", "retakes"}
    assert DEPLOYMENTS.keys() == wanted
    assert {deployment["work_pool"]["name"] for deployment in DEPLOYMENTS.values()} == {POOL}
    assert all(deployment["tags"] == ["dailies"] for deployment in DEPLOYMENTS.values()), (
        "the automations look for the tag"
    )


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployments_parameters_are_accepted_by_its_flow(name: str) -> None:
    flow_of(name).validate_parameters(DEPLOYMENTS[name].get("parameters", {}))


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_parameter_is_described_and_typed_for_the_form(name: str) -> None:
    schema = parameter_schema(flow_of(name)).model_dump()
    given = DEPLOYMENTS[name].get("parameters", {})
    for parameter, about in schema["properties"].items():
        assert about.get("description"), f"{name}: {parameter} has no description"
        assert {"type", "anyOf", "$ref", "allOf", "enum"} & about.keys(), f"{name}: {parameter} has no type"
        assert "default" in about or parameter in given, f"{name}: {parameter} has nothing filled in"


def test_what_can_be_chosen_is_a_choice_and_what_is_a_number_has_bounds() -> None:
    form = parameter_schema(flow_of("generate-clips")).model_dump()["properties"]
    assert form["fit"]["enum"] == ["strict", "crop", "pad"]
    assert form["prompts"]["examples"] and form["to"]["examples"]
    assert form["to"]["type"] == "string" and form["to"]["default"] == "", "one plain field, not a choice of types"
    assert form["in_flight"]["anyOf"][0].items() >= {"maximum": 5000, "minimum": 1, "type": "integer"}.items()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("generate-clips", {"fit": "stretch"}),
        ("generate-clips", {"in_flight": 0}),
        ("generate-clips", {"budget_usd": -1}),
        ("generate-clips", {"to": "clips"}),
        ("generate-clips", {"rows": "first ten"}),
        ("generate-large", {"shard_rows": 5000}),
        ("generate-large", {"deployment": "shard"}),
        ("inbox", {"folder": "https://bucket/inbox"}),
    ],
)
def test_a_parameter_that_means_nothing_is_refused_before_a_run_starts(name: str, bad: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=next(iter(bad))):
        flow_of(name).validate_parameters({**DEPLOYMENTS[name].get("parameters", {}), **bad})


@pytest.mark.parametrize("name", sorted(SPENDS))
def test_what_can_spend_has_a_budget_and_asks_before_it_buys_what_the_form_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = DEPLOYMENTS[name]["parameters"]
    assert 0 < given["approve_above_usd"] < given["budget_usd"] <= 100
    if "prompts" in given:  # one click on the form as it is shipped
        nowhere = {"DAILIES_HOME": str(tmp_path), "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
                   "AIML_BASE_URL": "http://127.0.0.1:9", "ONEROUTER_BASE_URL": "http://127.0.0.1:9"}  # fmt: skip
        for setting, value in nowhere.items():
            monkeypatch.setenv(setting, value)
        main(["check", str(ROOT / given["prompts"]), "--json"])
        assert json.loads(capsys.readouterr().out)["usd_to_buy"] > given["approve_above_usd"]


def test_a_shard_that_no_dispatch_started_is_no_rows_of_any_csv() -> None:
    """A run with a fingerprint that its rows do not have is refused: tests/flows/test_dispatch.py."""
    request = BatchRequest(**DEPLOYMENTS["generate-shard"]["parameters"])
    assert request.rows and request.fingerprint and set(request.fingerprint) == {"0"}


def test_models_and_providers_are_choices_with_prices_and_other_words_may_be_typed() -> None:
    form = parameter_schema(flow_of("generate-clips")).model_dump()["properties"]
    for name, known in (("model", "google/veo-3.1-i2v-fast"), ("provider", "aiml")):
        choose, typed = form[name]["anyOf"]
        (listed,) = [value for value in choose["enum"] if value.startswith(f"{known} · ")]
        assert "$" in listed and typed == {"type": "string", "title": "Type"}
        asked = flow_of("generate-clips").validate_parameters({"prompts": "p.csv", name: listed})
        assert asked[name] == known
    assert "cheapest" in form["provider"]["anyOf"][0]["enum"][-1]
    assert not any(value.startswith("openai/sora-2") for value in form["model"]["anyOf"][0]["enum"]), "switched off"


def test_what_is_scheduled_says_what_happens_when_two_runs_meet() -> None:
    strategies = {
        name: text["concurrency_limit"]["collision_strategy"]
        for name, text in DEPLOYMENTS.items()
        if "schedules" in text
    }
    assert set(strategies.values()) <= {strategy.value for strategy in ConcurrencyLimitStrategy}
    assert strategies["generate-clips"] == "ENQUEUE", "no batch is dropped"
    assert strategies["collect"] == "CANCEL_NEW", "one collection is enough"


def test_nothing_that_spends_money_starts_by_itself_until_a_team_says_so() -> None:
    for name in SPENDS:
        assert all(schedule["active"] is False for schedule in DEPLOYMENTS[name].get("schedules", [])), name
    assert (
        DEPLOYMENTS["collect"]["schedules"][0]["active"] and DEPLOYMENTS["collect"]["schedules"][0]["interval"] == 600
    )


def test_no_folder_of_the_machine_that_deploys_is_baked_in() -> None:
    (step,) = TEXT["pull"]
    assert import_object(next(iter(step))) is project_folder
    assert Path(project_folder()["directory"]) == ROOT
    assert not any(":" in text["entrypoint"] for text in DEPLOYMENTS.values()), (
        "a module is found wherever it is installed"
    )


@pytest.mark.parametrize("text", AUTOMATIONS, ids=[text["name"] for text in AUTOMATIONS])
def test_an_automation_is_one_that_prefect_takes_and_knows_every_key_of(text: dict[str, Any]) -> None:
    made = automation(text["name"])
    assert made.actions and text["description"]
    assert text.keys() <= names_of(AutomationCore)
    assert text["trigger"].keys() <= names_of(type(made.trigger)), "a key that is ignored is a promise that is not kept"


def test_without_a_notification_block_an_automation_acts_all_the_same() -> None:
    kinds = {text["name"]: [action.type for action in automation_of(text, IDS, None).actions] for text in AUTOMATIONS}
    assert kinds["dailies · a run failed"] == ["do-nothing"]
    assert kinds["dailies · money in doubt"] == ["run-deployment"]


def test_a_run_without_a_heartbeat_is_crashed_and_its_clips_are_collected() -> None:
    made = automation("dailies · a run without a heartbeat")
    assert [action.type for action in made.actions] == ["change-flow-run-state", "run-deployment"]
    assert made.trigger.posture is Posture.Proactive  # type: ignore[union-attr]
    assert made.trigger.within.total_seconds() >= 300  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", POOL_TYPES)
def test_a_run_is_waited_for_as_long_as_its_pool_s_heartbeats_and_an_outage_need(kind: str) -> None:
    """A server that comes back looks at its clock first: the last heartbeat before may be as old as the next one is far.

    A pool belongs to operations: one that an earlier version made has no word on heartbeats, and Prefect's own are 180 s apart.
    """
    template = json.loads((HERE / "work-pools" / f"{kind}.json").read_text())
    of_today = heartbeat_s(template)
    del template["variables"]["properties"]["env"]["default"][HEARTBEAT]
    text = next(text for text in AUTOMATIONS if text["name"] == "dailies · a run without a heartbeat")
    beats = [of_today, heartbeat_s(template), heartbeat_s({})]
    waited = [patient(text, every_s)["trigger"]["within"] for every_s in beats]
    assert waited == [300, 540, 540]
    assert [wait - 2 * every_s for wait, every_s in zip(waited, beats, strict=True)] == [180] * 3, (
        "an outage that is borne"
    )
    assert FlowsSettings.model_validate({"heartbeat_frequency": of_today}).heartbeat_frequency == of_today
    other = next(text for text in AUTOMATIONS if text["name"] == "dailies · nothing is collected")
    assert patient(other, 1800) == other


def test_what_spends_money_by_itself_is_switched_off_and_has_a_budget() -> None:
    """And each parameter that an automation gives is one that the deployment's flow has."""
    buying = [text for text in AUTOMATIONS if any(f"{name.split('/')[0]}" in SPENDS for name in started_by(text))]
    assert [text["name"] for text in buying] == ["dailies · retakes after a review"]
    for text in buying:
        assert text["enabled"] is False and automation(text["name"]).enabled is False
        (given,) = [action["with"] for action in text["actions"]]
        assert given["budget_usd"] > 0
        assert given.keys() <= parameter_schema(flow_of("retakes")).properties.keys()
        assert automation(text["name"]).actions[0].parameters == given  # type: ignore[union-attr]


def started_by(text: dict[str, Any]) -> list[str]:
    """The deployments that an automation starts."""
    return [action["run"] for action in text["actions"] if "run" in action]


def test_the_limits_are_ones_that_prefect_takes() -> None:
    limits = [GlobalConcurrencyLimitCreate(**text) for text in yaml.safe_load((HERE / "limits.yaml").read_text())]
    assert [limit.name for limit in limits] == ["dailies-shards", "dailies-aiml", "dailies-onerouter"]


@pytest.mark.parametrize("kind", POOL_TYPES)
def test_a_work_pools_template_uses_only_variables_that_it_declares(kind: str) -> None:
    template = json.loads((HERE / "work-pools" / f"{kind}.json").read_text())
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == template["variables"]["properties"].keys()


def test_runs_in_containers_keep_what_outlives_them_on_a_volume_and_get_time_to_record_an_answer() -> None:
    docker = json.loads((HERE / "work-pools" / "docker.json").read_text())["variables"]["properties"]
    pods = json.loads((HERE / "work-pools" / "kubernetes.json").read_text())
    home = docker["env"]["default"]["DAILIES_HOME"]
    assert any(volume.endswith(f":{home}") for volume in docker["volumes"]["default"])
    spec = pods["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert spec["containers"][0]["volumeMounts"][0]["mountPath"] == home
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert pods["variables"]["properties"]["grace_s"]["default"] > 900, "a synchronous create may take 900 s"


@pytest.mark.parametrize("kind", POOL_TYPES)
def test_a_run_asks_a_server_again_whose_database_was_busy(kind: str) -> None:
    """Prefect's client gives up at the first 500 by default."""
    template = json.loads((HERE / "work-pools" / f"{kind}.json").read_text())
    value = template["variables"]["properties"]["env"]["default"]["PREFECT_CLIENT_RETRY_EXTRA_CODES"]
    assert ClientSettings.model_validate({"retry_extra_codes": value}).retry_extra_codes == {500}


def test_the_notification_block_is_the_one_that_the_documentation_names() -> None:
    assert NOTIFY_BLOCK in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
