"""The commands beside `run`: what they print, what they refuse, and with which exit code."""

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from store import __version__
from store.cli import commands, dev, virtualenv
from store.cli.main import COMMANDS, main, parse, parser
from store.core.settings import ROOT, Settings
from store.reconciliation.audit import Audit
from store.reconciliation.restored_orders import MissingOrder
from store.reconciliation.result import ReconcileResult
from stripe_emulator.storage.database import Storage
from tests.support.command_line import one_sentence, store
from tests.support.ports import free_port, port_flags

IGNORED = shutil.ignore_patterns("*.pyc.*", "*.db*", "*.lock")
KEY = "sk_test_51abcdefghijklmnopqrstuvwxyz"


def test_help_names_every_command() -> None:
    said = store("--help").stdout

    assert all(re.search(rf"^ +{name}\b", said, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    ("flag", "value", "range_of_it"),
    [
        ("--port", "0", "1 to 65535"),
        ("--port", "65536", "1 to 65535"),
        ("--port", "٣٣٣", "1 to 65535"),
        ("--days", "29", "30 to 36500"),
        ("--days", "1" * 30, "30 to 36500"),
        ("--days", "1e9", "30 to 36500"),
    ],
)
def test_a_number_out_of_range_is_named_with_the_range(
    capsys: pytest.CaptureFixture[str], flag: str, value: str, range_of_it: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["run" if flag == "--port" else "prune", flag, value])

    assert ended.value.code == 2
    assert f"'{value}' is not a whole number from {range_of_it}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["sell"], ["run", "--colour"], ["run", "--port", "0"], ["export"]]
)
def test_unknown_arguments_end_with_exit_code_2(words: list[str]) -> None:
    result = store(*words)

    assert result.returncode == 2
    assert "usage: python -m store" in result.stderr


def test_the_schema_can_be_migrated_twice(tmp_path: Path) -> None:
    results = [store("migrate", "--data-dir", str(tmp_path)) for _ in range(2)]

    assert [result.returncode for result in results] == [0, 0]
    assert (tmp_path / "store.db").exists()


@pytest.mark.scenario("K2", "N11")
@pytest.mark.parametrize(
    ("command", "currency"), [("run", "isk"), ("migrate", "ugx"), ("doctor", "isk")]
)
def test_prices_that_cannot_be_charged_in_a_currency_are_one_sentence(
    tmp_path: Path, command: str, currency: str
) -> None:
    flags = port_flags() if command != "migrate" else []
    wrong = (
        "data/products.toml, product 'red-t-shirt': price: '19.99' cannot be charged in "
        f"{currency.upper()}; write it like 20."
    )

    result = store(command, *flags, DATA_DIR=str(tmp_path), CURRENCY=currency)

    if command == "doctor":
        assert result.returncode != 0
        assert f" WRONG  {wrong}\n" in result.stdout
        assert "Traceback" not in result.stdout + result.stderr
    else:
        assert one_sentence(result) == f"{wrong}\n"
    assert store("migrate", DATA_DIR=str(tmp_path), CURRENCY="eur").returncode == 0


@pytest.mark.scenario("K3")
@pytest.mark.parametrize(
    ("command", "currency"),
    [("run", "hrk"), ("migrate", "bgn"), ("run", "sll"), ("migrate", "doubloons"), ("run", "$")],
)
def test_a_currency_that_stripe_does_not_take_is_refused_at_start(
    tmp_path: Path, command: str, currency: str
) -> None:
    result = store(command, DATA_DIR=str(tmp_path), CURRENCY=currency)

    assert "CURRENCY is not a currency that Stripe takes" in one_sentence(result)
    assert not (tmp_path / "store.db").exists()


def test_doctor_finds_nothing_wrong_with_a_migrated_offline_shop(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))

    result = store("doctor", *port_flags(), DATA_DIR=str(tmp_path))

    assert result.returncode == 0, result.stdout
    assert "No Stripe key: offline" in result.stdout
    assert "answers and its schema is current" in result.stdout


