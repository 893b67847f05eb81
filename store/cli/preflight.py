"""Checks before a start; each raises a `StoreError` with a sentence that says what to do."""

import os
import sqlite3
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from store.cli.listening import addresses, port_fault
from store.core import private_files, settings
from store.core.errors import (
    DatabaseUnavailable,
    DatabaseUnusable,
    StoreError,
    StripeError,
    StripeKeyRefused,
    StripePermissionMissing,
)
from store.core.file_lock import Lock, acquire
from store.db import revision

PORT_FLAGS = ("--port", "--webhook-port", "--emulator-port")
KEY_REFUSED = (
    "Stripe does not accept STRIPE_SECRET_KEY (it may have been rolled, or copied in part): "
    "take a test key from https://dashboard.stripe.com/test/apikeys."
)


class CannotStart(StoreError):
    """The shop cannot start; the sentence says what the operator must change."""


def settings_for(arguments: Namespace) -> settings.Settings:
    """The settings with the command line's options, for this process and those it starts."""
    if arguments.data_dir:
        os.environ["DATA_DIR"] = str(arguments.data_dir)
    config = settings.load()
    os.environ["DATA_DIR"] = str(config.data_dir.resolve())
    if config.offline and config.stripe_api_base is None:
        port = getattr(arguments, "emulator_port", 8502)
        os.environ["STRIPE_API_BASE"] = f"http://127.0.0.1:{port}"
    settings.current.cache_clear()
    return settings.current()


def runs_emulator(config: settings.Settings, arguments: Namespace) -> bool:
    """True without a Stripe key, unless `--no-emulator` or `STRIPE_API_BASE` says otherwise."""
    ours = f"http://127.0.0.1:{arguments.emulator_port}"
    return config.offline and config.stripe_api_base == ours and not arguments.no_emulator


def ports_of(config: settings.Settings, arguments: Namespace) -> dict[str, int]:
    flags = PORT_FLAGS if runs_emulator(config, arguments) else PORT_FLAGS[:2]
    return {flag: getattr(arguments, flag.strip("-").replace("-", "_")) for flag in flags}


def ports(config: settings.Settings, arguments: Namespace) -> None:
    """Check that every port is free."""
    seen: dict[int, str] = {}
    for flag, port in ports_of(config, arguments).items():
        if port in seen:
            raise CannotStart(f"{seen[port]} and {flag} are both {port}; choose two ports.")
        seen[port] = flag
        hosts = ["127.0.0.1"] if flag == "--emulator-port" else addresses(arguments.host)
        if fault := port_fault(port, hosts):
            raise CannotStart(f"Port {port} {fault}; choose another one with {flag}.")


def lock_data_folder(data_dir: Path, hint: str = "") -> Lock:
    """Lock the data folder, so that no second shop and no reset uses it at the same time."""
    held = f"A shop is already running in {data_dir}; stop it, or choose another folder with "
    return _acquire(data_dir / "running.lock", f"{held}--data-dir.{hint}")


def lock_emulator(data_dir: Path, hint: str = "") -> Lock:
    """Lock the emulator's file, whatever port an emulator using it might listen on."""
    held = f"An emulator is running with {data_dir / 'emulator.db'}; stop it first.{hint}"
    return _acquire(data_dir / "emulator.db.lock", held)


def _acquire(file: Path, held: str) -> Lock:
    """The lock, acquired; `held` is the sentence if another process holds it."""
    try:
        private_files.make_folder(file.parent)
        return acquire(file, wait_seconds=0.5)
    except TimeoutError:
        raise CannotStart(held) from None
    except OSError as error:
        sentence = f"Cannot write to the data folder {file.parent} ({error.strerror})."
        raise CannotStart(sentence) from None


def emulator_file(data_dir: Path, *, must_be_database: bool = True) -> None:
    """Check that the emulator's file, which will be written or deleted, is not another program's.

    With `must_be_database` it must be a database.
    """
    file, fault = data_dir / "emulator.db", ""
    try:
        if file.exists():
            address = f"{file.resolve().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True)) as database:
                names = database.execute("SELECT name FROM sqlite_master").fetchall()
            if names and ("objects",) not in names:
                fault = "is another program's database"
    except (OSError, sqlite3.Error) as error:
        fault = f"cannot be used as the emulator's file ({error})" if must_be_database else ""
    if fault:
        raise CannotStart(f"{file} {fault}; move it, or choose another folder with --data-dir.")


def require_shop(config: settings.Settings) -> None:
    """Check that a shop was started with this database before; creates nothing."""
    if _is_current(config):
        return
    from store.db import engine as db  # noqa: PLC0415 - a second start does without it

    with database_errors():
        if not db.exists():
            sentence = f"There is no shop in {db.location()} yet; the first start makes it: "
            raise CannotStart(f"{sentence}python -m store")


def shop(arguments: Namespace) -> settings.Settings:
    """The settings of a shop that was started before, its database brought up to date."""
    config = settings_for(arguments)
    require_shop(config)
    database(config)
    return config


def database(config: settings.Settings) -> None:
    """Connect to the database, create it if there is none, and bring its schema up to date."""
    if _is_current(config):
        return
    from store.catalog import seeding  # noqa: PLC0415 - a second start does without it

    with database_errors():
        seeding.migrate()


def _is_current(config: settings.Settings) -> bool:
    return config.database_url is None and revision.is_current_in(config.sqlite_file)


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn errors of the database into sentences for the person at the terminal."""
    from store.db import engine as db  # noqa: PLC0415 - a second start does without it

    try:
        yield
    except DatabaseUnusable:
        raise
    except DatabaseUnavailable as error:
        sentence = f"The database {db.location()} cannot be used: {db.driver_message(error)}."
        raise CannotStart(sentence) from None


class StripeAccount(NamedTuple):
    """The key's account, shortened; empty, with the `cause`, if Stripe did not answer."""

    name: str = ""
    cause: str = ""


def stripe_account() -> StripeAccount:
    """The account of the key; an error if Stripe does not accept it, or there is no way there."""
    # Importing Stripe's library takes half a second, which a start without a key can save.
    from store.stripe_api import network, requests, transport  # noqa: PLC0415

    if fault := network.fault(transport.api_base()):
        raise CannotStart(fault)
    try:
        account = requests.account()
    except StripePermissionMissing:
        return StripeAccount("of a restricted key")  # valid, but not allowed to read the account
    except StripeKeyRefused:
        raise CannotStart(KEY_REFUSED) from None
    except StripeError as error:
        return StripeAccount(cause=error.for_operator)
    return StripeAccount(f"acct_…{str(account)[-4:]}")
