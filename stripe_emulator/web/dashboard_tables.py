"""The dashboard's tables as data: the columns of each list and the cells of its rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from stripe_emulator.base.models import Delivery, LoggedRequest, StripeObject
from stripe_emulator.web.rendering import money

CellKind = Literal["text", "amount", "status", "time", "code", "muted"]
Retrieve = Callable[[str], StripeObject | None]


@dataclass(frozen=True)
class Cell:
    """One value of a page, with a link to more about it."""

    value: Any
    kind: CellKind = "text"
    href: str | None = None


@dataclass(frozen=True)
class Table:
    """A heading, column names and rows; `empty` says what will appear here."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    empty: str

    def without(self, column: str) -> "Table":
        """Return the table without a column whose value is the same for the whole page."""
        at = self.columns.index(column)
        rows = [row[:at] + row[at + 1 :] for row in self.rows]
        return replace(self, columns=self.columns[:at] + self.columns[at + 1 :], rows=rows)


PAGES = {
    "checkout.session": "sessions",
    "payment_intent": "payments",
    "refund": "refunds",
    "dispute": "disputes",
    "event": "events",
}


def address_of(stripe_object: StripeObject) -> str | None:
    """Return the dashboard's page of an object; a charge is shown with its payment."""
    if stripe_object["object"] == "charge" and stripe_object.get("payment_intent"):
        return f"/payments/{stripe_object['payment_intent']}"
    folder = PAGES.get(stripe_object["object"])
    return f"/{folder}/{stripe_object['id']}" if folder else None


def payment_status(payment: StripeObject, charge: StripeObject | None) -> str:
    """Return one word for a payment: the state of its money if there is a charge, else its
    status."""
    if payment["status"] == "requires_payment_method" and payment.get("last_payment_error"):
        return "declined"
    if payment["status"] != "succeeded" or charge is None:
        return str(payment["status"])
    if charge["disputed"]:
        return "disputed"
    if charge["refunded"]:
        return "refunded"
    return "partially refunded" if charge["amount_refunded"] else "succeeded"


def paid_with(charge: StripeObject | None) -> str:
    """Return `Visa •••• 4242`, `Bank debit`, `Bank transfer`, or a dash before the first
    attempt."""
    details = (charge or {}).get("payment_method_details") or {}
    card = details.get("card")
    if card:
        return f"{str(card['brand']).title()} •••• {card['last4']}"
    if "customer_balance" in details:
        return "Bank transfer"
    return "Bank debit" if details else "–"


def payments(objects: Iterable[StripeObject], retrieve: Retrieve, locale: str) -> Table:
    """Return the table of PaymentIntents."""
    rows = []
    for payment in objects:
        charge = retrieve(payment["latest_charge"]) if payment["latest_charge"] else None
        email = ((charge or {}).get("billing_details") or {}).get("email")
        rows.append(
            [
                _amount(payment, payment["amount"], locale),
                Cell(payment_status(payment, charge), "status"),
                Cell(paid_with(charge)),
                Cell(email or "–"),
                _id(payment),
                Cell(payment["created"], "time"),
            ]
        )
    columns = ("Amount", "Status", "Paid with", "Customer", "Payment", "Created")
    return Table("Payments", columns, rows, "A payment appears as soon as someone tries to pay.")


def sessions(objects: Iterable[StripeObject], locale: str) -> Table:
    """Return the table of Checkout Sessions."""
    rows = [
        [
            _amount(session, session["amount_total"], locale),
            Cell(session["status"], "status"),
            Cell(session["payment_status"], "status"),
            Cell(session.get("client_reference_id") or "–"),
            _id(session),
            Cell(session["created"], "time"),
        ]
        for session in objects
    ]
    columns = ("Total", "Status", "Payment", "Reference", "Session", "Created")
    return Table("Checkout sessions", columns, rows, "A session appears when a shop makes one.")


