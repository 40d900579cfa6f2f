"""The image and the compose file, shown right without a container engine: read, linted, and their commands run here."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import yaml
from botocore.exceptions import ClientError

from dailies import __version__
from deployments import pinned
from deployments.deploy import POOL
from deployments.runtime_lock import blocks_of, runtime_lock
from tests.e2e.forks import ROOT
from tests.flows.factory import base_environ, free_port, prefect_server, process, wait_for

HERE = ROOT / "deployments"
DOCKERFILE = (HERE / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BASE = re.compile(r"^[\w./-]+:[\w.-]*\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$")
PINNED = re.compile(r"^ +image: ([\w./-]+@sha256:[0-9a-f]{64}) +# (\d+\.[\w.-]+)$", re.MULTILINE)
"""In a compose file an image has a tag or a digest; beside the digest stands the tag, for the reader."""
TAGS = dict(PINNED.findall((HERE / "compose.yaml").read_text()))
OURS = f"dailies:{__version__}"
KNOWN = {
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "RUN",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: comments left out, continued lines joined."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    found = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in found]


def of(kind: str) -> list[str]:
    """All instructions of one kind."""
    return [rest for name, rest in instructions() if name == kind]


def test_the_dockerfile_has_only_known_instructions_and_pinned_base_images() -> None:
    assert {name for name, _ in instructions()} <= KNOWN
    (base,) = [argument.partition("=")[2] for argument in of("ARG") if argument.startswith("PYTHON_IMAGE=")]
    assert BASE.match(base) and {image.split()[0] for image in of("FROM")} == {"${PYTHON_IMAGE}"}
    assert [name for name, _ in instructions()].index("ARG") == 0, "before the first stage, so that both have it"


def test_make_pinned_fails_until_each_image_is_named_by_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others' images are; our own has none before somebody has built it, and who did writes it into their clone."""
    copy, digest = shutil.copytree(HERE, tmp_path / "deployments"), f"sha256:{'0' * 64}"
    named = {image for _, image in pinned.images(copy)}
    names = {"python", "postgres", "redis", "chrislusf/seaweedfs", "dailies"}
    assert {re.split("[:@]", image)[0] for image in named} == names
    assert pinned.main(copy) == 1
    assert set(re.findall(r": (\S+) is named by tag", capsys.readouterr().out)) == {OURS}
    for file in copy.rglob("*"):
        if file.suffix in (".yaml", ".json"):
            text = file.read_text().replace(f"newTag: {__version__}", f"digest: {digest}")
            file.write_text(text.replace(OURS, f"dailies@{digest}"))
    assert pinned.main(copy) == 0
    compose = copy / "compose.yaml"
    compose.write_text(re.sub(r"redis@sha256:\w+", "redis:7.4.5-alpine", compose.read_text()))
    assert pinned.main(copy) == 1


def test_the_image_says_what_it_is() -> None:
    (labels,) = of("LABEL")
    said = dict(word.split("=", 1) for word in shlex.split(labels))
    assert said["org.opencontainers.image.version"] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert said["org.opencontainers.image.licenses"] == project["license"]
    assert said["org.opencontainers.image.revision"] == "${REVISION}"


def test_every_shipped_file_names_the_image_of_this_version() -> None:
    files = [HERE / "compose.yaml", HERE / "work-pools" / "docker.json", HERE / "work-pools" / "kubernetes.json"]
    texts = [file.read_text() for file in [*files, ROOT / "docs" / "operations.md"]]
    assert {tag for text in texts for tag in re.findall(r"\bdailies:(\d[\w.]*)", text)} == {__version__}
    assert f"newTag: {__version__} " in (HERE / "kubernetes" / "kustomization.yaml").read_text()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-audit.lock", "requirements-bench.lock"])
def test_every_lock_has_hashes_for_every_package_and_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    assert all("--hash=sha256:" in block for block in blocks_of(text).values()) and "://" not in text


def test_the_image_runs_as_nobody_special_and_says_how_it_is() -> None:
    user = of("USER")[-1]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "a number, so that Kubernetes can see it is not root"
    last_root = max(at for at, (name, _) in enumerate(instructions()) if name in ("RUN", "COPY"))
    assert [name for name, _ in instructions()].index("USER") > last_root
    (health,) = of("HEALTHCHECK")
    assert "--start-period" in health and json.loads(health[health.index("[") :])[0] == "python"


