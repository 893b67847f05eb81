"""Every setting, read once from the environment or a file (see setting_sources.py) and validated.

A value that could move real money (a live key) stops the program before anything starts. No
error message contains a value.
"""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from store.core import addresses, credentials, setting_sources
from store.core.currencies import CURRENCIES
from store.core.errors import SettingsError
from store.core.secret_files import read_or_create_secret

ROOT = Path(__file__).resolve().parents[2]
EMULATOR_KEY = "sk_test_offline_emulator"
EMULATOR_BASE = "http://127.0.0.1:8502"
ENV_FILE = ROOT / ".env"
SECRETS_FILE = ROOT / ".streamlit" / "secrets.toml"
ALWAYS_ALLOWED = ("localhost", "127.0.0.1", "[::1]")
"""Hosts besides ALLOWED_HOSTS: health checks come from this machine."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MINUTES = (31, 1440)  # what Stripe allows for a Checkout Session, with a minute of margin
SECONDS = (0.1, 86_400)
EXPECTED = {
    "debug": "must be true or false",
    "checkout_minutes": "must be a whole number from {} to {}".format(*MINUTES),
    "reconcile_seconds": "must be a number from {} to {}".format(*SECONDS),
}
"""The message for a value that does not have the right type."""


class Settings(BaseSettings):
    """The settings of this process; `.env.example` documents each name."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    stripe_secret_key: SecretStr | None = None
    stripe_publishable_key: str | None = None
    stripe_webhook_secret: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)
    stripe_api_base: str | None = None
    database_url: SecretStr | None = None
    currency: str = "usd"
    demo_customer_email: str | None = None
    store_url: str | None = None
    admin_password: SecretStr | None = None
    sidecar_url: str = "http://127.0.0.1:8000"
    allowed_hosts: Annotated[list[str], NoDecode] = Field(default_factory=list)
    debug: bool = False
    log_level: str = "INFO"
    log_format: Literal["text", "json"] = "text"
    checkout_minutes: int = Field(default=60, ge=MINUTES[0], le=MINUTES[1])
    reconcile_seconds: float = Field(default=30, ge=SECONDS[0], le=SECONDS[1])
    data_dir: Path = ROOT / "data"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - unused
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - unused
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - unused
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments of the program first, then the sources of setting_sources.py."""
        values: dict[str, Any] = {}
        for source in reversed(read_sources()):
            values |= source.values
        return init_settings, InitSettingsSource(settings_cls, values)

    @model_validator(mode="before")
    @classmethod
    def _tidy(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A pasted key often has a space or a line end; `docker --env-file` keeps quotes."""
        tidy = {name: tidied(name, v) if isinstance(v, str) else v for name, v in values.items()}
        return {name: value for name, value in tidy.items() if value != ""}

    @field_validator("stripe_secret_key")
    @classmethod
    def _test_key_only(cls, value: SecretStr | None) -> SecretStr | None:
        return value and SecretStr(credentials.secret_key(value.get_secret_value()))

    @field_validator("stripe_publishable_key")
    @classmethod
    def _test_publishable_key_only(cls, value: str | None) -> str | None:
        return value and credentials.publishable_key(value)

    @field_validator("stripe_webhook_secret", mode="before")
    @classmethod
    def _signing_secrets(cls, value: Any) -> list[str]:
        return [credentials.signing_secret(part) for part in parts_of(value)]

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _host_patterns(cls, value: Any) -> list[str]:
        return [addresses.host_pattern(part) for part in parts_of(value)]

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value.lower() not in CURRENCIES:
            raise ValueError(
                "is not a currency that Stripe takes, such as usd; see "
                "https://docs.stripe.com/currencies"
            )
        return value.lower()

    @field_validator("demo_customer_email")
    @classmethod
    def _is_mail(cls, value: str | None) -> str | None:
        """Stripe refuses every checkout with an invalid address."""
        return value and addresses.email(value)

    @field_validator("store_url")
    @classmethod
    def _public_address(cls, value: str | None) -> str | None:
        """It is part of `success_url`; Stripe refuses every checkout with an invalid one."""
        return value and addresses.web_address(value, public=True)

    @field_validator("sidecar_url")
    @classmethod
    def _local_address(cls, value: str) -> str:
        return addresses.web_address(value)

    @field_validator("stripe_api_base")
    @classmethod
    def _api_address(cls, value: str | None) -> str | None:
        return value and addresses.api_base(value)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        return value and SecretStr(addresses.database_url(value.get_secret_value(), ROOT))

    @field_validator("data_dir")
    @classmethod
    def _is_folder(cls, value: Path) -> Path:
        return addresses.folder(str(value), ROOT)

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in LEVELS:
            raise ValueError(f"must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
        return value.upper()

    @field_validator("log_format", mode="before")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value.lower() not in ("text", "json"):
            raise ValueError("must be text or json")
        return value.lower()

    @model_validator(mode="after")
    def _debug_means_verbose(self) -> "Settings":
        if self.debug:
            self.log_level = "DEBUG"
        return self

    @model_validator(mode="after")
    def _buyers_come_back(self) -> "Settings":
        """Stripe sends buyers to `STORE_URL`, so the shop must accept its host."""
        host = addresses.host_of(self.store_url or "")
        allowed = [*self.allowed_hosts, *ALWAYS_ALLOWED]
        if host and self.allowed_hosts and not addresses.host_allowed(host, allowed):
            raise ValueError("ALLOWED_HOSTS must name the host of STORE_URL as well")
        return self

    @property
    def offline(self) -> bool:
        """True if no Stripe key is set; the emulator then serves as Stripe."""
        return self.stripe_secret_key is None

    @property
    def api_key(self) -> str:
        return self.stripe_secret_key.get_secret_value() if self.stripe_secret_key else EMULATOR_KEY

    @property
    def api_base(self) -> str | None:
        """The address of Stripe's API; None for the SDK's own."""
        return self.stripe_api_base or (EMULATOR_BASE if self.offline else None)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the shared database; may contain a password, so never print it."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return addresses.sqlite_url(self.sqlite_file)

    @property
    def sqlite_file(self) -> Path:
        """The database's file if `DATABASE_URL` is not set."""
        return self.data_dir / "store.db"

    @property
    def accepts_webhooks(self) -> bool:
        """True if a signing secret is set, or will be generated when needed."""
        return bool(self.stripe_webhook_secret) or self.offline

    @property
    def webhook_secrets(self) -> list[str]:
        """The accepted signing secrets; offline, one is generated per data folder."""
        if self.stripe_webhook_secret:
            return [secret.get_secret_value() for secret in self.stripe_webhook_secret]
        return (
            [read_or_create_secret(self.data_dir / "webhook_secret", "whsec_")]
            if self.offline
            else []
        )


def tidied(name: str, value: str) -> str:
    """The value without surrounding blanks and quotes; a password keeps its quotes."""
    value = value.strip()
    return value if name == "admin_password" else unquoted(value)


def unquoted(value: str) -> str:
    inside = value[1:-1]
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return inside.strip() if quoted and value[0] not in inside else value


def parts_of(value: Any) -> list[str]:
    """The parts between commas or blanks, without duplicates."""
    if isinstance(value, str):
        value = re.split(r"[\s,]+", value)
    return list(dict.fromkeys(part for part in map(unquoted, value) if part))


def read_sources() -> list[setting_sources.Source]:
    """The sources of this process, the one that wins first.

    Raises:
        SettingsError: a file exists and cannot be read.
    """
    return setting_sources.read(Settings.model_fields, os.environ, ENV_FILE, SECRETS_FILE)


def load(**overrides: Any) -> Settings:
    """Read the settings anew.

    Raises:
        SettingsError: one sentence with the variable's name, never its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(validation_sentence(error)) from None


def validation_sentence(error: ValidationError) -> str:
    """Pydantic's errors as one sentence with names and files, but no values."""
    origins: dict[str, str] = {}
    for source in reversed(read_sources()):
        origins |= dict.fromkeys(source.values, source.origin)
    faults = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        message = fault["msg"].removeprefix("Value error, ")
        if not fault["loc"]:  # about two settings, both named in the message
            faults.append(message)
            continue
        name = str(fault["loc"][0])
        where = f" in {origins[name]}" if origins.get(name) else ""
        own_words = fault["type"] == "value_error"
        faults.append(
            f"{name.upper()}{where} {message if own_words else EXPECTED.get(name, message)}"
        )
    return "; ".join(faults) + "."


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process."""
    return load()


def fault() -> str:
    """Why this process cannot start, as one sentence; empty if it can."""
    try:
        current()
    except SettingsError as error:
        return str(error)
    return ""
