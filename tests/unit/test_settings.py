"""Settings: read from every place they may stand in, refused when they can't be, never read by half."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.errors import Misconfigured
from dailies.settings import SECRETS, Settings, load_settings, sources

SECRET = "sk-verysecret0123456789"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder without a `.env`, and an environment that is as before afterwards."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


def dotenv(text: str, encoding: str = "utf-8") -> None:
    """A `.env` in the working directory."""
    Path(".env").write_text(text, encoding=encoding)


def refusal(environ: dict[str, str] | None = None, blocks: dict[str, str] | None = None) -> str:
    """What a person is told about settings that can't be."""
    with pytest.raises(Misconfigured) as raised:
        load_settings(environ=environ or {}, blocks=blocks)
    return str(raised.value)


def test_the_nearest_place_wins_and_is_named() -> None:
    dotenv("DAILIES_TO=s3://dotenv\nDAILIES_IN_FLIGHT=7\n")
    blocks = {"DAILIES_TO": "s3://block", "DAILIES_IN_FLIGHT": "8", "DAILIES_LEASE_S": "100"}
    environ = {"DAILIES_TO": "s3://environment"}
    settings = load_settings({"dailies_poll_cap_s": 3, "dailies_to": None}, environ=environ, blocks=blocks)
    found = (settings.dailies_to, settings.dailies_in_flight, settings.dailies_lease_s, settings.dailies_poll_cap_s)
    assert found == ("s3://environment", 7, 100.0, 3.0)
    where = {source.name: source.source for source in sources(environ, blocks)}
    assert (where["DAILIES_TO"], where["DAILIES_IN_FLIGHT"], where["DAILIES_LEASE_S"], where["DAILIES_HOME"]) == (
        "environment",
        ".env",
        "Prefect block",
        "default",
    )


def test_a_blank_value_is_as_none() -> None:
    dotenv("DAILIES_TO=s3://dotenv\n")
    assert load_settings(environ={"DAILIES_TO": "  "}).dailies_to == "s3://dotenv"


def test_all_that_is_wrong_is_said_at_once_with_its_name_and_no_secret() -> None:
    said = refusal(
        {
            "DAILIES_IN_FLIHT": "3",
            "DAILIES_BUDGET_USD": "ten",
            "DAILIES_IN_FLIGHT": "0",
            "AIML_API_KEY": f"{SECRET} {SECRET}",
            "DAILIES_LEDGER_URL": "sqlite:///x",
        }
    )
    assert "DAILIES_IN_FLIHT (environment) is not a setting. Did you mean DAILIES_IN_FLIGHT?" in said
    assert (
        "DAILIES_BUDGET_USD=ten: " in said and "DAILIES_IN_FLIGHT=0: " in said and "AIML_API_KEY has characters" in said
    )
    assert SECRET not in said


@pytest.mark.parametrize("field", sorted(SECRETS))
def test_a_secret_is_shown_nowhere(field: str) -> None:
    environ = {field.upper(): SECRET}
    settings = load_settings(environ=environ)
    assert getattr(settings, field).get_secret_value() == SECRET
    (shown,) = [source.value for source in sources(environ) if source.name == field.upper()]
    assert shown == "set" and SECRET not in f"{settings!r}{settings}"
    assert pickle.loads(pickle.dumps(settings)) == settings, "a sender gets them over its socket"


def test_settings_that_are_made_look_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("DAILIES_IN_FLIGHT=7\n")
    monkeypatch.setenv("DAILIES_TO", "s3://environment")
    assert Settings() == load_settings(environ={}, dotenv=False) and Settings().dailies_to is None


LINKS = {
    "DAILIES_PORT": "tcp://10.0.0.7:9000",
    "DAILIES_STORE_PORT": "tcp://10.0.0.7:9000",
    "DAILIES_STORE_PORT_9000_TCP": "tcp://10.0.0.7:9000",
    "DAILIES_STORE_PORT_9000_TCP_PROTO": "tcp",
    "DAILIES_STORE_PORT_9000_TCP_PORT": "9000",
    "DAILIES_STORE_PORT_9000_TCP_ADDR": "10.0.0.7",
    "DAILIES_STORE_SERVICE_HOST": "fd00::7",
    "DAILIES_STORE_SERVICE_PORT": "9000",
    "DAILIES_STORE_SERVICE_PORT_HTTP_ALT": "9000",
}


@pytest.mark.parametrize(("name", "value"), LINKS.items())
def test_what_kubernetes_says_of_services_is_no_setting(
    name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="dailies"):
        load_settings(environ={name: value})
    assert name in caplog.text and "Kubernetes" in caplog.text


