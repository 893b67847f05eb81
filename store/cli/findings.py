"""`Finding`, one result of `python -m store doctor`, and what it finds here and at Stripe."""

import difflib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from store.catalog import seeding
from store.cli import preflight
from store.core import addresses, credentials, setting_sources, settings, shop_profile
from store.core.errors import (
    DatabaseUnavailable,
    DatabaseUnusable,
    SettingsError,
    StoreError,
    StripeError,
    StripePermissionMissing,
)
from store.core.settings import Settings
from store.core.text import counted
from store.db import engine as db
from store.stripe_api import network, permissions, transport
from store.stripe_api.clock_skew import CLOCK_SKEW

log = logging.getLogger(__name__)

OK, NOTE, WRONG = "ok", "note", "wrong"
ROOM_BYTES = 100 * 1024 * 1024
KEYS = "https://dashboard.stripe.com/test/apikeys"


class Finding(NamedTuple):
    """`state` is OK, NOTE or WRONG; `name` says what was examined, for scripts."""

    state: str
    name: str
    message: str
    remedy: str = ""


def guarded(name: str, findings: Iterable[Finding], remedy: str = "") -> Iterator[Finding]:
    """The findings; an error becomes a finding with this remedy, so that the others follow."""
    try:
        yield from findings
    except StoreError as error:
        yield Finding(WRONG, name, error.for_operator, remedy)
    except Exception as error:
        log.exception("The %s could not be examined.", name)
        message = f"The {name} could not be examined ({type(error).__name__})."
        yield Finding(WRONG, name, message, "The lines on standard error say more.")


def setting_files() -> Iterator[Finding]:
    """Which files are read, and names in them that are no settings."""
    names = {name.upper() for name in Settings.model_fields}
    for path in (settings.ENV_FILE, settings.SECRETS_FILE):
        if not path.exists():
            yield Finding(OK, "setting files", f"{path} is not there, nor needed")
            continue
        yield Finding(OK, "setting files", f"{path} is read")
        for name in sorted(names_in(path) - names):
            for close in difflib.get_close_matches(name, names, 1, cutoff=0.75):
                message = f"{path.name} names {name}, which is no setting"
                yield Finding(NOTE, "setting files", message, f"If {close} is meant, correct it.")


def names_in(path: Path) -> set[str]:
    try:
        if path == settings.ENV_FILE:
            return {name.upper() for name, _ in setting_sources.env_values(path)}
        return {name.upper() for name in setting_sources.toml_document(path)}
    except SettingsError:
        return set()  # reported with the settings


def setting_values(config: Settings) -> Iterator[Finding]:
    chosen = config.model_dump(exclude_defaults=True).keys()
    for name in sorted(chosen):
        yield Finding(OK, "settings", f"{name.upper()} = {masked(getattr(config, name))}")
    yield from unencrypted(config)
    unset = ", ".join(sorted(Settings.model_fields.keys() - chosen)).upper()
    yield Finding(OK, "settings", f"left at their defaults: {unset}")


def unencrypted(config: Settings) -> Iterator[Finding]:
    """Addresses of other machines to which secrets would be sent unencrypted."""
    carried = {"store_url": "the cookies of buyers and operators", "stripe_api_base": "the key"}
    for name, secret in carried.items():
        address = getattr(config, name) or ""
        if address.startswith("http:") and not addresses.is_loopback(address):
            message = f"{name.upper()} is not HTTPS: {secret} can be read on the way"
            yield Finding(NOTE, "settings", message, "Use an address that begins with https://.")


def masked(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(masked(one) for one in value)
    if isinstance(value, SecretStr):
        return credentials.masked(value.get_secret_value())
    return str(value)


def shop_file() -> Iterator[Finding]:
    """Whether `data/shop.toml` can be read."""
    yield Finding(OK, "shop.toml", f"The shop is called {shop_profile.current().name}")


def price_list() -> Iterator[Finding]:
    """Whether the products of a fresh shop can be read and sold in its currency."""
    count = counted(len(seeding.first_products()), "product")
    yield Finding(OK, "price list", f"{count} in data/products.toml")


def data_folder(config: Settings) -> Iterator[Finding]:
    """Whether the data folder can be written; only writing a file detects a full disk."""
    folder = config.data_dir
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix="doctor-") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        room = shutil.disk_usage(there).free
    except OSError as error:
        message = f"The data folder {folder} cannot be written ({error.strerror})"
        remedy = (
            "Give this user the right to write there, make room, or choose another one: DATA_DIR."
        )
        yield Finding(WRONG, "data folder", message, remedy)
        return
    if room < ROOM_BYTES:
        left = f"{room // 1024 // 1024} MB"
        yield Finding(NOTE, "data folder", f"Only {left} are left in {folder}", "Make room.")
    yield Finding(OK, "data folder", f"The data folder {folder} can be written")


