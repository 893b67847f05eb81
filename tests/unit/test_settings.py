"""Dangerous settings are refused at start, in sentences without the secret."""

import os
from pathlib import Path

import pytest

from store.core import settings
from store.core.errors import SettingsError

NAMES = [name.upper() for name in settings.Settings.model_fields]
TAIL = "51AbCdEfGhIjKlMnOpQrStUvWxYz"


@pytest.fixture(autouse=True)
def an_empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in set(os.environ) & set(NAMES):
        monkeypatch.delenv(name)
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(settings, "SECRETS_FILE", tmp_path / "secrets.toml")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        settings.load()
    return str(refused.value)


@pytest.mark.scenario("B9")
@pytest.mark.parametrize("prefix", ["sk_live_", "rk_live_", "pk_live_"])
@pytest.mark.parametrize("around", ["{}", "  {}", "{}\n", "\t{}\r\n", "\n {} \n"])
def test_a_live_key_is_refused_by_name_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, prefix: str, around: str
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", around.format(prefix + TAIL))

    said = refusal()

    assert said.startswith("STRIPE_SECRET_KEY is a live key")
    assert TAIL not in said


@pytest.mark.scenario("B9")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_SECRET_KEY", TAIL),
        ("STRIPE_SECRET_KEY", "whsec_" + TAIL),
        ("STRIPE_SECRET_KEY", "SK_LIVE_" + TAIL),
        ("STRIPE_SECRET_KEY", "'sk_live_" + TAIL),
        ("STRIPE_SECRET_KEY", "sk_test_" + TAIL + "\u00e9"),
        ("STRIPE_SECRET_KEY", "sk_test_" + TAIL + "\nX-Header: 1"),
        ("STRIPE_SECRET_KEY", "sk_test_" + TAIL + " sk_live_" + TAIL),
        ("STRIPE_PUBLISHABLE_KEY", "pk_live_" + TAIL),
        ("STRIPE_PUBLISHABLE_KEY", "sk_test_" + TAIL),
        ("DATABASE_URL", "mysql://root:" + TAIL + "@db/store"),
        ("DATABASE_URL", TAIL),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///file:shop?mode=memory&uri=true"),
        ("STRIPE_API_BASE", "file:///etc/" + TAIL),
        ("STORE_URL", "javascript:" + TAIL),
        ("STORE_URL", "http://"),
        ("STORE_URL", "http://:8501"),
        ("STORE_URL", "http://[::1"),
        ("STORE_URL", "http://shop example/"),
        ("STORE_URL", "http://shop.example:" + TAIL),
        ("STORE_URL", "http://shop.example:65536"),
        ("STORE_URL", "http://shop.example/?from=" + TAIL),
        ("CURRENCY", TAIL),
        ("DEMO_CUSTOMER_EMAIL", TAIL),
        ("DEMO_CUSTOMER_EMAIL", "ada lovelace@example.com"),
        ("CHECKOUT_MINUTES", TAIL),
        ("RECONCILE_SECONDS", TAIL),
        ("RECONCILE_SECONDS", "inf"),
        ("RECONCILE_SECONDS", "nan"),
        ("RECONCILE_SECONDS", "0.01"),
        ("LOG_LEVEL", TAIL),
        ("DEBUG", TAIL),
    ],
)
def test_an_invalid_setting_is_refused_by_name_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    said = refusal()

    assert name in said
    assert TAIL not in said
    assert "\n" not in said


@pytest.mark.parametrize("prefix", ["sk_test_", "rk_test_"])
def test_a_test_key_is_taken_without_the_blanks_around_it(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", f"  {prefix}{TAIL}\n")

    current = settings.load()

    assert current.api_key == prefix + TAIL
    assert (current.offline, current.api_base) == (False, None)


def test_without_a_key_the_shop_talks_to_its_emulator() -> None:
    current = settings.load()

    assert current.offline
    assert current.api_base == settings.EMULATOR_BASE
    assert current.api_key.startswith("sk_test_")


@pytest.mark.scenario("D3")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blank", ["", " ", " \t "])
def test_a_blank_setting_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch, name: str, blank: str
) -> None:
    unset = settings.load()

    monkeypatch.setenv(name, blank)

    if name != "DATA_DIR":
        assert settings.load() == unset


@pytest.mark.scenario("D3")
@pytest.mark.parametrize("given", ["", " ", ",", " , , "])
def test_blank_signing_secrets_are_none_at_all(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_" + TAIL)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", given)

    assert settings.load().webhook_secrets == []


@pytest.mark.scenario("D7")
def test_several_signing_secrets_stand_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", " whsec_new, whsec_old ,,")

    assert settings.load().webhook_secrets == ["whsec_new", "whsec_old"]


@pytest.mark.scenario("G10")
def test_settings_can_be_printed_without_showing_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_" + TAIL)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_" + TAIL)
    monkeypatch.setenv("DATABASE_URL", f"postgres://me:{TAIL}@db/store")
    monkeypatch.setenv("ADMIN_PASSWORD", TAIL)

    current = settings.load()

    assert TAIL not in f"{current} {current!r} {current.model_dump()} {current.model_dump_json()}"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_way_to_write_a_postgresql_address_is_taken(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://me@db/store")

    assert settings.load().database == "postgresql+psycopg2://me@db/store"


@pytest.mark.parametrize(
    ("minutes", "fits"), [(30, False), (31, True), (1440, True), (1441, False)]
)
def test_a_checkout_lasts_as_long_as_stripe_allows(
    monkeypatch: pytest.MonkeyPatch, minutes: int, fits: bool
) -> None:
    monkeypatch.setenv("CHECKOUT_MINUTES", str(minutes))

    if fits:
        assert settings.load().checkout_minutes == minutes
    else:
        assert "CHECKOUT_MINUTES" in refusal()


def test_several_faults_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURRENCY", "doubloons")
    monkeypatch.setenv("STORE_URL", "shop.example")

    said = refusal()

    assert "CURRENCY" in said
    assert "STORE_URL" in said
