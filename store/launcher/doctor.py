"""`python -m store doctor`: what is set, what answers, what is wrong, and how to mend it."""

import platform
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretStr

from store import db
from store.errors import StoreError
from store.launcher import checks
from store.launcher.shop import Shop, answers
from store.settings import ROOT, Settings

OK, NOTE, WRONG = "ok", "note", "WRONG"


class Finding(NamedTuple):
    state: str
    what: str
    mend: str = ""


def doctor(arguments: Namespace) -> int:
    """Print every finding; 1 where something has to be mended, 0 otherwise."""
    worst = 0
    for finding in findings(arguments):
        print(f"{finding.state:>6}  {finding.what}", flush=True)
        if finding.mend:
            print(f"        → {finding.mend}", flush=True)
        worst |= finding.state == WRONG
    return worst


def findings(arguments: Namespace) -> Iterator[Finding]:
    yield Finding(OK, f"Python {platform.python_version()} in {sys.prefix}")
    env_file = ROOT / ".env"
    yield Finding(
        OK, f"{env_file} {'is read' if env_file.exists() else 'is not there, nor needed'}"
    )
    try:
        chosen = checks.settings_for(arguments)
    except StoreError as error:
        yield Finding(
            WRONG, error.for_operator, "Change it in the environment or in .env; see .env.example."
        )
        return
    yield from settings(chosen)
    yield from stripe(chosen)
    yield from database()
    yield from processes(chosen, arguments)


def settings(chosen: Settings) -> Iterator[Finding]:
    values = {name: getattr(chosen, name) for name in sorted(Settings.model_fields)}
    unset = [
        name
        for name, field in Settings.model_fields.items()
        if values[name] == field.get_default(call_default_factory=True)
    ]
    for name in sorted(values.keys() - set(unset)):
        yield Finding(OK, f"{name.upper()} = {masked(values[name])}")
    yield Finding(OK, f"left at their defaults: {', '.join(sorted(unset)).upper()}")


def masked(value: Any) -> str:
    """Enough to recognise a secret by, and too little to use it."""
    if isinstance(value, list):
        return ", ".join(masked(one) for one in value)
    if not isinstance(value, SecretStr):
        return str(value)
    secret = value.get_secret_value()
    kind = secret[: secret.rfind("_") + 1] if secret.startswith(("sk_", "rk_", "whsec_")) else ""
    return f"{kind}…{secret[-4:]}" if kind and len(secret) > 20 else "(set)"


def stripe(chosen: Settings) -> Iterator[Finding]:
    if chosen.offline:
        yield Finding(
            OK,
            f"No Stripe key: offline, with {chosen.api_base} in Stripe's place",
            "For Stripe test mode set STRIPE_SECRET_KEY=sk_test_… "
            "(https://dashboard.stripe.com/test/apikeys).",
        )
        return
    try:
        account = checks.stripe_account()
    except StoreError as error:
        yield Finding(WRONG, error.for_operator)
        return
    if account is not None and account.name:
        yield Finding(OK, f"Stripe accepts the key (account {account.name})")
    elif account is not None:
        yield Finding(WRONG, f"Stripe does not answer: {account.cause}")
    if not chosen.webhook_secrets:
        yield Finding(
            NOTE,
            "STRIPE_WEBHOOK_SECRET is not set: payments settle on return, not by webhook",
            "Run stripe listen --forward-to localhost:8000/webhooks/stripe/ and set the "
            "whsec_… that it prints.",
        )


def database() -> Iterator[Finding]:
    wrong = False
    for found in db.findings():
        wrong |= not found.ok
        yield Finding(OK if found.ok else WRONG, found.sentence, found.remedy)
    if wrong:
        return
    if db.schema_is_current():
        yield Finding(OK, f"The database {db.place()} answers and its schema is current")
    else:
        yield Finding(
            NOTE,
            f"The database {db.place()} answers; its schema is not current",
            "python -m store migrate (starting the shop does it, too).",
        )


def processes(chosen: Settings, arguments: Namespace) -> Iterator[Finding]:
    flags = checks.ports_of(chosen, arguments)
    health = Shop(chosen, arguments, "--emulator-port" in flags).health()
    for name, flag in zip(("storefront", "sidecar", "emulator"), flags, strict=False):
        port, fault = flags[flag], checks.port_fault(flags[flag])
        if answers(health[name]):
            yield Finding(OK, f"The {name} runs on port {port} and says that it is ready")
        elif fault:
            yield Finding(
                WRONG, f"Port {port}, for the {name}, {fault}", f"Choose another one with {flag}."
            )
        else:
            yield Finding(OK, f"Port {port} is free for the {name}, which is not running")
