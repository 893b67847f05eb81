"""Each setting's value: brought into its form, or refused in one sentence."""

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from store.core import addresses, settings
from store.core.errors import SettingsError

TAIL = "51AbCdEfGhIjKlMnOpQrStUvWxYz"


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in {name.upper() for name in settings.Settings.model_fields} & set(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(settings, "SECRETS_FILE", tmp_path / "secrets.toml")


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        settings.load()
    said = str(refused.value)
    assert said.startswith(name)
    assert said.endswith(".")
    assert TAIL not in said
    return said


# --- keys and secrets -----------------------------------------------------------------------------


@pytest.mark.scenario("M1")
@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("whsec_new whsec_old", ["whsec_new", "whsec_old"]),
        ("whsec_new,\twhsec_old\nwhsec_third", ["whsec_new", "whsec_old", "whsec_third"]),
        ('"whsec_new"', ["whsec_new"]),
        ("'whsec_new, whsec_old'", ["whsec_new", "whsec_old"]),
        ('"whsec_new","whsec_old"', ["whsec_new", "whsec_old"]),
        ("whsec_new,whsec_new", ["whsec_new"]),
    ],
)
def test_signing_secrets_are_understood_however_they_were_pasted(
    monkeypatch: pytest.MonkeyPatch, value: str, secrets: list[str]
) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", value)

    assert settings.load().webhook_secrets == secrets


@pytest.mark.scenario("M1")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (f"we_{TAIL}", "is the id of a webhook endpoint (we_…)"),
        (f"whsec_new,we_{TAIL}", "is the id of a webhook endpoint (we_…)"),
        (f"sk_test_{TAIL}", "is a secret key (sk_…)"),
        (f"rk_test_{TAIL}", "is a restricted key (rk_…)"),
        (f"pk_test_{TAIL}", "is a publishable key (pk_…)"),
        (TAIL, "must be whsec_…"),
        ("whsec_", "must be whsec_…"),
        ("whsec_…", "must be whsec_…"),
        (f"'whsec_{TAIL}", "must be whsec_…"),
        (f"whsec_new;whsec_{TAIL}", "must be whsec_…"),
        (f"WHSEC_{TAIL}", "must be whsec_…"),
    ],
)
def test_an_invalid_signing_secret_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    assert said in refusal(monkeypatch, "STRIPE_WEBHOOK_SECRET", value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STRIPE_SECRET_KEY", f"pk_test_{TAIL}", "is a publishable key (pk_…)"),
        ("STRIPE_SECRET_KEY", f"whsec_{TAIL}", "is a webhook signing secret (whsec_…)"),
        ("STRIPE_SECRET_KEY", f"acct_{TAIL}", "is the id of an account"),
        ("STRIPE_SECRET_KEY", "sk_test_", "copy the whole key"),
        ("STRIPE_SECRET_KEY", "sk_test_…", "contains characters"),
        ("STRIPE_SECRET_KEY", f'"sk_live_{TAIL}"', "is a live key"),
        ("STRIPE_PUBLISHABLE_KEY", f"sk_test_{TAIL}", "is a secret key (sk_…)"),
        ("STRIPE_PUBLISHABLE_KEY", f"whsec_{TAIL}", "is a webhook signing secret"),
    ],
)
def test_a_key_in_the_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    assert said in refusal(monkeypatch, name, value)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_that_came_along_are_not_part_of_a_value(
    monkeypatch: pytest.MonkeyPatch, quote: str
) -> None:
    for name, value in {
        "STRIPE_SECRET_KEY": f"sk_test_{TAIL}",
        "STORE_URL": "https://shop.example",
        "CURRENCY": "eur",
        "DEBUG": "true",
        "DATABASE_URL": "postgresql://me@db/store",
        "CHECKOUT_MINUTES": "45",
    }.items():
        monkeypatch.setenv(name, f"{quote}{value}{quote}")
    monkeypatch.setenv("ADMIN_PASSWORD", f"{quote}secret{quote}")

    found = settings.load()

    assert found.api_key == f"sk_test_{TAIL}"
    assert (found.store_url, found.currency, found.debug) == ("https://shop.example", "eur", True)
    assert (found.checkout_minutes, found.database[-8:]) == (45, "db/store")
    assert found.admin_password is not None
    assert found.admin_password.get_secret_value() == f"{quote}secret{quote}"  # may be meant


# --- hosts and addresses --------------------------------------------------------------------------