def test_only_pinned_packages_with_hashes_are_installed_and_no_secret_is_baked_in() -> None:
    installs = [command for command in of("RUN") if "pip install" in command]
    assert "--require-hashes" in installs[0] and "deployments/requirements.lock" in installs[0]
    assert all("--no-deps" in command for command in installs[1:])
    assert not re.search(r"(KEY|SECRET|PASSWORD|TOKEN)=", DOCKERFILE)


def test_the_images_lock_is_the_part_of_the_projects_lock_that_a_run_needs() -> None:
    wanted = runtime_lock((ROOT / "requirements.lock").read_text(), (ROOT / "pyproject.toml").read_text())
    assert (HERE / "requirements.lock").read_text() == wanted, "write it again: python deployments/runtime_lock.py"
    names = blocks_of(wanted).keys()
    assert {"prefect", "boto3", "sqlalchemy", "psycopg-binary", "av", "setuptools"} <= names
    assert "async-timeout" in names, "redis needs it below 3.11.3, which a Debian still has"
    assert not {"pytest", "moto", "playwright", "ruff", "mypy"} & names, "the image is small"
    assert all("--hash=sha256:" in block for block in blocks_of(wanted).values())


def test_everything_the_image_copies_is_let_through_and_tests_and_secrets_are_not() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert all((ROOT / name).exists() for name in let_in)
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "prefect.yaml",
        "dailies",
        "flows",
        "tasks",
        "deployments",
        "data",
    ):
        assert name in let_in
    assert not any(fnmatch.fnmatch(name, pattern) for name in (".env", "tests", ".git", ".venv") for pattern in let_in)


def test_every_image_of_the_compose_file_is_pinned_and_every_lasting_service_has_a_healthcheck() -> None:
    for name, service in SERVICES.items():
        assert service["image"] == OURS or service["image"] in TAGS, f"{name}: {service['image']}"
        lasting = service.get("restart") == "unless-stopped"
        in_image = service["image"].startswith("dailies:") and "--with-healthcheck" in service["command"]
        if lasting and name != "services":  # Prefect's background services listen on no port
            assert in_image or service["healthcheck"].get("test"), name


def test_the_compose_file_refers_only_to_what_it_declares() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (HERE / source).exists(), f"{name}: {volume}"
        assert set(service.get("depends_on", {})) <= SERVICES.keys(), name
        assert set(service.get("networks", [])) <= COMPOSE["networks"].keys(), name


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("", ""),
        ("stop_grace_period", "stop_grace_perod"),
        ("service_healthy", "service_fine"),
        ("networks: [dailies]", "networks: [other]"),
    ],
)
def test_the_compose_file_is_one_that_docker_takes(written: str, instead: str) -> None:
    """And one with a key, a word or a network that is none is not. Its own anchors are merged before: the checker knows none."""
    merged = yaml.safe_dump(yaml.safe_load((HERE / "compose.yaml").read_text().replace(written, instead)))
    checker = "import sys, compose_spec; compose_spec.PyCompose.from_yaml(sys.stdin.read()).validate()"
    done = subprocess.run(
        [sys.executable, "-c", checker], input=merged, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode == 0) is not bool(instead), done.stderr


def test_nothing_listens_beyond_this_machine() -> None:
    for name, service in SERVICES.items():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_prefects_own_processes_are_of_the_version_that_the_project_is_locked_to() -> None:
    """They run from our image, by their own command and not by the init of a worker; it holds what they share events by."""
    for name in ("migrate", "server", "services"):
        service = SERVICES[name]
        assert (service["image"], service["entrypoint"], service["command"][0]) == (OURS, [], "prefect")
        assert "healthcheck" in service, "the image's own asks a worker"
    blocks = blocks_of((HERE / "requirements.lock").read_text())
    assert {"prefect", "prefect-redis", "redis", "asyncpg"} <= blocks.keys()
    assert blocks["prefect"].startswith(
        f"prefect=={yaml.safe_load((ROOT / 'prefect.yaml').read_text())['prefect-version']} "
    )


def test_a_read_only_server_writes_only_where_it_may() -> None:
    for name in ("migrate", "server", "services"):
        service = SERVICES[name]
        assert service["read_only"] and service["tmpfs"] == ["/tmp"]
        for setting in ("HOME", "PREFECT_HOME", "PREFECT_SERVER_UI_STATIC_DIRECTORY"):
            assert service["environment"][setting].startswith("/tmp")


