"""The settings, and the only place that reads the environment.

Precedence, everywhere the same: command line › environment › `.env` in the working directory › Prefect blocks (on a
worker) › default. An unknown `DAILIES_*` name is an error that suggests the nearest one.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from dailies.domain.commands import DEMO
from dailies.errors import Misconfigured
from dailies.logs import hidden

AIML, ONEROUTER = "aiml", "onerouter"
PROVIDERS = (AIML, ONEROUTER)
DEFAULT_PROVIDER = AIML
DEFAULT_MODEL = "openai/sora-2-pro-i2v"
CREATE_TIMEOUT_S = {
    AIML: 120.0,
    ONEROUTER: 900.0,
}  # a synchronous provider holds the connection until the clip is ready
SECRET_BLOCKS = {
    "AIML_API_KEY": "aiml-api-key",
    "ONEROUTER_API_KEY": "onerouter-api-key",
    "DAILIES_LEDGER_URL": "dailies-ledger-url",  # it holds a password
}
ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
AWS_KEYS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})


def _key(value: Any) -> Any:
    """A key without the white space that copying adds; what can't stand in a header is refused without repeating it."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("has characters that no key has; copy it again")
    return value or None


def _auth(value: Any) -> Any:
    if str(value).lower() not in ("bearer", "raw"):
        raise ValueError("must be `bearer` or `raw`")
    return str(value).lower()


def _sse(value: Any) -> Any:
    known = {name.lower(): name for name in ENCRYPTIONS}
    if value is not None and str(value).lower() not in known:
        raise ValueError(f"must be one of {', '.join(ENCRYPTIONS)}")
    return value if value is None else known[str(value).lower()]


def _log(value: Any) -> Any:
    if str(value).lower() not in ("text", "json"):
        raise ValueError("must be `text` or `json`")
    return str(value).lower()


