"""The environment without variables that configure Python or our libraries for another program.

They are set for another web server, a debugger or a company's pip, and would change the behavior of
the interpreter, uvicorn, Streamlit, prometheus_client or pip here. Standard library only.
"""

import ast
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# Python's own that change no behaviour of the shop; every other PYTHON… is dropped.
KEPT_PYTHON = frozenset(
    """
    PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONHASHSEED PYTHONFAULTHANDLER PYTHONUTF8
    PYTHONUNBUFFERED PYTHONNOUSERSITE PYTHONTZPATH
    """.split()
)
DROPPED_PREFIXES = ("PYTHON", "UVICORN_", "STREAMLIT_")
DROPPED = frozenset(
    {
        "WEB_CONCURRENCY",  # uvicorn: several webhook servers under one supervisor
        "FORWARDED_ALLOW_IPS",  # uvicorn: visitors could choose their own address
        "PROMETHEUS_MULTIPROC_DIR",  # prometheus_client: counters in another program's folder
        "prometheus_multiproc_dir",
        "SSLKEYLOGFILE",  # ssl: TLS keys in a file; no connection where it cannot be written
        "SSL_CIPHERS",
    }
)
# Where pip finds packages and how it reaches the network; nothing about what it does with them.
KEPT_PIP = frozenset(
    """
    index-url extra-index-url no-index find-links trusted-host proxy cert client-cert cache-dir
    no-cache-dir timeout default-timeout retries keyring-provider log
    """.split()
)
PIP_SECTIONS = ("global", "install", ":env:")  # the later one wins, as in pip


def cleaned(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for this process and all that it starts."""
    return {
        name: value
        for name, value in environment.items()
        if name in KEPT_PYTHON or not (name in DROPPED or name.startswith(DROPPED_PREFIXES))
    }


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program in the cleaned environment, and return its output and exit code."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env=cleaned(os.environ),
        check=False,
    )


def pip_environment(python: Path) -> dict[str, str]:
    """The environment for our own pip: its configuration reduced to index, network and cache.

    A `user`, `target`, `prefix`, `dry-run` or `no-deps`, from a variable or a file, would put the
    packages elsewhere, or nowhere, and report success.
    """
    kept = pip_options(run(python, "-I", "-m", "pip", "config", "list").stdout)
    others = {name: v for name, v in cleaned(os.environ).items() if not name.startswith("PIP_")}
    return {**others, **kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1"}


def pip_options(listed: str) -> dict[str, str]:
    """Variables for the options that `pip config list` printed and that we keep.

    >>> pip_options("global.index-url='https://example.com/simple'\\ninstall.user='true'")
    {'PIP_INDEX_URL': 'https://example.com/simple'}
    """
    options: dict[str, str] = {}
    for wanted in PIP_SECTIONS:
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            section, _, option = key.rpartition(".")
            if section == wanted and option in KEPT_PIP:
                with suppress(SyntaxError, ValueError):  # not a line of the list
                    name = f"PIP_{option.upper().replace('-', '_')}"
                    options[name] = str(ast.literal_eval(value))
    return options