def refunds(objects: Iterable[StripeObject], locale: str) -> Table:
    """Return the table of refunds."""
    rows = [
        [
            _amount(refund, refund["amount"], locale),
            Cell(refund["status"], "status"),
            Cell((refund.get("reason") or "–").replace("_", " ")),
            _payment(refund),
            _id(refund),
            Cell(refund["created"], "time"),
        ]
        for refund in objects
    ]
    columns = ("Amount", "Status", "Reason", "Payment", "Refund", "Created")
    return Table("Refunds", columns, rows, "Nothing was refunded. A payment's page can do it.")


def disputes(objects: Iterable[StripeObject], locale: str) -> Table:
    """Return the table of disputes."""
    rows = [
        [
            _amount(dispute, dispute["amount"], locale),
            Cell(dispute["status"], "status"),
            Cell(dispute["reason"].replace("_", " ")),
            _payment(dispute),
            _id(dispute),
            Cell(dispute["created"], "time"),
        ]
        for dispute in objects
    ]
    columns = ("Amount", "Status", "Reason", "Payment", "Dispute", "Created")
    return Table("Disputes", columns, rows, "Nobody disputed anything. A payment's page can do it.")


def events(objects: Iterable[StripeObject]) -> Table:
    """Return the table of events."""
    rows = []
    for event in objects:
        subject = event["data"]["object"]
        rows.append(
            [
                Cell(event["type"], "code", f"/events/{event['id']}"),
                Cell(subject.get("id", subject["object"]), "code", address_of(subject)),
                _waiting(event["pending_webhooks"]),
                _id(event),
                Cell(event["created"], "time"),
            ]
        )
    columns = ("Type", "About", "Webhooks", "Event", "Created")
    return Table("Events", columns, rows, "An event appears whenever something happens.")


def deliveries(objects: Iterable[Delivery]) -> Table:
    """Return the table of deliveries, one row per event and endpoint."""
    rows = []
    for delivery in objects:
        last = delivery.attempts[-1] if delivery.attempts else None
        result = "–" if last is None else "no answer" if last.status is None else last.status
        address = f"/events/{delivery.event_id}#delivery-{delivery.id}"
        rows.append(
            [
                Cell(delivery.event_type, "code", address),
                Cell(delivery.state, "status"),
                Cell(len(delivery.attempts)),
                Cell(result),
                Cell(delivery.next_attempt_at, "time"),
                Cell(delivery.url, "muted"),
                Cell(delivery.created_at, "time"),
            ]
        )
    columns = ("Event", "State", "Attempts", "Last answer", "Next attempt", "Endpoint", "Created")
    return Table("Deliveries", columns, rows, "A delivery appears when an event has an endpoint.")


def requests(objects: Iterable[LoggedRequest]) -> Table:
    """Return the table of API requests."""
    rows = [
        [
            Cell(f"{request.method} {request.path}", "code", f"/requests/{request.id}"),
            Cell(request.status),
            Cell(f"{request.seconds * 1000:.1f} ms"),
            Cell(request.idempotency_key or "–", "muted"),
            Cell("replayed" if request.replayed else request.trouble or "", "muted"),
            Cell(request.at, "time"),
        ]
        for request in objects
    ]
    columns = ("Request", "Status", "Took", "Idempotency key", "", "At")
    return Table("Requests", columns, rows, "A request appears when a shop calls the API.")


def _amount(stripe_object: StripeObject, amount: int, locale: str) -> Cell:
    return Cell(
        money(amount, stripe_object["currency"], locale), "amount", address_of(stripe_object)
    )


def _id(stripe_object: StripeObject) -> Cell:
    return Cell(stripe_object["id"], "code", address_of(stripe_object))


def _payment(stripe_object: StripeObject) -> Cell:
    payment = stripe_object.get("payment_intent")
    return Cell(payment or "–", "code", f"/payments/{payment}" if payment else None)


def _waiting(endpoints: int) -> Cell:
    return Cell(f"{endpoints} waiting" if endpoints else "all answered", "muted")