def database() -> Iterator[Finding]:
    where = "DATABASE_URL"
    try:
        where = db.location()
        if not db.exists():
            message = f"There is no shop in {where} yet"
            yield Finding(NOTE, "database", message, "python -m store makes it.")
            return
        for sentence in db.checks_passed():
            yield Finding(OK, "database", sentence)
        is_current = db.schema_is_current()
    except DatabaseUnusable as error:
        yield Finding(WRONG, "database", error.problem, error.remedy)
    except DatabaseUnavailable as error:
        message = f"The database {where} cannot be used: {db.driver_message(error)}."
        remedy = "Start it, or correct DATABASE_URL; without DATABASE_URL a file is used."
        yield Finding(WRONG, "database", message, remedy)
    else:
        message, remedy = f"The database {where} answers and its schema is current", ""
        if not is_current:
            message = f"The database {where} answers; its schema is not current"
            remedy = "python -m store migrate (starting the shop does it, too)."
        yield Finding(OK if is_current else NOTE, "database", message, remedy)


def stripe(config: Settings) -> Iterator[Finding]:
    if config.offline:
        message = f"No Stripe key: offline, with {config.api_base} in Stripe's place"
        remedy = f"For Stripe test mode set STRIPE_SECRET_KEY=sk_test_… ({KEYS})."
        yield Finding(OK, "stripe", message, remedy)
        return
    yield from route()
    try:
        account = preflight.stripe_account()
    except preflight.CannotStart as error:
        yield Finding(WRONG, "stripe", str(error))
        return
    if not account.name:
        yield Finding(WRONG, "stripe", f"Stripe does not answer: {account.cause}")
        return
    yield Finding(OK, "stripe", f"Stripe accepts the key (account {account.name})")
    yield from needed_permissions()
    yield from clock()


def route() -> Iterator[Finding]:
    """Settings of the environment that connections to Stripe use."""
    address = transport.api_base()
    if proxy := network.proxy_for(address):
        parts = urlsplit(proxy.value if "://" in proxy.value else f"http://{proxy.value}")
        route = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        yield Finding(OK, "proxy", f"Requests to Stripe go through {route} ({proxy.variable})")
    if address.startswith("https:") and (authorities := network.authorities_variable()):
        message = f"Certificates are checked against {authorities.value} ({authorities.variable})"
        yield Finding(OK, "certificate", message)


def needed_permissions() -> Iterator[Finding]:
    """A finding for each permission that is missing or could not be tried."""
    complete = True
    for permission in permissions.NEEDED:
        request = f"{permission.method} {permission.path}"
        try:
            permissions.attempt(permission)
        except StripePermissionMissing as error:
            complete = False
            name = f", {error.permission}" if error.permission else ""
            message = f"The key may not {permission.purpose} ({request}{name})"
            remedy = f"Give it the permission “{permission.name}” at {KEYS}."
            yield Finding(WRONG, "permissions", message, remedy)
        except StripeError as error:
            complete = False
            message = f"{request} could not be tried: {error.for_operator}"
            yield Finding(WRONG, "permissions", message)
    if complete:
        yield Finding(OK, "permissions", "The key has every permission that the shop needs")


def clock() -> Iterator[Finding]:
    """Whether this machine's clock agrees with Stripe's, by the last response."""
    if CLOCK_SKEW.ahead is None:
        return
    hint, seconds = CLOCK_SKEW.message(), abs(CLOCK_SKEW.ahead.total_seconds())
    if hint == "ok":
        yield Finding(OK, "clock", f"This machine's clock is Stripe's, to {seconds:.0f} s")
    else:
        yield Finding(WRONG, "clock", f"This machine's clock is {hint}")


def webhooks(config: Settings) -> Iterator[Finding]:
    if not config.accepts_webhooks:
        message = (
            "STRIPE_WEBHOOK_SECRET is not set: payments are confirmed on return, not by webhook"
        )
        remedy = (
            "Run stripe listen --forward-to localhost:8000/webhooks/stripe/ and set the "
            "whsec_… that it prints."
        )
        yield Finding(NOTE, "webhooks", message, remedy)
