"""Every setting, read once from the environment or a file (see setting_sources.py) and validated.

A value that could move real money (a live key) stops the program before anything starts. No
error message contains a value.
"""

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
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
MINUTES = (31, 1440)  # accepted; `checkout_session` keeps 35 minutes to 23 h 50 of it
SECONDS = (0.1, 86_400)
EXPECTED = {
    "debug": "must be true or false",
    "checkout_minutes": "must be a whole number from {} to {}".format(*MINUTES),
    "reconcile_seconds": "must be a number from {} to {}".format(*SECONDS),
}
"""The message for a value that does not have the right type."""


def unquoted(value: str) -> str:
    inside = value[1:-1]
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return inside.strip() if quoted and value[0] not in inside else value


def parts_of(value: str | list[str]) -> list[str]:
    """The parts between commas or blanks, without duplicates."""
    parts = re.split(r"[\s,]+", value) if isinstance(value, str) else value
    return list(dict.fromkeys(part for part in map(unquoted, parts) if part))


def currency_code(value: str) -> str:
    if value.lower() not in CURRENCIES:
        raise ValueError(
            "is not a currency that Stripe takes, such as usd; see "
            "https://docs.stripe.com/currencies"
        )
    return value.lower()


# What Stripe would refuse in a request is refused here: one wrong address ends every checkout.
SecretKey = Annotated[SecretStr, BeforeValidator(credentials.secret_key)]
PublishableKey = Annotated[str, AfterValidator(credentials.publishable_key)]
SigningSecrets = Annotated[
    list[SecretStr],
    BeforeValidator(lambda value: [*map(credentials.signing_secret, parts_of(value))]),
]
HostPatterns = Annotated[
    list[str], BeforeValidator(lambda value: [*map(addresses.host_pattern, parts_of(value))])
]
DatabaseUrl = Annotated[SecretStr, BeforeValidator(lambda url: addresses.database_url(url, ROOT))]
Folder = Annotated[Path, AfterValidator(lambda path: addresses.folder(str(path), ROOT))]
ApiBase = Annotated[str, AfterValidator(addresses.api_base)]
Address = Annotated[str, AfterValidator(addresses.web_address)]
PublicAddress = Annotated[str, AfterValidator(partial(addresses.web_address, public=True))]
Email = Annotated[str, AfterValidator(addresses.email)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)
]


class Settings(BaseModel):
    """The settings of this process; `.env.example` documents each name."""

    model_config = ConfigDict(validate_default=True, hide_input_in_errors=True)

    stripe_secret_key: SecretKey | None = None
    stripe_publishable_key: PublishableKey | None = None
    stripe_webhook_secret: SigningSecrets = []
    stripe_api_base: ApiBase | None = None
    database_url: DatabaseUrl | None = None
    currency: Annotated[str, AfterValidator(currency_code)] = "usd"
    demo_customer_email: Email | None = None
    store_url: PublicAddress | None = None
    admin_password: SecretStr | None = None
    sidecar_url: Address = "http://127.0.0.1:8000"
    allowed_hosts: HostPatterns = []
    debug: bool = False
    log_level: LogLevel = "INFO"
    log_format: Annotated[Literal["text", "json"], BeforeValidator(str.lower)] = "text"
    checkout_minutes: int = Field(default=60, ge=MINUTES[0], le=MINUTES[1])
    reconcile_seconds: float = Field(default=30, ge=SECONDS[0], le=SECONDS[1])
    data_dir: Folder = ROOT / "data"

    @model_validator(mode="before")
    @classmethod
    def _tidy(cls, values: dict[str, str]) -> dict[str, str]:
        """A pasted key often has a space or a line end; `docker --env-file` keeps quotes."""
        tidy = {
            name: value.strip() if name == "admin_password" else unquoted(value.strip())
            for name, value in values.items()
        }
        return {name: value for name, value in tidy.items() if value}

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
        if self.stripe_webhook_secret or not self.offline:
            return [secret.get_secret_value() for secret in self.stripe_webhook_secret]
        return [read_or_create_secret(self.data_dir / "webhook_secret", "whsec_")]


def load() -> Settings:
    """Read the settings anew; SettingsError has the names of wrong ones, never a value."""
    entries = setting_sources.read(Settings.model_fields, ENV_FILE, SECRETS_FILE)
    try:
        return Settings.model_validate({name: entry.value for name, entry in entries.items()})
    except ValidationError as error:
        origins = {name: entry.origin for name, entry in entries.items()}
        raise SettingsError(_sentence(error, origins)) from None


def _sentence(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Pydantic's errors as one sentence with names and files, but no values."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        if fault["loc"]:  # else it is about two settings, both named in the message
            name = str(fault["loc"][0])
            where = f" in {origins[name]}" if origins.get(name) else ""
            if fault["type"] != "value_error":
                message = EXPECTED.get(name, message)
            message = f"{name.upper()}{where} {message}"
        faults.append(message)
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
