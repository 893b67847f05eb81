"""A process that is started with settings that are refused: one sentence, and it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.core import settings
from tests.support.command_line import store

NAMES = [name.upper() for name in settings.Settings.model_fields]
TAIL = "51AbCdEfGhIjKlMnOpQrStUvWxYz"


@pytest.fixture(autouse=True)
def an_empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in set(os.environ) & set(NAMES):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


@pytest.mark.scenario("B9")
def test_the_shop_does_not_start_with_a_live_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", f" sk_live_{TAIL}\n")

    server = subprocess.run(
        [sys.executable, "-m", "uvicorn", "webhook_server:app", "--port", "0"],
        cwd=settings.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert server.returncode != 0
    assert "STRIPE_SECRET_KEY is a live key" in server.stderr
    assert TAIL not in server.stdout + server.stderr


STREAMLIT_CONFIG = """
from streamlit import config
from streamlit.web.bootstrap import load_config_options
load_config_options({})
print(config.get_option("secrets.files"))
"""


def test_streamlit_copies_no_secrets_over_the_environment() -> None:
    """It would put the last of the three sources first, and only in its own process."""
    done = subprocess.run(
        [sys.executable, "-c", STREAMLIT_CONFIG],
        cwd=settings.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ["uvicorn", "webhook_server:app", "--port", "0"],
        ["streamlit", "run", "streamlit_app.py", "--server.port", "0"],
    ],
    ids=["webhook server", "storefront"],
)
def test_a_process_that_is_started_alone_says_one_sentence_and_ends(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=settings.ROOT,
        env=os.environ | {"STORE_URL": "https://my_shop.example"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode > 1
    assert "STORE_URL has an underscore" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_launcher_says_one_sentence_too(tmp_path: Path) -> None:
    done = store("migrate", DATA_DIR=str(tmp_path), STORE_URL="https://my_shop.example")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "STORE_URL has an underscore" in done.stderr
