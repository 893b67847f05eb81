"""The commands beside `run`: what they print, what they refuse, and with which exit code."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from store.launcher.arguments import COMMANDS
from store.settings import ROOT, Settings
from tests.test_launcher import one_sentence, store


def test_help_names_every_command() -> None:
    said = store("--help").stdout

    assert all(re.search(rf"^ +{name}\b", said, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    "words", [["sell"], ["run", "--colour"], ["run", "--port", "0"], ["export"]]
)
def test_what_is_not_understood_ends_with_exit_code_2(words: list[str]) -> None:
    result = store(*words)

    assert result.returncode == 2
    assert "usage: python -m store" in result.stderr


def test_the_schema_can_be_migrated_twice(tmp_path: Path) -> None:
    results = [store("migrate", "--data-dir", str(tmp_path)) for _ in range(2)]

    assert [result.returncode for result in results] == [0, 0]
    assert (tmp_path / "store.db").exists()


def test_doctor_finds_nothing_wrong_with_a_migrated_offline_shop(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))

    result = store("doctor", *quiet_ports(), DATA_DIR=str(tmp_path))

    assert result.returncode == 0, result.stdout
    assert "No Stripe key: offline" in result.stdout
    assert "answers and its schema is current" in result.stdout


def test_doctor_says_what_is_wrong_and_how_to_mend_it_without_secrets(tmp_path: Path) -> None:
    result = store(
        "doctor",
        *quiet_ports(),
        DATA_DIR=str(tmp_path / "new"),
        STRIPE_SECRET_KEY="sk_test_51abcdefghijklmnopqrstuvwxyz",
        STRIPE_API_BASE="http://127.0.0.1:1",
        ADMIN_PASSWORD="open sesame",
    )

    assert result.returncode == 1
    assert "STRIPE_SECRET_KEY = sk_test_…wxyz" in result.stdout
    assert "Stripe does not answer" in result.stdout
    assert "stripe listen --forward-to" in result.stdout
    assert "abcdef" not in result.stdout + result.stderr
    assert "sesame" not in result.stdout + result.stderr


def test_doctor_explains_a_live_key_instead_of_failing(tmp_path: Path) -> None:
    result = store("doctor", DATA_DIR=str(tmp_path), STRIPE_SECRET_KEY="sk_live_51abcdefghijk")

    assert result.returncode == 1
    assert "STRIPE_SECRET_KEY is a live key" in result.stdout
    assert "51abc" not in result.stdout + result.stderr


def test_reset_forgets_everything_offline(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))
    (tmp_path / "emulator.db").write_text("old sessions")

    result = store("reset", "--yes", DATA_DIR=str(tmp_path))

    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "emulator.db").exists()
    assert "schema is current" in store("doctor", *quiet_ports(), DATA_DIR=str(tmp_path)).stdout


def test_reset_is_refused_with_a_stripe_key_and_without_an_answer(tmp_path: Path) -> None:
    key = "sk_test_51abcdefghijklmnopqrstuvwxyz"

    with_a_key = store("reset", "--yes", DATA_DIR=str(tmp_path), STRIPE_SECRET_KEY=key)
    unanswered = store("reset", DATA_DIR=str(tmp_path))

    assert "offline demo only" in one_sentence(with_a_key)
    assert "reset --yes" in one_sentence(unanswered)


def test_an_unknown_benchmark_is_one_sentence() -> None:
    assert "There is no benchmark nonsense" in one_sentence(store("bench", "nonsense"))


def test_pytest_arguments_mean_only_those_tests() -> None:
    result = store("test", "--version")

    assert result.returncode == 0
    assert "── pytest --version: passed" in result.stdout
    assert "ruff" not in result.stdout


def test_the_example_settings_name_every_setting_and_change_nothing() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line.split("=")[0] for line in lines if line and not line.startswith("#")]

    assert sorted(names) == sorted(name.upper() for name in Settings.model_fields)
    assert all(
        line.endswith("=") and previous.startswith("#")
        for previous, line in pairwise(lines)
        if line and not line.startswith("#")
    )


def quiet_ports() -> list[str]:
    """Ports that no shop on this computer uses."""
    return ["--port", "18501", "--webhook-port", "18000", "--emulator-port", "18502"]