@pytest.mark.scenario("M2")
@pytest.mark.parametrize(
    ("allowed", "host", "answered"),
    [
        (".example.com", "example.com", True),
        (".example.com", "shop.example.com", True),
        (".example.com", "a.b.example.com:8501", True),
        (".example.com", "badexample.com", False),
        (".example.com", "example.com.evil.org", False),
        ("*.example.com", "shop.example.com", True),
        ("example.com", "EXAMPLE.com:443", True),
        ("EXAMPLE.COM", "example.com.", True),
        ("example.com", "shop.example.com", False),
        ("*", "anything.example", True),
        ("*", "", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("192.0.2.1 example.com", "192.0.2.1:8501", True),
        ("192.0.2.1", "192.0.2.10", False),
        ("2001:DB8::1", "[2001:db8:0::1]:8501", True),
        ("[2001:db8::1]", "[2001:db8::1]", True),
        ("[2001:db8::1]", "[2001:db8::2]", False),
        ("example.com", "", False),
        ("example.com", "example.com@evil.org", False),
        ("example.com", "example.com/evil", False),
        ("example.com", "example.com:80:80", False),
        ("example.com", "example.com, evil.org", False),
        ("example.com", "[example.com]", False),
        ("example.com", "\u0661.example.com", False),
    ],
)
def test_allowed_hosts_are_djangos(
    monkeypatch: pytest.MonkeyPatch, allowed: str, host: str, *, answered: bool
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", allowed)

    assert addresses.host_allowed(host, settings.load().allowed_hosts) is answered


@pytest.mark.scenario("M2")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("shop.*", "write .example.com for subdomains"),
        ("*example.com", "write .example.com for subdomains"),
        ("*.", "no valid host name"),
        ("https://shop.example.com", "write the host name alone"),
        ("shop.example.com/", "write the host name alone"),
        ("shop.example.com:8501", "holds a port"),
        ("[::1]:8501", "holds a port"),
        ("shop example com;x", "no valid host name"),
        ("-shop.example", "no valid host name"),
        ("shop..example", "no valid host name"),
        ("my_shop.example", "underscore"),
        (".", "no valid host name"),
        ("300.1.1.1", "no valid host name"),
        ("[::1", "no valid host name"),
        ("a" * 64 + ".example", "no valid host name"),
        (".".join(["abcdefgh"] * 30), "no valid host name"),
        ("example.com,shop.*", "write .example.com for subdomains"),
    ],
)
def test_invalid_host_patterns_are_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    assert said in refusal(monkeypatch, "ALLOWED_HOSTS", value)


@pytest.mark.scenario("M2")
@pytest.mark.parametrize(
    ("address", "allowed", "fits"),
    [
        ("https://shop.example.com", ".example.com", True),
        ("https://shop.example.com:8443/shop", "shop.example.com", True),
        ("http://[2001:db8::1]:8501", "2001:db8::1", True),
        ("http://localhost:8501", "shop.example.com", True),
        ("https://shop.example.com", "*", True),
        ("https://shop.example.com", "", True),
        ("https://shop.example.com", "example.com", False),
        ("https://bücher.example", "example.com", False),
    ],
)
def test_buyers_must_be_able_to_come_back_to_the_shops_address(
    monkeypatch: pytest.MonkeyPatch, address: str, allowed: str, *, fits: bool
) -> None:
    monkeypatch.setenv("STORE_URL", address)
    monkeypatch.setenv("ALLOWED_HOSTS", allowed)

    if fits:
        assert settings.load().store_url
    else:
        said = refusal(monkeypatch, "ALLOWED_HOSTS", allowed)
        assert said == "ALLOWED_HOSTS must name the host of STORE_URL as well."


@pytest.mark.scenario("M3")
@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://shop.example/", "https://shop.example"),
        ("HTTPS://Shop.Example:8443", "https://shop.example:8443"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://localhost:8501", "http://localhost:8501"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example/läden/", "https://xn--bcher-kva.example/l%C3%A4den"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("http://[2001:DB8::1]:8501", "http://[2001:db8::1]:8501"),
        ("https://shop.example./a/b", "https://shop.example/a/b"),
    ],
)
def test_the_shops_address_is_put_as_stripe_takes_it(
    monkeypatch: pytest.MonkeyPatch, value: str, address: str
) -> None:
    monkeypatch.setenv("STORE_URL", value)

    assert settings.load().store_url == address