Key = Annotated[SecretStr | None, BeforeValidator(_key)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Dollars = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Everything that is configured. Field names are the environment's names in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aiml_api_key: Key = Field(None, description="key of AI/ML API")
    onerouter_api_key: Key = Field(None, description="key of OneRouter (Infron)")
    aiml_base_url: str = Field("https://api.aimlapi.com", description="where AI/ML API answers")
    onerouter_base_url: str = Field("https://video.onerouter.pro", description="where OneRouter answers")
    onerouter_auth: Annotated[str, BeforeValidator(_auth)] = Field(
        "bearer", description="how OneRouter's key is sent: `bearer` or `raw`"
    )
    dailies_home: Path = Field(Path("~/.dailies"), description="ledger, spool, downloads in progress, reports")
    dailies_ledger_url: str | None = Field(
        None, description="`postgresql+psycopg://…` when several machines share the ledger; else SQLite in DAILIES_HOME"
    )
    dailies_to: str | None = Field(None, description="default for `--to`, such as `s3://bucket/prefix`")
    dailies_model: str | None = Field(None, description="the model of rows and runs that name none")
    dailies_provider: str | None = Field(None, description="the provider of rows and runs that name none")
    dailies_s3_sse: Annotated[str | None, BeforeValidator(_sse)] = Field(
        None, description="encryption at rest that every object asks for: `AES256`, `aws:kms` or `aws:kms:dsse`"
    )
    dailies_s3_sse_kms_key_id: str | None = Field(
        None, description="the KMS key for it; else the bucket's own (with `aws:kms` or `aws:kms:dsse`)"
    )
    dailies_s3_storage_class: str | None = Field(
        None, description="storage class of every object, such as `STANDARD_IA`; else the bucket's own"
    )
    dailies_budget_usd: Dollars | None = Field(None, description="hard cap for one batch, in dollars")
    dailies_daily_budget_usd: Dollars | None = Field(None, description="hard cap for a UTC day over all batches")
    dailies_in_flight: Annotated[int, Field(ge=1, le=5000)] = Field(20, description="generations at once, per provider")
    dailies_poll_first_s: Positive | None = Field(
        None, description="first poll after so many seconds; else from the model"
    )
    dailies_poll_cap_s: Positive = Field(15.0, description="the longest wait between two polls, in seconds")
    dailies_clip_deadline_s: Positive | None = Field(None, description="past it a clip is overdue; else from the model")
    dailies_create_timeout_s: Positive | None = Field(
        None, description="read timeout of the paid POST; else 120, and 900 for a synchronous provider"
    )
    dailies_lease_s: Positive = Field(300.0, description="an owner silent for longer is taken for dead")
    dailies_log: Annotated[str, BeforeValidator(_log)] = Field(
        "text", description="`json`: every line on stderr is one JSON object, without keys, prompts or signatures"
    )
    dailies_reviewer: str | None = Field(
        None, description="whose verdicts are given here; else the name of the user who is logged in"
    )
    dailies_models: Path | None = Field(None, description="file or folder of models that adds to the catalog")
    dailies_trusted_hosts: str | None = Field(
        None, description="hosts that may be plain http or private, such as `127.0.0.1, minio.internal:9000`"
    )

    @model_validator(mode="after")
    def _key_goes_with_kms(self) -> Settings:
        if self.dailies_s3_sse_kms_key_id and not (self.dailies_s3_sse or "").startswith("aws:kms"):
            raise ValueError("DAILIES_S3_SSE_KMS_KEY_ID needs DAILIES_S3_SSE=aws:kms (or aws:kms:dsse) beside it")
        return self

    @property
    def home(self) -> Path:
        """DAILIES_HOME, absolute."""
        return self.dailies_home.expanduser().absolute()

    @property
    def ledger_url(self) -> str:
        """Where the ledger is."""
        return self.dailies_ledger_url or f"sqlite:///{self.home / 'ledger.db'}"

    def api_key(self, provider: str) -> SecretStr | None:
        """The provider's key, if there is one."""
        return {AIML: self.aiml_api_key, ONEROUTER: self.onerouter_api_key}[provider]

    def base_url(self, provider: str) -> str:
        """Where the provider answers, without a slash at the end."""
        return {AIML: self.aiml_base_url, ONEROUTER: self.onerouter_base_url}[provider].rstrip("/")

    def create_timeout_s(self, provider: str) -> float:
        """How long the paid POST may wait for its answer."""
        return self.dailies_create_timeout_s or CREATE_TIMEOUT_S[provider]

    def lease_s(self, provider: str) -> float:
        """How long an owner may be silent: never less than twice the create timeout."""
        return max(self.dailies_lease_s, 2 * self.create_timeout_s(provider))

    def require_key(self, provider: str) -> SecretStr:
        """The provider's key. Raises Misconfigured that says what to set."""
        key = self.api_key(provider)
        if key is None:
            name = key_name(provider)
            raise Misconfigured(
                f"no key for {provider}: set {name} (environment, .env, or the Prefect Secret block "
                f"`{SECRET_BLOCKS[name]}`). Nothing was bought. To try without a key: {DEMO}"
            )
        return key


FAILPOINTS = "DAILIES_FAILPOINTS"  # arms test failpoints (see failpoints.py); no setting for users
NAMES = {name.upper(): name for name in Settings.model_fields}


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from, for `dailies doctor`; never the value of a secret."""

    name: str
    value: str
    source: str


def load_settings(
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    blocks: Mapping[str, str] | None = None,
    dotenv: bool = True,
) -> Settings:
    """Read the settings. Raises Misconfigured naming every bad one at once.

    `overrides` are field names from the command line (None means: not given); `blocks` are names from Prefect blocks.
    """
    values, _ = _gather(overrides or {}, os.environ if environ is None else environ, blocks or {}, dotenv)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise Misconfigured("\n".join(_explain(detail) for detail in error.errors())) from None
    hidden.hide_secrets(_secrets(settings))
    return settings


def _secrets(settings: Settings) -> Iterator[str | None]:
    """What no log line may hold."""
    for value in settings.__dict__.values():
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
    yield urlsplit(settings.dailies_ledger_url or "").password
    yield from (os.environ.get(name) for name in AWS_KEYS - {"AWS_ACCESS_KEY_ID"})


def sources(environ: Mapping[str, str] | None = None, blocks: Mapping[str, str] | None = None) -> list[Source]:
    """Every setting with its value (secrets masked) and where it came from."""
    values, origin = _gather({}, os.environ if environ is None else environ, blocks or {})
    shown = []
    for name, field in NAMES.items():
        value = values.get(field, Settings.model_fields[field].default)
        secret = name.endswith("_API_KEY") and value is not None
        text = "set" if secret else "–" if value is None else without_password(str(value))
        shown.append(Source(name, text, origin.get(field, "default")))
    return shown


def _gather(
    overrides: Mapping[str, object], environ: Mapping[str, str], blocks: Mapping[str, str], use_dotenv: bool = True
) -> tuple[dict[str, object], dict[str, str]]:
    dotenv = {k: v for k, v in dotenv_values(".env").items() if v is not None} if use_dotenv else {}
    for layer in (dotenv, blocks):
        _export_aws(layer, environ)
    values: dict[str, object] = {}
    origin: dict[str, str] = {}
    for label, layer in (("Prefect block", blocks), (".env", dotenv), ("environment", environ)):
        _refuse_unknown(layer, label)
        for name, text in layer.items():
            field = NAMES.get(name)
            if field and text.strip():
                values[field], origin[field] = text.strip(), label
    for field, value in overrides.items():
        if value is not None:
            values[field], origin[field] = value, "command line"
    return values, origin


def _export_aws(layer: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """boto3 reads AWS_* itself, but neither `.env` nor blocks: hand those on to it. The parts of a key stay together."""
    has_key = "AWS_ACCESS_KEY_ID" in environ or "AWS_ACCESS_KEY_ID" in os.environ
    for name, value in layer.items():
        if name.startswith("AWS_") and name not in environ and not (has_key and name in AWS_KEYS):
            os.environ.setdefault(name, value)


def _refuse_unknown(layer: Mapping[str, str], label: str) -> None:
    for name in sorted(layer):
        if name.startswith("DAILIES_") and name not in NAMES and name != FAILPOINTS:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else " See the README for the settings there are."
            raise Misconfigured(f"{name} ({label}) is not a setting.{hint} Nothing was bought.")


def _explain(detail: Any) -> str:
    if not detail["loc"]:
        return str(detail["msg"].removeprefix("Value error, "))
    name = str(detail["loc"][0]).upper()
    message = detail["msg"].removeprefix("Value error, ")
    if name.endswith("_API_KEY"):
        return f"{name} {message}"
    return f"{name}={without_password(str(detail['input']))}: {message}"


def without_password(text: str) -> str:
    """An address as it may be shown: a password in it becomes `***`, before the `@` as in the query. Other text stays."""
    scheme, is_address, rest = text.partition("://")
    if not is_address or scheme.startswith("sqlite"):
        return text
    rest = re.sub(r"(?i)([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", rest)
    user, at, host = rest.rpartition("@")
    name, has_password, _ = user.partition(":")
    return f"{scheme}://{name}:***@{host}" if has_password else f"{scheme}://{user}{at}{host}"


def key_name(provider: str) -> str:
    """The setting that holds this provider's key."""
    return f"{provider.upper()}_API_KEY"


STORE = {
    "AWS_ACCESS_KEY_ID": "key of the store; or any other way in which AWS tools find one",
    "AWS_SECRET_ACCESS_KEY": "its secret",
    "AWS_DEFAULT_REGION": "the bucket's region",
    "AWS_ENDPOINT_URL_S3": "a store that is not Amazon's: R2, MinIO, Ceph, …",
}


def env_file(values: Mapping[str, str]) -> str:
    """A `.env` with every setting explained and commented out, but for those that `values` says."""
    lines = ["# Settings of dailies in this folder. What is commented out is as it stands here, or not set."]
    for name, field in NAMES.items():
        info = Settings.model_fields[field]
        lines += ["", f"# {info.description}", _assigned(name, values.get(name), info.default)]
    for name, description in STORE.items():
        lines += ["", f"# {description}", _assigned(name, values.get(name), None)]
    return "\n".join(lines) + "\n"


def _assigned(name: str, value: str | None, default: object) -> str:
    return f"{name}={value}" if value else f"# {name}={'' if default is None else default}"


def settings_table() -> str:
    """The README's table of settings, generated from the model."""
    lines = ["| name | default | |", "|---|---|---|"]
    for name, field in NAMES.items():
        info = Settings.model_fields[field]
        default = "–" if info.default is None else f"`{info.default}`"
        lines.append(f"| `{name}` | {default} | {info.description} |")
    lines.append("| `AWS_*`, `AWS_ENDPOINT_URL_S3` | boto3's own | any S3-compatible store |")
    return "\n".join(lines)
