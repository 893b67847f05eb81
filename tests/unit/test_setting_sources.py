"""The sources of settings: their order, literal values, and faults that are named."""

import os
import tomllib
from pathlib import Path

import pytest

from store.core import settings
from store.core.errors import SettingsError

KEY = "sk_test_51AbCdEfGhIjKlMnOpQrStUvWxYz"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Empty sources: the files that are written into this folder are read."""
    for name in {name.upper() for name in settings.Settings.model_fields} & set(os.environ):
        monkeypatch.delenv(name)
    (tmp_path / ".streamlit").mkdir()
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(settings, "SECRETS_FILE", tmp_path / ".streamlit" / "secrets.toml")
    return tmp_path


def refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        settings.load()
    said = str(refused.value)
    assert said.endswith(".")
    assert "\n" not in said
    return said


def test_the_environment_wins_over_env_and_that_over_secrets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".streamlit" / "secrets.toml").write_text(
        'CURRENCY = "eur"\nLOG_LEVEL = "ERROR"\nstore_url = "https://secrets.example"\n'
    )
    (folder / ".env").write_text("CURRENCY=gbp\nLOG_LEVEL=WARNING\n")
    monkeypatch.setenv("CURRENCY", "chf")

    found = settings.load()

    assert (found.currency, found.log_level) == ("chf", "WARNING")
    assert found.store_url == "https://secrets.example"


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_value_hides_nothing_that_a_later_source_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    (folder / ".streamlit" / "secrets.toml").write_text('LOG_LEVEL = "ERROR"\n')
    (folder / ".env").write_text(f"CURRENCY=gbp\nLOG_LEVEL='{blank}'\n")
    monkeypatch.setenv("CURRENCY", blank)

    found = settings.load()

    assert (found.currency, found.log_level) == ("gbp", "ERROR")


@pytest.mark.scenario("L7")
@pytest.mark.parametrize(
    "password", ["ab${x}cd", "ab$xcd", "${HOME}", "a%PATH%b", "p#w", "100 %", "a'b", "\\n"]
)
def test_a_value_in_env_is_taken_literally(folder: Path, password: str) -> None:
    quote = '"' if "'" in password else "'"
    (folder / ".env").write_text(f"ADMIN_PASSWORD={quote}{password}{quote}\n")

    found = settings.load().admin_password

    assert found is not None
    assert found.get_secret_value() == password


@pytest.mark.scenario("L7")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_utf_8_is_read_with_and_without_its_mark(folder: Path, encoding: str, ending: str) -> None:
    lines = ["# Schlüssel", f"STRIPE_SECRET_KEY={KEY}", "ADMIN_PASSWORD=größer", ""]
    (folder / ".env").write_bytes(ending.join(lines).encode(encoding))

    found = settings.load()

    assert found.api_key == KEY
    assert found.admin_password is not None
    assert found.admin_password.get_secret_value() == "größer"


@pytest.mark.scenario("L7")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"STRIPE_SECRET_KEY={KEY}\n".encode("utf-16"), "is UTF-16"),
        (f"STRIPE_SECRET_KEY={KEY}\n".encode("utf-16-le"), "is UTF-16"),
        (f"STRIPE_SECRET_KEY={KEY}\n".encode("utf-16-be"), "is UTF-16"),
        (b"\x7fELF\x00\x00", "no text at all"),
        (f"A=1\n\nADMIN_PASSWORD=gr\u00f6\u00dfer{KEY}\n".encode("latin-1"), "Line 3 of"),
        (f"A=1\n\n\n{KEY}\n".encode(), "Line 4 of"),
        (f"# comment\nSTRIPE_SECRET_KEY {KEY}\n".encode(), "Line 2 of"),
        (f"STRIPE_SECRET_KEY: {KEY}\n".encode(), "Line 1 of"),
        (f"ADMIN_PASSWORD='{KEY}\n".encode(), "Line 1 of"),
    ],
    ids=["16", "le", "be", "binary", "latin", "bare key", "no sign", "yaml", "open quote"],
)
def test_an_env_file_that_cannot_be_read_is_one_sentence(
    folder: Path, content: bytes, said: str
) -> None:
    (folder / ".env").write_bytes(content)

    sentence = refusal()

    assert said in sentence
    assert str(folder / ".env") in sentence
    assert KEY not in sentence


@pytest.mark.scenario("L7")
@pytest.mark.parametrize("name", [".env", ".streamlit/secrets.toml"])
def test_a_folder_and_an_unreadable_file_are_one_sentence(folder: Path, name: str) -> None:
    file = folder / name
    file.mkdir()
    assert "is a folder" in refusal()
    file.rmdir()

    file.symlink_to(file)  # no rights would stop root
    assert "Cannot read" in refusal()


@pytest.mark.parametrize("name", [".env", ".streamlit/secrets.toml"])
def test_a_file_that_is_not_there_is_nothing_special(folder: Path, name: str) -> None:
    assert settings.load() == settings.load()
    (folder / name).write_text("")
    assert settings.load().offline


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("STRIPE_SECRET_KEY = sk_test_x\n", "is not valid TOML: Invalid value (at line 1, "),
        (f'A = 1\nSTRIPE_SECRET_KEY = "{KEY}\n', "(at line 2, "),
        (f"STRIPE_SECRET_KEY {KEY}\n", "(at line 1, "),
        (f"STRIPE_SECRET_KEY = '{KEY}' '{KEY}'\n", "(at line 1, "),
        (f"A = ['{KEY}', {KEY}]\n", "(at line 1, "),
        (f"CURRENCY = {'1' * 5000}\n", "is not valid TOML: "),
        ("CURRENCY = 2026-13-45\n", "is not valid TOML: "),
        ("x = " + "[" * 5000, "is not valid TOML: "),
        ("[", "is not valid TOML"),
        ("[CURRENCY]\na = 1\n", "CURRENCY in"),
        ("CURRENCY = 2026-01-01\n", "CURRENCY in"),
        ("STORE_URL = [['https://shop.example']]\n", "STORE_URL in"),
        ("CURRENCY = 'doubloons'\n", "CURRENCY in .streamlit/secrets.toml"),
    ],
)
def test_broken_secrets_are_one_sentence_with_the_file(
    folder: Path, content: str, said: str
) -> None:
    (folder / ".streamlit" / "secrets.toml").write_text(content)

    sentence = refusal()

    assert said in sentence
    assert "secrets.toml" in sentence
    assert KEY not in sentence


def test_secrets_may_be_numbers_truths_and_lists_and_tables_are_left_to_others(
    folder: Path,
) -> None:
    (folder / ".streamlit" / "secrets.toml").write_text(
        "CHECKOUT_MINUTES = 45\nRECONCILE_SECONDS = 2.5\nDEBUG = true\nADMIN_PASSWORD = 12345\n"
        'STRIPE_WEBHOOK_SECRET = ["whsec_new", "whsec_old"]\n[connections.db]\nurl = "x"\n'
    )

    found = settings.load()

    assert (found.checkout_minutes, found.reconcile_seconds) == (45, 2.5)
    assert (found.debug, found.log_level) == (True, "DEBUG")
    assert found.webhook_secrets == ["whsec_new", "whsec_old"]
    assert found.admin_password is not None
    assert found.admin_password.get_secret_value() == "12345"


def test_the_sentence_names_the_file_that_a_wrong_value_comes_from(folder: Path) -> None:
    (folder / ".env").write_text("CURRENCY=doubloons\n")

    assert refusal().startswith("CURRENCY in .env is")


def test_the_example_secrets_are_settings(folder: Path) -> None:
    example = settings.ROOT / ".streamlit" / "secrets.toml.example"

    names = tomllib.loads(example.read_text("utf-8")).keys()

    assert {name.lower() for name in names} <= settings.Settings.model_fields.keys()
