"""`python -m store doctor`: what is set, what answers, what is wrong, and how to repair it.

Exit codes: 0, all is well; 1, something must be repaired; 2, nothing could be examined (an unknown
option, an environment that is not ready).
"""

import json
import platform
import sys
from argparse import Namespace
from collections.abc import Iterator

from store.cli import findings, listening, preflight
from store.cli.findings import NOTE, OK, WRONG, Finding, guarded
from store.cli.launch import WEBHOOK_SERVER, ShopProcesses
from store.core import local_http
from store.core.errors import StoreError
from store.core.settings import Settings

NAMES = ("storefront", WEBHOOK_SERVER, "emulator")


def doctor(arguments: Namespace) -> int:
    """Print every finding; 1 if one of them is wrong, else 0."""
    results = []
    for finding in examine(arguments):
        results.append(finding)
        if not arguments.json:  # at once, because the next finding may take long
            state = "WRONG" if finding.state == WRONG else finding.state
            print(f"{state:>6}  {finding.message}", flush=True)
            if finding.remedy:
                print(f"        → {finding.remedy}", flush=True)
    if arguments.json:
        print(json.dumps([finding._asdict() for finding in results], indent=2, ensure_ascii=False))
    return int(any(finding.state == WRONG for finding in results))


def examine(arguments: Namespace) -> Iterator[Finding]:
    yield Finding(OK, "python", f"Python {platform.python_version()} in {sys.prefix}")
    yield from guarded("setting files", findings.setting_files())
    try:
        config = preflight.settings_for(arguments)
    except StoreError as error:
        remedy = "Change it in the environment or in the file; see .env.example."
        yield Finding(WRONG, "settings", str(error), remedy)
        return
    currency = "Correct the file, or choose another CURRENCY."
    yield from guarded("settings", findings.setting_values(config))
    yield from guarded("shop.toml", findings.shop_file(), "Correct the file.")
    yield from guarded("price list", findings.price_list(), currency)
    yield from guarded("data folder", findings.data_folder(config))
    yield from guarded("way to Stripe", findings.stripe(config))
    yield from guarded("webhooks", findings.webhooks(config))
    yield from guarded("database", findings.database())
    yield from guarded("processes", processes(config, arguments))


def processes(config: Settings, arguments: Namespace) -> Iterator[Finding]:
    flags = preflight.ports_of(config, arguments)
    urls = ShopProcesses(config, arguments, "--emulator-port" in flags).health_urls()
    for name, (flag, port) in zip(NAMES, flags.items(), strict=False):
        if name == WEBHOOK_SERVER and (found := webhook_server(port)):
            yield from found
        elif local_http.is_up(urls[name]):
            yield Finding(OK, name, f"The {name} runs on port {port} and says that it is ready")
        elif fault := listening.port_fault(port, list(listening.LOOPBACK)):
            message = f"Port {port}, for the {name}, {fault}"
            yield Finding(WRONG, name, message, f"Choose another one with {flag}.")
        else:
            yield Finding(OK, name, f"Port {port} is free for the {name}, which is not running")


def webhook_server(port: int) -> list[Finding]:
    """Whether it accepts webhooks, and each state in its `/readyz` that is not good.

    Empty if no webhook server of ours answers.
    """
    readiness = local_http.readiness(f"http://127.0.0.1:{port}")
    if readiness is None:
        return []
    ready, faults = readiness
    if ready:
        state, what = OK, f"runs on port {port} and says that it is ready"
    elif faults.keys() == {"webhook_secret"}:
        state, what, faults = NOTE, f"runs on port {port} and accepts no webhooks", {}
    else:
        state, what = WRONG, f"on port {port} accepts no webhooks now"
    return [
        Finding(state, WEBHOOK_SERVER, f"The webhook server {what}"),
        *(
            Finding(WRONG, WEBHOOK_SERVER, f"The webhook server says of its {name}: {fault}")
            for name, fault in faults.items()
        ),
    ]