@pytest.mark.scenario("M3")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("https://my_shop.example", "underscore"),
        (f"https://user:{TAIL}@shop.example", "user name or a password"),
        (f"https://{TAIL}@shop.example", "user name or a password"),
        ("https://shop.example@", "must be an address such as"),
        ("https://-shop.example", "no valid host name"),
        ("https://shop..example", "no valid host name"),
        ("https://300.300.300.300", "no valid host name"),
        ("https://shop*.example", "no valid host name"),
        ("https://\u2603\ufffd.example", "STORE_URL"),
        ("shop.example", "must be an address such as"),
        ("https:/shop.example", "must be an address such as"),
        ("https:\\\\shop.example", "must be an address such as"),
        ("ftp://shop.example", "must be an address such as"),
        ("https://shop.example:0", "must be an address such as"),
        ("https://shop.example:port", "must be an address such as"),
        ("https://shop.example/\x07", "must be an address such as"),
        ("https://shop.example/?", "must be an address such as"),
    ],
)
def test_an_address_that_stripe_would_refuse_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    assert said in refusal(monkeypatch, "STORE_URL", value)


@pytest.mark.parametrize("name", ["SIDECAR_URL", "STRIPE_API_BASE"])
def test_a_server_of_a_container_network_may_have_an_underscore(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://web_sidecar:80/")

    assert getattr(settings.load(), name.lower()) == "http://web_sidecar:80"
    assert "user name or a password" in refusal(monkeypatch, name, f"http://me:{TAIL}@webhooks")


def test_stripes_address_is_written_without_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ends in /v1" in refusal(monkeypatch, "STRIPE_API_BASE", "https://api.stripe.com/v1/")


@pytest.mark.scenario("M3")
@pytest.mark.parametrize(
    "value",
    [
        *("ada@localhost", "ada", "@example.com", "ada@", "ada@@example.com", "a@b@example.com"),
        *("ada lovelace@example.com", "ada@exam ple.com", "ada@example..com", "ada@.example.com"),
        *("ada@example.c", "ada@192.0.2.1", "ada@[192.0.2.1]", "ada@my_shop.example"),
        *(".ada@example.com", "ada.@example.com", "a..da@example.com", "ädä@example.com"),
        *("Ada <ada@example.com>", "ada@example.com,b@example.com", "ada@-example.com"),
        *('"ada"@example.com', "a" * 65 + "@example.com", "mailto:ada@example.com"),
    ],
)
def test_an_e_mail_address_that_stripe_refuses_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    said = refusal(monkeypatch, "DEMO_CUSTOMER_EMAIL", value)

    assert "is not an e-mail address that Stripe accepts" in said


@pytest.mark.parametrize(
    ("value", "email"),
    [
        ("test+location_FR@example.com", "test+location_FR@example.com"),
        ("o'neil@Sub.Example.org", "o'neil@sub.example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_an_e_mail_address_that_stripe_takes_is_taken(
    monkeypatch: pytest.MonkeyPatch, value: str, email: str
) -> None:
    monkeypatch.setenv("DEMO_CUSTOMER_EMAIL", value)

    assert settings.load().demo_customer_email == email


# --- folders and databases ------------------------------------------------------------------------


@pytest.mark.scenario("M4")
@pytest.mark.parametrize(
    ("value", "folder"),
    [
        ("~", "HOME"),
        ("~/shop", "HOME/shop"),
        ("shop", "ROOT/shop"),
        ("./my shop", "ROOT/my shop"),
        ("100 %/#?/ü", "ROOT/100 %/#?/ü"),
    ],
)
def test_the_data_folder_is_expanded_and_relative_to_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, folder: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", value)

    found = settings.load().data_dir

    assert str(found) == folder.replace("HOME", str(tmp_path)).replace("ROOT", str(settings.ROOT))


@pytest.mark.scenario("M4")
def test_a_data_folder_that_cannot_be_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    assert "names a file" in refusal(monkeypatch, "DATA_DIR", str(tmp_path / "file"))
    assert "names a file" in refusal(monkeypatch, "DATA_DIR", str(tmp_path / "file" / "below"))
    assert "holds a variable" in refusal(monkeypatch, "DATA_DIR", "$HOME/shop")
    assert "holds a variable" in refusal(monkeypatch, "DATA_DIR", "/srv/${NAME}")
    assert "no home folder" in refusal(monkeypatch, "DATA_DIR", "~nobody-of-this-name/shop")
    assert "cannot be used" in refusal(monkeypatch, "DATA_DIR", "/" + "x" * 300)


def test_a_sqlite_file_is_expanded_and_relative_to_the_project_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value, file in {
        "sqlite:///~/shop.db": tmp_path / "shop.db",
        "sqlite:///data/shop.db": settings.ROOT / "data" / "shop.db",
        f"sqlite:///{tmp_path}/a b#c.db": tmp_path / "a b#c.db",
    }.items():
        monkeypatch.setenv("DATABASE_URL", value)
        assert make_url(settings.load().database).database == str(file)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:?cache=shared", "must name a file"),
        ("sqlite:///file::memory:?uri=true", "must name a file"),
        ("sqlite:////", "names a folder"),
        ("sqlite:////tmp", "names a folder"),
        ("sqlite:////tmp/shop.db?timeout=5", "without parameters"),
        ("sqlite+aiosqlite:////tmp/shop.db", "must begin with"),
        ("mysql://db/store", "must begin with"),
        ("postgresql+asyncpg://db/store", "must begin with"),
        (f"postgresql://me:{TAIL}@{TAIL}@db/store", "percent-encoded"),
        (f"postgresql://me:{TAIL}/x@db/store", "percent-encoded"),
        (f"postgresql://me:{TAIL}?x@db/store", "percent-encoded"),
        (f"postgresql://me:{TAIL}#x@db/store", "percent-encoded"),
        (f"postgresql://me:[{TAIL}@db/store", "percent-encoded"),
        ("postgresql://me@db:port/store", "percent-encoded"),
    ],
)
def test_a_database_that_cannot_work_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    assert said in refusal(monkeypatch, "DATABASE_URL", value)


@pytest.mark.scenario("M5")
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("schema=public", "does not know: schema; for a schema write options=-csearch_path=NAME"),
        ("sslmode=require&pgbouncer=true", "does not know: pgbouncer"),
        ("connection_limit=1", "does not know: connection_limit"),
        ("charset=utf8", "does not know: charset"),
        ("async_=1", "does not know: async_"),
        (f"a%20b{TAIL}=1", "does not know: one"),
        ("schema", "does not know: schema"),
        ("sslmode=require&sslmode=disable", "sslmode more than once"),
    ],
)
def test_a_parameter_that_postgresql_does_not_know_is_named(
    monkeypatch: pytest.MonkeyPatch, parameters: str, said: str
) -> None:
    url = f"postgresql://me:{TAIL}@db/store?{parameters}"

    assert said in refusal(monkeypatch, "DATABASE_URL", url)