def test_server_and_background_services_keep_up_with_large_batches_and_share_their_events() -> None:
    for name in ("server", "services"):
        environment = SERVICES[name]["environment"]
        assert int(environment["PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE"]) >= 200
        assert environment["PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER"] == "P1D"
        assert environment["PREFECT_MESSAGING_BROKER"] == "prefect_redis.messaging"
        assert environment["PREFECT_API_DATABASE_MIGRATE_ON_START"] == "false"


def test_a_worker_keeps_its_ledger_on_postgres_and_its_home_on_a_volume_and_may_finish_a_create() -> None:
    worker = SERVICES["worker"]
    assert worker["environment"]["DAILIES_LEDGER_URL"].startswith("postgresql+psycopg://")
    assert f"home:{worker['environment']['DAILIES_HOME']}" in worker["volumes"]
    assert worker["stop_grace_period"] == "16m", "longer than the 900 s of a synchronous create"
    assert "entrypoint" not in worker, "the image's own is the init that waits for the sender"
    assert "container_name" not in worker and "ports" not in worker, "else it could not be scaled"


def test_the_first_process_of_a_container_and_of_a_unit_is_the_one_that_waits_for_the_sender() -> None:
    """What it does is shown by tests/crash/test_first_process.py; that all ways of stopping reach it, here."""
    assert [json.loads(line) for line in of("ENTRYPOINT")] == [["python", "-m", "dailies.sender.init", "--"]]
    kubernetes = json.loads((HERE / "work-pools" / "kubernetes.json").read_text())
    (container,) = kubernetes["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == "{{ command }}" and "command" not in container, "else the entrypoint is replaced"
    unit = (HERE / "dailies-worker.service").read_text()
    assert re.search(r"^ExecStart=\S+/python -m dailies\.sender\.init -- \S+/prefect worker start ", unit, re.M)
    assert "\nKillMode=mixed\n" in unit and "\nTimeoutStopSec=16min\n" in unit and "\nSendSIGHUP=no\n" in unit


def test_only_settings_that_exist_are_set() -> None:
    from dailies.settings import NAMES

    environments = [SERVICES["worker"]["environment"].keys(), *(line.split() for line in of("ENV"))]
    names = {word.split("=")[0] for words in environments for word in words}
    assert {name for name in names if name.startswith("DAILIES_")} <= NAMES.keys()


# Every command of the compose file and the image, as a process


def as_here(command: list[str]) -> list[str]:
    """A container's command with the programs of this environment."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or "weed"
    programs = {"prefect": [sys.executable, "-m", "prefect"], "python": [sys.executable], "mini": [weed, "mini"]}
    return [*programs[command[0]], *command[1:]]


def with_port(command: list[str], port: int) -> list[str]:
    """The same command on a free port of loopback."""
    at = command.index("--port") + 1
    local = ["127.0.0.1" if word == "0.0.0.0" else word for word in command]
    return [*local[:at], str(port), *local[at + 1 :]]


def test_the_sandbox_of_the_compose_file_starts_and_its_healthcheck_finds_it(tmp_path: Path) -> None:
    service, port = SERVICES["sandbox"], free_port()
    with process(
        as_here(with_port(service["command"], port)), base_environ(tmp_path), ROOT, tmp_path / "log"
    ) as sandbox:
        wait_for(lambda: "http://" in sandbox.text(), 60, sandbox.text)
        check = [word.replace("8790", str(port)) for word in as_here(service["healthcheck"]["test"][1:])]
        assert subprocess.run(check, check=False, timeout=30).returncode == 0


def test_the_store_of_the_compose_file_has_the_bucket_and_takes_a_clip_once_and_from_nobody_else(
    tmp_path: Path,
) -> None:
    """SeaweedFS's own command, from its wheel of the same version, on free ports of loopback."""
    service, port = SERVICES["store"], free_port()
    assert f"\nseaweedfs-bin=={TAGS[service['image']]} " in (ROOT / "requirements.lock").read_text()
    ports = [f"-{name}.port{kind}={free_port()}" for name in ("master", "volume", "filer", "s3", "admin")
             for kind in ("", ".grpc") if (name, kind) != ("s3", "")]  # fmt: skip
    given = [word.replace("/data", str(tmp_path / "data")) for word in as_here(service["command"])]
    local = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={port}", f"-s3.localSocket={tmp_path}/s3.sock"]
    environ = base_environ(tmp_path) | {"AWS_ACCESS_KEY_ID": "dailies", "AWS_SECRET_ACCESS_KEY": "dailies-secret"}
    (tmp_path / "data").mkdir()
    with process([*given, *local, *ports], environ, tmp_path, tmp_path / "log") as store:
        health = service["healthcheck"]["test"][-1].replace("8333", str(port))
        wait_for(lambda: _answers(health) and _buckets(port, "dailies-secret") == ["dailies"], 60, store.text)
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            _buckets(port, "another")
        clip = {"Bucket": "dailies", "Key": "clips/a.mp4", "Body": b"paid", "IfNoneMatch": "*"}
        _s3(port, "dailies-secret").put_object(**clip)
        with pytest.raises(ClientError, match="PreconditionFailed"):
            _s3(port, "dailies-secret").put_object(**clip)


def _answers(address: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(address, trust_env=False, timeout=2).status_code == 200
    return False


def _s3(port: int, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="dailies",
        aws_secret_access_key=secret,
    )


def _buckets(port: int, secret: str) -> list[str]:
    return [bucket["Name"] for bucket in _s3(port, secret).list_buckets()["Buckets"]]


@pytest.mark.production
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_the_prefect_services_and_the_worker_start_and_are_healthy(tmp_path: Path) -> None:
    port = free_port()
    settings = base_environ(tmp_path) | {
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tmp_path}/prefect.db",
        "PREFECT_API_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(tmp_path / "ui"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    migrate = subprocess.run(
        as_here(SERVICES["migrate"]["command"]),
        env=settings,
        cwd=tmp_path,
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert migrate.returncode == 0, migrate.stderr[-2000:]
    command = as_here(with_port(SERVICES["server"]["command"], port))
    with process(command, settings, tmp_path, tmp_path / "server.log") as server:
        health = [word.replace("4200", str(port)) for word in as_here(SERVICES["server"]["healthcheck"]["test"][1:])]
        wait_for(lambda: _passes(health), 120, server.text)
        with process(
            as_here(SERVICES["services"]["command"]), settings, tmp_path, tmp_path / "services.log"
        ) as services:
            _create_pool(settings, tmp_path)
            _worker_is_healthy(settings, tmp_path)
            assert services.popen.poll() is None, services.text()[-2000:]


def _passes(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _create_pool(settings: dict[str, str], folder: Path) -> None:
    command = [sys.executable, "-m", "prefect", "work-pool", "create", POOL, "--type", "process"]
    made = subprocess.run(command, env=settings, cwd=folder, capture_output=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr[-2000:]


def _worker_is_healthy(settings: dict[str, str], folder: Path) -> None:
    (image_command,) = [json.loads(command) for command in of("CMD")]
    assert image_command == SERVICES["worker"]["command"]
    port = free_port()
    environ = settings | {"PREFECT_WORKER_WEBSERVER_PORT": str(port), "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1"}
    (health,) = of("HEALTHCHECK")
    check = [word.replace("8080", str(port)) for word in as_here(json.loads(health[health.index("[") :]))]
    with process(as_here(image_command), environ, folder, folder / "worker.log") as worker:
        wait_for(lambda: _passes(check), 120, worker.text)


def test_the_ledgers_database_is_made_by_the_one_statement_of_the_init_script() -> None:
    assert (HERE / "ledger.sql").read_text().strip() == "CREATE DATABASE ledger;"
    assert "/ledger" in SERVICES["worker"]["environment"]["DAILIES_LEDGER_URL"]
    assert shlex.split(SERVICES["postgres"]["healthcheck"]["test"][1])[-1] == "ledger", "ready when both databases are"


@pytest.mark.production
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_says_which_settings_would_lose_events_and_the_doctor_reads_them(tmp_path: Path) -> None:
    import asyncio

    from prefect.settings import PREFECT_API_URL, temporary_settings

    from dailies.prefect_api.check import check_prefect, judge_settings

    with prefect_server(tmp_path / "prefect") as url:
        with temporary_settings({PREFECT_API_URL: url}):
            assert asyncio.run(check_prefect())[0] == "ok"
        told = httpx.get(f"{url}/admin/settings", timeout=30, trust_env=False).json()
        told["server"]["services"]["task_run_recorder"]["batch_size"] = 1
        grade, says = judge_settings(told, url)
        assert grade == "warning" and "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE=200" in says
    with temporary_settings({PREFECT_API_URL: url}), suppress(TimeoutError):
        assert asyncio.run(check_prefect())[0] == "wrong"
