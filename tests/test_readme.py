"""What the documents say is so."""

import re

import pytest

from store.cli.main import COMMANDS
from store.core import settings
from tests import scenarios

README = (settings.ROOT / "README.md").read_text("utf-8")
EXAMPLE = (settings.ROOT / ".env.example").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    shown = "python -m store" if command == "run" else f"python -m store {command}"
    assert f"`{shown}" in README


@pytest.mark.parametrize("name", settings.Settings.model_fields)
def test_every_setting_is_documented_twice(name: str) -> None:
    assert f"`{name.upper()}`" in README
    assert re.search(rf"^{name.upper()}=", EXAMPLE, re.MULTILINE)


def test_every_file_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\(((?!http|javascript)[^)#]+)\)", README)
    files = {*links, *re.findall(r"`((?:store|tests|data|bench)/[\w./-]+)`", README)}
    assert [file for file in sorted(files) if not (settings.ROOT / file).exists()] == []


def test_the_table_of_scenarios_is_todays() -> None:
    stored = scenarios.TABLE.read_text("utf-8")

    assert scenarios.document() == stored, "run: python -m tests.scenarios"


def test_no_test_claims_a_scenario_that_is_not_listed() -> None:
    assert scenarios.proofs().keys() - scenarios.scenarios().keys() == set()


def test_every_scenario_has_a_test() -> None:
    proven = scenarios.proofs()

    assert [name for name in scenarios.scenarios() if not proven[name]] == []
