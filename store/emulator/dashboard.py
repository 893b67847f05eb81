"""The dashboard at `/`: everything the emulator holds, and what can be done about it by hand.

Rendered on the server; a few lines of JavaScript fetch the same page again and swap what changed.
"""

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import Response

from store.emulator import dashboard_actions, tables
from store.emulator.acts import Emulator, Kind
from store.emulator.money import exponent
from store.emulator.records import StripeObject
from store.emulator.rendering import locale_of, money, page
from store.emulator.tables import Cell, Table
from store.emulator.troubles import DELIVERY_TROUBLES, REQUEST_TROUBLES

router = APIRouter(include_in_schema=False)
router.include_router(dashboard_actions.router)

MENU: tuple[tuple[str, str, Kind | None], ...] = (
    ("/", "Payments", "payment_intent"),
    ("/sessions", "Sessions", "checkout.session"),
    ("/refunds", "Refunds", "refund"),
    ("/disputes", "Disputes", "dispute"),
    ("/events", "Events", "event"),
    ("/deliveries", "Deliveries", None),
    ("/requests", "Requests", None),
    ("/trouble", "Trouble", None),
)
DISPUTE_REASONS = ("fraudulent", "product_not_received", "duplicate", "general")
REFUND_REASONS = ("requested_by_customer", "duplicate", "fraudulent")


@router.get("/")
def list_payments(request: Request, after: str | None = None) -> Response:
    """Payments, newest first; before there are any, how to get one."""
    emulator = _emulator(request)
    found = emulator.lists("payment_intent", after=after)
    table = tables.payments(found.items, emulator.retrieve, locale_of(request))
    return _list(request, "/", table, found.items[-1]["id"] if found.has_more else None)


@router.get("/sessions")
def list_sessions(request: Request, after: str | None = None) -> Response:
    """Checkout Sessions, newest first."""
    found = _emulator(request).lists("checkout.session", after=after)
    table = tables.sessions(found.items, locale_of(request))
    return _list(request, "/sessions", table, found.items[-1]["id"] if found.has_more else None)


@router.get("/refunds")
def list_refunds(request: Request, after: str | None = None) -> Response:
    """Refunds, newest first."""
    found = _emulator(request).lists("refund", after=after)
    table = tables.refunds(found.items, locale_of(request))
    return _list(request, "/refunds", table, found.items[-1]["id"] if found.has_more else None)


@router.get("/disputes")
def list_disputes(request: Request, after: str | None = None) -> Response:
    """Disputes, newest first."""
    found = _emulator(request).lists("dispute", after=after)
    table = tables.disputes(found.items, locale_of(request))
    return _list(request, "/disputes", table, found.items[-1]["id"] if found.has_more else None)


@router.get("/events")
def list_events(request: Request, after: str | None = None) -> Response:
    """Events, newest first."""
    found = _emulator(request).lists("event", after=after)
    last = found.items[-1]["id"] if found.has_more else None
    return _list(request, "/events", tables.events(found.items), last)


@router.get("/deliveries")
def list_deliveries(request: Request) -> Response:
    """The newest deliveries."""
    return _list(request, "/deliveries", tables.deliveries(_emulator(request).deliveries()))


@router.get("/requests")
def list_requests(request: Request) -> Response:
    """The newest API requests."""
    return _list(request, "/requests", tables.requests(_emulator(request).request_log()))


@router.get("/payments/{payment_id}")
def payment_page(request: Request, payment_id: str) -> Response:
    """One payment: what became of it, line by line, and what can still be done."""
    emulator = _emulator(request)
    payment = emulator.retrieve(payment_id)
    if payment is None or payment["object"] != "payment_intent":
        return _missing(request)
    locale = locale_of(request)
    charge = emulator.retrieve(payment["latest_charge"]) if payment["latest_charge"] else None
    left = _left_to_refund(charge)
    context = {
        "payment": payment,
        "charge": charge,
        "amount": money(payment["amount"], payment["currency"], locale),
        "status": tables.payment_status(payment, charge),
        "moments": emulator.timeline(payment_id),
        "facts": _payment_facts(payment, charge, locale),
        "left": left,
        "left_text": f"{Decimal(left).scaleb(-exponent(payment['currency'])):f}",
        "dispute_reasons": DISPUTE_REASONS,
        "refund_reasons": REFUND_REASONS,
        "payload": _payload(payment),
    }
    return _page(request, "payment.html", "/", context)


@router.get("/sessions/{session_id}")
def session_page(request: Request, session_id: str) -> Response:
    """One Checkout Session with its lines."""
    session = _emulator(request).session(session_id)
    if session is None:
        return _missing(request)
    locale = locale_of(request)
    lines = Table(
        "Items",
        ("Item", "Quantity", "Amount"),
        [
            [
                Cell(item["description"]),
                Cell(item["quantity"]),
                Cell(money(item["amount_total"], item["currency"], locale), "amount"),
            ]
            for item in session["line_items"]["data"]
        ],
        "No items.",
    )
    context = {
        "session": session,
        "total": money(session["amount_total"], session["currency"], locale),
        "lines": lines,
        "payload": _payload(session),
    }
    return _page(request, "session.html", "/sessions", context)


