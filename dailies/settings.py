"""The settings: what may be set, in which bounds, and where each value is looked for.

Precedence, everywhere the same: command line › environment › `.env` in the working directory › Prefect blocks (on a
worker) › default. An unknown `DAILIES_*` name is an error that suggests the nearest one; only names that Kubernetes gives to
Services are passed over.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, create_model, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from dailies.domain.caps import ColumnCap, columns_of, read_column_caps
from dailies.domain.commands import ARCHIVE, DEMO, HOOKS, TIDY
from dailies.environment import AWS_KEYS, hand_on, is_service_link, read_dotenv, variables
from dailies.errors import Misconfigured
from dailies.logs import hidden
from dailies.registry import declared
from dailies.sheets.columns import CORE

DEFAULT_MODEL = "openai/sora-2-pro-i2v"
SECRET_BLOCKS = {
    **{one.key_name: one.key_block for one in declared().values()},
    **{
        own.name: own.name.lower().replace("_", "-")
        for one in declared().values()
        for own in one.settings
        if own.secret
    },
    "DAILIES_LEDGER_URL": "dailies-ledger-url",  # it holds a password
}
ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
logger = logging.getLogger("dailies")


def _key(value: Any) -> Any:
    """A key without the white space that copying adds; what can't stand in a header is refused without repeating it."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("has characters that no key has; copy it again")
    return value or None


def _sse(value: Any) -> Any:
    known = {name.lower(): name for name in ENCRYPTIONS}
    if value is not None and str(value).lower() not in known:
        raise ValueError(f"must be one of {', '.join(ENCRYPTIONS)}")
    return value if value is None else known[str(value).lower()]


def _log(value: Any) -> Any:
    if str(value).lower() not in ("text", "json"):
        raise ValueError("must be `text` or `json`")
    return str(value).lower()


def _column_caps(value: Any) -> Any:
    """Caps by column; a column of ours, which is none of the team's, would hold nothing back."""
    caps = read_column_caps(value) if isinstance(value, str) else value
    ours = [column for column in columns_of(caps or ()) if column.casefold() in CORE]
    if ours:
        raise ValueError(f"names {ours[0]}, which is no column of your own")
    return caps


