"""The dashboard's page of one object: a payment, session, refund, dispute, event or request."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from stripe_emulator.admin.control_api import Running
from stripe_emulator.base.currencies import exponent
from stripe_emulator.base.models import StripeObject, TimelineEntry
from stripe_emulator.emulator import Kind
from stripe_emulator.resources.checkout_sessions import success_url
from stripe_emulator.web import dashboard_tables
from stripe_emulator.web.dashboard_layout import dashboard_page, not_found_page
from stripe_emulator.web.dashboard_tables import Cell, Table
from stripe_emulator.web.rendering import locale_of, money, web_link

router = APIRouter()

DISPUTE_REASONS = ("fraudulent", "product_not_received", "duplicate", "general")
REFUND_REASONS = ("requested_by_customer", "duplicate", "fraudulent")
RELATED = ("checkout.session", "refund", "dispute")


@router.get("/payments/{payment_id}")
def payment_page(request: Request, emulator: Running, payment_id: str) -> Response:
    """Return the page of a payment: its timeline and what can still be done."""
    payment = emulator.retrieve(payment_id)
    if payment is None or payment["object"] != "payment_intent":
        return not_found_page(emulator)
    locale = locale_of(request)
    charge = emulator.retrieve(payment["latest_charge"]) if payment["latest_charge"] else None
    entries = emulator.timeline(payment_id)
    with emulator.account.reading() as tx:
        related = {kind: tx.related(kind, payment_intent=payment_id) for kind in RELATED}
    left = _left_to_refund(charge)
    context = {
        "payment": payment,
        "charge": charge,
        "amount": money(payment["amount"], payment["currency"], locale),
        "status": dashboard_tables.payment_status(payment, charge),
        "entries": collapse_polling(entry for entry in entries if entry.kind != "attempt"),
        "open_dispute": next((d["id"] for d in related["dispute"] if is_pending(d)), None),
        "attempts_by_event": _by_event(entries),
        "related": [
            dashboard_tables.refunds(related["refund"], locale).without("Payment"),
            dashboard_tables.disputes(related["dispute"], locale).without("Payment"),
        ],
        "facts": _payment_facts(payment, charge, related["checkout.session"], locale),
        "shop_page": _shop_page(related["checkout.session"]),
        "left": left,
        "challenge": _challenge_of(payment),
        "waits": payment["status"] in WAITING and not related["checkout.session"],
        "left_text": f"{Decimal(left).scaleb(-exponent(payment['currency'])):f}",
        "dispute_reasons": DISPUTE_REASONS,
        "refund_reasons": REFUND_REASONS,
        "payload": _payload(payment),
    }
    return dashboard_page(emulator, "payment.html", "/", context)


@dataclass(frozen=True)
class PollingRequests:
    """Consecutive requests that only read, such as a shop polling for a result."""

    requests: tuple[TimelineEntry, ...]
    kind: str = "checks"

    @property
    def at(self) -> float:
        return self.requests[-1].at


def collapse_polling(entries: Iterable[TimelineEntry]) -> list[TimelineEntry | PollingRequests]:
    """Return the timeline with two or more consecutive reads as one entry."""
    lines: list[TimelineEntry | PollingRequests] = []
    for reads, some in groupby(entries, key=is_read):
        requests = tuple(some)
        lines += [PollingRequests(requests)] if reads and len(requests) > 1 else requests
    return lines


def is_read(entry: TimelineEntry) -> bool:
    return entry.kind == "request" and entry.ok and entry.title.startswith("GET ")


def is_pending(dispute: StripeObject) -> bool:
    return str(dispute["status"]).endswith(("needs_response", "under_review"))


@router.get("/sessions/{session_id}")
def session_page(request: Request, emulator: Running, session_id: str) -> Response:
    """Return the page of a Checkout Session with its lines."""
    session = emulator.checkout.session(session_id)
    if session is None:
        return not_found_page(emulator)
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
        "shop_page": _shop_page([session]),
        "payload": _payload(session),
    }
    return dashboard_page(emulator, "session.html", "/sessions", context)


@router.get("/refunds/{refund_id}")
def refund_page(request: Request, emulator: Running, refund_id: str) -> Response:
    """Return the page of a refund."""
    return _object_page(request, emulator, refund_id, "refund", "/refunds")


@router.get("/disputes/{dispute_id}")
def dispute_page(request: Request, emulator: Running, dispute_id: str) -> Response:
    """Return the page of a dispute, with the bank's decision."""
    return _object_page(request, emulator, dispute_id, "dispute", "/disputes")