@router.get("/refunds/{refund_id}")
def refund_page(request: Request, refund_id: str) -> Response:
    """One refund."""
    return _thing(request, refund_id, "refund", "/refunds")


@router.get("/disputes/{dispute_id}")
def dispute_page(request: Request, dispute_id: str) -> Response:
    """One dispute, and the bank's decision."""
    return _thing(request, dispute_id, "dispute", "/disputes")


@router.get("/events/{event_id}")
def event_page(request: Request, event_id: str) -> Response:
    """One event: its payload, and every attempt to deliver it."""
    emulator = _emulator(request)
    event = emulator.retrieve(event_id)
    if event is None or event["object"] != "event":
        return _missing(request)
    about = event["data"]["object"]
    context = {
        "event": event,
        "about": Cell(about["id"], "code", tables.address_of(about)),
        "deliveries": emulator.deliveries(event_id=event_id),
        "payload": _payload(event),
    }
    return _page(request, "event.html", "/events", context)


@router.get("/requests/{request_id}")
def request_page(request: Request, request_id: str) -> Response:
    """One API request: what was asked, what was answered."""
    log = _emulator(request).request_log(limit=10_000)
    logged = next((entry for entry in log if entry.id == request_id), None)
    if logged is None:
        return _missing(request)
    context = {
        "logged": logged,
        "parameters": _pretty(logged.parameters),
        "answer": _pretty(logged.answer),
    }
    return _page(request, "request.html", "/requests", context)


@router.get("/trouble")
def trouble_page(request: Request) -> Response:
    """The switches that make things go wrong, and the clock."""
    emulator = _emulator(request)
    now = emulator.now()
    ahead = round(now - time.time())
    context = {
        "troubles": emulator.troubles(),
        "request_kinds": REQUEST_TROUBLES,
        "delivery_kinds": DELIVERY_TROUBLES,
        "now": now,
        "ahead": str(timedelta(seconds=ahead)) if ahead > 0 else "",
    }
    return _page(request, "trouble.html", "/trouble", context)


def _list(request: Request, here: str, table: Table, older: str | None = None) -> Response:
    context = {"table": table, "older": older, "address": str(request.base_url).rstrip("/")}
    return _page(request, "list.html", here, context)


def _thing(request: Request, object_id: str, kind: Kind, here: str) -> Response:
    """The page of an object that belongs to a payment: a refund or a dispute."""
    thing = _emulator(request).retrieve(object_id)
    if thing is None or thing["object"] != kind:
        return _missing(request)
    context = {
        "thing": thing,
        "amount": money(thing["amount"], thing["currency"], locale_of(request)),
        "payload": _payload(thing),
    }
    return _page(request, "thing.html", here, context)


def _page(
    request: Request, name: str, here: str, context: Mapping[str, Any], status: int = 200
) -> Response:
    """A dashboard page: the menu, what is armed to go wrong, and how far the clock was moved."""
    emulator = _emulator(request)
    counts = emulator.counts()
    shared = {
        "menu": [(href, title, counts.get(kind) if kind else None) for href, title, kind in MENU],
        "here": here,
        "armed": sum(trouble.remaining for trouble in emulator.troubles()),
    }
    return page(name, {**shared, **context}, status=status)


def _missing(request: Request) -> Response:
    return _page(request, "missing.html", "", {}, 404)


def _payment_facts(
    payment: StripeObject, charge: StripeObject | None, locale: str
) -> list[tuple[str, Cell]]:
    """The lines that matter now: of refunds, for example, only where there are any."""
    facts = [("Paid with", Cell(tables.paid_with(charge)))]
    if charge and charge["amount_refunded"]:
        refunded = money(charge["amount_refunded"], charge["currency"], locale)
        kept = money(charge["amount"] - charge["amount_refunded"], charge["currency"], locale)
        facts += [("Refunded", Cell(refunded)), ("Left", Cell(kept))]
    if payment.get("last_payment_error"):
        facts.append(("Last refusal", Cell(payment["last_payment_error"]["message"])))
    if payment.get("description"):
        facts.append(("Description", Cell(payment["description"])))
    facts += [(name, Cell(value)) for name, value in (payment.get("metadata") or {}).items()]
    facts.append(("Payment", Cell(payment["id"], "code")))
    if charge:
        facts.append(("Charge", Cell(charge["id"], "code")))
    facts.append(("Created", Cell(payment["created"], "time")))
    return facts


def _left_to_refund(charge: StripeObject | None) -> int:
    if charge is None or charge["status"] != "succeeded" or charge["disputed"]:
        return 0
    return int(charge["amount"] - charge["amount_refunded"])


def _payload(thing: StripeObject) -> str:
    return json.dumps(thing, indent=2, ensure_ascii=False)


def _pretty(text: str) -> str:
    """JSON with line breaks, where it is whole JSON; as it is, otherwise."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _emulator(request: Request) -> Emulator:
    return cast(Emulator, request.app.state.emulator)
