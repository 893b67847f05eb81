"""Reading the TOML files in `data/`, which people edit by hand."""

import tomllib
from pathlib import Path
from typing import Any


def read(file: Path) -> dict[str, Any]:
    """The content of a file; the text of a ValueError continues a sentence after its name."""
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f" cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f", line {line}, is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ValueError(f" is not TOML: {error}") from None
