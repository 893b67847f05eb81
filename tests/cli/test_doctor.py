"""`python -m store doctor`: each thing that the work needs is tried, named, and has a remedy."""

import errno
import json
import os
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import SecretStr

from store.cli import (
    doctor,
    findings,
    preflight,
)
from store.cli.findings import NOTE, OK, WRONG, Finding
from store.cli.launch import ShopProcesses
from store.core import settings
from store.core.errors import StripeError
from store.stripe_api import clock_skew, permissions, requests, transport
from stripe_emulator.base.config import Config
from tests.support.command_line import one_sentence, store
from tests.support.emulator import EmulatorServer
from tests.support.http_servers import Quiet, serving
from tests.support.ports import free_port, port_flags

KEY = "rk_test_51abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorServer]:
    made = EmulatorServer(Config(port=free_port()))
    yield made
    made.stop()


@pytest.fixture
def calm(emulator: EmulatorServer) -> Iterator[EmulatorServer]:
    yield emulator
    emulator.emulator.reset()


@pytest.fixture
def chosen(
    calm: EmulatorServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[settings.Settings]:
    """The settings of a shop with a key, in front of an emulator."""
    for name in {name.upper() for name in settings.Settings.model_fields} & set(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(settings, "SECRETS_FILE", tmp_path / "secrets.toml")
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", calm.config.address)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(transport, "RETRIES", 0)
    monkeypatch.setattr(transport, "BUSY_PAUSES_SECONDS", (0.01,))
    forget()
    yield settings.current()
    forget()


def forget() -> None:
    for cache in (settings.current, transport.client_for, requests._account_of):
        cache.cache_clear()


def of_names(found: list[dict[str, str]], *names: str) -> list[dict[str, str]]:
    return [finding for finding in found if finding["name"] in names]


def by_doctor(**environment: Any) -> tuple[int, list[dict[str, str]]]:
    """Exit code and findings of the command itself."""
    done = store("doctor", "--json", *port_flags(), **environment)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_all_is_well_with_a_key_that_has_every_permission(
    chosen: settings.Settings, tmp_path: Path, calm: EmulatorServer
) -> None:
    store("migrate", "--data-dir", str(tmp_path))
    environment: dict[str, Any] = {
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": calm.config.address,
        "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
        "DATA_DIR": str(tmp_path),
    }

    code, found = by_doctor(**environment)

    assert (code, {finding["state"] for finding in found}) == (0, {OK})
    said = [finding["message"] for finding in found]
    assert "The key has every permission that the shop needs" in said
    assert "Stripe accepts the key (account acct_…0000)" in said
    assert all(set(finding) == {"state", "name", "message", "remedy"} for finding in found)
    assert calm.client.v1.checkout.sessions.list().data == []
    assert calm.client.v1.refunds.list().data == []


@pytest.mark.scenario("J6")
@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("POST /v1/checkout/sessions", "Checkout Sessions: Write"),
        ("POST /v1/checkout/sessions/{id}/expire", "Checkout Sessions: Write"),
        ("GET /v1/checkout/sessions", "Checkout Sessions: Read"),
        ("GET /v1/checkout/sessions/{id}", "Checkout Sessions: Read"),
        ("GET /v1/payment_intents/{id}", "PaymentIntents: Read"),
        ("GET /v1/charges/{id}", "Charges and Refunds: Read"),
        ("GET /v1/refunds", "Charges and Refunds: Read"),
        ("POST /v1/refunds", "Charges and Refunds: Write"),
        ("GET /v1/disputes", "Disputes: Read"),
        ("GET /v1/events", "Events: Read"),
    ],
)
def test_each_missing_permission_is_named_alone(
    chosen: settings.Settings, calm: EmulatorServer, call: str, name: str
) -> None:
    calm.emulator.inject_fault("request", "forbidden", times=None, match=call)

    found = list(findings.stripe(chosen))

    (missing,) = [finding for finding in found if finding.state == WRONG]
    assert missing.name == "permissions"
    assert missing.message.startswith("The key may not ")
    assert "rak_" in missing.message
    assert name in missing.remedy


def test_the_shop_asks_stripe_nothing_that_doctor_does_not_try(chosen: settings.Settings) -> None:
    """A request that is added needs its permission in the list, too."""
    source = (settings.ROOT / "store" / "stripe_api" / "requests.py").read_text("utf-8")
    tried = {permission.path for permission in permissions.NEEDED} | {"/v1/account"}

    for resource in ("payment_intents", "refunds", "disputes", "events", "account"):
        assert f"/v1/{resource}" in source
        assert any(path.startswith(f"/v1/{resource}") for path in tried), resource
    named = {word.split('"')[0].split("/")[0] for word in source.split('"/v1/')[1:]}
    assert named <= {"checkout", "payment_intents", "refunds", "disputes", "events", "account"}


def test_an_account_that_a_restricted_key_may_not_see_is_nothing_wrong(
    chosen: settings.Settings, calm: EmulatorServer
) -> None:
    calm.emulator.inject_fault("request", "forbidden", times=None, match="GET /v1/account")

    found = list(findings.stripe(chosen))

    assert {finding.state for finding in found} == {OK}
    assert "Stripe accepts the key (account of a restricted key)" in found[0].message