def test_doctor_says_what_is_wrong_and_how_to_mend_it_without_secrets(tmp_path: Path) -> None:
    result = store(
        "doctor",
        *port_flags(),
        ADMIN_PASSWORD="open sesame",
        **with_a_key(tmp_path, "http://127.0.0.1:1"),
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


@contextmanager
def stripe_that_answers(status: int) -> Iterator[str]:
    """The address of a server that gives everybody this one answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "No.", "type": "invalid_request_error"}}')

        def log_message(self, *_: object) -> None:
            """Not in the test's output."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_key_that_stripe_refuses_ends_the_start_with_what_to_do(tmp_path: Path) -> None:
    with stripe_that_answers(401) as address:
        result = store(*port_flags(), **with_a_key(tmp_path, address))

    assert "Stripe does not accept STRIPE_SECRET_KEY" in one_sentence(result)
    assert KEY[12:] not in result.stdout + result.stderr


def test_a_restricted_key_that_may_not_see_its_account_is_a_good_key(tmp_path: Path) -> None:
    with stripe_that_answers(403) as address:
        result = store("doctor", *port_flags(), **with_a_key(tmp_path, address))

    assert "Stripe accepts the key" in result.stdout


@pytest.mark.parametrize("command", ["reconcile", "audit"])
def test_a_silent_stripe_is_named_with_its_address(tmp_path: Path, command: str) -> None:
    port = str(free_port())
    store("migrate", DATA_DIR=str(tmp_path))

    offline = store(command, "--emulator-port", port, DATA_DIR=str(tmp_path))

    assert f"Stripe does not answer at http://127.0.0.1:{port}" in one_sentence(offline)


def test_prune_reports_how_many_rows_it_deleted(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))

    done = store("prune", "--history-days", "400", DATA_DIR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "0 events and 0 repetitions older than 90 days, and 0 history" in done.stdout


def test_export_writes_a_sheet_or_says_why_not(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))

    done = store("export", str(tmp_path / "orders.csv"), DATA_DIR=str(tmp_path))
    refused = store("export", str(tmp_path / "no" / "orders.csv"), DATA_DIR=str(tmp_path))

    assert "Wrote 0 orders" in done.stdout
    assert "number,created_at" in (tmp_path / "orders.csv").read_text(encoding="utf-8-sig")
    assert "Cannot write" in one_sentence(refused)


def test_reset_deletes_every_order_of_the_offline_demo(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))
    (tmp_path / "emulator.db").write_text("old sessions")

    result = store("reset", "--yes", "--emulator-port", str(free_port()), DATA_DIR=str(tmp_path))

    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "emulator.db").exists()
    assert "schema is current" in store("doctor", *port_flags(), DATA_DIR=str(tmp_path)).stdout


@pytest.mark.scenario("N1", "N12")
def test_an_emulators_file_that_is_another_programs_is_neither_used_nor_deleted(
    tmp_path: Path,
) -> None:
    with sqlite3.connect(tmp_path / "emulator.db") as theirs:
        theirs.execute("CREATE TABLE songs (name TEXT)")
    theirs.close()
    before = (tmp_path / "emulator.db").read_bytes()

    reset = store("reset", "--yes", "--emulator-port", str(free_port()), DATA_DIR=str(tmp_path))
    start = store(*port_flags(), DATA_DIR=str(tmp_path))

    assert "another program's database" in one_sentence(reset)
    assert "another program's database" in one_sentence(start)
    assert (tmp_path / "emulator.db").read_bytes() == before


@pytest.mark.scenario("N12")
def test_neither_a_start_nor_a_reset_touches_the_file_of_an_emulator_that_runs(
    tmp_path: Path,
) -> None:
    running = Storage(tmp_path / "emulator.db", "http://127.0.0.1:1")

    reset = store("reset", "--yes", "--emulator-port", str(free_port()), DATA_DIR=str(tmp_path))
    start = store(*port_flags(), DATA_DIR=str(tmp_path))
    running.close()

    assert "An emulator is running with" in one_sentence(reset)
    assert "An emulator is running with" in one_sentence(start)


@pytest.mark.scenario("N6")
def test_a_project_folder_with_url_characters_holds_its_database(
    tmp_path: Path,
) -> None:
    project = tmp_path / "100% %41 #1?x=y ü'[q]&;"
    for name in ("store", "data"):
        shutil.copytree(ROOT / name, project / name, ignore=IGNORED)
    shutil.copy(ROOT / "requirements.txt", project)

    results = [
        store(*words, cwd=project)
        for words in (
            ("migrate",),
            ("export", "orders.csv"),
            ("reset", "--yes", "--emulator-port", str(free_port())),
        )
    ]

    assert [result.returncode for result in results] == [0, 0, 0], results
    assert (project / "data" / "store.db").exists()
    assert [file.name for file in tmp_path.iterdir()] == [project.name]


def test_reset_is_refused_with_a_stripe_key_and_without_an_answer(tmp_path: Path) -> None:
    with_key = store("reset", "--yes", **with_a_key(tmp_path, "http://127.0.0.1:1"))
    store("migrate", DATA_DIR=str(tmp_path))
    unanswered = store("reset", "--emulator-port", str(free_port()), DATA_DIR=str(tmp_path))

    assert "offline demo only" in one_sentence(with_key)
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


def with_a_key(data_dir: Path, stripe: str) -> dict[str, Any]:
    return {"DATA_DIR": str(data_dir), "STRIPE_SECRET_KEY": KEY, "STRIPE_API_BASE": stripe}


# --- a folder that never held a shop --------------------------------------------------------------

