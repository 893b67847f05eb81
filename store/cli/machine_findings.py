"""Findings of doctor about this machine: Python, the settings and the data folder."""

import difflib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from store.cli.findings import NOTE, OK, WRONG, Finding
from store.core import addresses, credentials, setting_sources, settings
from store.core.errors import SettingsError
from store.core.settings import Settings

ROOM_BYTES = 100 * 1024 * 1024


def programs() -> Iterator[Finding]:
    yield Finding(OK, "python", f"Python {platform.python_version()} in {sys.prefix}")


def setting_files() -> Iterator[Finding]:
    """Which files are read, and names in them that are no settings."""
    names = {name.upper() for name in Settings.model_fields}
    for path, read in ((settings.ENV_FILE, env_names), (settings.SECRETS_FILE, toml_names)):
        if not path.exists():
            yield Finding(OK, "setting files", f"{path} is not there, nor needed")
            continue
        yield Finding(OK, "setting files", f"{path} is read")
        for name in sorted(read(path) - names):
            for close in difflib.get_close_matches(name, names, 1, cutoff=0.75):
                yield Finding(
                    NOTE,
                    "setting files",
                    f"{path.name} names {name}, which is no setting",
                    f"If {close} is meant, correct it.",
                )


def env_names(path: Path) -> set[str]:
    try:
        return {name.upper() for name, _ in setting_sources.env_values(path)}
    except SettingsError:
        return set()  # reported with the settings


def toml_names(path: Path) -> set[str]:
    try:
        return {name.upper() for name in setting_sources.toml_document(path)}
    except SettingsError:
        return set()


def setting_values(config: Settings) -> Iterator[Finding]:
    values = {name: getattr(config, name) for name in sorted(Settings.model_fields)}
    unset = [
        name
        for name, field in Settings.model_fields.items()
        if values[name] == field.get_default(call_default_factory=True)
    ]
    for name in sorted(values.keys() - set(unset)):
        yield Finding(OK, "settings", f"{name.upper()} = {masked(values[name])}")
    yield from unencrypted(config)
    yield Finding(OK, "settings", f"left at their defaults: {', '.join(sorted(unset)).upper()}")


def unencrypted(config: Settings) -> Iterator[Finding]:
    """Addresses of other machines to which secrets would be sent unencrypted."""
    carried = {"store_url": "the cookies of buyers and operators", "stripe_api_base": "the key"}
    for name, secret in carried.items():
        address = getattr(config, name) or ""
        if address.startswith("http:") and not addresses.is_loopback(address):
            yield Finding(
                NOTE,
                "settings",
                f"{name.upper()} is not HTTPS: {secret} can be read on the way",
                "Use an address that begins with https://.",
            )


def masked(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(masked(one) for one in value)
    if isinstance(value, SecretStr):
        return credentials.masked(value.get_secret_value())
    return str(value)


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
        yield Finding(
            WRONG,
            "data folder",
            f"The data folder {folder} cannot be written ({error.strerror})",
            "Give this user the right to write there, make room, or choose another one: DATA_DIR.",
        )
        return
    if room < ROOM_BYTES:
        left = f"{room // 1024 // 1024} MB"
        yield Finding(NOTE, "data folder", f"Only {left} are left in {folder}", "Make room.")
    yield Finding(OK, "data folder", f"The data folder {folder} can be written")