@pytest.mark.parametrize(
    "parameters",
    [
        "sslmode=require&sslrootcert=/ca.pem&channel_binding=prefer&connect_timeout=3",
        "options=-csearch_path%3Dshop&application_name=shop%40here",
        "host=/var/run/postgresql",
        "host=a:5432&host=b:5432&target_session_attrs=read-write",
        "keepalives_idle=30&passfile=/p&service=shop",
    ],
)
def test_parameters_that_postgresql_knows_pass(
    monkeypatch: pytest.MonkeyPatch, parameters: str
) -> None:
    url = f"postgresql://me@/store?{parameters}"
    monkeypatch.setenv("DATABASE_URL", url)

    assert settings.load().database.endswith(url.partition("://")[2])


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEBUG", "maybe", "must be true or false"),
        ("CHECKOUT_MINUTES", "an hour", "must be a whole number from 31 to 1440"),
        ("CHECKOUT_MINUTES", "45.5", "must be a whole number from 31 to 1440"),
        ("CHECKOUT_MINUTES", "30", "must be a whole number from 31 to 1440"),
        ("RECONCILE_SECONDS", "often", "must be a number from 0.1 to 86400"),
        ("RECONCILE_SECONDS", "nan", "must be a number from 0.1 to 86400"),
        ("RECONCILE_SECONDS", "0", "must be a number from 0.1 to 86400"),
        ("LOG_LEVEL", "loud", "must be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        ("LOG_FORMAT", "xml", "must be 'text' or 'json'"),
    ],
)
def test_invalid_numbers_and_words_are_refused_with_the_allowed_range(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    assert refusal(monkeypatch, name, value) == f"{name} {said}."


def test_log_lines_are_text_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().log_format == "text"
    monkeypatch.setenv("LOG_FORMAT", "JSON")
    assert settings.load().log_format == "json"
