"""The pages a buyer sees: the pay page, the 3-D Secure question, and what became of a session.

They are called Paper Till, so that nobody takes them for Stripe's own. Everything works without
JavaScript: forms are posted, payments answer 303, and what was refused is said on the page.
"""

from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from store.emulator import dashboard
from store.emulator.acts import Emulator
from store.emulator.cards import TEST_CARDS, TestCard
from store.emulator.records import PaymentResult, StripeObject
from store.emulator.rendering import (
    SECURITY_HEADERS,
    from_this_site,
    locale_of,
    money,
    page,
    static,
    web_link,
)

router = APIRouter(include_in_schema=False)
router.include_router(dashboard.router)
router.add_api_route("/static/{name}", static)

SameSite = Depends(from_this_site)
VERBS = {"book": "Book", "donate": "Donate", "subscribe": "Subscribe"}
MISTYPED = TestCard(
    "4242424242424241",
    "visa",
    "Mistyped number",
    "declines",
    "incorrect_number",
    None,
    "Your card number is incorrect.",
)
CARD_GROUPS: dict[str, tuple[TestCard, ...]] = {
    "Succeed": tuple(
        card for card in TEST_CARDS if card.outcome == "succeeds" and card.aftermath == "none"
    ),
    "Are declined": (*(card for card in TEST_CARDS if card.outcome == "declines"), MISTYPED),
    "Ask for 3-D Secure": tuple(card for card in TEST_CARDS if "challenge" in card.outcome),
    "Are disputed later": tuple(
        card for card in TEST_CARDS if card.aftermath.startswith(("dispute", "inquiry"))
    ),
    "Misbehave when refunded": tuple(
        card for card in TEST_CARDS if card.aftermath.startswith("refund")
    ),
}
PUBLIC_NUMBERS = {card.number for cards in CARD_GROUPS.values() for card in cards}


class PayForm(BaseModel):
    """What the pay page posts. Anything may be missing: the answer is a sentence, not a 422."""

    method: str = "card"
    email: str = ""
    name: str = ""
    number: str = ""
    expiry: str = ""
    cvc: str = ""
    later: str = "succeeds"
    then: str = "return"

    @property
    def stays(self) -> bool:
        """Whether the browser shall not go back to the shop."""
        return self.then == "stay"

    def shown_again(self) -> dict[str, str]:
        """What is filled in again after a refusal: of a card nothing, unless it is a test card."""
        kept = self.model_dump()
        if self.number.replace(" ", "") not in PUBLIC_NUMBERS:
            kept |= {"number": "", "expiry": "", "cvc": ""}
        return kept


@router.get("/c/pay/{session_id}")
def pay_page(request: Request, session_id: str, declined: str | None = None) -> Response:
    """The form while the session is open, else what became of it."""
    session = _emulator(request).session(session_id)
    if session is None:
        return _note("unknown.html", 404)
    if session["status"] != "open":
        return _ended(request, session)
    message = None if declined is None else _last_refusal(request, session)
    return _pay_form(request, session, PaymentResult("declined", message), PayForm(), 200)


@router.post("/c/pay/{session_id}", dependencies=[SameSite])
def pay(request: Request, session_id: str, form: Annotated[PayForm, Form()]) -> Response:
    """Pay. A session that was paid a moment ago leads where the first click leads."""
    emulator = _emulator(request)
    session = emulator.session(session_id)
    if session is None:
        return _note("unknown.html", 404)
    if session["status"] != "open":
        return _onward(session, _return_address(session), form.stays)
    if form.method == "bank":
        outcome: Literal["succeeds", "fails"] = "fails" if form.later == "fails" else "succeeds"
        result = emulator.pay_later(session_id, outcome=outcome, email=form.email, name=form.name)
    else:
        fields = form.model_dump(include={"number", "expiry", "cvc", "name", "email"})
        result = emulator.pay_with_card(session_id, **fields)
    return _answer(request, session, result, form)


@router.post("/c/pay/{session_id}/expire", dependencies=[SameSite])
def let_it_expire(request: Request, session_id: str) -> Response:
    """What 24 hours of doing nothing would do, now."""
    emulator = _emulator(request)
    session = emulator.session(session_id)
    if session is not None and session["status"] == "open":
        emulator.expire(session_id)
    return _see(f"/c/pay/{session_id}")


@router.get("/c/pay/{session_id}/left-here")
def left_here(request: Request, session_id: str) -> Response:
    """Where a presenter is left who pays but does not want the browser to come back."""
    session = _emulator(request).session(session_id)
    if session is None or session["status"] != "complete":
        return _see(f"/c/pay/{session_id}")
    return _ended(request, session, left=True)


@router.get("/c/pay/{session_id}/challenge/{challenge_id}")
def challenge_page(
    request: Request, session_id: str, challenge_id: str, then: str = "return"
) -> Response:
    """The card's bank asks whether it is really you."""
    question = _emulator(request).challenge(challenge_id)
    if question is None or question.session_id != session_id:
        return _see(f"/c/pay/{session_id}")
    amount = money(question.amount, question.currency, locale_of(request))
    return page("challenge.html", {"question": question, "amount": amount, "then": then})