@router.get("/events/{event_id}")
def event_page(emulator: Running, event_id: str) -> Response:
    """Return the page of an event: its payload, and every attempt to deliver it."""
    event = emulator.retrieve(event_id)
    if event is None or event["object"] != "event":
        return not_found_page(emulator)
    subject = event["data"]["object"]
    context = {
        "event": event,
        "about": Cell(
            subject.get("id", subject["object"]), "code", dashboard_tables.address_of(subject)
        ),
        "deliveries": emulator.deliveries(event_id=event_id),
        "payload": _payload(event),
    }
    return dashboard_page(emulator, "event.html", "/events", context)


@router.get("/requests/{request_id}")
def request_page(emulator: Running, request_id: str) -> Response:
    """Return the page of an API request with its response."""
    log = emulator.request_log(limit=10_000)
    logged = next((entry for entry in log if entry.id == request_id), None)
    if logged is None:
        return not_found_page(emulator)
    context = {
        "logged": logged,
        "parameters": _pretty(logged.parameters),
        "answer": _pretty(logged.response),
    }
    return dashboard_page(emulator, "request.html", "/requests", context)


def _object_page(
    request: Request, emulator: Running, object_id: str, kind: Kind, here: str
) -> Response:
    """Return the page of an object that belongs to a payment: a refund or a dispute."""
    stripe_object = emulator.retrieve(object_id)
    if stripe_object is None or stripe_object["object"] != kind:
        return not_found_page(emulator)
    context = {
        "thing": stripe_object,
        "amount": money(stripe_object["amount"], stripe_object["currency"], locale_of(request)),
        "payload": _payload(stripe_object),
    }
    return dashboard_page(emulator, "object.html", here, context)


def _by_event(entries: Iterable[TimelineEntry]) -> dict[str, list[TimelineEntry]]:
    """Return the delivery attempts by event."""
    carried: dict[str, list[TimelineEntry]] = {}
    for entry in entries:
        if entry.kind == "attempt":
            carried.setdefault(entry.id, []).append(entry)
    return carried


def _payment_facts(
    payment: StripeObject,
    charge: StripeObject | None,
    sessions: Iterable[StripeObject],
    locale: str,
) -> list[tuple[str, Cell]]:
    """Return the facts of a payment that apply, such as refunds only if there are any."""
    facts = [("Paid with", Cell(dashboard_tables.paid_with(charge)))]
    if charge and charge["amount_refunded"]:
        refunded = money(charge["amount_refunded"], charge["currency"], locale)
        remaining = money(charge["amount"] - charge["amount_refunded"], charge["currency"], locale)
        facts += [("Refunded", Cell(refunded)), ("Left", Cell(remaining))]
    if payment.get("last_payment_error"):
        facts.append(("Last refusal", Cell(payment["last_payment_error"]["message"])))
    if payment.get("description"):
        facts.append(("Description", Cell(payment["description"])))
    facts += [(name, Cell(value)) for name, value in (payment.get("metadata") or {}).items()]
    facts += [
        ("Session", Cell(session["id"], "code", dashboard_tables.address_of(session)))
        for session in sessions
    ]
    facts.append(("Payment", Cell(payment["id"], "code")))
    if charge:
        facts.append(("Charge", Cell(charge["id"], "code")))
    facts.append(("Created", Cell(payment["created"], "time")))
    return facts


WAITING = ("requires_payment_method", "requires_confirmation", "requires_capture")
"""Statuses in which the shop has to make the next request."""


def _challenge_of(payment: StripeObject) -> str | None:
    """Return the address of the bank's challenge; None if there is none."""
    action = payment["next_action"] or {}
    redirect, sdk = action.get("redirect_to_url") or {}, action.get("use_stripe_sdk") or {}
    return web_link(redirect.get("url") or sdk.get("stripe_js"))


def _shop_page(sessions: Iterable[StripeObject]) -> str | None:
    """Return the shop's page about a session: where its buyer returns to."""
    return next(filter(None, (web_link(success_url(session)) for session in sessions)), None)


def _left_to_refund(charge: StripeObject | None) -> int:
    if charge is None or not (charge["paid"] and charge["captured"]) or charge["disputed"]:
        return 0
    return int(charge["amount"] - charge["amount_refunded"])


def _payload(stripe_object: StripeObject) -> str:
    return json.dumps(stripe_object, indent=2, ensure_ascii=False)


def _pretty(text: str) -> str:
    """Return JSON with line breaks; any other text unchanged."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