def test_a_route_that_is_always_busy_is_named_and_the_others_are_tried(
    chosen: settings.Settings, calm: EmulatorServer
) -> None:
    calm.emulator.inject_fault("request", "rate_limit", times=None, match="GET /v1/disputes")

    wrong = [finding for finding in findings.stripe(chosen) if finding.state == WRONG]

    assert len(wrong) == 1
    assert wrong[0].message.startswith("GET /v1/disputes could not be tried: Stripe is busy.")


def test_a_clock_that_is_off_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_skew.CLOCK_SKEW, "ahead", timedelta(minutes=-35))

    (found,) = findings.clock()

    assert found.state == WRONG
    assert "2100 seconds behind Stripe's" in found.message


@pytest.mark.scenario("L1", "L5", "L6")
def test_proxy_and_certificate_settings_do_not_affect_a_local_emulator(
    chosen: settings.Settings, tmp_path: Path, calm: EmulatorServer
) -> None:
    """In a process of its own, which nobody has cleaned the environment for."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("default login somebody password secret\n")
    (home / ".netrc").chmod(0o600)
    environment = {
        "HOME": str(home),
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "socks5://127.0.0.1:1",
        "SSL_CERT_FILE": "/nowhere/bundle.pem",
        "REQUESTS_CA_BUNDLE": "/nowhere/bundle.pem",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": calm.config.address,
        "DATA_DIR": str(tmp_path / "data"),
    }

    found = of_names(by_doctor(**environment)[1], "stripe", "permissions", "proxy", "certificate")

    assert [(finding["name"], finding["state"]) for finding in found] == [
        ("stripe", OK),
        ("permissions", OK),
    ]


@pytest.mark.scenario("L6")
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SSL_CERT_FILE", "/nowhere/bundle.pem", "The certificate file of SSL_CERT_FILE"),
        ("ALL_PROXY", "nonsense://proxy", "ALL_PROXY names no proxy"),
    ],
)
def test_a_start_that_cannot_reach_stripe_fails_with_one_sentence(
    tmp_path: Path, variable: str, value: str, words: str
) -> None:
    environment: dict[str, Any] = {variable: value, "STRIPE_SECRET_KEY": KEY}

    started = store(*port_flags(), DATA_DIR=str(tmp_path), **environment)
    _, found = by_doctor(DATA_DIR=str(tmp_path), **environment)

    assert words in one_sentence(started)
    assert any(words in finding["message"] for finding in found if finding["state"] == WRONG)


# --- this machine ---------------------------------------------------------------------------------


@pytest.mark.scenario("M6")
@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        (f"sk_test_{KEY[8:]}", "sk_test_…wxyz"),
        (f"rk_test_51_{KEY[8:]}", "rk_test_…wxyz"),
        ("whsec_abcd_efgh_ijkl_mnop_qrst", "whsec_…qrst"),
        ("whsec_0123456789abcdef0123456789_", "whsec_…789_"),
        ("whsec_short", "(set)"),
        ("sk_test_short", "(set)"),
        ("open_sesame_of_an_operator_1234", "(set)"),
        ("postgresql://me:sk_test_secret@db/store", "(set)"),
    ],
)
def test_of_a_secret_only_its_prefix_and_four_characters_are_shown(secret: str, shown: str) -> None:
    assert findings.masked(SecretStr(secret)) == shown
    assert findings.masked([SecretStr(secret)] * 2) == f"{shown}, {shown}"


@pytest.mark.scenario("M6")
def test_no_secret_is_in_what_doctor_prints(tmp_path: Path) -> None:
    secrets: dict[str, Any] = {
        "STRIPE_SECRET_KEY": "sk_test_one_two_three_four_five_six",
        "STRIPE_WEBHOOK_SECRET": "whsec_one_two_three_four_five_six",
        "ADMIN_PASSWORD": "one_two_three_four_five_six",
        "DATABASE_URL": "postgresql://me:one_two_three@127.0.0.1:1/store",
        "HTTPS_PROXY": "http://me:one_two_three@127.0.0.1:1",
    }
    done = store("doctor", *port_flags(), DATA_DIR=str(tmp_path), **secrets)

    assert done.returncode == 1
    assert "two" not in done.stdout + done.stderr
    assert "through http://127.0.0.1:1 (HTTPS_PROXY)" in done.stdout


@pytest.mark.parametrize(
    ("name", "address", "noted"),
    [
        ("STORE_URL", "http://shop.example", True),
        ("STORE_URL", "https://shop.example", False),
        ("STORE_URL", "http://localhost:8501", False),
        ("STRIPE_API_BASE", "http://stripe.example:8502", True),
        ("STRIPE_API_BASE", "http://[::1]:8502", False),
    ],
)
def test_unencrypted_addresses_are_noted(
    chosen: settings.Settings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    address: str,
    *,
    noted: bool,
) -> None:
    monkeypatch.setenv(name, address)

    found = list(findings.unencrypted(settings.load()))

    assert [finding.state for finding in found] == [NOTE] * noted


def test_the_start_says_why_stripe_does_not_answer(chosen: settings.Settings) -> None:
    account = preflight.StripeAccount("", "Stripe did not answer. DNS: the name is not known here.")

    shown = ShopProcesses(chosen, Namespace(), has_emulator=False, account=account).mode_sentence()

    assert shown.endswith(
        "cannot sell right now. Stripe did not answer. DNS: the name is not known here."
    )


def test_a_data_folder_that_cannot_be_written_is_wrong(
    chosen: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any, **_options: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)

    (found,) = findings.data_folder(chosen)

    assert found.state == WRONG
    assert "cannot be written (No space left on device)" in found.message


def test_doctor_accepts_a_data_folder_that_does_not_exist_yet_and_creates_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "a" / "b"))

    found = list(findings.data_folder(settings.load()))

    assert found[-1].state == OK
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_setting_but_nearly_one_is_pointed_out(
    chosen: settings.Settings, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("STRIPE_SECERT_KEY=x\nPATH_OF_ANOTHER=y\nCURRENCY=usd\n")
    (tmp_path / "secrets.toml").write_text('ADMIN_PASWORD = "x"\n[connections]\na = 1\n')

    notes = [found for found in findings.setting_files() if found.state == NOTE]

    assert [note.remedy for note in notes] == [
        "If STRIPE_SECRET_KEY is meant, correct it.",
        "If ADMIN_PASSWORD is meant, correct it.",
    ]


def test_an_env_file_that_cannot_be_read_is_a_finding(
    chosen: settings.Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_bytes("CURRENCY=usd".encode("utf-16"))

    code = doctor.doctor(Namespace(json=False, data_dir=None))

    said = capsys.readouterr().out
    assert code == 1
    assert "is UTF-16" in said


def test_an_unexpected_error_is_a_finding_and_the_next_check_still_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Iterator[Finding]:
        yield Finding(OK, "first", "fine")
        raise ZeroDivisionError

    found = list(findings.guarded("clock", broken()))

    assert [finding.state for finding in found] == [OK, WRONG]
    assert "could not be examined (ZeroDivisionError)" in found[1].message
    assert "ZeroDivisionError" in caplog.text


def test_an_expected_error_reads_as_operators_read_it() -> None:
    def silent() -> Iterator[Finding]:
        yield from ()
        raise StripeError

    (found,) = findings.guarded("stripe", silent())

    assert found.message == StripeError.operator_sentence


def test_exit_codes_are_for_scripts(tmp_path: Path) -> None:
    store("migrate", DATA_DIR=str(tmp_path))

    assert by_doctor(DATA_DIR=str(tmp_path))[0] == 0
    assert by_doctor(DATA_DIR=str(tmp_path), CURRENCY="doubloons")[0] == 1
    assert store("doctor", "--colour").returncode == 2


# --- processes ------------------------------------------------------------------------------------


@pytest.mark.scenario("M1")
@pytest.mark.parametrize(
    ("status", "said", "states", "words"),
    [
        (200, {}, [OK], "says that it is ready"),
        (200, {"clock": "not compared with Stripe's yet"}, [OK], "says that it is ready"),
        (200, {"clock": "90 seconds ahead of Stripe's."}, [OK, WRONG], "90 seconds ahead"),
        (200, {"signatures": "5 refused"}, [OK, WRONG], "says of its signatures: 5 refused"),
        (503, {"database": "is locked"}, [WRONG, WRONG], "says of its database: is locked"),
        (503, {"webhook_secret": "is not set"}, [NOTE], "accepts no webhooks"),
    ],
)
def test_doctor_reports_the_webhook_servers_health(
    chosen: settings.Settings,
    status: int,
    said: dict[str, str],
    states: list[str],
    words: str,
) -> None:
    class WebhookServer(Quiet):
        def do_GET(self) -> None:
            document = {"database": "ok", "webhook_secret": "ok"} | said
            self.answer(status, json.dumps(document).encode())

    with serving(WebhookServer) as server:
        ports = Namespace(
            port=free_port(), webhook_port=server.server_port, emulator_port=1, no_emulator=True
        )
        found = list(doctor.processes(chosen, ports))

    ours = [finding for finding in found if finding.name == "webhook server"]
    assert [finding.state for finding in ours] == states
    assert words in ours[-1].message


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_another_program_on_the_webhook_servers_port_is_not_taken_for_it(
    chosen: settings.Settings, body: bytes
) -> None:
    class Stranger(Quiet):
        def do_GET(self) -> None:
            self.answer(404, body)

    with serving(Stranger) as server:
        ports = Namespace(
            port=free_port(), webhook_port=server.server_port, emulator_port=1, no_emulator=True
        )
        found = list(doctor.processes(chosen, ports))

    (ours,) = [finding for finding in found if finding.name == "webhook server"]
    assert ours.state == WRONG
    assert "is in use" in ours.message
