"""Where settings come from: the environment, then `.env`, then `.streamlit/secrets.toml`.

Every process reads the same files in this order. Streamlit would copy the third one over the
environment, so `.streamlit/config.toml` turns that off. A file that cannot be read raises
SettingsError with its path and the line, never with a value.
"""

import os
import tomllib
from collections.abc import Collection
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from dotenv.parser import parse_stream

from store.core.errors import SettingsError


class Entry(NamedTuple):
    """The value of a setting, and the file that it comes from; empty for the environment."""

    value: str
    origin: str


def read(names: Collection[str], env_file: Path, secrets_file: Path) -> dict[str, Entry]:
    """The entries for `names` in the source that wins; a blank value counts as not set."""
    sources = {
        "": os.environ.items(),
        env_file.name: env_values(env_file),
        f"{secrets_file.parent.name}/{secrets_file.name}": toml_values(secrets_file, names),
    }
    entries = dict[str, Entry]()
    for origin, values in reversed(sources.items()):  # the first one replaces the others' entries
        # Names count in any case; a name in capitals wins over its other spellings.
        for name, value in sorted(values, key=lambda pair: pair[0].isupper()):
            if name.lower() in names and value.strip():
                entries[name.lower()] = Entry(value, origin)
    return entries


def env_values(path: Path) -> list[tuple[str, str]]:
    """The lines of an `.env` file, taken literally: nothing like `${NAME}` is replaced."""
    values = []
    for binding in parse_stream(StringIO(read_text(path, missing_ok=True))):
        if binding.error or (binding.key is not None and binding.value is None):
            written = binding.original.string
            blank = written[: len(written) - len(written.lstrip())]
            line = binding.original.line + blank.count("\n")
            raise SettingsError(f"Line {line} of {path} cannot be read as NAME=value.")
        if binding.key is not None and binding.value is not None:
            values.append((binding.key, binding.value))
    return values


def toml_values(path: Path, names: Collection[str]) -> list[tuple[str, str]]:
    """The top-level keys of a TOML file that are `names`; tables belong to others."""
    values = []
    for name, value in toml_document(path, missing_ok=True).items():
        if name.lower() in names:
            items = value if isinstance(value, list) else [value]
            if not all(isinstance(item, str | int | float) for item in items):
                raise SettingsError(f"{name.upper()} in {path} must be a text or a number.")
            values.append((name, ",".join(map(str, items))))
    return values


def toml_document(path: Path, *, missing_ok: bool = False) -> dict[str, Any]:
    """The content of a TOML file; the sentence of a SettingsError may contain a key, no value."""
    text = read_text(path, missing_ok=missing_ok)
    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None


def read_text(path: Path, *, missing_ok: bool) -> str:
    """The text of a file in UTF-8, with or without a byte order mark; empty where none may be."""
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        raise SettingsError(f"{path} is a folder; it must be a file.") from None
    except OSError as error:
        if missing_ok and isinstance(error, FileNotFoundError | NotADirectoryError):
            return ""
        raise SettingsError(f"Cannot read {path} ({error.strerror}).") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise SettingsError(f"{path} is UTF-16 or no text at all; save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        sentence = f"Line {line} of {path} is not UTF-8; save the file as UTF-8."
        raise SettingsError(sentence) from None
