"""What the payment page shows: the receipt, the form, the test cards, the results."""

from typing import Any
from urllib.parse import urlsplit

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, model_validator

from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.base.test_cards import TEST_CARDS, DeclineReason, TestCard
from stripe_emulator.checkout import collected_fields
from stripe_emulator.emulator import Emulator
from stripe_emulator.resources import checkout_session_object
from stripe_emulator.resources.checkout_sessions import success_url
from stripe_emulator.web import checkout_totals
from stripe_emulator.web.rendering import money, page, web_link

VERBS = {"book": "Book", "donate": "Donate", "subscribe": "Subscribe"}
SOMEONE = "buyer@example.com"

MISTYPED = TestCard(
    "4242424242424241",
    "visa",
    "Mistyped number",
    "declines",
    DeclineReason("incorrect_number", None, "Your card number is incorrect."),
)
CARD_GROUPS: dict[str, tuple[TestCard, ...]] = {
    "Succeed": tuple(
        card for card in TEST_CARDS if card.outcome == "succeeds" and card.aftermath == "none"
    ),
    "Are declined": (*(card for card in TEST_CARDS if card.outcome == "declines"), MISTYPED),
    "Ask for 3-D Secure": tuple(card for card in TEST_CARDS if "challenge" in card.outcome),
    "Bring trouble later": tuple(
        card for card in TEST_CARDS if card.aftermath.startswith(("dispute", "inquiry", "fraud"))
    ),
    "Misbehave when refunded": tuple(
        card for card in TEST_CARDS if card.aftermath.startswith("refund")
    ),
}
PUBLIC_NUMBERS = {card.number for cards in CARD_GROUPS.values() for card in cards}


_ADDRESS = {
    "line1": "AddressLine1",
    "line2": "AddressLine2",
    "city": "Locality",
    "state": "AdministrativeArea",
    "postal_code": "PostalCode",
    "country": "Country",
}
FIELD_NAMES = {
    "number": "cardNumber",
    "expiry": "cardExpiry",
    "cvc": "cardCvc",
    "name": "billingName",
    "phone": "phoneNumber",
    "shipping_name": "shippingName",
    "terms": "termsOfServiceConsentCheckbox",
    **{
        f"{prefix}_{field}": f"{prefix}{name}"
        for prefix in ("billing", "shipping")
        for field, name in _ADDRESS.items()
    },
}
"""Our field name → its id and name on the page, which are those of Stripe's hosted page.

Browser test suites written for that page find their fields by them.
"""
_OUR_NAMES = {theirs: ours for ours, theirs in FIELD_NAMES.items()}


class PayForm(BaseModel):
    """The form of the payment page. Every field is optional: errors are shown as messages, not as
    422.

    A field may have our name or the page's (`FIELD_NAMES`). Any other field is an answer to the
    session's own fields (`collected_fields.py`).
    """

    model_config = ConfigDict(extra="allow")

    method: str = ""
    email: str = ""
    name: str = ""
    number: str = ""
    expiry: str = ""
    cvc: str = ""
    later: str = "succeeds"
    then: str = "return"
    shown_total: str = ""

    @model_validator(mode="before")
    @classmethod
    def _with_our_names(cls, posted: Any) -> Any:
        if not isinstance(posted, dict):
            return posted
        return {_OUR_NAMES.get(name, name): value for name, value in posted.items()}

    @property
    def stays(self) -> bool:
        """Return whether the browser stays here instead of returning to the shop."""
        return self.then == "stay"

    @property
    def answers(self) -> dict[str, str]:
        """Return the answers by field name."""
        extra = self.model_extra or {}
        return {name: answer for name, answer in extra.items() if isinstance(answer, str)}

    def shown_again(self, session: StripeObject) -> dict[str, str]:
        """Return the values to fill in again after an error: of a card only a test card's
        number."""
        values: dict[str, str] = self.model_dump(include=set(PayForm.model_fields))
        if self.number.replace(" ", "") not in PUBLIC_NUMBERS:
            values |= {"number": "", "expiry": "", "cvc": ""}
        values["email"] = (
            values["email"] or (session["customer_details"] or {}).get("email") or SOMEONE
        )
        return values


def pays_by_bank(session: StripeObject, form: PayForm) -> bool:
    """Return whether the form pays by bank debit: chosen, or the only method."""
    offered = session["payment_method_types"]
    return "card" not in offered or (form.method == "bank" and offered != ["card"])


