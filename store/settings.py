"""Every setting, read once from the environment or `.env`, and refused early.

A value that could move real money (a live key) stops the program before anything starts;
no message repeats the value it is about.
"""

import os
import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from babel.numbers import list_currencies
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from store.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
SHOP, MOTTO = "Three Good Things", "Few things, made to last."
BRAND = ROOT / "data" / "images" / "mark.svg"
EMULATOR_KEY = "sk_test_offline_emulator"
EMULATOR_BASE = "http://127.0.0.1:8502"
POSTGRESQL = "postgresql+psycopg2://"
IN_MEMORY = ("sqlite:///", "sqlite:///:memory:")
TEST_KEYS = ("sk_test_", "rk_test_")
LIVE_KEYS = ("sk_live_", "rk_live_", "pk_live_")


class Settings(BaseSettings):
    """What the environment says; `.env.example` documents each name."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

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
    checkout_minutes: int = Field(default=60, ge=31, le=1440)
    reconcile_seconds: float = Field(default=30, ge=0.1, le=86_400)
    data_dir: Path = ROOT / "data"

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A pasted key often brings a space or a line end; a copied `.env` brings empty lines."""
        tidy = {name: v.strip() if isinstance(v, str) else v for name, v in values.items()}
        return {name: value for name, value in tidy.items() if value != ""}

    @field_validator("stripe_webhook_secret", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("stripe_secret_key")
    @classmethod
    def _test_key_only(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if key.startswith(LIVE_KEYS):
            raise ValueError("is a live key; this shop only ever uses test keys (sk_test_…)")
        if not key.startswith(TEST_KEYS):
            raise ValueError("must begin with sk_test_ or rk_test_")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("contains characters that no Stripe key has")
        return value

    @field_validator("stripe_publishable_key")
    @classmethod
    def _test_publishable_key_only(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("pk_test_"):
            raise ValueError("must begin with pk_test_")
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value.upper() not in list_currencies():
            raise ValueError("is not a currency code such as usd")
        return value.lower()

    @field_validator("demo_customer_email")
    @classmethod
    def _is_mail(cls, value: str | None) -> str | None:
        """Stripe would refuse every checkout."""
        if value is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value):
            raise ValueError("is not an e-mail address")
        return value

    @field_validator("store_url", "stripe_api_base", "sidecar_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not is_address(value):
            raise ValueError("must be an address such as https://shop.example.com, without ? or #")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        url = value.get_secret_value()
        for scheme in ("postgres://", "postgresql://"):  # SQLAlchemy would take another driver
            if url.startswith(scheme):
                url = f"{POSTGRESQL}{url.removeprefix(scheme)}"
        if not url.startswith((POSTGRESQL, "sqlite:///")):
            raise ValueError("must begin with postgresql:// or sqlite:///")
        if url.partition("?")[0] in IN_MEMORY or "mode=memory" in url:
            raise ValueError("must name a file, which all processes of the shop can share")
        return SecretStr(url)

    @model_validator(mode="after")
    def _debug_means_verbose(self) -> "Settings":
        if self.debug:
            self.log_level = "DEBUG"
        self.log_level = self.log_level.upper()
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            raise ValueError("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return self

    @property
    def offline(self) -> bool:
        """True where no Stripe key is set: the store then talks to its own emulator."""
        return self.stripe_secret_key is None

    @property
    def api_key(self) -> str:
        return self.stripe_secret_key.get_secret_value() if self.stripe_secret_key else EMULATOR_KEY

    @property
    def api_base(self) -> str | None:
        """Where Stripe is reached; None is the address that the SDK knows."""
        return self.stripe_api_base or (EMULATOR_BASE if self.offline else None)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the shared database; holds a password, so never print it."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.sqlite_file.as_posix()}"

    @property
    def sqlite_file(self) -> Path:
        """The database where no other one is named."""
        return self.data_dir / "store.db"

    @property
    def webhook_secrets(self) -> list[str]:
        """The signing secrets that are accepted; offline, one is made per data folder."""
        if self.stripe_webhook_secret:
            return [secret.get_secret_value() for secret in self.stripe_webhook_secret]
        return [kept_secret(self.data_dir / "webhook_secret", "whsec_")] if self.offline else []


def is_address(text: str) -> bool:
    """True for what a path can be added to."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0  # asking for a port that is none raises
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and not set(" ?#") & set(text)


def kept_secret(path: Path, prefix: str = "") -> str:
    """Read the secret kept in `path`; the first of several processes to ask makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        draft.write_text(prefix + secrets.token_urlsafe(32), encoding="ascii")
        draft.chmod(0o600)
        try:
            os.link(draft, path)  # atomic, and never replaces one that somebody already reads
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def load(**overrides: Any) -> Settings:
    """Read the settings anew.

    Raises:
        SettingsError: one plain sentence that names the variable and never its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """Put what pydantic found into one sentence, with names but without values."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(fault["loc"][0]).upper() if fault["loc"] else "Setting"
        faults.append(f"{name} {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(faults) + "."


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process."""
    return load()
