"""The dashboard at `/`: lists of all objects, deliveries and requests, and the faults page.

Rendered on the server; a few lines of JavaScript fetch the same page again and swap what changed.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from stripe_emulator import faults
from stripe_emulator.admin.control_api import Running
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import Page
from stripe_emulator.emulator import Emulator, Kind
from stripe_emulator.faults import DELIVERY_FAULTS, REQUEST_FAULTS
from stripe_emulator.web import dashboard_actions, dashboard_details, dashboard_tables
from stripe_emulator.web.dashboard_layout import dashboard_page, not_found_page
from stripe_emulator.web.dashboard_tables import Table
from stripe_emulator.web.rendering import locale_of

router = APIRouter(include_in_schema=False)

Layout = Callable[[Emulator, Page, str], Table]
LISTS: dict[str, tuple[Kind, Layout]] = {
    "/": (
        "payment_intent",
        lambda emulator, listed, locale: dashboard_tables.payments(
            listed.items, emulator.retrieve, locale
        ),
    ),
    "/sessions": (
        "checkout.session",
        lambda _, listed, locale: dashboard_tables.sessions(listed.items, locale),
    ),
    "/refunds": (
        "refund",
        lambda _, listed, locale: dashboard_tables.refunds(listed.items, locale),
    ),
    "/disputes": (
        "dispute",
        lambda _, listed, locale: dashboard_tables.disputes(listed.items, locale),
    ),
    "/events": ("event", lambda _, listed, __: dashboard_tables.events(listed.items)),
}


def list_objects(request: Request, emulator: Running, after: str | None = None) -> Response:
    """Return objects of one kind, newest first, with a link to older ones."""
    here = request.url.path
    kind, layout = LISTS[here]
    try:
        listed = emulator.list_objects(kind, after=after)
    except InvalidRequest:  # `after` is no id of this kind.
        return not_found_page(emulator)
    older = listed.items[-1]["id"] if listed.has_more else None
    return _list(request, emulator, layout(emulator, listed, locale_of(request)), older)


for address in LISTS:
    router.add_api_route(address, list_objects)


@router.get("/deliveries")
def list_deliveries(request: Request, emulator: Running) -> Response:
    """Return the newest deliveries."""
    return _list(request, emulator, dashboard_tables.deliveries(emulator.deliveries()))


@router.get("/requests")
def list_requests(request: Request, emulator: Running) -> Response:
    """Return the newest API requests."""
    return _list(request, emulator, dashboard_tables.requests(emulator.request_log()))


@router.get("/trouble")
def faults_page(emulator: Running) -> Response:
    """Return the page of the faults and the clock."""
    now = emulator.now()
    ahead = round(now - time.time())
    context = {
        "faults": emulator.faults(),
        "request_kinds": REQUEST_FAULTS,
        "delivery_kinds": DELIVERY_FAULTS,
        "defaults": faults.DEFAULTS,
        "choices": faults.CHOICES,
        "one_more": faults.ONE_MORE,
        "describe": faults.describe,
        "now": now,
        "ahead": str(timedelta(seconds=ahead)) if ahead > 0 else "",
    }
    return dashboard_page(emulator, "faults.html", "/trouble", context)


def _list(request: Request, emulator: Emulator, table: Table, older: str | None = None) -> Response:
    address = str(request.base_url).rstrip("/")
    context = {"table": table, "older": older, "address": address}
    return dashboard_page(emulator, "list.html", request.url.path, context)


router.include_router(dashboard_details.router)
router.include_router(dashboard_actions.router)