@router.post("/c/pay/{session_id}/challenge/{challenge_id}", dependencies=[SameSite])
def answer_challenge(
    request: Request,
    session_id: str,
    challenge_id: str,
    answer: Annotated[str, Form()] = "fail",
    then: Annotated[str, Form()] = "return",
) -> Response:
    """Complete or fail the question; one that was answered already leads to the session."""
    emulator = _emulator(request)
    question = emulator.challenge(challenge_id)
    session = emulator.session(session_id)
    if question is None or session is None or question.session_id != session_id:
        return _see(f"/c/pay/{session_id}")
    result = emulator.answer_challenge(challenge_id, answer == "complete")
    if result.outcome == "declined":
        return _see(f"/c/pay/{session_id}?declined=1")
    return _onward(session, result.redirect_url, then == "stay")


def _answer(
    request: Request, session: StripeObject, result: PaymentResult, form: PayForm
) -> Response:
    """What the browser gets for what the payment became."""
    address = f"/c/pay/{session['id']}"
    match result.outcome:
        case "succeeded" | "processing":
            return _onward(session, result.redirect_url, form.stays)
        case "challenge":
            then = "?then=stay" if form.stays else ""
            return _see(f"{address}/challenge/{result.challenge_id}{then}")
        case "declined":
            return _pay_form(request, session, result, form, 402)
        case "invalid" if result.field is None:
            again = _emulator(request).session(session["id"]) or session
            return _onward(again, _return_address(again), form.stays)
        case _:
            return _pay_form(request, session, result, form, 422)


def _pay_form(
    request: Request, session: StripeObject, result: PaymentResult, form: PayForm, status: int
) -> Response:
    emulator = _emulator(request)
    locale = locale_of(request, session.get("locale"))
    currency = session["currency"]
    if not form.email:
        form.email = session.get("customer_email") or "buyer@example.com"
    context = {
        "session": session,
        "lines": [_line(emulator, item, locale) for item in session["line_items"]["data"]],
        "total": money(session["amount_total"], currency, locale),
        "currency": currency.upper(),
        "verb": VERBS.get(session.get("submit_type") or "", "Pay"),
        "back": web_link(session.get("cancel_url")),
        "form": form.shown_again(),
        "field": result.field,
        "message": result.message,
        "groups": CARD_GROUPS,
    }
    return page("pay.html", context, status=status)


def _line(emulator: Emulator, item: StripeObject, locale: str) -> dict[str, Any]:
    """One line of the receipt. The product, where it is still known, adds a picture and words."""
    price = item["price"] or {}
    product = price.get("product")
    if isinstance(product, str):
        product = emulator.retrieve(product)
    product = product or {}
    each = price.get("unit_amount")
    return {
        "name": item["description"] or product.get("name") or "Item",
        "more": product.get("description"),
        "image": next(filter(None, map(web_link, product.get("images") or [])), None),
        "quantity": item["quantity"],
        "each": None if each is None else money(each, item["currency"], locale),
        "amount": money(item["amount_total"], item["currency"], locale),
    }


def _ended(request: Request, session: StripeObject, *, left: bool = False) -> Response:
    """A session that can no longer be paid explains itself and shows the way back."""
    locale = locale_of(request, session.get("locale"))
    shop = web_link(session.get("cancel_url")) or _origin(session.get("success_url"))
    context = {
        "session": session,
        "total": money(session["amount_total"], session["currency"], locale),
        "result": _return_address(session),
        "shop": shop,
    }
    if session["status"] == "expired":
        return page("expired.html", context)
    return page("left_here.html" if left else "completed.html", context)


def _note(name: str, status: int) -> Response:
    return page(name, {}, status=status)


def _onward(session: StripeObject, address: str | None, stays: bool) -> Response:
    """Back to the shop, or to our own page where there is no address or the browser shall stay."""
    ours = f"/c/pay/{session['id']}"
    if stays:
        return _see(f"{ours}/left-here")
    return _see(web_link(address) or ours)


def _see(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers=SECURITY_HEADERS)


def _return_address(session: StripeObject) -> str | None:
    """The success address of a complete session, with its id in the one place Stripe fills in."""
    if session["status"] != "complete":
        return None
    address = web_link(session.get("success_url"))
    return address and address.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _origin(address: str | None) -> str | None:
    parts = urlsplit(address or "")
    return web_link(f"{parts.scheme}://{parts.netloc}/") if parts.netloc else None


def _last_refusal(request: Request, session: StripeObject) -> str | None:
    """Why the last try was refused, as the payment itself remembers it."""
    intent = session.get("payment_intent")
    payment = _emulator(request).retrieve(intent) if isinstance(intent, str) else None
    refusal = (payment or {}).get("last_payment_error") or {}
    return refusal.get("message") or "Your card was declined."


def _emulator(request: Request) -> Emulator:
    return cast(Emulator, request.app.state.emulator)
