"""The documents are true: commands, settings, paths and scenarios."""

import re
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import REGISTRY
from sqlmodel import SQLModel

from scripts import scenarios_table
from store.cli.main import COMMANDS
from store.core import settings
from store.reports.order_view import STATUS_BADGES
from store.webhooks.parsing import HANDLERS
from store.webhooks.processing import Outcome
from webhook_server import CHECKS

ROOT = settings.ROOT
GENERATED = ROOT / "docs" / "scenarios.md"
DOCUMENTS = [
    *(file for file in sorted(ROOT.glob("*.md"))),
    *(file for file in sorted(ROOT.glob("docs/**/*.md")) if file != GENERATED),
    ROOT / "bench" / "README.md",
    ROOT / "stripe_emulator" / "README.md",
]
OURS = "store|tests|data|bench|scripts|docs|stripe_emulator"


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(name: str, heading: str) -> str:
    """A part of a document, from its heading to the next one of any level."""
    return re.split(r"^#+ ", text_of(name).split(f" {heading}\n", 1)[1], flags=re.MULTILINE)[0]


def first_column(text: str) -> set[str]:
    """What stands in backticks in the first cells of tables."""
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`(\w+)", cell)}


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(link: str, document: Path) -> bool:
    path, _, anchor = link.partition("#")
    file = document.parent / path if path else document
    return file.exists() and (not anchor or anchor in anchors(file))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_everything_a_document_names_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    links = re.findall(r"\]\(((?!https?:)[^)\s]+)\)", text)
    paths = re.findall(rf"(?<![\w./-])((?:{OURS})/(?:[\w/*-]|\.\w)*)", text)
    modules = re.findall(rf"python -m ((?:{OURS})(?:\.\w+)+)", text)
    files = [*paths, *(f"{name.replace('.', '/')}.py" for name in modules)]
    files = [file for file in files if not file.endswith(".db")]  # made when it runs

    assert [link for link in links if not is_there(link, document)] == []
    assert [file for file in files if not any(ROOT.glob(file.rstrip("/")))] == []


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 200


def test_every_decision_is_listed() -> None:
    files = {file.name for file in (ROOT / "docs" / "decisions").glob("0*.md")}

    assert set(re.findall(r"\((0\S+\.md)\)", text_of("docs/decisions/README.md"))) == files


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    shown = "python -m store" if command == "run" else f"python -m store {command}"
    assert f"| `{shown}" in section("docs/operations.md", "Commands")


@pytest.mark.parametrize("name", settings.Settings.model_fields)
def test_every_setting_is_documented_twice(name: str) -> None:
    assert f"`{name.upper()}`" in section("docs/operations.md", "Settings")
    assert re.search(rf"^{name.upper()}=", text_of(".env.example"), re.MULTILINE)


def test_every_entry_of_readyz_is_documented() -> None:
    documented = first_column(section("docs/operations.md", "Health"))

    assert documented == CHECKS.keys() | {"signatures", "supervisor", "reconciler", "clock"}


def test_every_metric_is_documented() -> None:
    metrics = [metric for metric in REGISTRY.collect() if metric.name.startswith("store_")]
    names = {f"{m.name}_total" if m.type == "counter" else m.name for m in metrics}

    assert first_column(section("docs/operations.md", "Metrics")) == names


def test_every_event_type_is_documented() -> None:
    listed = re.findall(r"`([a-z_.]+)`", section("docs/stripe.md", "Webhook endpoint"))

    assert set(listed) == HANDLERS.keys()


def test_every_status_outcome_and_table_is_documented() -> None:
    status = first_column(section("docs/architecture.md", "Status of an order"))
    outcome = first_column(section("docs/architecture.md", "Life of an event"))
    model = section("docs/architecture.md", "Data model")
    table = first_column(model)
    drawn = {name for pair in re.findall(r"(\w+) \|\|--\S+ (\w+) :", model) for name in pair}

    assert status == STATUS_BADGES.keys()
    assert outcome == set(get_args(Outcome))
    assert table == SQLModel.metadata.tables.keys() >= drawn


def test_the_glossary_says_where_each_thing_is() -> None:
    """Tables, columns, indexes and settings; paths are checked with those of all documents."""
    tables = SQLModel.metadata.tables
    known = {name.upper() for name in settings.Settings.model_fields} | tables.keys()
    known |= {f"{table.name}.{column.name}" for table in tables.values() for column in table.c}
    known |= {str(index.name) for table in tables.values() for index in table.indexes}
    rows = re.findall(r"^\| .+ \| ([^|]*) \|$", text_of("docs/glossary.md"), re.MULTILINE)
    named = {word for cell in rows for word in re.findall(r"`([\w.]+)`", cell)}

    assert {word for word in named if not word.endswith(".py")} - known == set()


def test_the_table_of_scenarios_is_todays() -> None:
    stored = scenarios_table.TABLE.read_text("utf-8")

    assert scenarios_table.document() == stored, "run: python -m scripts.scenarios_table"


def test_no_test_claims_a_scenario_that_is_not_listed() -> None:
    assert scenarios_table.proofs().keys() - scenarios_table.scenarios().keys() == set()


def test_every_scenario_has_a_test() -> None:
    proven = scenarios_table.proofs()

    assert [name for name in scenarios_table.scenarios() if not proven[name]] == []