IN_AN_EMPTY_FOLDER = {
    "doctor": ["doctor", *port_flags()],
    "doctor --json": ["doctor", "--json", *port_flags()],
    "audit": ["audit"],
    "audit --json": ["audit", "--json"],
    "reconcile": ["reconcile"],
    "export": ["export", "orders.csv"],
    "backup": ["backup", "copy.db"],
    "prune": ["prune"],
    "reset": ["reset", "--yes", "--emulator-port", str(free_port())],
}


def test_no_command_but_two_makes_a_shop() -> None:
    """The table above has every command that works on one."""
    made = {"run", "migrate"}
    without_a_shop = {"test", "bench"}

    tried = {words[0] for words in IN_AN_EMPTY_FOLDER.values()}

    assert tried == COMMANDS.keys() - made - without_a_shop


@pytest.mark.parametrize(
    ("name", "address"),
    [
        *((name, "") for name in IN_AN_EMPTY_FOLDER),
        *((name, "sqlite:///{folder}/named.db") for name in ("audit", "backup", "doctor", "reset")),
    ],
)
def test_a_command_makes_nothing_where_no_shop_was(tmp_path: Path, name: str, address: str) -> None:
    folder = tmp_path / "nothing"
    words = [
        str(tmp_path / word) if word.endswith((".csv", ".db")) else word
        for word in IN_AN_EMPTY_FOLDER[name]
    ]

    result = store(
        *words, DATA_DIR=str(folder), DATABASE_URL=address.format(folder=tmp_path.as_posix())
    )

    assert list(tmp_path.iterdir()) == []
    if name.startswith("doctor"):
        assert (result.returncode, result.stderr) == (0, "")
        assert "There is no shop in " in result.stdout
    else:
        assert "There is no shop in " in one_sentence(result)


# --- what is answered before anything is installed ------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bench", "nope"], 2, "There is no benchmark nope; there are: backoffice-queries, "),
        (["bench", "nope", "--help"], 2, "There is no benchmark nope"),
        (["bench", "--list"], 0, "first-visit"),
        (["bench", "--help"], 0, "first-visit"),
        (["--version"], 0, f"store {__version__}, Python 3."),
        (["--help"], 0, "--emulator-port PORT"),
        (["--help"], 0, "--open"),
    ],
)
def test_nothing_is_installed_for_an_answer_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(virtualenv, "ensure_ready", None)  # would fail

    try:
        ended: object = main(words)
    except SystemExit as stopped:
        ended = stopped.code or 0

    shown = capsys.readouterr()
    assert ended == code
    assert said in shown.out + shown.err


def test_a_benchmark_gets_its_own_arguments() -> None:
    arguments = parse(["bench", "first-visit", "--turns", "2", "--help"])

    assert (arguments.name, arguments.rest) == ("first-visit", ["--turns", "2", "--help"])
    assert dev.module("first-visit") == "first_visit"


# --- one and many ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2])
def test_reports_use_singular_and_plural(number: int) -> None:
    noun = "order" if number == 1 else "orders"
    missing = [MissingOrder("A-1", "paid", 1999, "usd", "", ())] * number
    found = Audit(entries=[], missing=missing, strangers=["B-1"] * number)

    report = "\n".join(commands.table(found))
    done = ReconcileResult(events=number, looked_up=number, refunds=number)
    caught_up = str(done)

    if number:
        verbs = ("is", "belongs") if number == 1 else ("are", "belong")
        assert f"{number} {noun} of this shop {verbs[0]} at Stripe and missing here" in report
        assert f"{number} {noun} at Stripe {verbs[1]} to another shop" in report
    assert f"{number} open {noun} looked up, {number} missed event" in caught_up
    assert ("1 open orders" in caught_up, "1 refunds" in caught_up) == (False, False)


def test_the_progress_line_shows_what_pip_is_doing() -> None:
    said = [
        "Collecting streamlit==1.67.0 (from -r requirements.txt (line 12))",
        "  Downloading streamlit-1.67.0-py3-none-any.whl (9.1 MB)",
        "Requirement already satisfied: pip",
        "Installing collected packages: a, b, c",
    ]

    assert [virtualenv.doing(line) for line in said] == [
        "Looking for streamlit==1.67.0",
        "Downloading streamlit-1.67.0-py3-none-any.whl (9.1 MB)",
        "",
        "Unpacking 3 packages",
    ]


def test_pips_errors_and_its_exit_code_are_seen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = "import sys; print('Collecting x'); sys.stderr.write('no network'); sys.exit(3)"

    code = virtualenv.run_pip([sys.executable, "-c", program], os.environ, tmp_path)

    shown = capfd.readouterr()
    assert (code, shown.err) == (3, "no network")
    assert shown.out.startswith("  Looking for ")
