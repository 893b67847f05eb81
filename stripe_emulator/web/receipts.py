"""The receipt at a charge's `receipt_url`, for the shop and the buyer."""

from datetime import UTC, datetime

from babel.dates import format_datetime
from fastapi import APIRouter, Request
from fastapi.responses import Response

from stripe_emulator.admin.control_api import Running
from stripe_emulator.base.models import StripeObject
from stripe_emulator.emulator import Emulator
from stripe_emulator.web.checkout_view import business_of, line_of
from stripe_emulator.web.dashboard_tables import paid_with
from stripe_emulator.web.rendering import locale_of, money, page

router = APIRouter(include_in_schema=False)


@router.get("/emulator/receipts/{charge_id}")
def receipt(request: Request, emulator: Running, charge_id: str) -> Response:
    """Return the receipt of a charge with its refunds."""
    charge = emulator.retrieve(charge_id)
    if charge is None or charge["object"] != "charge" or not charge.get("receipt_url"):
        return page("receipt_not_found.html", {}, status=404)
    locale, currency = locale_of(request), charge["currency"]
    refunded = charge["amount_refunded"]
    amounts = {"Refunded": refunded, "Kept": charge["amount"] - refunded} if refunded else {}
    session = _session_of(emulator, charge)
    context = {
        "charge": charge,
        "paid": money(charge["amount"], currency, locale),
        "paid_at": format_datetime(
            datetime.fromtimestamp(charge["created"], UTC), "d MMMM y, HH:mm 'UTC'", locale=locale
        ),
        "paid_with": paid_with(charge),
        "lines": [line_of(emulator, item, locale) for item in session["line_items"]["data"]]
        if session
        else [],
        "business": business_of(emulator, session or {}),
        "amounts": [(name, money(amount, currency, locale)) for name, amount in amounts.items()],
    }
    return page("receipt.html", context)


def _session_of(emulator: Emulator, charge: StripeObject) -> StripeObject | None:
    """Return the Checkout Session of a charge; None if it had none."""
    with emulator.account.reading() as tx:
        sessions = tx.related("checkout.session", payment_intent=charge["payment_intent"])
    return emulator.checkout.session(sessions[0]["id"]) if sessions else None
