"""What doctor finds of the shop's processes: which run, what they say, which ports are free."""

import http.client
import json
import urllib.error
from argparse import Namespace
from collections.abc import Iterator

from store.cli import preflight
from store.cli.findings import NOTE, OK, WRONG, Finding
from store.cli.shop import LOCAL, Shop, answers
from store.core.settings import Settings

TIMEOUT_SECONDS = 3
NAMES = ("storefront", "sidecar", "emulator")
SILENT = ("ok", "alive", "not compared with Stripe's yet")
"""Words of the sidecar that ask for nothing."""


def processes(chosen: Settings, arguments: Namespace) -> Iterator[Finding]:
    flags = preflight.ports_of(chosen, arguments)
    shop = Shop(chosen, arguments, "--emulator-port" in flags)
    health = shop.health()
    for name, flag in zip(NAMES, flags, strict=False):
        port = flags[flag]
        said = sidecars_words(f"{shop.sidecar}/readyz") if name == "sidecar" else {}
        if said:
            yield from sidecar(port, said)
        elif answers(health[name]):
            yield Finding(OK, name, f"The {name} runs on port {port} and says that it is ready")
        elif fault := preflight.port_fault(port):
            message = f"Port {port}, for the {name}, {fault}"
            yield Finding(WRONG, name, message, f"Choose another one with {flag}.")
        else:
            yield Finding(OK, name, f"Port {port} is free for the {name}, which is not running")


def sidecars_words(address: str) -> dict[str, str]:
    """What its `/readyz` says of each thing; empty where no sidecar of ours answers.

    `ready` is added: "ok", or "no" where it answers 503.
    """
    try:
        with LOCAL.open(address, timeout=TIMEOUT_SECONDS) as response:
            return _words(response.read(), "ok")
    except urllib.error.HTTPError as error:
        return _words(error.read(), "no") if error.code == 503 else {}
    except (OSError, http.client.HTTPException):
        return {}


def _words(body: bytes, ready: str) -> dict[str, str]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(document, dict) or "database" not in document:
        return {}
    return {name: str(word) for name, word in document.items()} | {"ready": ready}


def sidecar(port: int, said: dict[str, str]) -> Iterator[Finding]:
    """Whether it takes webhooks, and each thing it has something to say about."""
    ready = said.pop("ready") == "ok"
    without_secret = {name for name, word in said.items() if word not in SILENT} == {
        "webhook_secret"
    }
    if ready:
        yield Finding(OK, "sidecar", f"The sidecar runs on port {port} and says that it is ready")
    elif without_secret:
        yield Finding(NOTE, "sidecar", f"The sidecar runs on port {port} and takes no webhooks")
        return
    else:
        yield Finding(WRONG, "sidecar", f"The sidecar on port {port} takes no webhooks now")
    for name, word in said.items():
        if word not in SILENT:
            yield Finding(WRONG, "sidecar", f"The sidecar says of its {name}: {word}")
