"""Findings of doctor about Stripe: proxy, certificate, key, permissions, clock, webhooks."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from store.cli import preflight
from store.cli.findings import NOTE, OK, WRONG, Finding
from store.core.errors import StripeError, StripePermissionMissing
from store.core.settings import Settings
from store.stripe_api import network, permissions, transport
from store.stripe_api.clock_skew import CLOCK_SKEW

KEYS = "https://dashboard.stripe.com/test/apikeys"


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