Key = Annotated[SecretStr | None, BeforeValidator(_key)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Dollars = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


def _of_choices(choices: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if choices and str(value).lower() not in choices:
            raise ValueError(f"must be {' or '.join(f'`{choice}`' for choice in choices)}")
        return str(value).lower() if choices else value

    return BeforeValidator(check)


def _provider_fields() -> dict[str, Any]:
    """The settings that the providers declare: their keys, then their addresses, then what only one of them has."""
    ones = declared().values()
    keys = {one.key_name: (Key, Field(None, description=f"key of {one.title}")) for one in ones}
    addresses = {
        one.base_url_name: (str, Field(one.base_url, description=f"where {one.title} answers")) for one in ones
    }
    own = {
        own.name: (Key, Field(None, description=own.description))
        if own.secret
        else (Annotated[str, _of_choices(own.choices)], Field(own.default, description=own.description))
        for one in ones
        for own in one.settings
    }
    return {name.lower(): field for name, field in {**keys, **addresses, **own}.items()}


if TYPE_CHECKING:
    _ProviderSettings = BaseSettings
else:
    _ProviderSettings = create_model("_ProviderSettings", __base__=BaseSettings, **_provider_fields())


class Settings(_ProviderSettings):
    """Everything that is configured. Field names are the environment's names in lower case; the providers declare theirs.

    `Settings(...)` holds what it is given and looks nowhere; `load_settings` looks.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: a sender or a test must not find a stranger's `.env`."""
        return (init_settings,)

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
    dailies_monthly_budget_usd: Dollars | None = Field(None, description="hard cap for a UTC month over all batches")
    dailies_column_budgets: Annotated[tuple[ColumnCap, ...] | None, BeforeValidator(_column_caps)] = Field(
        None,
        description="hard caps by the value of a column of your own, over all batches: `client=acme:200, client=zeta:50`",
    )
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
    dailies_pictures_mb: int = Field(
        64, ge=1, description="how many MB of images may be in memory for creates at once, as they are sent"
    )
    dailies_look: Annotated[str, _of_choices(("full", "quick"))] = Field(
        "full", description="or `quick`: no delivered clip is looked at for black, frozen or odd footage"
    )
    dailies_reviewer: str | None = Field(
        None, description="whose verdicts are given here; else the name of the user who is logged in"
    )
    dailies_keep_days: Annotated[int, Field(ge=0)] = Field(
        30, description=f"what `{TIDY}` leaves for so many days, where it is told no other"
    )
    dailies_keep_mb: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description=f"of what can be made again, and of local runs in Prefect's history, `{TIDY}` leaves so many MiB, "
        "the youngest; else all that is young",
    )
    dailies_keep_history_days: Annotated[int, Field(ge=0)] = Field(
        400, description=f"how old the histories are that `{ARCHIVE}` takes, where it is told no other"
    )
    dailies_models: Path | None = Field(None, description="file or folder of models that adds to the catalog")
    dailies_hooks_url: str | None = Field(
        None, description=f"where providers reach `{HOOKS}`, such as `https://hooks.example.com`; creates carry it"
    )
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
        key: SecretStr | None = getattr(self, declared()[provider].key_name.lower())
        return key

    def base_url(self, provider: str) -> str:
        """Where the provider answers, without a slash at the end."""
        return self.text(declared()[provider].base_url_name).rstrip("/")

    def text(self, name: str) -> str:
        """A setting that a provider declares, by its name in the environment; a secret that is not set is empty."""
        value: str | SecretStr | None = getattr(self, name.lower())
        return value.get_secret_value() if isinstance(value, SecretStr) else value or ""

    def create_timeout_s(self, provider: str) -> float:
        """How long the paid POST may wait for its answer."""
        return self.dailies_create_timeout_s or declared()[provider].create_timeout_s

    def lease_s(self, provider: str) -> float:
        """How long an owner may be silent: never less than twice the create timeout."""
        return max(self.dailies_lease_s, 2 * self.create_timeout_s(provider))

    @property
    def renewal_s(self) -> float:
        """How often an owner says that it lives: thrice within its shortest lease, at least once a minute."""
        return max(0.2, min(min(map(self.lease_s, declared())) / 3, 60))

    def require_key(self, provider: str) -> SecretStr:
        """The provider's key. Raises Misconfigured that says what to set."""
        key = self.api_key(provider)
        if key is None:
            name = declared()[provider].key_name
            raise Misconfigured(
                f"no key for {provider}: set {name} (environment, .env, or the Prefect Secret block "
                f"`{SECRET_BLOCKS[name]}`). Nothing was bought. To try without a key: {DEMO}",
                trouble="no-key",
            )
        return key


FAILPOINTS = "DAILIES_FAILPOINTS"  # arms test failpoints (see failpoints.py); no setting for users
NAMES = {name.upper(): name for name in Settings.model_fields}
VENDOR_NAMES = frozenset(name for one in declared().values() for names in one.vendor_keys for name in names)
SECRETS = frozenset(name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation))


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from, for `dailies doctor`; never the value of a secret."""

    name: str
    value: str
    source: str


class Layer(PydanticBaseSettingsSource):
    """One place where settings stand under their environment's names; blank ones count as absent."""

    def __init__(self, label: str, named: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.label = label
        self.named = named
        self.values = {NAMES[name]: text.strip() for name, text in named.items() if name in NAMES and text.strip()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text that stands here for a field, or None."""
        return self.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self.values)


def load_settings(
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    blocks: Mapping[str, str] | None = None,
    dotenv: bool = True,
) -> Settings:
    """Read the settings. Raises Misconfigured naming every bad one at once.

    `overrides` are field names from the command line (None means: not given); `blocks` are names from Prefect blocks.
    What libraries read from the environment themselves is handed on to it from `.env` and blocks.
    """
    layers = _layers(environ, blocks, dotenv)
    wrong = [complaint for layer in layers for complaint in _unknown(layer)]
    given = {field: value for field, value in (overrides or {}).items() if value is not None}
    try:
        settings = Settings(_build_sources=((InitSettingsSource(Settings, given), *layers), {}))
    except ValidationError as error:
        wrong += [_explain(detail) for detail in error.errors()]
    if wrong:
        raise Misconfigured("\n".join(wrong))
    hidden.hide_secrets(_secrets(settings))
    return settings


def _secrets(settings: Settings) -> Iterator[str | None]:
    """What no log line may hold."""
    for value in settings.__dict__.values():
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
    yield urlsplit(settings.dailies_ledger_url or "").password
    yield from (variables().get(name) for name in AWS_KEYS - {"AWS_ACCESS_KEY_ID"})


def sources(environ: Mapping[str, str] | None = None, blocks: Mapping[str, str] | None = None) -> list[Source]:
    """Every setting with its value (secrets masked) and where it came from."""
    layers = _layers(environ, blocks, dotenv=True)
    return [_source(name, field, layers) for name, field in NAMES.items()]


def _source(name: str, field: str, layers: Sequence[Layer]) -> Source:
    layer = next((layer for layer in layers if field in layer.values), None)
    value = layer.values[field] if layer else Settings.model_fields[field].default
    text = "set" if field in SECRETS and value is not None else "–" if value is None else without_password(str(value))
    return Source(name, text, layer.label if layer else "default")


def _layers(environ: Mapping[str, str] | None, blocks: Mapping[str, str] | None, dotenv: bool) -> tuple[Layer, ...]:
    """Where settings are looked for, the nearest first."""
    here = variables() if environ is None else environ
    file = read_dotenv(frozenset(NAMES) | VENDOR_NAMES) if dotenv else {}
    for further in (file, blocks or {}):
        hand_on(further, here)
    named = {"environment": here, ".env": file, "Prefect block": blocks or {}}
    ours = [Layer(label, values) for label, values in named.items()]
    return *ours, *(Layer(f"{label}, under the vendor's name", _vendor_keys(values)) for label, values in named.items())


def _vendor_keys(named: Mapping[str, str]) -> dict[str, str]:
    """Keys under their vendors' own names, by ours."""
    found: dict[str, str] = {}
    for one in declared().values():
        for names in one.vendor_keys:
            parts = [named.get(name, "").strip() for name in names]
            if all(parts):
                found.setdefault(one.key_name, ":".join(parts))
    return found


def _unknown(layer: Layer) -> Iterator[str]:
    for name in sorted(layer.named):
        if name in NAMES or name == FAILPOINTS or not (name.upper().startswith("DAILIES_") or name.upper() in NAMES):
            continue
        if layer.label == "environment" and is_service_link(name, layer.named[name]):
            logger.info("%s is Kubernetes' word for a Service of that name, not a setting: passed over", name)
            continue
        near = difflib.get_close_matches(name.upper(), NAMES, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else " See the README for the settings there are."
        yield f"{name} ({layer.label}) is not a setting.{hint} Nothing was bought."


def _explain(detail: Any) -> str:
    if not detail["loc"]:
        return str(detail["msg"].removeprefix("Value error, "))
    name = str(detail["loc"][0]).upper()
    message = detail["msg"].removeprefix("Value error, ")
    if detail["loc"][0] in SECRETS:
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
    return declared()[provider].key_name


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
