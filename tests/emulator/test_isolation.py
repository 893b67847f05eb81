"""The emulator depends on nothing of the shop."""

import ast
import sys
from pathlib import Path

import pytest

import store
import stripe_emulator
from tests.support.emulator import EmulatorServer

SHOP = Path(stripe_emulator.__file__).parent
ALLOWED = {"fastapi", "starlette", "uvicorn", "pydantic", "jinja2", "babel", "markupsafe"}


def imported(file: Path) -> set[str]:
    """The modules a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_it_imports_nothing_else_of_the_store_and_no_stripe() -> None:
    for file in SHOP.rglob("*.py"):
        for name in imported(file):
            top = name.split(".")[0]
            allowed = ALLOWED | sys.stdlib_module_names | {"stripe_emulator"}
            assert top in allowed, f"{file.name} imports {name}"


def test_nothing_of_the_store_imports_it() -> None:
    files = list(Path(next(iter(store.__path__))).rglob("*.py"))

    assert files
    for file in files:
        assert not [name for name in imported(file) if name.startswith("stripe_emulator")], file


@pytest.mark.parametrize("path", ["/", "/v1/balance", "/c/pay/x", "/emulator/clock", "/static/x"])
def test_only_names_of_this_machine_are_answered(stripe_: EmulatorServer, path: str) -> None:
    port = stripe_.config.port
    ours = ("localhost", f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST:1")
    foreign = ("evil.example", f"evil.example:{port}", "localhost.evil.example", "", "[::1", "a@b")

    answers = {host: stripe_.raw("GET", path, Host=host) for host in (*ours, *foreign)}

    assert 403 not in [answers[host][0] for host in ours]
    assert [answers[host][0] for host in foreign] == [403] * len(foreign)
    assert b"localhost, 127.0.0.1 and [::1] only" in answers["evil.example"][2]
