"""What the import contracts in pyproject.toml cannot say; read from the sources, not run."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from store.core.settings import ROOT

STORE = ROOT / "store"
BACKOFFICE = STORE / "backoffice"
PAYMENT_PACKAGES = ("stripe_api", "orders", "webhooks", "reconciliation")


def test_packages_keep_the_import_contracts() -> None:
    """The layers and the forbidden imports; see `[tool.importlinter]`."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


def imported(file: Path) -> set[str]:
    """Every module a file imports, wherever in it; names from a package count as modules too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports name their package"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def of(file: Path, package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imported(file))


def sources(folder: Path = STORE) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_streamlit_is_used_by_pages_only() -> None:
    users = {file for file in sources() if of(file, "streamlit")}

    # The last one configures Streamlit, and knows no page.
    others = {STORE / "demo" / "page.py", STORE / "cli" / "serve.py"}
    assert users == {*BACKOFFICE.glob("pages*.py"), *others}
    assert [file for file in sources() if of(file, "streamlit_app")] == []
    assert [file for file in sources() if of(file, "webhook_server")] == []


FIRST_PAGE = """
import sys, streamlit_app
from starlette.requests import Request
from store.storefront import server

asked = Request(
    {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
)
page = server.open_page(asked)
print(page.status_code, *sys.modules)
"""


def test_the_storefront_gives_its_first_page_before_the_heavy_libraries_are_loaded() -> None:
    heavy = {"sqlalchemy", "stripe", "jinja2.environment", "alembic"}

    command = [sys.executable, "-c", FIRST_PAGE]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    status, *loaded = found.stdout.split()
    assert status == "200"
    assert heavy.isdisjoint(loaded)


def test_page_script_imports_after_server_load() -> None:
    """A page opened while `server.import_heavy_modules` runs would meet half-imported modules."""
    script = ast.parse((ROOT / "streamlit_app.py").read_text("utf-8"))
    faces = [node for node in script.body if isinstance(node, ast.If)]

    assert ast.unparse(faces[0].test) == "__name__ == '__main__'"
    assert ast.unparse(faces[0].body[0]) == "server.import_heavy_modules()"


def test_stripe_is_imported_in_one_package() -> None:
    importers = [file.name for file in sources() if of(file, "stripe")]
    outside = [file for file in ROOT.glob("*.py") if of(file, "stripe")]

    assert (importers, outside) == (["signatures.py", "transport.py"], [])
    assert of(ROOT / "webhook_server.py", "fastapi")


def test_no_payment_path_asks_whether_stripe_is_the_emulator() -> None:
    files = [file for package in PAYMENT_PACKAGES for file in sources(STORE / package)]

    assert len(files) > 20
    for file in files:
        text = file.read_text("utf-8").lower()
        assert [line for line in text.splitlines() if "emulator" in line] == [], file
        assert ".offline" not in text or file.parent.name == "stripe_api", file


def test_every_lint_rule_that_is_off_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]

    for rule in ignored:
        (line,) = [line for line in text.splitlines() if f'"{rule}",' in line]
        assert "#" in line, rule