def form_page(
    emulator: Emulator,
    session: StripeObject,
    locale: str,
    *,
    result: PaymentResult | None = None,
    form: PayForm | None = None,
    typed_code: str = "",
) -> Response:
    """Return the page of an open session: 200, after a decline 402, after an invalid field 422."""
    currency, methods = session["currency"], session["payment_method_types"]
    answers = form.answers if form else {}
    form = form or PayForm()
    to_pay = session["amount_total"] > 0
    texts = {place: (text or {}).get("message") for place, text in session["custom_text"].items()}
    context = {
        "session": session,
        "lines": [line_of(emulator, item, locale) for item in session["line_items"]["data"]],
        "total": money(session["amount_total"], currency, locale),
        "currency": currency.upper(),
        "verb": VERBS.get(session.get("submit_type") or "", "Pay") if to_pay else "Confirm",
        "texts": texts,
        "fields": collected_fields.fields_of(session, locale),
        "beside_card": collected_fields.beside_card(session, locale),
        "answers": answers,
        "names": FIELD_NAMES,
        "back": web_link(session.get("cancel_url")),
        "to_pay": to_pay,
        "by_card": to_pay and "card" in methods,
        "by_bank": to_pay and any(method != "card" for method in methods),
        "form": form.shown_again(session),
        "field": result.field if result else None,
        "message": result.message if result else None,
        "declined": result is not None and result.outcome == "declined",
        "business": business_of(emulator, session),
        "groups": CARD_GROUPS,
        **checkout_totals.context(emulator, session, locale),
        "typed_code": typed_code,
    }
    status = {"declined": 402, "invalid": 422}[result.outcome] if result else 200
    return page("pay.html", context, status=status)


def business_of(emulator: Emulator, session: StripeObject) -> str:
    """Return the business name of the session: its own branding, else the account's name."""
    branding = session.get("branding_settings") or {}
    name: str = branding.get("display_name") or ""
    is_default = name == checkout_session_object.NO_BUSINESS_NAME
    return emulator.config.business_name if is_default or not name else name


def line_of(emulator: Emulator, item: StripeObject, locale: str) -> dict[str, Any]:
    """Return one line of the receipt, with the product's image and description if it still
    exists."""
    price = item["price"] or {}
    product = emulator.retrieve(str(price.get("product"))) or {}
    each = price.get("unit_amount")
    return {
        "name": item["description"] or product.get("name") or "Item",
        "more": product.get("description"),
        "image": next(filter(None, map(web_link, product.get("images") or [])), None),
        "quantity": item["quantity"],
        "each": None if each is None else money(each, item["currency"], locale),
        "amount": money(item["amount_subtotal"], item["currency"], locale),
    }


def ended_page(
    emulator: Emulator, session: StripeObject, locale: str, *, left: bool = False
) -> Response:
    """Return the page of a session that can no longer be paid, with a link to the shop."""
    shop = web_link(session.get("cancel_url")) or _origin(session.get("success_url"))
    context = {
        "session": session,
        "total": money(session["amount_total"], session["currency"], locale),
        "result": return_address(session),
        "shop": shop,
        "refused": _is_refused(_payment_of(emulator, session)),
        "business": business_of(emulator, session),
    }
    if session["status"] == "expired":
        return page("expired.html", context)
    return page("paid_no_redirect.html" if left else "completed.html", context)


def return_address(session: StripeObject) -> str | None:
    """Return where a complete session returns to; None if it is not complete."""
    return web_link(success_url(session)) if session["status"] == "complete" else None


def last_refusal(emulator: Emulator, session: StripeObject) -> str:
    """Return the message of the payment's last error."""
    refusal = _payment_of(emulator, session).get("last_payment_error") or {}
    return refusal.get("message") or "Your card was declined."


def _payment_of(emulator: Emulator, session: StripeObject) -> StripeObject:
    payment = session["payment_intent"]
    return (emulator.retrieve(payment) if payment else None) or {}


def _is_refused(payment: StripeObject) -> bool:
    """Return whether the bank refused the debit of a complete session."""
    return payment.get("status") == "requires_payment_method"


def _origin(address: str | None) -> str | None:
    parts = urlsplit(address or "")
    return web_link(f"{parts.scheme}://{parts.netloc}/") if parts.netloc else None