@pytest.mark.parametrize(("name", "value"), [("DAILIES_PORT", "fast"), ("DAILIES_STORE", "tcp://10.0.0.7:9000")])
def test_other_unknown_names_are_refused_all_the_same(name: str, value: str) -> None:
    assert f"{name} (environment) is not a setting" in refusal({name: value})


@pytest.mark.parametrize("name", ["dailies_budget_usd", "Dailies_Budget_USD", "aiml_api_key"])
def test_a_name_in_other_letters_is_no_setting_and_not_passed_over(name: str) -> None:
    """A cap that nobody reads holds nothing."""
    said = f"is not a setting. Did you mean {name.upper()}?"
    assert f"{name} (environment) {said}" in refusal({name: "5"})
    dotenv(f"{name}=5\n")
    assert f"{name} (.env) {said}" in refusal()


def test_a_service_link_in_a_file_is_a_typing_error() -> None:
    dotenv("DAILIES_STORE_SERVICE_HOST=10.0.0.7\n")
    assert "(.env) is not a setting" in refusal()


@pytest.mark.parametrize(
    "line", ["DAILIES_BUDGET_USD", "DAILIES_BUDGET_USD 100", "dailies_budget_usd 100", 'export DAILIES_BUDGET_USD="100']
)
def test_a_line_of_dotenv_that_would_be_passed_over_is_refused(line: str) -> None:
    dotenv(f"DAILIES_IN_FLIGHT=7\n{line}\n")
    said = refusal()
    assert ".env, line 2: dailies_budget_usd has no value that can be read" in said.lower()
    assert "100" not in said


def test_other_peoples_lines_in_dotenv_are_theirs() -> None:
    dotenv("# DAILIES_BUDGET_USD\nSOMETHING else\nDAILIES_IN_FLIGHT=7\n")
    assert load_settings(environ={}).dailies_in_flight == 7


def test_a_dotenv_with_a_byte_order_mark_loses_no_line() -> None:
    dotenv("DAILIES_BUDGET_USD=5\n", "utf-8-sig")
    assert load_settings(environ={}).dailies_budget_usd == 5


def test_a_dotenv_that_can_not_be_read_is_refused(here: Path) -> None:
    dotenv("DAILIES_BUDGET_USD=5\n", "utf-16")
    assert "is not UTF-8" in refusal()
    Path(".env").unlink()
    Path(".env").mkdir()
    assert "can't be read" in refusal()


def test_proxies_and_certificates_of_dotenv_reach_every_client(here: Path) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        os.environ.pop(name, None)
    dotenv("HTTPS_PROXY=http://proxy:3128\nSSL_CERT_FILE=/ca.pem\nAWS_CA_BUNDLE=/store.pem\nno_proxy=internal\n")
    load_settings()
    assert (os.environ["HTTPS_PROXY"], os.environ["no_proxy"]) == ("http://proxy:3128", "internal")
    assert (os.environ["SSL_CERT_FILE"], os.environ["AWS_CA_BUNDLE"]) == ("/ca.pem", "/store.pem")


def test_a_proxy_of_the_environment_stays_in_whichever_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", "")
    dotenv("HTTPS_PROXY=http://proxy:3128\n")
    load_settings()
    assert "HTTPS_PROXY" not in os.environ and os.environ["https_proxy"] == ""


def test_the_parts_of_a_key_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    load_settings(environ={}, blocks={"AWS_SECRET_ACCESS_KEY": "theirs", "AWS_REGION": "eu-north-1"}, dotenv=False)
    assert "AWS_SECRET_ACCESS_KEY" not in os.environ and os.environ["AWS_REGION"] == "eu-north-1"


ROOT = Path(__file__).resolve().parents[2]
READERS = ("os.environ", "getenv", "dotenv_values")


def test_one_place_reads_the_environment() -> None:
    files = [file for room in ("dailies", "flows", "tasks", "deployments") for file in (ROOT / room).rglob("*.py")]
    readers = [str(f.relative_to(ROOT)) for f in files if any(word in f.read_text("utf-8") for word in READERS)]
    assert readers == ["dailies/environment.py"]


@pytest.mark.parametrize(
    ("lease_s", "timeout_s", "often"), [(30, 1, 10), (30, 20, 40 / 3), (300, 1, 60), (0.1, 0.1, 0.2)]
)
def test_an_owner_says_that_it_lives_thrice_within_its_lease(lease_s: float, timeout_s: float, often: float) -> None:
    settings = Settings(dailies_lease_s=lease_s, dailies_create_timeout_s=timeout_s)
    assert settings.renewal_s == pytest.approx(often)
