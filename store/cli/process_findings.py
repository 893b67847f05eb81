"""Findings of doctor about the processes: which run, what they report, which ports are free."""

import http.client
import json
import urllib.error
from argparse import Namespace
from collections.abc import Iterator

from store.cli import preflight
from store.cli.findings import NOTE, OK, WRONG, Finding
from store.cli.launch import LOCAL, WEBHOOK_SERVER, ShopProcesses, is_up
from store.core.settings import Settings

TIMEOUT_SECONDS = 3
NAMES = ("storefront", WEBHOOK_SERVER, "emulator")
FINE = ("ok", "alive", "not compared with Stripe's yet")  # states that need no finding


def processes(config: Settings, arguments: Namespace) -> Iterator[Finding]:
    flags = preflight.ports_of(config, arguments)
    shop = ShopProcesses(config, arguments, "--emulator-port" in flags)
    urls = shop.health_urls()
    for name, flag in zip(NAMES, flags, strict=False):
        port = flags[flag]
        states = webhook_server_states(shop) if name == WEBHOOK_SERVER else {}
        if states:
            yield from webhook_server(port, states)
        elif is_up(urls[name]):
            yield Finding(OK, name, f"The {name} runs on port {port} and says that it is ready")
        elif fault := preflight.port_fault(port):
            message = f"Port {port}, for the {name}, {fault}"
            yield Finding(WRONG, name, message, f"Choose another one with {flag}.")
        else:
            yield Finding(OK, name, f"Port {port} is free for the {name}, which is not running")


def webhook_server_states(shop: ShopProcesses) -> dict[str, str]:
    """The state of each thing that `/readyz` checks; empty if no webhook server of ours answers.

    `ready` is added: "ok", or "no" for a 503.
    """
    try:
        with LOCAL.open(f"{shop.webhook_server_url}/readyz", timeout=TIMEOUT_SECONDS) as response:
            return _states(response.read(), "ok")
    except urllib.error.HTTPError as error:
        return _states(error.read(), "no") if error.code == 503 else {}
    except (OSError, http.client.HTTPException):
        return {}


def _states(body: bytes, ready: str) -> dict[str, str]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(document, dict) or "database" not in document:
        return {}
    return {name: str(state) for name, state in document.items()} | {"ready": ready}


def webhook_server(port: int, states: dict[str, str]) -> Iterator[Finding]:
    """Whether it accepts webhooks, and each state that is not fine."""
    ready = states.pop("ready") == "ok"
    faults = {name: state for name, state in states.items() if state not in FINE}
    if ready:
        message = f"The webhook server runs on port {port} and says that it is ready"
        yield Finding(OK, WEBHOOK_SERVER, message)
    elif faults.keys() == {"webhook_secret"}:
        message = f"The webhook server runs on port {port} and accepts no webhooks"
        yield Finding(NOTE, WEBHOOK_SERVER, message)
        return
    else:
        message = f"The webhook server on port {port} accepts no webhooks now"
        yield Finding(WRONG, WEBHOOK_SERVER, message)
    for name, state in faults.items():
        yield Finding(WRONG, WEBHOOK_SERVER, f"The webhook server says of its {name}: {state}")
