"""Findings of doctor about the processes: which run, what they report, which ports are free."""

from argparse import Namespace
from collections.abc import Iterator

import requests

from store.cli import listening, preflight
from store.cli.findings import NOTE, OK, WRONG, Finding
from store.cli.launch import WEBHOOK_SERVER, ShopProcesses, is_up
from store.core.settings import Settings

TIMEOUT_SECONDS = 3
NAMES = ("storefront", WEBHOOK_SERVER, "emulator")
FINE = ("ok", "alive", "not compared with Stripe's yet")  # states that need no finding


def processes(config: Settings, arguments: Namespace) -> Iterator[Finding]:
    flags = preflight.ports_of(config, arguments)
    urls = ShopProcesses(config, arguments, "--emulator-port" in flags).health_urls()
    for name, (flag, port) in zip(NAMES, flags.items(), strict=False):
        if name == WEBHOOK_SERVER and (states := webhook_server_states(port)):
            yield from webhook_server(port, states)
        elif is_up(urls[name]):
            yield Finding(OK, name, f"The {name} runs on port {port} and says that it is ready")
        elif fault := listening.port_fault(port, list(listening.LOOPBACK)):
            message = f"Port {port}, for the {name}, {fault}"
            yield Finding(WRONG, name, message, f"Choose another one with {flag}.")
        else:
            yield Finding(OK, name, f"Port {port} is free for the {name}, which is not running")


def webhook_server_states(port: int) -> dict[str, str]:
    """The state of each thing that `/readyz` checks; empty if no webhook server of ours answers.

    `ready` is added: "ok", or "no" for a 503.
    """
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy on this computer
            response = session.get(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_SECONDS)
            document = response.json()
    except requests.RequestException:
        return {}
    is_ours = isinstance(document, dict) and "database" in document
    if not is_ours or response.status_code not in (200, 503):
        return {}
    states = {name: str(state) for name, state in document.items()}
    return states | {"ready": "ok" if response.ok else "no"}


def webhook_server(port: int, states: dict[str, str]) -> Iterator[Finding]:
    """Whether it accepts webhooks, and each state that is not fine."""
    ready = states.pop("ready") == "ok"
    faults = {name: state for name, state in states.items() if state not in FINE}
    if ready:
        state, what = OK, f"runs on port {port} and says that it is ready"
    elif faults.keys() == {"webhook_secret"}:
        state, what, faults = NOTE, f"runs on port {port} and accepts no webhooks", {}
    else:
        state, what = WRONG, f"on port {port} accepts no webhooks now"
    yield Finding(state, WEBHOOK_SERVER, f"The webhook server {what}")
    for name, state in faults.items():
        yield Finding(WRONG, WEBHOOK_SERVER, f"The webhook server says of its {name}: {state}")
